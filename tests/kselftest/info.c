// SPDX-License-Identifier: GPL-2.0
/*
 * INFO: every field, from both sides, as a channel goes through its life.
 */
#include <kselftest_harness.h>

#include <sys/syscall.h>

#include "endpoint.h"
#include "sleeper.h"

FIXTURE(info)
{
	struct endpoint ends[2];
	struct shmipc_ioc_info info;
};

FIXTURE_SETUP(info)
{
	struct shmipc_ioc_create request = create_request();

	request.head_size[0] = 2 * page_size();
	request.head_size[1] = 3 * page_size();
	request.lane_max[0] = 100 * page_size();
	request.lane_max[1] = 200 * page_size();
	ASSERT_EQ(0, channel_create(self->ends, &request));
}

FIXTURE_TEARDOWN(info)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

TEST_F(info, tells_what_the_module_is)
{
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, endpoint_info(self->ends[i].fd, &self->info));
		EXPECT_EQ(SHMIPC_ABI, self->info.abi);
		EXPECT_EQ(0u, self->info.features);
		EXPECT_EQ((uint32_t)i, self->info.endpoint);
		EXPECT_EQ((uint32_t)SHMIPC_SEGMENTS, self->info.segments);
		EXPECT_EQ(0u, self->info.reserved);
		EXPECT_NE(POISON_64, self->info.id);
	}
}

TEST_F(info, a_fresh_channel_is_unbound_and_has_counted_nothing)
{
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, endpoint_info(self->ends[i].fd, &self->info));
		EXPECT_EQ(0u, self->info.state);
		EXPECT_EQ(0, self->info.pid);
		EXPECT_EQ(0, self->info.peer_pid);
		for (int side = 0; side < 2; side++) {
			EXPECT_EQ(0u, self->info.rings[side]);
			EXPECT_EQ(0u, self->info.sleeps[side]);
		}
	}
}

TEST_F(info, sizes_are_the_own_first)
{
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, endpoint_info(self->ends[i].fd, &self->info));
		for (int side = 0; side < 2; side++) {
			int lane = i ^ side;

			EXPECT_EQ((lane ? 3u : 2u) * page_size(), self->info.head_size[side]);
			EXPECT_EQ((lane ? 3u : 2u) * page_size(), self->info.lane_size[side]);
			EXPECT_EQ((lane ? 200u : 100u) * page_size(), self->info.lane_max[side]);
		}
	}
}

TEST_F(info, lane_size_follows_grow_retire_and_unmap)
{
	const size_t page = page_size();
	void *at;

	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	ASSERT_EQ(0, endpoint_grow(self->ends[1].fd, 7, 4 * page));
	ASSERT_EQ(0, endpoint_grow(self->ends[1].fd, 0, 8 * page));
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ(2 * page, self->info.lane_size[0]);
	EXPECT_EQ((3 + 4 + 8) * page, self->info.lane_size[1]);

	ASSERT_EQ(0, part_map(self->ends[0].fd, SHMIPC_PEER, SHMIPC_SEGMENT(7), 4 * page, PROT_READ,
			      &at));
	ASSERT_EQ(0, CALL(self->ends[1].fd, SHMIPC_IOC_RETIRE, 7));
	ASSERT_EQ(0, endpoint_info(self->ends[1].fd, &self->info));
	EXPECT_EQ((3 + 4 + 8) * page, self->info.lane_size[0]);
	munmap(at, 4 * page);
	ASSERT_EQ(0, endpoint_info(self->ends[1].fd, &self->info));
	EXPECT_EQ((3 + 8) * page, self->info.lane_size[0]);
	ASSERT_EQ(0, CALL(self->ends[1].fd, SHMIPC_IOC_RETIRE, 0));
	ASSERT_EQ(0, endpoint_info(self->ends[1].fd, &self->info));
	EXPECT_EQ(3 * page, self->info.lane_size[0]);
}

TEST_F(info, tells_who_is_bound)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	ASSERT_EQ(0, endpoint_info(self->ends[1].fd, &self->info));
	EXPECT_EQ((uint32_t)SHMIPC_STATE_BOUND, self->info.state);
	EXPECT_EQ(getpid(), self->info.pid);
	EXPECT_EQ(0, self->info.peer_pid);

	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ((uint32_t)SHMIPC_STATE_PEER_BOUND, self->info.state);
	EXPECT_EQ(0, self->info.pid);
	EXPECT_EQ(getpid(), self->info.peer_pid);
	EXPECT_EQ(geteuid(), self->info.peer_uid);
	EXPECT_EQ(getegid(), self->info.peer_gid);
}

