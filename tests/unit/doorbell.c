// SPDX-License-Identifier: Apache-2.0
/*
 * doorbell.c - tests of the seq/rung protocol, with a backend that only writes down what it is asked
 */
#include "bell/doorbell.h"

#include <string.h>

#include "pair.h"

static struct {
	int rings, waits, kicks;
	uint32_t ring_seq, wait_seq, wait_owed, kick_seq;
	int64_t wait_deadline;
	int ring_result, wait_result;
} fake;

static int fake_ring(struct doorbell *bell, uint32_t peer_seq)
{
	(void)bell;
	fake.rings++;
	fake.ring_seq = peer_seq;
	return fake.ring_result;
}

static int fake_wait(struct doorbell *bell, uint32_t seq, uint32_t owed, int64_t deadline)
{
	(void)bell;
	fake.waits++;
	fake.wait_seq = seq;
	fake.wait_owed = owed;
	fake.wait_deadline = deadline;
	return fake.wait_result;
}

static void fake_kick(struct doorbell *bell, uint32_t seq)
{
	(void)bell;
	fake.kicks++;
	fake.kick_seq = seq;
}

static bool fake_is_dead(struct doorbell *bell)
{
	return load_acquire(&bell->dead);
}

static const struct doorbell_ops fake_ops = {
	.ring = fake_ring,
	.wait = fake_wait,
	.kick = fake_kick,
	.is_dead = fake_is_dead,
};

static struct lane_words own, peer;
static struct lane_tool own_tool, peer_tool;
static struct doorbell bell;

static void open_bell(void)
{
	struct lane own_lane = { .words = &own, .tool = &own_tool }, peer_lane = { .words = &peer, .tool = &peer_tool };

	memset(&own, 0, sizeof(own));
	memset(&peer, 0, sizeof(peer));
	memset(&own_tool, 0, sizeof(own_tool));
	memset(&fake, 0, sizeof(fake));
	memset(&bell, 0, sizeof(bell));
	doorbell_init(&bell, &own_lane, &peer_lane);
	bell.ops = &fake_ops;
}

static void announce_makes_seq_odd_and_new_every_time(struct pair *pair)
{
	uint32_t seq, last = 0;
	int i;

	(void)pair;
	open_bell();
	for (i = 0; i < 100; i++) {
		seq = doorbell_announce(&bell, 0);
		assert_int_equal(load_relaxed(&own.seq), seq);
		assert_int_equal(seq & SEQ_BITS, SEQ_ASLEEP);
		assert_int_not_equal(seq, last);
		last = seq;
		doorbell_withdraw(&bell);
		assert_int_equal(load_relaxed(&own.seq) & SEQ_BITS, 0);
	}
	assert_int_equal(load_relaxed(&own_tool.sleeps), 100);
}

static void announce_carries_the_bits_that_were_asked_for(struct pair *pair)
{
	(void)pair;
	open_bell();
	assert_int_equal(doorbell_announce(&bell, SEQ_SPACE) & SEQ_BITS, SEQ_ASLEEP | SEQ_SPACE);
	assert_int_equal(doorbell_announce(&bell, SEQ_FD) & SEQ_BITS, SEQ_ASLEEP | SEQ_FD);
	assert_int_equal(doorbell_announce(&bell, 0) & SEQ_BITS, SEQ_ASLEEP);
}

static void seq_goes_on_past_the_end_of_its_32_bits(struct pair *pair)
{
	uint32_t seq;

	(void)pair;
	open_bell();
	store_relaxed(&own.seq, UINT32_MAX & ~SEQ_BITS);
	seq = doorbell_announce(&bell, SEQ_SPACE);
	assert_int_equal(seq, SEQ_ASLEEP | SEQ_SPACE);
	doorbell_withdraw(&bell);
	assert_int_equal(load_relaxed(&own.seq), 0);
	assert_int_equal(doorbell_announce(&bell, 0), SEQ_STEP | SEQ_ASLEEP);
}

