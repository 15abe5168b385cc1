// SPDX-License-Identifier: GPL-2.0
/*
 * WAIT, RING, RING_WAIT and KICK, one step at a time: when a wait returns, when it must not, and what
 * is refused. Both endpoints are in this process; what sleeps is a thread.
 */
#include <kselftest_harness.h>

#include "endpoint.h"
#include "sleeper.h"

FIXTURE(wait)
{
	struct endpoint ends[2];
	struct endpoint *end;
	struct endpoint *peer;
	struct sleeper sleeper;
};

FIXTURE_SETUP(wait)
{
	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
	self->peer = &self->ends[1];
}

FIXTURE_TEARDOWN(wait)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

static uint64_t rings_by(const struct endpoint *end)
{
	struct shmipc_ioc_info info;

	return endpoint_info(end->fd, &info) ? UINT64_MAX : info.rings[0];
}

TEST_F(wait, returns_when_the_peer_rings)
{
	for (int round = 0; round < 20; round++) {
		SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT,
			      endpoint_arm(self->end));
		ASSERT_FALSE(sleeper_done(&self->sleeper));
		ASSERT_EQ(0, endpoint_ring(self->peer));
		ASSERT_EQ(0, sleeper_join(&self->sleeper));
		endpoint_disarm(self->end);
	}
}

TEST_F(wait, returns_at_once_when_it_was_rung_before)
{
	uint32_t seq = endpoint_arm(self->end);

	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
	/* And again: nothing is used up. */
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
}

TEST_F(wait, returns_at_once_when_the_duty_was_taken_but_not_yet_fulfilled)
{
	uint32_t seq = endpoint_arm(self->end);

	ASSERT_TRUE(endpoint_take_duty(self->peer));
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
}

TEST_F(wait, returns_at_once_when_the_seq_is_another)
{
	uint32_t seq = endpoint_arm(self->end);

	endpoint_disarm(self->end);
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
	endpoint_arm(self->end);
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
}

TEST_F(wait, does_not_end_by_a_ring_for_another_seq)
{
	uint32_t seq = endpoint_arm(self->end);

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, seq);
	for (uint32_t wrong = 1; wrong < 20; wrong++) {
		word_store(&self->peer->own->rung, seq + wrong);
		ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	}
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 100));
	word_store(&self->peer->own->rung, seq);
	ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, does_not_end_by_a_kick_without_a_withdrawal)
{
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
	}
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 100));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, ends_by_a_withdrawal_and_a_kick)
{
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	endpoint_disarm(self->end);
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, a_kick_does_not_wake_the_peer)
{
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	word_store(&self->end->own->seq, 2);
	ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_KICK, 0));
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 100));
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, a_ring_does_not_wake_the_own_sleeper)
{
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	word_store(&self->end->own->rung, 77);
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RING, 0));
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 100));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, a_kick_with_nobody_waiting_leaves_nothing_behind)
{
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 50));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, a_repeated_ring_is_ignored)
{
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	ASSERT_EQ(0, sleeper_join(&self->sleeper));
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	}
	EXPECT_EQ(1u, rings_by(self->peer));

	/* Also while the next sleep is on, which it is not for. */
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	}
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 50));
	EXPECT_EQ(1u, rings_by(self->peer));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
	EXPECT_EQ(2u, rings_by(self->peer));
}

TEST_F(wait, a_ring_that_reaches_nobody_is_not_counted)
{
	endpoint_arm(self->end);
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0u, rings_by(self->peer));
}

TEST_F(wait, works_across_the_wrap_of_seq)
{
	word_store(&self->end->own->seq, UINT32_MAX - 5);
	for (int i = 0; i < 6; i++) {
		uint32_t seq = endpoint_arm(self->end);

		ASSERT_EQ(1u, seq & 1);
		SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, seq);
		ASSERT_FALSE(sleeper_done(&self->sleeper)) TH_LOG("seq %x", seq);
		ASSERT_EQ(0, endpoint_ring(self->peer));
		ASSERT_EQ(0, sleeper_join(&self->sleeper));
	}
	EXPECT_GT(10u, word_load(&self->end->own->seq));
}

TEST_F(wait, one_thread_waits_at_a_time)
{
	struct shmipc_ioc_wait until = { .deadline_ns = now_ns() + 60000 * MS };
	uint32_t seq = endpoint_arm(self->end);

	until.seq = seq;
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, seq);
	EXPECT_EQ(-EBUSY, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
	EXPECT_EQ(-EBUSY, CALL(self->end->fd, SHMIPC_IOC_RING_WAIT, seq));
	EXPECT_EQ(-EBUSY, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &until));
	/* The first is not disturbed, and leaves the place when it goes. */
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 50));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq));
}

