// SPDX-License-Identifier: GPL-2.0
/*
 * How an endpoint dies, what does not keep it alive, and what its peer is told: a sleeper, a poller,
 * a caller. What the dead side published stays readable.
 */
#include <kselftest_harness.h>

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "actor.h"
#include "endpoint.h"
#include "sleeper.h"

/* Endpoint 1 lives, bound, in another process; endpoint 0 here. */
FIXTURE(hangup)
{
	struct actor other;
	int fd_there;
	struct endpoint ends[2];
	struct endpoint *end;
};

static struct endpoint there; /* in the actor: its endpoint */

static long bind_there(void *argument)
{
	memset(&there, 0, sizeof(there));
	there.fd = *(int *)argument;
	there.own_size = page_size();
	there.peer_size = page_size();
	return endpoint_map(&there);
}

FIXTURE_SETUP(hangup)
{
	ASSERT_EQ(0, actor_start(&self->other));
	ASSERT_EQ(0, channel_create(self->ends, NULL));
	self->end = &self->ends[0];
	ASSERT_EQ(0, endpoint_map(self->end));
	self->fd_there = actor_give(&self->other, self->ends[1].fd);
	ASSERT_LE(0, self->fd_there);
	ASSERT_EQ(0, actor_call(&self->other, bind_there, &self->fd_there, sizeof(int)));
}

FIXTURE_TEARDOWN(hangup)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	actor_kill(&self->other);
}

static bool peer_is_dead(int fd)
{
	return endpoint_state(fd) & SHMIPC_STATE_PEER_DEAD;
}

static long unmap_there(void *argument)
{
	(void)argument;
	endpoint_unmap(&there);
	return 0;
}

static long close_there(void *argument)
{
	(void)argument;
	return close(there.fd);
}

static long exec_there(void *argument)
{
	(void)argument;
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	return -errno;
}

static long exit_there(void *argument)
{
	_exit(*(int *)argument);
}

static long crash_there(void *argument)
{
	volatile int *volatile nowhere = NULL;

	(void)argument;
	signal(SIGSEGV, SIG_DFL);
	*nowhere = 0;
	return 0;
}

