// SPDX-License-Identifier: GPL-2.0
/*
 * Binding: an endpoint belongs to the process of its first writable mapping. What another process
 * with the same file may do, and what it may not.
 */
#include <kselftest_harness.h>

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "actor.h"
#include "endpoint.h"
#include "sleeper.h"

FIXTURE(binding)
{
	struct actor other;
	struct endpoint ends[2];
};

FIXTURE_SETUP(binding)
{
	ASSERT_EQ(0, actor_start(&self->other));
	ASSERT_EQ(0, channel_create(self->ends, NULL));
}

FIXTURE_TEARDOWN(binding)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	actor_kill(&self->other);
}

struct map_arguments {
	int fd;
	unsigned int lane;
	unsigned int part;
	int protection;
	size_t size;
	void *at;
};

static long map_here(void *argument)
{
	struct map_arguments *map = argument;

	return part_map(map->fd, map->lane, map->part, map->size, map->protection, &map->at);
}

static long map_there(struct actor *actor, int fd, unsigned int lane, int protection)
{
	struct map_arguments map = {
		.fd = fd,
		.lane = lane,
		.part = SHMIPC_HEAD,
		.protection = protection,
		.size = page_size(),
	};

	return actor_call(actor, map_here, &map, sizeof(map));
}

struct call_arguments {
	int fd;
	unsigned long command;
	unsigned long value;
	unsigned char bytes[256];
};

/* The argument is `bytes` for commands that have a size, `value` for the others. */
static long call_here(void *argument)
{
	struct call_arguments *call = argument;

	if (_IOC_SIZE(call->command))
		return CALL(call->fd, call->command, call->bytes);
	return CALL(call->fd, call->command, call->value);
}

static long call_there(struct actor *actor, int fd, unsigned long command, unsigned long value)
{
	struct call_arguments call = { .fd = fd, .command = command, .value = value };

	return actor_call(actor, call_here, &call, sizeof(call));
}

static long struct_there(struct actor *actor, int fd, unsigned long command, void *bytes)
{
	struct call_arguments call = { .fd = fd, .command = command };
	long result;

	memcpy(call.bytes, bytes, _IOC_SIZE(command));
	result = actor_call(actor, call_here, &call, sizeof(call));
	memcpy(bytes, call.bytes, _IOC_SIZE(command));
	return result;
}

TEST_F(binding, the_first_writable_mapping_binds_and_no_other_call_does)
{
	struct shmipc_ioc_info info;
	struct pollfd file = { .fd = self->ends[0].fd, .events = POLLIN };
	void *at;

	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &info));
	poll(&file, 1, 0);
	ASSERT_EQ(0, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_HEAD, page_size(), PROT_READ,
			      &at));
	ASSERT_EQ(0, part_map(self->ends[0].fd, SHMIPC_PEER, SHMIPC_HEAD, page_size(), PROT_READ,
			      &at));
	EXPECT_EQ(0u, endpoint_state(self->ends[0].fd));
	ASSERT_EQ(0, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_HEAD, page_size(), PROT_WRITE,
			      &at));
	EXPECT_EQ((uint32_t)SHMIPC_STATE_BOUND, endpoint_state(self->ends[0].fd));
	EXPECT_EQ((uint32_t)SHMIPC_STATE_PEER_BOUND, endpoint_state(self->ends[1].fd));
}

TEST_F(binding, a_refused_mapping_does_not_bind)
{
	void *at;

	EXPECT_EQ(-EINVAL, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_HEAD, 2 * page_size(),
				    PROT_READ | PROT_WRITE, &at));
	EXPECT_EQ(-ENOENT, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), page_size(),
				    PROT_READ | PROT_WRITE, &at));
	EXPECT_EQ(0u, endpoint_state(self->ends[0].fd));
}

TEST_F(binding, calls_on_an_unbound_endpoint_are_not_permitted)
{
	struct shmipc_ioc_wait wait = { .seq = 1 };

	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_WAIT, 1));
	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_RING_WAIT, 1));
	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_KICK, 0));
	/* Nor does it help that the peer is bound here. */
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_WAIT, 1));
}

