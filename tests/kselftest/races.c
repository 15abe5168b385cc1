// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at the same time: bind against bind, create against create, and a crowd of threads that
 * map, wait, ring, grow, ask and close while channels come and go under their hands. What is checked
 * is that one wins where one must, that no call gives an answer it has no reason for, and that the
 * kernel is still well; the debug kernel sees more than this does.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

FIXTURE(races)
{
	int unused;
};

FIXTURE_SETUP(races)
{
}

FIXTURE_TEARDOWN(races)
{
}

/* Two threads do the same at the same time. */
struct pair {
	pthread_barrier_t barrier;
	int fd;
	long (*action)(struct pair *pair, int index);
	long result[2];
	int peer_fd[2];
};

struct half {
	struct pair *pair;
	int index;
};

static void *run_half(void *argument)
{
	struct half *half = argument;

	pthread_barrier_wait(&half->pair->barrier);
	half->pair->result[half->index] = half->pair->action(half->pair, half->index);
	return NULL;
}

static void run_pair(struct pair *pair)
{
	struct half halves[2] = { { pair, 0 }, { pair, 1 } };
	pthread_t thread;

	pthread_barrier_init(&pair->barrier, NULL, 2);
	if (pthread_create(&thread, NULL, run_half, &halves[0]))
		abort();
	run_half(&halves[1]);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&pair->barrier);
}

static long create_half(struct pair *pair, int index)
{
	struct shmipc_ioc_create request = create_request();
	long result = CALL(pair->fd, SHMIPC_IOC_CREATE, &request);

	pair->peer_fd[index] = request.peer_fd;
	return result;
}

TEST_F_TIMEOUT(races, of_two_creates_one_wins, 120)
{
	for (int round = 0; round < 500; round++) {
		struct pair pair = { .fd = device_open(), .action = create_half };
		int winner;

		ASSERT_LE(0, pair.fd);
		run_pair(&pair);
		winner = pair.result[0] ? 1 : 0;
		ASSERT_EQ(0, pair.result[winner]);
		ASSERT_EQ(-EBUSY, pair.result[!winner]);
		ASSERT_EQ(0u, endpoint_state(pair.peer_fd[winner]));
		close(pair.peer_fd[winner]);
		close(pair.fd);
	}
}

static long map_half(struct pair *pair, int index)
{
	void *at;
	long result = part_map(pair->fd, SHMIPC_OWN, SHMIPC_HEAD, page_size(),
			       PROT_READ | PROT_WRITE, &at);

	(void)index;
	if (!result)
		munmap(at, page_size());
	return result;
}

TEST_F_TIMEOUT(races, two_threads_may_both_bind, 120)
{
	for (int round = 0; round < 500; round++) {
		struct pair pair = { .action = map_half };
		struct endpoint ends[2];

		ASSERT_EQ(0, channel_create(ends, NULL));
		pair.fd = ends[0].fd;
		run_pair(&pair);
		/* The second one may come when the first has unmapped again. */
		for (int i = 0; i < 2; i++) {
			ASSERT_TRUE(pair.result[i] == 0 || pair.result[i] == -EPIPE)
				TH_LOG("%ld", pair.result[i]);
		}
		ASSERT_TRUE(pair.result[0] == 0 || pair.result[1] == 0);
		ASSERT_TRUE(endpoint_state(ends[1].fd) & SHMIPC_STATE_PEER_DEAD);
		endpoint_close(&ends[0]);
		endpoint_close(&ends[1]);
	}
}

struct bind {
	int fd;
	uint64_t at_ns;
};

static long bind_there(void *argument)
{
	struct bind *bind = argument;
	void *at;

	while (now_ns() < bind->at_ns)
		;
	return part_map(bind->fd, SHMIPC_OWN, SHMIPC_HEAD, page_size(), PROT_READ | PROT_WRITE,
			&at);
}

static long close_there(void *argument)
{
	return close(*(int *)argument);
}

TEST_F_TIMEOUT(races, of_two_processes_one_binds, 120)
{
	struct actor actors[2];

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, actor_start(&actors[i]));
	}
	for (int round = 0; round < 200; round++) {
		struct bind bind[2];
		struct endpoint ends[2];
		long result[2];
		int winner;

		ASSERT_EQ(0, channel_create(ends, NULL));
		for (int i = 0; i < 2; i++) {
			bind[i].fd = actor_give(&actors[i], ends[0].fd);
			ASSERT_LE(0, bind[i].fd);
		}
		for (int i = 0; i < 2; i++) {
			bind[i].at_ns = now_ns() + MS / 2;
			ASSERT_EQ(0, actor_post(&actors[i], bind_there, &bind[i], sizeof(bind[i])));
		}
		for (int i = 0; i < 2; i++) {
			result[i] = actor_result(&actors[i], NULL, 0);
		}
		winner = result[0] ? 1 : 0;
		ASSERT_EQ(0, result[winner]);
		ASSERT_EQ(-EBUSY, result[!winner]);
		for (int i = 0; i < 2; i++) {
			actor_call(&actors[i], close_there, &bind[i].fd, sizeof(int));
		}
		endpoint_close(&ends[0]);
		endpoint_close(&ends[1]);
	}
	actor_kill(&actors[0]);
	actor_kill(&actors[1]);
}