static void nobody_asleep_leaves_nothing_to_take(struct pair *pair)
{
	(void)pair;
	open_bell();
	assert_false(doorbell_asks(&bell, SEQ_ASLEEP));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), 0);
	store_relaxed(&peer.seq, 4 * SEQ_STEP);
	assert_false(doorbell_asks(&bell, SEQ_ASLEEP));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), 0);
	assert_int_equal(load_relaxed(&own.rung), 0);
}

static void a_sleep_is_taken_once(struct pair *pair)
{
	uint32_t seq = 3 * SEQ_STEP + SEQ_ASLEEP;

	(void)pair;
	open_bell();
	store_relaxed(&peer.seq, seq);
	assert_true(doorbell_asks(&bell, SEQ_ASLEEP));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), seq);
	assert_int_equal(load_relaxed(&own.rung), seq);
	assert_false(doorbell_asks(&bell, SEQ_ASLEEP));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), 0);
	assert_int_equal(load_relaxed(&own_tool.rings), 1);
	store_relaxed(&peer.seq, seq + SEQ_STEP);
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), seq + SEQ_STEP);
	assert_int_equal(load_relaxed(&own_tool.rings), 2);
}

static void taking_makes_no_call_of_the_backends(struct pair *pair)
{
	(void)pair;
	open_bell();
	store_relaxed(&peer.seq, SEQ_STEP + SEQ_ASLEEP);
	doorbell_take(&bell, SEQ_ASLEEP);
	assert_int_equal(fake.rings + fake.waits + fake.kicks, 0);
}

static void room_rings_only_for_a_sleeper_that_wants_room(struct pair *pair)
{
	uint32_t seq = 9 * SEQ_STEP + SEQ_ASLEEP;

	(void)pair;
	open_bell();
	store_relaxed(&peer.seq, seq);
	assert_false(doorbell_asks(&bell, SEQ_ASLEEP | SEQ_SPACE));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP | SEQ_SPACE), 0);
	assert_int_equal(load_relaxed(&own.rung), 0);
	seq |= SEQ_SPACE;
	store_relaxed(&peer.seq, seq);
	assert_true(doorbell_asks(&bell, SEQ_ASLEEP | SEQ_SPACE));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP | SEQ_SPACE), seq);
}

static void a_message_rings_for_a_sleeper_that_wants_room_too(struct pair *pair)
{
	(void)pair;
	open_bell();
	store_relaxed(&peer.seq, SEQ_STEP + SEQ_ASLEEP + SEQ_SPACE);
	assert_true(doorbell_asks(&bell, SEQ_ASLEEP));
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), SEQ_STEP + SEQ_ASLEEP + SEQ_SPACE);
}

static void ring_hands_the_peers_seq_to_the_backend(struct pair *pair)
{
	(void)pair;
	open_bell();
	assert_code(doorbell_ring(&bell, 17), 0);
	assert_int_equal(fake.rings, 1);
	assert_int_equal(fake.ring_seq, 17);
	assert_false(load_relaxed(&bell.dead));
}

static void a_ring_that_meets_a_dead_peer_marks_it(struct pair *pair)
{
	(void)pair;
	open_bell();
	fake.ring_result = -EPIPE;
	assert_code(doorbell_ring(&bell, 17), -EPIPE);
	assert_true(load_relaxed(&bell.dead));
}

static void wait_hands_seq_duty_and_deadline_to_the_backend(struct pair *pair)
{
	(void)pair;
	open_bell();
	assert_code(doorbell_wait(&bell, 33, 41, 1234567), 0);
	assert_int_equal(fake.waits, 1);
	assert_int_equal(fake.wait_seq, 33);
	assert_int_equal(fake.wait_owed, 41);
	assert_int_equal(fake.wait_deadline, 1234567);
	assert_int_equal(load_relaxed(&bell.waits), 1);
}

static void a_wait_that_meets_a_dead_peer_marks_it_and_other_ends_do_not(struct pair *pair)
{
	static const int ends[] = { 0, -EINTR, -ETIMEDOUT };
	size_t i;

	(void)pair;
	open_bell();
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		fake.wait_result = ends[i];
		assert_code(doorbell_wait(&bell, 1, 0, 0), ends[i]);
		assert_false(load_relaxed(&bell.dead));
	}
	fake.wait_result = -EPIPE;
	assert_code(doorbell_wait(&bell, 1, 0, 0), -EPIPE);
	assert_true(load_relaxed(&bell.dead));
}