TEST_F(binding, another_process_gets_no_writable_mapping)
{
	int fd = actor_give(&self->other, self->ends[0].fd);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	EXPECT_EQ(-EBUSY, map_there(&self->other, fd, SHMIPC_OWN, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-EBUSY, map_there(&self->other, fd, SHMIPC_OWN, PROT_WRITE));
	EXPECT_EQ(-EACCES, map_there(&self->other, fd, SHMIPC_PEER, PROT_READ | PROT_WRITE));
}

TEST_F(binding, the_receiver_may_bind_instead_of_the_sender)
{
	int fd = actor_give(&self->other, self->ends[0].fd);
	struct shmipc_ioc_info info;
	void *at;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, map_there(&self->other, fd, SHMIPC_OWN, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-EBUSY, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_HEAD, page_size(),
				   PROT_READ | PROT_WRITE, &at));
	EXPECT_EQ(-EPERM, CALL(self->ends[0].fd, SHMIPC_IOC_WAIT, 1));
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &info));
	EXPECT_EQ(self->other.pid, info.pid);
	ASSERT_EQ(0, endpoint_info(self->ends[1].fd, &info));
	EXPECT_EQ(self->other.pid, info.peer_pid);
}

TEST_F(binding, another_processes_calls_are_not_permitted)
{
	int fd = actor_give(&self->other, self->ends[0].fd);
	struct shmipc_ioc_grow grow = { .size = page_size(), .segment = 1 };
	struct shmipc_ioc_wait wait = { .seq = 1 };
	struct shmipc_ioc_segment segment = { .lane = SHMIPC_OWN };

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->ends[0].fd, 0, page_size()));
	EXPECT_EQ(-EPERM, call_there(&self->other, fd, SHMIPC_IOC_WAIT, 1));
	EXPECT_EQ(-EPERM, call_there(&self->other, fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(-EPERM, call_there(&self->other, fd, SHMIPC_IOC_RING_WAIT, 1));
	EXPECT_EQ(-EPERM, call_there(&self->other, fd, SHMIPC_IOC_KICK, 0));
	EXPECT_EQ(-EPERM, call_there(&self->other, fd, SHMIPC_IOC_RETIRE, 0));
	EXPECT_EQ(-EPERM, struct_there(&self->other, fd, SHMIPC_IOC_GROW, &grow));
	EXPECT_EQ(-EPERM, struct_there(&self->other, fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	/* Nothing of that had an effect. */
	EXPECT_EQ(0, CALL(self->ends[0].fd, SHMIPC_IOC_SEGMENT, &segment));
}

TEST_F(binding, another_process_may_look)
{
	int fd = actor_give(&self->other, self->ends[0].fd);
	struct shmipc_ioc_segment segment = { .lane = SHMIPC_OWN, .size = POISON_64 };
	struct shmipc_ioc_info info;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->ends[0].fd, 0, page_size()));
	memset(&info, POISON, sizeof(info));
	EXPECT_EQ(0, struct_there(&self->other, fd, SHMIPC_IOC_INFO, &info));
	EXPECT_EQ(getpid(), info.pid);
	EXPECT_EQ((uint32_t)SHMIPC_STATE_BOUND, info.state);
	EXPECT_EQ(0, struct_there(&self->other, fd, SHMIPC_IOC_SEGMENT, &segment));
	EXPECT_EQ(page_size(), segment.size);
	EXPECT_EQ(0, map_there(&self->other, fd, SHMIPC_OWN, PROT_READ));
	EXPECT_EQ(0, map_there(&self->other, fd, SHMIPC_PEER, PROT_READ));
	/* That makes nobody bound who was not. */
	EXPECT_EQ((uint32_t)SHMIPC_STATE_BOUND, endpoint_state(self->ends[0].fd));
}

static long upgrade_here(void *argument)
{
	struct map_arguments *map = argument;
	long result = map_here(map);

	if (result)
		return result;
	return mprotect(map->at, map->size, PROT_READ | PROT_WRITE) ? -errno : 0;
}

TEST_F(binding, another_process_cannot_upgrade_its_reading_mapping)
{
	int fd = actor_give(&self->other, self->ends[0].fd);
	struct map_arguments map = {
		.fd = fd,
		.lane = SHMIPC_OWN,
		.part = SHMIPC_HEAD,
		.protection = PROT_READ,
		.size = page_size(),
	};

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	EXPECT_EQ(-EACCES, actor_call(&self->other, upgrade_here, &map, sizeof(map)));
}

static long poll_here(void *argument)
{
	struct pollfd file = { .fd = *(int *)argument, .events = POLLIN };

	return poll(&file, 1, -1) == 1 ? file.revents & (POLLIN | POLLHUP) : 0;
}

TEST_F(binding, another_process_may_poll)
{
	int fd = actor_give(&self->other, self->ends[0].fd);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	endpoint_arm(&self->ends[0]);
	ASSERT_EQ(0, actor_post(&self->other, poll_here, &fd, sizeof(fd)));
	ASSERT_TRUE(task_falls_asleep(self->other.pid, 10000));
	ASSERT_EQ(0, endpoint_ring(&self->ends[1]));
	EXPECT_EQ(POLLIN, actor_result(&self->other, NULL, 0));
}

TEST_F(binding, a_looking_process_keeps_nothing_alive)
{
	int fd = actor_give(&self->other, self->ends[0].fd);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, map_there(&self->other, fd, SHMIPC_OWN, PROT_READ));
	ASSERT_EQ(0, map_there(&self->other, fd, SHMIPC_PEER, PROT_READ));
	endpoint_close(&self->ends[0]);
	EXPECT_EQ((uint32_t)SHMIPC_STATE_PEER_DEAD,
		  endpoint_state(self->ends[1].fd) & SHMIPC_STATE_PEER_DEAD);
}

