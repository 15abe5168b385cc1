// SPDX-License-Identifier: Apache-2.0
/*
 * spin_account.c - tests of the account that the adaptive mode keeps of its spins; times are made up
 */
#include "channel/spin.h"

#include <string.h>

#include "pair.h"

#define SPIN_NS 50000
/* Less, and more, than a sleep costs. */
#define QUICK_NS 500
#define SLOW_NS 20000
/* A wait without a spin: the cheapest there is. */
#define SLEPT_NS 1300
#define MILLISECOND 1000000ll
#define SECOND 1000000000ll

static int64_t now;

static struct spinner *begin(struct spinner *s)
{
	now = SECOND;
	memset(s, 0, sizeof(*s));
	return s;
}

static void win(struct spinner *s, int64_t took, int times)
{
	while (times--)
		spin_note_won(s, SPIN_NS, took, now);
}

static void lose(struct spinner *s)
{
	spin_note_lost(s, SPIN_NS, SPIN_NS, now);
}

static bool is_paused(const struct spinner *s)
{
	return s->hold_until;
}

/* Spins lost one after the other until it is overdrawn. */
static int lose_all(struct spinner *s)
{
	int count = 0;

	assert_false(is_paused(s));
	while (!is_paused(s)) {
		lose(s);
		count++;
	}
	return count;
}

/* Waits left out, long after the time of the pause is over. */
static int count_left_out(struct spinner *s)
{
	int count = 0;

	while (spin_leaves_out(s, now + 3600 * SECOND))
		count++;
	return count;
}

static void share(struct spinner *s)
{
	spin_note_preempted(s, now);
	assert_true(s->shared);
}

static void a_new_spinner_spins(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	assert_true(spin_is_due(begin(&s)));
}

static void the_first_lost_spin_leaves_one_wait_out(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	begin(&s);
	assert_int_equal(lose_all(&s), 1);
	assert_int_equal(count_left_out(&s), 1);
	assert_true(spin_is_due(&s));
	assert_int_equal(s.lost, 1);
	assert_int_equal(s.won, 0);
}

static void lost_spins_leave_more_and_more_waits_out_up_to_a_bound(struct pair *pair)
{
	static const int expected[] = { 1, 2, 4, 8, 16, 32, 64, 64, 64 };
	struct spinner s;
	size_t i;

	(void)pair;
	begin(&s);
	for (i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		lose_all(&s);
		assert_int_equal(count_left_out(&s), expected[i]);
	}
}

static void a_pause_lasts_as_many_times_longer_than_what_was_lost(struct pair *pair)
{
	struct spinner s;
	int64_t lost;
	int i;

	(void)pair;
	begin(&s);
	lose_all(&s);
	for (i = 2; i <= 64; i *= 2) {
		count_left_out(&s);
		lost = lose_all(&s) * SPIN_NS;
		assert_int_equal(s.hold_until - now, i * lost);
	}
}

static void waits_alone_do_not_end_a_pause(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	begin(&s);
	lose(&s);
	for (i = 0; i < 1000; i++)
		assert_true(spin_leaves_out(&s, s.hold_until - 1));
	assert_false(spin_leaves_out(&s, s.hold_until));
	assert_false(is_paused(&s));
}

static void time_alone_does_not_end_a_pause(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	begin(&s);
	lose(&s);
	assert_true(spin_leaves_out(&s, now + 3600 * SECOND));
	assert_false(spin_leaves_out(&s, now + 3600 * SECOND));
}

static void many_won_spins_forget_the_lost_ones(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	begin(&s);
	for (i = 0; i < 8; i++) {
		lose_all(&s);
		count_left_out(&s);
	}
	win(&s, QUICK_NS, 1000);
	lose_all(&s);
	assert_int_equal(count_left_out(&s), 1);
}

static void one_won_spin_does_not_forget_the_lost_ones(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	begin(&s);
	for (i = 0; i < 4; i++) {
		lose_all(&s);
		count_left_out(&s);
	}
	win(&s, QUICK_NS, 1);
	lose_all(&s);
	assert_int_equal(count_left_out(&s), 16);
}

static void what_was_gained_is_not_saved_for_ever(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	begin(&s);
	win(&s, QUICK_NS, 1000000);
	assert_in_range(lose_all(&s), 8, 32);
}

static void alone_a_won_spin_never_costs_anything(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	begin(&s);
	win(&s, SPIN_NS, 1000);
	win(&s, SLOW_NS, 1000);
	/* The scheduler's part of it is not this thread's. */
	win(&s, SECOND, 1000);
	assert_false(is_paused(&s));
}

static void on_a_shared_processor_slow_wins_are_losses(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	share(begin(&s));
	win(&s, QUICK_NS, 1000);
	assert_false(is_paused(&s));
	win(&s, SLOW_NS, 100);
	assert_true(is_paused(&s));
}

static void on_a_shared_processor_quick_wins_make_up_for_a_lost_spin(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	share(begin(&s));
	win(&s, QUICK_NS, 1000);
	for (i = 0; i < 1000; i++) {
		lose(&s);
		win(&s, QUICK_NS, SPIN_NS / QUICK_NS);
		assert_false(is_paused(&s));
	}
}