static void a_sleeper_whose_peer_skips_pays_for_its_barrier(struct pair *pair)
{
	(void)pair;
	open_bell();
	doorbell_announce(&bell, 0);
	assert_int_equal(load_relaxed(&bell.barriers_paid), 0);
	store_relaxed(&peer.skip, 1);
	doorbell_announce(&bell, 0);
	assert_int_equal(load_relaxed(&bell.barriers_paid), 1);
	assert_int_equal(load_relaxed(&bell.system_calls), 1);
	store_relaxed(&peer.skip, 0);
	doorbell_announce(&bell, 0);
	assert_int_equal(load_relaxed(&bell.barriers_paid), 1);
}

static void a_kick_withdraws_that_sleep_and_wakes_it(struct pair *pair)
{
	uint32_t seq;

	(void)pair;
	open_bell();
	seq = doorbell_announce(&bell, SEQ_SPACE);
	doorbell_kick(&bell, seq);
	assert_int_equal(fake.kicks, 1);
	assert_int_equal(fake.kick_seq, seq);
	assert_int_equal(load_relaxed(&own.seq), seq & ~SEQ_BITS);
	doorbell_withdraw(&bell);
	assert_int_equal(load_relaxed(&own.seq), seq & ~SEQ_BITS);
}

static void a_kick_for_a_sleep_that_is_over_does_nothing(struct pair *pair)
{
	uint32_t old, seq;

	(void)pair;
	open_bell();
	old = doorbell_announce(&bell, 0);
	doorbell_withdraw(&bell);
	doorbell_kick(&bell, old);
	seq = doorbell_announce(&bell, 0);
	doorbell_kick(&bell, old);
	assert_int_equal(fake.kicks, 0);
	assert_int_equal(load_relaxed(&own.seq), seq);
}

static void dying_marks_then_wakes(struct pair *pair)
{
	(void)pair;
	open_bell();
	doorbell_die(&bell);
	assert_true(load_relaxed(&bell.dead));
	assert_int_equal(fake.kicks, 1);
}

static void a_peers_seq_that_wraps_to_an_old_value_is_judged_by_rung_alone(struct pair *pair)
{
	uint32_t seq = UINT32_MAX & ~SEQ_BITS;

	(void)pair;
	open_bell();
	store_relaxed(&peer.seq, seq | SEQ_ASLEEP);
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), seq | SEQ_ASLEEP);
	store_relaxed(&peer.seq, SEQ_ASLEEP);
	assert_int_equal(doorbell_take(&bell, SEQ_ASLEEP), SEQ_ASLEEP);
	assert_int_equal(load_relaxed(&own.rung), SEQ_ASLEEP);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(announce_makes_seq_odd_and_new_every_time),
		ALONE(announce_carries_the_bits_that_were_asked_for),
		ALONE(seq_goes_on_past_the_end_of_its_32_bits),
		ALONE(nobody_asleep_leaves_nothing_to_take),
		ALONE(a_sleep_is_taken_once),
		ALONE(taking_makes_no_call_of_the_backends),
		ALONE(room_rings_only_for_a_sleeper_that_wants_room),
		ALONE(a_message_rings_for_a_sleeper_that_wants_room_too),
		ALONE(ring_hands_the_peers_seq_to_the_backend),
		ALONE(a_ring_that_meets_a_dead_peer_marks_it),
		ALONE(wait_hands_seq_duty_and_deadline_to_the_backend),
		ALONE(a_wait_that_meets_a_dead_peer_marks_it_and_other_ends_do_not),
		ALONE(a_sleeper_whose_peer_skips_pays_for_its_barrier),
		ALONE(a_kick_withdraws_that_sleep_and_wakes_it),
		ALONE(a_kick_for_a_sleep_that_is_over_does_nothing),
		ALONE(dying_marks_then_wakes),
		ALONE(a_peers_seq_that_wraps_to_an_old_value_is_judged_by_rung_alone),
	};

	return RUN_TESTS(tests, argc, argv);
}
