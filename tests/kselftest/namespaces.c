// SPDX-License-Identifier: GPL-2.0
/*
 * INFO's pid, uid and gid as the caller's namespaces see them: another pid namespace, another user
 * namespace, with and without a mapping.
 */
#include <kselftest_harness.h>

#include <sched.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"

#define OVERFLOW_ID 65534u

FIXTURE(namespaces)
{
	struct actor middle; /* unshares; its child is the one inside */
	struct endpoint ends[2];
	struct shmipc_ioc_info info;
};

FIXTURE_SETUP(namespaces)
{
	ASSERT_EQ(0, channel_create(self->ends, NULL));
	ASSERT_EQ(0, actor_start(&self->middle));
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
}

FIXTURE_TEARDOWN(namespaces)
{
	actor_kill(&self->middle);
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

static long unshare_there(void *argument)
{
	return unshare(*(int *)argument) ? -errno : 0;
}

struct inside {
	struct endpoint end;
	pid_t pid; /* out: as the one who forks sees it */
	struct shmipc_ioc_info info; /* out: as the child sees it */
	long result;
};

/* A child of the actor binds, asks, and stays until its pipe is closed. */
static long bind_inside(void *argument)
{
	struct inside *inside = argument;
	int answer[2];
	int stay[2];

	if (pipe(answer) || pipe(stay))
		return -errno;
	inside->pid = fork();
	if (!inside->pid) {
		char byte;

		close(stay[1]);
		inside->result = endpoint_map(&inside->end);
		if (!inside->result)
			inside->result = endpoint_info(inside->end.fd, &inside->info);
		if (write(answer[1], inside, sizeof(*inside)) != sizeof(*inside))
			_exit(1);
		_exit(read(stay[0], &byte, 1) != 0);
	}
	pid_t pid = inside->pid;

	if (read(answer[0], inside, sizeof(*inside)) != sizeof(*inside))
		return -EPIPE;
	inside->pid = pid;
	return inside->result;
}

TEST_F(namespaces, a_process_in_a_pid_namespace_below_is_seen_from_above_only)
{
	struct inside inside = { .end = self->ends[1] };
	int flags = CLONE_NEWPID;
	long result = actor_call(&self->middle, unshare_there, &flags, sizeof(flags));

	if (result)
		SKIP(return, "no pid namespaces: %s", strerror((int)-result));
	ASSERT_EQ(0, actor_call(&self->middle, bind_inside, &inside, sizeof(inside)));
	/* It is 1 there, and does not see us. */
	EXPECT_EQ(1, inside.info.pid);
	EXPECT_EQ(0, inside.info.peer_pid);
	EXPECT_EQ((uint32_t)(SHMIPC_STATE_BOUND | SHMIPC_STATE_PEER_BOUND), inside.info.state);
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ(inside.pid, self->info.peer_pid);
	EXPECT_EQ(getpid(), self->info.pid);
}

TEST_F(namespaces, ids_without_a_mapping_are_the_overflow_ids)
{
	struct inside inside = { .end = self->ends[1] };
	int flags = CLONE_NEWUSER;
	long result = actor_call(&self->middle, unshare_there, &flags, sizeof(flags));

	if (result)
		SKIP(return, "no user namespaces: %s", strerror((int)-result));
	ASSERT_EQ(0, actor_call(&self->middle, bind_inside, &inside, sizeof(inside)));
	EXPECT_EQ(OVERFLOW_ID, inside.info.peer_uid);
	EXPECT_EQ(OVERFLOW_ID, inside.info.peer_gid);
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ(geteuid(), self->info.peer_uid);
	EXPECT_EQ(getegid(), self->info.peer_gid);
}

TEST_F(namespaces, ids_are_mapped_both_ways)
{
	struct inside inside = { .end = self->ends[1] };
	int flags = CLONE_NEWUSER;
	char path[64];
	long result = actor_call(&self->middle, unshare_there, &flags, sizeof(flags));

	if (result)
		SKIP(return, "no user namespaces: %s", strerror((int)-result));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", self->middle.pid);
	ASSERT_EQ(0, file_write(path, "7000 0 1\n"));
	snprintf(path, sizeof(path), "/proc/%d/gid_map", self->middle.pid);
	ASSERT_EQ(0, file_write(path, "8000 0 1\n"));
	ASSERT_EQ(0, actor_call(&self->middle, bind_inside, &inside, sizeof(inside)));
	/* We are 0 in the initial namespace, 7000 and 8000 there; and so is it. */
	EXPECT_EQ(7000u, inside.info.peer_uid);
	EXPECT_EQ(8000u, inside.info.peer_gid);
	EXPECT_EQ(getpid(), inside.info.peer_pid);
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ(0u, self->info.peer_uid);
	EXPECT_EQ(0u, self->info.peer_gid);
	EXPECT_EQ(inside.pid, self->info.peer_pid);
}

TEST_HARNESS_MAIN