TEST_F(wait, both_sides_can_wait_at_the_same_time)
{
	struct sleeper other;

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	SLEEPER_START(&other, self->peer->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->peer));
	ASSERT_EQ(0, endpoint_ring(self->end));
	EXPECT_EQ(0, sleeper_join(&other));
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 20));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, refuses_an_even_value)
{
	struct shmipc_ioc_wait until = { .deadline_ns = now_ns() };
	const uint32_t values[] = { 0, 2, 4, UINT32_MAX - 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		/* Also when it is the current one. */
		word_store(&self->end->own->seq, values[i]);
		until.seq = values[i];
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_WAIT, values[i]));
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_RING_WAIT, values[i]));
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &until));
	}
}

TEST_F(wait, refuses_more_than_32_bits)
{
	uint32_t seq = endpoint_arm(self->end);

	for (int bit = 32; bit < 64; bit++) {
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_WAIT, seq | 1ul << bit))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_RING_WAIT, seq | 1ul << bit))
			TH_LOG("bit %d", bit);
	}
}

TEST_F(wait, ring_and_kick_refuse_every_argument_bit)
{
	for (int bit = 0; bit < 64; bit++) {
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_RING, 1ul << bit))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_KICK, 1ul << bit))
			TH_LOG("bit %d", bit);
	}
}

TEST_F(wait, until_refuses_every_unknown_flag_and_reserved_bit)
{
	struct shmipc_ioc_wait until = { .deadline_ns = 1, .seq = endpoint_arm(self->end) };

	for (int bit = 0; bit < 32; bit++) {
		until.flags = 1u << bit;
		EXPECT_EQ(until.flags == SHMIPC_WAIT_RING ? -ETIMEDOUT : -EINVAL,
			  CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &until))
			TH_LOG("bit %d", bit);
	}
	until.flags = 0;
	for (int bit = 0; bit < 2 * 64; bit++) {
		until.reserved[bit / 64] = 1ull << bit % 64;
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &until))
			TH_LOG("bit %d", bit);
		until.reserved[bit / 64] = 0;
	}
	EXPECT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &until));
}

TEST_F(wait, a_refused_call_does_not_ring)
{
	struct shmipc_ioc_wait until = { .flags = SHMIPC_WAIT_RING };

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	EXPECT_EQ(-EINVAL, CALL(self->peer->fd, SHMIPC_IOC_RING, 1));
	EXPECT_EQ(-EINVAL, CALL(self->peer->fd, SHMIPC_IOC_RING_WAIT, 2));
	EXPECT_EQ(-EINVAL, CALL(self->peer->fd, SHMIPC_IOC_WAIT_UNTIL, &until));
	EXPECT_EQ(0u, rings_by(self->peer));
	EXPECT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, ring_wait_rings_and_then_waits)
{
	struct sleeper both;

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	SLEEPER_START(&both, self->peer->fd, SHMIPC_IOC_RING_WAIT, endpoint_arm(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
	EXPECT_FALSE(sleeper_done(&both));
	ASSERT_EQ(0, endpoint_ring(self->end));
	EXPECT_EQ(0, sleeper_join(&both));
	EXPECT_EQ(1u, rings_by(self->peer));
	EXPECT_EQ(1u, rings_by(self->end));
}

TEST_F(wait, ring_wait_rings_also_when_its_own_wait_is_satisfied)
{
	uint32_t seq;

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	seq = endpoint_arm(self->peer);
	ASSERT_TRUE(endpoint_take_duty(self->end));
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	EXPECT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING_WAIT, seq));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, with_no_duty_taken_ring_wait_only_waits)
{
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_RING_WAIT,
		      endpoint_arm(self->end));
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 20));
	EXPECT_EQ(0u, rings_by(self->end));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(wait, any_thread_of_the_process_may_ring_for_any_other)
{
	struct sleeper ringer;

	for (int i = 0; i < 50; i++) {
		SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT,
			      endpoint_arm(self->end));
		ASSERT_TRUE(endpoint_take_duty(self->peer));
		SLEEPER_START(&ringer, self->peer->fd, SHMIPC_IOC_RING, 0);
		ASSERT_EQ(0, sleeper_join(&ringer));
		ASSERT_EQ(0, sleeper_join(&self->sleeper));
	}
}

TEST_HARNESS_MAIN
