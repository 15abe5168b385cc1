// SPDX-License-Identifier: GPL-2.0
/*
 * A process that lies in every word it may write and calls everything with everything, as another
 * user, while two others use a channel of their own: it gets errors, they notice nothing, its own
 * peer is never stuck, and nothing of it is left when it was killed.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

#define USER 4323

static uint64_t seed;

static uint64_t draw(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 11 ^ seed << 40;
}

/* A number of the kind that code trips over. */
static uint64_t draw_number(void)
{
	switch (draw() % 6) {
	case 0:
		return draw() % 64;
	case 1:
		return 1ull << draw() % 64;
	case 2:
		return -(draw() % 8192);
	case 3:
		return page_size() * (draw() % 300);
	case 4:
		return (uint32_t)draw();
	default:
		return draw();
	}
}

static void draw_bytes(void *bytes, size_t size)
{
	for (size_t at = 0; at + 8 <= size; at += 8) {
		uint64_t number = draw() % 3 ? draw_number() : 0;

		memcpy((char *)bytes + at, &number, 8);
	}
}

struct attack {
	int fd; /* an endpoint whose peer is honest */
	uint64_t seed;
};

/* The interval timer that gets it out of waits that would never end. */
static void come_back(int signal)
{
	(void)signal;
}

static void call_anything(int fd)
{
	static const unsigned long commands[] = {
		SHMIPC_IOC_CREATE, SHMIPC_IOC_INFO, SHMIPC_IOC_GROW, SHMIPC_IOC_SEGMENT,
		SHMIPC_IOC_RETIRE, SHMIPC_IOC_WAIT, SHMIPC_IOC_RING, SHMIPC_IOC_RING_WAIT,
		SHMIPC_IOC_WAIT_UNTIL, SHMIPC_IOC_KICK,
	};
	unsigned char bytes[256];
	unsigned long command = commands[draw() % ARRAY_SIZE(commands)];
	uintptr_t argument = (uintptr_t)bytes;

	draw_bytes(bytes, sizeof(bytes));
	if (draw() % 16 == 0)
		command = SHMIPC_IOC_MAGIC << _IOC_TYPESHIFT | (draw() & 0xffff00ff);
	if (!_IOC_SIZE(command) || draw() % 8 == 0)
		argument = draw() % 4 ? draw_number() : 0;
	if (command == SHMIPC_IOC_CREATE && !CALL(fd, command, argument)) {
		struct shmipc_ioc_create create;

		memcpy(&create, bytes, sizeof(create));
		if (draw() % 2)
			close(create.peer_fd);
		return;
	}
	CALL(fd, command, argument);
}

static void map_anything(int fd, void **maps, size_t *sizes, size_t count)
{
	size_t slot = draw() % count;
	int protection = (int)(draw() % 4);
	uint64_t offset = draw() % 4 ? SHMIPC_MMAP(draw() % 2, draw() % 34) :
				       draw_number() & -page_size();
	size_t size = draw() % 4 ? page_size() : page_size() * (1 + draw() % 64);

	if (maps[slot])
		munmap(maps[slot], sizes[slot]);
	maps[slot] = mmap(NULL, size, protection, draw() % 8 ? MAP_SHARED : MAP_PRIVATE, fd,
			  (off_t)offset);
	sizes[slot] = size;
	if (maps[slot] == MAP_FAILED) {
		maps[slot] = NULL;
		return;
	}
	if (draw() % 4 == 0)
		mprotect(maps[slot], size, (int)(draw() % 8));
	if (draw() % 4 == 0)
		madvise(maps[slot], size, (int)(draw() % 26));
}

static long attack_there(void *argument)
{
	struct attack *attack = argument;
	struct sigaction action = { .sa_handler = come_back };
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	struct endpoint end = { .fd = attack->fd, .own_size = page_size(),
				.peer_size = page_size() };
	void *maps[8] = { NULL };
	size_t sizes[8] = { 0 };
	int mine = -1;
	long result = endpoint_map(&end);

	if (result)
		return result;
	seed = attack->seed;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (;;) {
		int fd = draw() % 3 ? end.fd : mine;

		/* Lies near the truth are the better lies. */
		word_store(&end.own->seq, draw() % 2 ? (uint32_t)draw() : word_load(&end.peer->rung));
		word_store(&end.own->rung,
			   draw() % 2 ? (uint32_t)draw() : word_load(&end.peer->seq));
		call_anything(fd);
		if (draw() % 8 == 0)
			map_anything(fd, maps, sizes, ARRAY_SIZE(maps));
		if (draw() % 64 == 0) {
			close(mine);
			mine = device_open();
		}
		if (draw() % 256 == 0) {
			struct pollfd file = { .fd = fd, .events = (short)draw() };

			poll(&file, 1, 1);
		}
	}
}

struct game {
	struct endpoint end;
	int first;
	uint64_t until_ns;
	long rounds;
};

static uint64_t *message_of(const struct shmipc_words *words)
{
	return (uint64_t *)(uintptr_t)words + 8;
}