TEST_F(info, tells_who_is_dead)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	EXPECT_EQ((uint32_t)(SHMIPC_STATE_BOUND | SHMIPC_STATE_PEER_BOUND),
		  endpoint_state(self->ends[0].fd));
	endpoint_unmap(&self->ends[1]);
	EXPECT_EQ((uint32_t)SHMIPC_STATE_PEER_DEAD,
		  endpoint_state(self->ends[0].fd) & (SHMIPC_STATE_DEAD | SHMIPC_STATE_PEER_DEAD));
	EXPECT_EQ((uint32_t)SHMIPC_STATE_DEAD,
		  endpoint_state(self->ends[1].fd) & (SHMIPC_STATE_DEAD | SHMIPC_STATE_PEER_DEAD));
	endpoint_unmap(&self->ends[0]);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ((uint32_t)(SHMIPC_STATE_DEAD | SHMIPC_STATE_PEER_DEAD),
			  endpoint_state(self->ends[i].fd) &
				  (SHMIPC_STATE_DEAD | SHMIPC_STATE_PEER_DEAD));
	}
}

TEST_F(info, answers_after_both_ends_died)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	endpoint_unmap(&self->ends[0]);
	endpoint_unmap(&self->ends[1]);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, endpoint_info(self->ends[i].fd, &self->info));
		EXPECT_EQ((uint32_t)i, self->info.endpoint);
		EXPECT_EQ(0u, self->info.reserved);
	}
}

TEST_F(info, effective_ids_are_those_of_the_binding)
{
	if (geteuid())
		SKIP(return, "only root can be somebody else");
	/* This process changes its effective ids, binds, and changes them back. */
	ASSERT_EQ(0, syscall(SYS_setregid, -1, 4322));
	ASSERT_EQ(0, syscall(SYS_setreuid, -1, 4321));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	ASSERT_EQ(0, syscall(SYS_setreuid, -1, 0));
	ASSERT_EQ(0, syscall(SYS_setregid, -1, 0));
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ(4321u, self->info.peer_uid);
	EXPECT_EQ(4322u, self->info.peer_gid);
}

TEST_F(info, counts_rings_and_sleeps_of_each_side)
{
	struct endpoint *sleeping = &self->ends[0];
	struct endpoint *ringing = &self->ends[1];

	ASSERT_EQ(0, endpoint_map(sleeping));
	ASSERT_EQ(0, endpoint_map(ringing));
	for (uint64_t round = 1; round <= 3; round++) {
		struct sleeper sleeper;

		SLEEPER_START(&sleeper, sleeping->fd, SHMIPC_IOC_WAIT, endpoint_arm(sleeping));
		ASSERT_EQ(0, endpoint_ring(ringing));
		ASSERT_EQ(0, sleeper_join(&sleeper));
		ASSERT_EQ(0, endpoint_info(ringing->fd, &self->info));
		EXPECT_EQ(round, self->info.rings[0]);
		EXPECT_EQ(0u, self->info.rings[1]);
		EXPECT_EQ(0u, self->info.sleeps[0]);
		EXPECT_EQ(round, self->info.sleeps[1]);
		ASSERT_EQ(0, endpoint_info(sleeping->fd, &self->info));
		EXPECT_EQ(0u, self->info.rings[0]);
		EXPECT_EQ(round, self->info.rings[1]);
		EXPECT_EQ(round, self->info.sleeps[0]);
		EXPECT_EQ(0u, self->info.sleeps[1]);
	}
}

TEST_F(info, a_wait_that_needs_no_sleep_is_not_counted)
{
	uint32_t seq;

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	seq = endpoint_arm(&self->ends[0]);
	ASSERT_TRUE(endpoint_take_duty(&self->ends[1]));
	ASSERT_EQ(0, CALL(self->ends[0].fd, SHMIPC_IOC_WAIT, seq));
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &self->info));
	EXPECT_EQ(0u, self->info.sleeps[0]);
}

TEST_HARNESS_MAIN