TEST_F(binding, is_for_good)
{
	int fd = actor_give(&self->other, self->ends[0].fd);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	endpoint_unmap(&self->ends[0]);
	/* The endpoint is dead; nobody can be its next life. */
	EXPECT_EQ(-EPIPE, endpoint_map(&self->ends[0]));
	EXPECT_EQ(-EPIPE, map_there(&self->other, fd, SHMIPC_OWN, PROT_READ | PROT_WRITE));
}

TEST_F(binding, to_a_dead_endpoint_everybody_is_the_same)
{
	int fd = actor_give(&self->other, self->ends[0].fd);
	struct shmipc_ioc_grow grow = { .size = page_size(), .segment = 1 };
	struct shmipc_ioc_wait wait = { .seq = 1 };
	const unsigned long commands[] = { SHMIPC_IOC_WAIT, SHMIPC_IOC_RING_WAIT };
	const unsigned long others[] = { SHMIPC_IOC_RING, SHMIPC_IOC_KICK, SHMIPC_IOC_RETIRE };

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->ends[0].fd, 0, page_size()));
	endpoint_unmap(&self->ends[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(-EPIPE, CALL(self->ends[0].fd, commands[i], 1));
		EXPECT_EQ(-EPIPE, call_there(&self->other, fd, commands[i], 1));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		EXPECT_EQ(-EPIPE, CALL(self->ends[0].fd, others[i], 0));
		EXPECT_EQ(-EPIPE, call_there(&self->other, fd, others[i], 0));
	}
	EXPECT_EQ(-EPIPE, CALL(self->ends[0].fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	EXPECT_EQ(-EPIPE, struct_there(&self->other, fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	EXPECT_EQ(-EPIPE, CALL(self->ends[0].fd, SHMIPC_IOC_GROW, &grow));
	EXPECT_EQ(-EPIPE, struct_there(&self->other, fd, SHMIPC_IOC_GROW, &grow));
}

static int map_and_write(void *argument)
{
	struct endpoint *end = argument;

	if (endpoint_map(end))
		return 1;
	word_store(&end->own->seq, 2);
	return CALL(end->fd, SHMIPC_IOC_WAIT, 1) == 0 ? 0 : 2;
}

TEST_F(binding, a_process_that_shares_the_memory_counts_as_the_same)
{
	static char stack[65536];
	int status;
	pid_t child;

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	endpoint_unmap(&self->ends[1]);
	child = clone(map_and_write, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
		      &self->ends[1]);
	ASSERT_LT(0, child);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	/* Its mapping is ours: it lives on. */
	EXPECT_EQ((uint32_t)(SHMIPC_STATE_BOUND | SHMIPC_STATE_PEER_BOUND),
		  endpoint_state(self->ends[0].fd));
	EXPECT_EQ(0, CALL(self->ends[1].fd, SHMIPC_IOC_RING, 0));
}

TEST_F(binding, two_processes_talk_over_what_was_handed_over)
{
	int fd = actor_give(&self->other, self->ends[1].fd);

	ASSERT_LE(0, fd);
	close(self->ends[1].fd);
	self->ends[1].fd = -1;
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, map_there(&self->other, fd, SHMIPC_OWN, PROT_READ | PROT_WRITE));
	EXPECT_EQ((uint32_t)(SHMIPC_STATE_BOUND | SHMIPC_STATE_PEER_BOUND),
		  endpoint_state(self->ends[0].fd));
	actor_kill(&self->other);
	EXPECT_EQ((uint32_t)SHMIPC_STATE_PEER_DEAD,
		  endpoint_state(self->ends[0].fd) & SHMIPC_STATE_PEER_DEAD);
}

TEST_HARNESS_MAIN