/* The victims: a message is a number and what is made of it; every one is checked. */
static long play_game(struct game *game)
{
	struct endpoint *end = &game->end;

	for (uint64_t number = game->first ? 1 : 2;; number += 2) {
		uint64_t *mine = message_of(end->own);
		const uint64_t *theirs = message_of(end->peer);

		if (!game->first || number > 1) {
			for (;;) {
				struct shmipc_ioc_wait wait = {
					.deadline_ns = UINT64_MAX,
				};
				uint64_t seen;
				long result;

				wait.seq = endpoint_arm(end);
				seen = __atomic_load_n(theirs, __ATOMIC_ACQUIRE);
				if (seen == UINT64_MAX)
					return 0;
				if (seen == number - 1) {
					endpoint_disarm(end);
					if (theirs[1] != seen * 77 + 3)
						return -EBADMSG;
					break;
				}
				if (seen > number)
					return -EPROTO;
				result = CALL(end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
				endpoint_disarm(end);
				if (result)
					return result;
			}
		}
		mine[1] = number * 77 + 3;
		__atomic_store_n(mine, number, __ATOMIC_RELEASE);
		if (game->first && now_ns() > game->until_ns) {
			__atomic_store_n(mine, UINT64_MAX, __ATOMIC_RELEASE);
			endpoint_ring(end);
			return 0;
		}
		if (endpoint_ring(end))
			return -EPIPE;
		game->rounds++;
	}
}

static long play_there(void *argument)
{
	struct game *game = argument;
	long result = endpoint_map(&game->end);

	return result ? result : play_game(game);
}

static long become_user_there(void *argument)
{
	(void)argument;
	if (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		return -errno;
	return 0;
}

/* The honest peer of the liar: all calls come back, and with what the contract knows. */
static bool stays_honest(struct endpoint *end)
{
	struct shmipc_ioc_wait wait = { .deadline_ns = now_ns() + 2 * MS };
	struct shmipc_ioc_info info;
	struct pollfd file = { .fd = end->fd, .events = POLLIN };
	long result;

	endpoint_take_duty(end);
	wait.flags = SHMIPC_WAIT_RING;
	wait.seq = endpoint_arm(end);
	result = CALL(end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
	if (result && result != -ETIMEDOUT && result != -EPIPE)
		return false;
	if (now_ns() > wait.deadline_ns + 10000 * MS)
		return false;
	if (poll(&file, 1, 1) < 0)
		return false;
	return !endpoint_info(end->fd, &info) && !info.reserved && info.abi == SHMIPC_ABI &&
	       info.lane_size[1] <= info.lane_max[1];
}

FIXTURE(hostile)
{
	struct actor liar;
	struct actor victim;
	uint64_t max_user_bytes;
};

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, parameter_read("max_user_bytes", &self->max_user_bytes));
	ASSERT_EQ(0, actor_start(&self->liar));
	ASSERT_EQ(0, actor_start(&self->victim));
}

FIXTURE_TEARDOWN(hostile)
{
	actor_kill(&self->liar);
	actor_kill(&self->victim);
	parameter_write("max_user_bytes", self->max_user_bytes);
}

struct honest {
	struct endpoint *end;
	volatile int stop;
	int disturbed;
	long rounds;
};

static void *stay_honest(void *argument)
{
	struct honest *honest = argument;

	while (!honest->stop && !honest->disturbed) {
		honest->disturbed = !stays_honest(honest->end);
		honest->rounds++;
	}
	return NULL;
}

/* A channel that needs all that the user may have. */
static long create_there(void *argument)
{
	struct shmipc_ioc_create request = create_request();

	return CALL(*(int *)argument, SHMIPC_IOC_CREATE, &request);
}

TEST_F_TIMEOUT(hostile, a_liar_disturbs_nobody_and_leaves_nothing, 120)
{
	struct endpoint attacked[2];
	struct endpoint ends[2];
	struct attack attack = { .seed = now_ns() };
	struct game here = { .first = 1, .until_ns = now_ns() + 8000 * MS };
	struct game there = { .first = 0 };
	struct honest honest = { .end = &attacked[0] };
	pthread_t thread;
	int fd;

	TH_LOG("seed %llu", (unsigned long long)attack.seed);
	ASSERT_EQ(0, channel_create(attacked, NULL));
	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, endpoint_map(&attacked[0]));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	here.end = ends[0];
	there.end = ends[1];
	there.end.fd = actor_give(&self->victim, ends[1].fd);
	ASSERT_LE(0, there.end.fd);
	attack.fd = actor_give(&self->liar, attacked[1].fd);
	ASSERT_LE(0, attack.fd);
	endpoint_close(&ends[1]);
	endpoint_close(&attacked[1]);
	ASSERT_EQ(0, actor_call(&self->liar, become_user_there, NULL, 0));

	ASSERT_EQ(0, actor_post(&self->victim, play_there, &there, sizeof(there)));
	ASSERT_EQ(0, actor_post(&self->liar, attack_there, &attack, sizeof(attack)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stay_honest, &honest));
	EXPECT_EQ(0, play_game(&here));
	EXPECT_EQ(0, actor_result(&self->victim, &there, sizeof(there)));
	honest.stop = 1;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, honest.disturbed);
	EXPECT_LT(10, honest.rounds);
	EXPECT_LT(10, here.rounds);
	TH_LOG("%ld undisturbed rounds, %ld honest answers", here.rounds, honest.rounds);

	/* It has done so all the time, and has not got out of it. */
	EXPECT_EQ(0, waitpid(self->liar.pid, NULL, WNOHANG));
	actor_kill(&self->liar);
	EXPECT_TRUE(endpoint_state(attacked[0].fd) & SHMIPC_STATE_PEER_DEAD);
	endpoint_close(&attacked[0]);
	ASSERT_EQ(0, parameter_write("max_user_bytes", 2 * page_size()));
	ASSERT_EQ(0, actor_call(&self->victim, become_user_there, NULL, 0));
	fd = device_open();
	ASSERT_LE(0, fd);
	fd = actor_give(&self->victim, fd);
	EXPECT_EQ(0, actor_call(&self->victim, create_there, &fd, sizeof(fd)));
}

TEST_HARNESS_MAIN