static void the_shortest_spin_that_can_be_asked_for_is_accounted_for(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	share(begin(&s));
	for (i = 0; i < 100; i++)
		spin_note_won(&s, 1, QUICK_NS, now);
	assert_false(is_paused(&s));
	spin_note_lost(&s, 1, QUICK_NS, now);
	assert_true(is_paused(&s));
}

/* Of waits that a spin never ends, or ends too late, and that would cost next to nothing without one. */
static void expect_little_spun(struct spinner *s, bool won)
{
	int64_t spun = 0, all = 0, took;
	int i;

	for (i = 0; i < 1000000; i++) {
		took = SLEPT_NS;
		if (!is_paused(s) || !spin_leaves_out(s, now)) {
			spun += SPIN_NS;
			took += SPIN_NS;
			if (won)
				spin_note_won(s, SPIN_NS, SPIN_NS, now);
			else
				lose(s);
		}
		now += took;
		all += took;
	}
	assert_true(spun > 0);
	assert_true(spun * 50 < all);
}

static void little_time_is_spun_where_nothing_is_won(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	expect_little_spun(begin(&s), false);
}

static void little_time_is_spun_on_a_shared_processor_where_sleeping_is_cheaper(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	begin(&s)->shared = true;
	expect_little_spun(&s, true);
}

static void a_processor_is_shared_for_a_while_after_a_preemption(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	share(begin(&s));
	s.ask_at = INT64_MAX;
	now = s.shared_end - 1;
	spin_note_time(&s, now, now);
	assert_true(s.shared);
	spin_note_time(&s, now, now + 1);
	assert_false(s.shared);
}

static void preemptions_in_a_row_make_it_shared_for_longer_up_to_a_second(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	begin(&s);
	for (i = 0; i < 20; i++) {
		share(&s);
		assert_true(s.shared_end - now <= SECOND);
		now = s.shared_end + MILLISECOND;
	}
	share(&s);
	assert_true(s.shared_end - now == SECOND);
}

static void rare_preemptions_make_it_shared_for_a_short_time_only(struct pair *pair)
{
	struct spinner s;
	int i;

	(void)pair;
	begin(&s);
	for (i = 0; i < 20; i++)
		share(&s);
	/* The other one is gone. Nothing is left of that but for a few of its last pauses. */
	for (i = 0; i < 20; i++) {
		now += 6 * SECOND;
		share(&s);
		assert_true(s.shared_end - now <= 10 * MILLISECOND);
	}
}

static void a_preemption_shows_in_a_gap_of_a_spin(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	begin(&s);
	/* What this thread has been through before is no news to its spinner. */
	spin_note_time(&s, now, now + MILLISECOND / 2);
	assert_false(s.shared);
	s.preemptions--;
	spin_note_time(&s, now, now + 1);
	assert_false(s.shared);
	spin_note_time(&s, now, now + MILLISECOND / 2);
	assert_true(s.shared);
}

static void a_preemption_shows_before_a_sleep_a_millisecond_after_the_last_look(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	spin_note_sleep(begin(&s), now);
	assert_false(s.shared);
	s.preemptions--;
	spin_note_sleep(&s, now + MILLISECOND - 1);
	assert_false(s.shared);
	spin_note_sleep(&s, now + MILLISECOND);
	assert_true(s.shared);
}

static void another_threads_preemptions_share_nothing(struct pair *pair)
{
	struct spinner s;

	(void)pair;
	spin_note_sleep(begin(&s), now);
	s.preemptions--;
	s.asked_by = (pthread_t)0;
	spin_note_sleep(&s, now + MILLISECOND);
	assert_false(s.shared);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_new_spinner_spins),
		ALONE(the_first_lost_spin_leaves_one_wait_out),
		ALONE(lost_spins_leave_more_and_more_waits_out_up_to_a_bound),
		ALONE(a_pause_lasts_as_many_times_longer_than_what_was_lost),
		ALONE(waits_alone_do_not_end_a_pause),
		ALONE(time_alone_does_not_end_a_pause),
		ALONE(many_won_spins_forget_the_lost_ones),
		ALONE(one_won_spin_does_not_forget_the_lost_ones),
		ALONE(what_was_gained_is_not_saved_for_ever),
		ALONE(alone_a_won_spin_never_costs_anything),
		ALONE(on_a_shared_processor_slow_wins_are_losses),
		ALONE(on_a_shared_processor_quick_wins_make_up_for_a_lost_spin),
		ALONE(the_shortest_spin_that_can_be_asked_for_is_accounted_for),
		ALONE(little_time_is_spun_where_nothing_is_won),
		ALONE(little_time_is_spun_on_a_shared_processor_where_sleeping_is_cheaper),
		ALONE(a_processor_is_shared_for_a_while_after_a_preemption),
		ALONE(preemptions_in_a_row_make_it_shared_for_longer_up_to_a_second),
		ALONE(rare_preemptions_make_it_shared_for_a_short_time_only),
		ALONE(a_preemption_shows_in_a_gap_of_a_spin),
		ALONE(a_preemption_shows_before_a_sleep_a_millisecond_after_the_last_look),
		ALONE(another_threads_preemptions_share_nothing),
	};

	return RUN_TESTS(tests, argc, argv);
}