/* The crowd. Descriptors keep their numbers; what is behind them changes. */
#define SLOTS 2
#define CROWD 6

struct crowd {
	int fds[SLOTS];
	volatile int stop;
	long calls;
	long strange; /* the first answer that had no reason, and to what */
	int strange_action;
};

static unsigned int draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(*seed >> 33);
}

static bool has_reason(long result)
{
	switch (result) {
	case 0: case 1:
	case -EINVAL: /* no endpoint at this moment */
	case -EPERM: case -EPIPE: case -EBUSY: case -ETIMEDOUT: case -EINTR:
	case -ENOENT: case -EEXIST: case -EFBIG: case -EBADF: case -EACCES:
	case -ENOTTY: /* another file at this moment */
	case -ENODEV:
		return true;
	default:
		return false;
	}
}

static long act_in_crowd(int action, int fd, uint64_t *seed)
{
	struct shmipc_ioc_wait wait = { .deadline_ns = now_ns() + draw(seed) % 300 * 1000 };
	struct shmipc_ioc_segment segment = { .lane = draw(seed) & 1, .segment = draw(seed) % 3 };
	struct shmipc_ioc_info info;
	struct pollfd file = { .fd = fd, .events = POLLIN };
	size_t size = page_size() * (1 + draw(seed) % 2);
	unsigned int part = draw(seed) % 4;
	char path[64];
	char text[4096];
	void *at;
	long result;

	switch (action) {
	case 0:
	case 1:
		/* Own, writable; written to, changed a little, unmapped. */
		result = part_map(fd, SHMIPC_OWN, part, size, PROT_READ | PROT_WRITE, &at);
		if (result)
			return result;
		word_store(at, draw(seed));
		word_store((uint32_t *)at + 1, draw(seed));
		if (draw(seed) % 2)
			madvise(at, size, MADV_DONTNEED);
		word_store(at, draw(seed) | 1);
		sched_yield();
		return munmap(at, size) ? -errno : 0;
	case 2:
		result = part_map(fd, SHMIPC_PEER, part, size, PROT_READ, &at);
		if (result)
			return result;
		word_load(at);
		return munmap(at, size) ? -errno : 0;
	case 3:
		wait.seq = draw(seed) | 1;
		wait.flags = draw(seed) & SHMIPC_WAIT_RING;
		return CALL(fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
	case 4:
		return CALL(fd, SHMIPC_IOC_RING, 0);
	case 5:
		return CALL(fd, SHMIPC_IOC_KICK, 0);
	case 6:
		return endpoint_grow(fd, draw(seed) % 3, size);
	case 7:
		return CALL(fd, SHMIPC_IOC_RETIRE, draw(seed) % 3);
	case 8:
		return CALL(fd, SHMIPC_IOC_SEGMENT, &segment);
	case 9:
		return CALL(fd, SHMIPC_IOC_INFO, &info);
	case 10:
		return poll(&file, 1, draw(seed) % 2) < 0 ? -errno : 0;
	default:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		result = file_read(path, text, sizeof(text));
		return result < 0 ? -ENOENT : 0;
	}
}

static void *join_crowd(void *argument)
{
	struct crowd *crowd = argument;
	uint64_t seed = (uint64_t)gettid() * 2654435761u;
	long calls = 0;

	while (!crowd->stop) {
		int action = (int)(draw(&seed) % 12);
		long result = act_in_crowd(action, crowd->fds[draw(&seed) % SLOTS], &seed);

		calls++;
		if (!has_reason(result) && !crowd->strange) {
			crowd->strange_action = action;
			crowd->strange = result;
		}
	}
	__atomic_fetch_add(&crowd->calls, calls, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F_TIMEOUT(races, channels_come_and_go_under_a_crowd, 120)
{
	struct crowd crowd = { .stop = 0 };
	pthread_t threads[CROWD];
	uint64_t until = now_ns() + 8000 * MS;
	uint64_t seed = 1;
	int rounds = 0;

	for (int i = 0; i < SLOTS; i++) {
		crowd.fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	for (int i = 0; i < CROWD; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, join_crowd, &crowd));
	}
	/* A slow machine gets its rounds, too. */
	while (now_ns() < until || rounds < 10) {
		struct endpoint ends[2];

		ASSERT_EQ(0, channel_create(ends, NULL));
		dup3(ends[0].fd, crowd.fds[0], O_CLOEXEC);
		dup3(ends[1].fd, crowd.fds[1], O_CLOEXEC);
		/* Sometimes it is held alive and bound here, sometimes by the crowd, or not at all. */
		if (draw(&seed) % 2)
			endpoint_map(&ends[0]);
		if (draw(&seed) % 2)
			endpoint_map(&ends[1]);
		if (draw(&seed) % 3)
			sleep_ms(draw(&seed) % 4);
		endpoint_close(&ends[draw(&seed) % 2]);
		endpoint_close(&ends[0]);
		endpoint_close(&ends[1]);
		rounds++;
	}
	crowd.stop = 1;
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
	}
	TH_LOG("%d channels, %ld calls", rounds, crowd.calls);
	EXPECT_EQ(0, crowd.strange) {
		TH_LOG("action %d", crowd.strange_action);
	}
}

TEST_F_TIMEOUT(races, a_peer_killed_at_any_moment_is_noticed, 120)
{
	uint64_t until = now_ns() + 8000 * MS;
	int rounds = 0;

	while ((now_ns() < until || rounds < 10) && rounds < 300) {
		struct endpoint ends[2];
		long result = 0;
		pid_t child;

		ASSERT_EQ(0, channel_create(ends, NULL));
		ASSERT_EQ(0, endpoint_map(&ends[0]));
		child = fork();
		if (!child) {
			if (endpoint_map(&ends[1]))
				_exit(1);
			for (;;) {
				uint32_t seq = endpoint_arm(&ends[1]);

				endpoint_take_duty(&ends[1]);
				CALL(ends[1].fd, SHMIPC_IOC_RING_WAIT, seq);
			}
		}
		endpoint_close(&ends[1]);
		/* Back and forth; it is killed after some rounds, at no point of its own in particular. */
		for (int n = 0; !result; n++) {
			struct shmipc_ioc_wait wait = { .deadline_ns = UINT64_MAX };

			wait.seq = endpoint_arm(&ends[0]);
			wait.flags = SHMIPC_WAIT_RING;
			endpoint_take_duty(&ends[0]);
			if (n == (int)(rounds % 50))
				kill(child, SIGKILL);
			result = CALL(ends[0].fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
		}
		ASSERT_EQ(-EPIPE, result);
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		endpoint_close(&ends[0]);
		rounds++;
	}
}

TEST_F_TIMEOUT(races, waiters_and_an_unmapping_thread, 120)
{
	for (int round = 0; round < 200; round++) {
		struct endpoint ends[2];
		struct sleeper sleepers[2];

		ASSERT_EQ(0, channel_create_bound(ends));
		for (int i = 0; i < 2; i++) {
			SLEEPER_START(&sleepers[i], ends[i].fd, SHMIPC_IOC_WAIT,
				      endpoint_arm(&ends[i]));
		}
		/* One side goes; both sleepers must come back. */
		endpoint_unmap(&ends[round % 2]);
		ASSERT_EQ(-EPIPE, sleeper_join(&sleepers[!(round % 2)]));
		ASSERT_EQ(-EPIPE, sleeper_join(&sleepers[round % 2]));
		endpoint_close(&ends[0]);
		endpoint_close(&ends[1]);
	}
}

TEST_F_TIMEOUT(races, a_waiter_whose_file_is_closed_meanwhile, 120)
{
	for (int round = 0; round < 100; round++) {
		struct endpoint ends[2];
		struct sleeper sleeper;

		ASSERT_EQ(0, channel_create_bound(ends));
		SLEEPER_START(&sleeper, ends[0].fd, SHMIPC_IOC_WAIT, endpoint_arm(&ends[0]));
		close(ends[0].fd);
		ends[0].fd = -1;
		/* Closing wakes nobody: the call and the mapping hold the file. */
		ASSERT_FALSE(sleeper_done(&sleeper));
		ASSERT_EQ(0, endpoint_ring(&ends[1]));
		ASSERT_EQ(0, sleeper_join(&sleeper));
		endpoint_close(&ends[0]);
		ASSERT_TRUE(endpoint_state(ends[1].fd) & SHMIPC_STATE_PEER_DEAD);
		endpoint_close(&ends[1]);
	}
}

TEST_HARNESS_MAIN