TEST_F(hangup, by_munmap)
{
	ASSERT_EQ(0, actor_call(&self->other, unmap_there, NULL, 0));
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

TEST_F(hangup, by_exit)
{
	int code = 3;

	EXPECT_EQ(-EPIPE, actor_call(&self->other, exit_there, &code, sizeof(code)));
	actor_reap(&self->other);
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

TEST_F(hangup, by_kill)
{
	actor_kill(&self->other);
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

TEST_F(hangup, by_a_crash)
{
	EXPECT_EQ(-EPIPE, actor_call(&self->other, crash_there, NULL, 0));
	actor_reap(&self->other);
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

TEST_F(hangup, by_exec)
{
	/* The socket is closed on exec, which answers the call. */
	EXPECT_EQ(-EPIPE, actor_call(&self->other, exec_there, NULL, 0));
	EXPECT_EQ(0, kill(self->other.pid, 0));
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

TEST_F(hangup, not_by_close_while_something_is_mapped)
{
	close(self->ends[1].fd);
	self->ends[1].fd = -1;
	ASSERT_EQ(0, actor_call(&self->other, close_there, NULL, 0));
	EXPECT_EQ((uint32_t)(SHMIPC_STATE_BOUND | SHMIPC_STATE_PEER_BOUND),
		  endpoint_state(self->end->fd));
	/* And what it writes still arrives. */
	ASSERT_EQ(0, actor_call(&self->other, unmap_there, NULL, 0));
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

static long grow_and_unmap_head_there(void *argument)
{
	void *at = NULL;
	long result = endpoint_grow(there.fd, 0, page_size());

	(void)argument;
	if (!result)
		result = part_map(there.fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), page_size(),
				  PROT_READ | PROT_WRITE, &at);
	munmap(there.own, there.own_size);
	there.own = at;
	return result;
}

TEST_F(hangup, by_the_last_writable_mapping_whichever_part_it_shows)
{
	ASSERT_EQ(0, actor_call(&self->other, grow_and_unmap_head_there, NULL, 0));
	EXPECT_FALSE(peer_is_dead(self->end->fd));
	ASSERT_EQ(0, actor_call(&self->other, unmap_there, NULL, 0));
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

static long unmap_own_only_there(void *argument)
{
	(void)argument;
	munmap(there.own, there.own_size);
	there.own = NULL;
	return there.peer ? 0 : -EINVAL;
}

TEST_F(hangup, reading_mappings_keep_nothing_alive)
{
	ASSERT_EQ(0, actor_call(&self->other, unmap_own_only_there, NULL, 0));
	EXPECT_TRUE(peer_is_dead(self->end->fd));
}

static long fork_there(void *argument)
{
	pid_t child = fork();

	(void)argument;
	if (!child) {
		pause();
		_exit(0);
	}
	return child;
}

TEST_F(hangup, a_forked_childs_descriptor_keeps_nothing_alive)
{
	long child = actor_call(&self->other, fork_there, NULL, 0);

	ASSERT_LT(0, child);
	actor_kill(&self->other);
	EXPECT_TRUE(peer_is_dead(self->end->fd));
	kill((pid_t)child, SIGKILL);
}

TEST_F(hangup, a_threads_exit_is_not_the_processes)
{
	struct sleeper sleeper;

	/* A thread of this process that waits and leaves: endpoint 0 lives on. */
	SLEEPER_START(&sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	endpoint_disarm(self->end);
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
	ASSERT_EQ(0, sleeper_join(&sleeper));
	EXPECT_EQ(0u, endpoint_state(self->end->fd) & SHMIPC_STATE_DEAD);
}

TEST_F(hangup, wakes_the_peers_sleeper)
{
	struct sleeper sleeper;

	SLEEPER_START(&sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	ASSERT_FALSE(sleeper_done(&sleeper));
	actor_kill(&self->other);
	EXPECT_EQ(-EPIPE, sleeper_join(&sleeper));
}

TEST_F(hangup, wakes_the_peers_sleeper_with_a_deadline)
{
	struct shmipc_ioc_wait wait = {
		.deadline_ns = now_ns() + 600000 * MS,
		.seq = endpoint_arm(self->end),
	};
	struct sleeper sleeper;

	SLEEPER_START(&sleeper, self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
	actor_kill(&self->other);
	EXPECT_EQ(-EPIPE, sleeper_join(&sleeper));
}

TEST_F(hangup, wakes_the_peers_poller)
{
	struct pollfd file = { .fd = self->end->fd, .events = POLLIN };
	int code = 0;

	endpoint_arm(self->end);
	ASSERT_EQ(0, poll(&file, 1, 0));
	ASSERT_EQ(0, actor_post(&self->other, exit_there, &code, sizeof(code)));
	ASSERT_EQ(1, poll(&file, 1, -1));
	EXPECT_EQ(POLLIN | POLLHUP, file.revents & ~POLLRDNORM);
}

TEST_F(hangup, then_calls_say_so)
{
	uint32_t seq = endpoint_arm(self->end);
	struct shmipc_ioc_wait wait = { .deadline_ns = now_ns() + 600000 * MS, .seq = seq };

	actor_kill(&self->other);
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_RING_WAIT, seq));
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	wait.flags = SHMIPC_WAIT_RING;
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	/* The own waiter is still one's own to wake. */
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
}

static long publish_there(void *argument)
{
	memcpy((char *)there.own + 64, argument, 16);
	word_store(&there.own->rung, word_load(&there.peer->seq));
	return 0;
}

TEST_F(hangup, what_was_published_can_be_read_and_is_reported_first)
{
	char text[16] = "the last words";
	uint32_t seq = endpoint_arm(self->end);
	void *again;

	/* It takes the duty to ring, and dies before it can. */
	ASSERT_EQ(0, actor_call(&self->other, publish_there, text, sizeof(text)));
	actor_kill(&self->other);
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RING_WAIT, seq));
	EXPECT_EQ(0, memcmp(text, (const char *)self->end->peer + 64, sizeof(text)));
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end)));
	/* A mapping made only now reads it, too. */
	ASSERT_EQ(0, part_map(self->end->fd, SHMIPC_PEER, SHMIPC_HEAD, page_size(), PROT_READ,
			      &again));
	EXPECT_EQ(0, memcmp(text, (const char *)again + 64, sizeof(text)));
}

TEST_F(hangup, of_the_own_side_ends_its_own_sleeper)
{
	struct sleeper sleeper;

	SLEEPER_START(&sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	munmap(self->end->own, self->end->own_size);
	self->end->own = NULL;
	EXPECT_EQ(-EPIPE, sleeper_join(&sleeper));
}

TEST_F(hangup, of_a_killed_sleeper_is_seen_at_once)
{
	pid_t child;
	struct endpoint ends[2];
	struct sleeper sleeper;

	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	child = fork();
	if (!child) {
		if (endpoint_map(&ends[1]))
			_exit(1);
		CALL(ends[1].fd, SHMIPC_IOC_WAIT, endpoint_arm(&ends[1]));
		_exit(2);
	}
	ASSERT_TRUE(task_falls_asleep(child, 20000));
	SLEEPER_START(&sleeper, ends[0].fd, SHMIPC_IOC_WAIT, endpoint_arm(&ends[0]));
	kill(child, SIGKILL);
	EXPECT_EQ(-EPIPE, sleeper_join(&sleeper));
	waitpid(child, NULL, 0);
}

static long read_word_there(void *argument)
{
	return word_load(*(uint32_t **)argument + 16);
}

static long map_for_reading_there(void *argument)
{
	void *at;
	long result = part_map(*(int *)argument, SHMIPC_PEER, SHMIPC_HEAD, page_size(), PROT_READ,
			       &at);

	memcpy(argument, &at, sizeof(at));
	return result;
}

TEST_F(hangup, of_both_leaves_a_tool_what_it_has_mapped)
{
	struct actor tool;
	uintptr_t argument;

	ASSERT_EQ(0, actor_start(&tool));
	argument = (uintptr_t)actor_give(&tool, self->ends[1].fd);
	word_store((uint32_t *)self->end->own + 16, 4711);
	ASSERT_EQ(0, actor_call(&tool, map_for_reading_there, &argument, sizeof(argument)));
	actor_kill(&self->other);
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	EXPECT_EQ(4711, actor_call(&tool, read_word_there, &argument, sizeof(argument)));
	EXPECT_EQ(0, actor_exit(&tool));
}

/* Endpoints that were never bound. */

TEST(an_unbound_endpoint_dies_with_its_last_descriptor)
{
	struct endpoint ends[2];
	int copy;

	ASSERT_EQ(0, channel_create(ends, NULL));
	copy = dup(ends[1].fd);
	close(ends[1].fd);
	EXPECT_FALSE(peer_is_dead(ends[0].fd));
	close(copy);
	EXPECT_TRUE(peer_is_dead(ends[0].fd));
	endpoint_close(&ends[0]);
}

TEST(an_unbound_endpoint_in_flight_is_alive_until_its_socket_is_closed)
{
	struct endpoint ends[2];
	int sockets[2];

	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, descriptor_send(sockets[0], ends[1].fd));
	close(ends[1].fd);
	EXPECT_FALSE(peer_is_dead(ends[0].fd));
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_TRUE(peer_is_dead(ends[0].fd));
}

TEST(a_bound_endpoints_death_is_not_delayed_by_a_copy_in_flight)
{
	struct endpoint ends[2];
	int sockets[2];

	ASSERT_EQ(0, channel_create_bound(ends));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, descriptor_send(sockets[0], ends[1].fd));
	endpoint_close(&ends[1]);
	EXPECT_TRUE(peer_is_dead(ends[0].fd));
}

TEST(an_unbound_endpoints_death_wakes_the_peer)
{
	struct endpoint ends[2];
	struct sleeper sleeper;

	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	SLEEPER_START(&sleeper, ends[0].fd, SHMIPC_IOC_WAIT, endpoint_arm(&ends[0]));
	ASSERT_FALSE(sleeper_done(&sleeper));
	close(ends[1].fd);
	EXPECT_EQ(-EPIPE, sleeper_join(&sleeper));
}

TEST(endpoints_sent_over_each_others_only_socket_are_freed)
{
	/* The garbage collector of Unix sockets has to find these; it must not crash or leak. */
	for (int i = 0; i < 32; i++) {
		struct endpoint ends[2];
		int sockets[2];

		ASSERT_EQ(0, channel_create(ends, NULL));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
		ASSERT_EQ(0, descriptor_send(sockets[0], ends[0].fd));
		ASSERT_EQ(0, descriptor_send(sockets[0], sockets[1]));
		ASSERT_EQ(0, descriptor_send(sockets[1], ends[1].fd));
		ASSERT_EQ(0, descriptor_send(sockets[1], sockets[0]));
		close(ends[0].fd);
		close(ends[1].fd);
		close(sockets[0]);
		close(sockets[1]);
	}
}

TEST_HARNESS_MAIN
