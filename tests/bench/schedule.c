// SPDX-License-Identifier: Apache-2.0
/* schedule.c - tests of times that are due, and of waiting for them */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schedule.h"
#include "ticks.h"

#define TIMES 100000

static const struct plan uniform = { .poisson = false }, poisson = { .poisson = true };
static struct pacing pacing; /* too large for a stack */

static int forget(void **state)
{
	(void)state;
	memset(&pacing, 0, sizeof(pacing));
	return 0;
}

static uint64_t ns(double value)
{
	return value * ticks_clock.per_ns;
}

static void times_are_at_equal_distances(void **state)
{
	uint64_t begin = ticks_now(), i;
	struct schedule s;

	(void)state;
	schedule_start(&s, &uniform, begin, 2e-3, 1e-4);
	for (i = 0; i < TIMES; i++)
		assert_in_range(schedule_next(&s), begin + ns(2e6 + i * 1e5) - 2, begin + ns(2e6 + i * 1e5) + 2);
}

static void random_times_are_as_many_and_as_random(void **state)
{
	uint64_t begin = ticks_now(), before = begin, due, i, short_ones = 0;
	struct schedule s;

	(void)state;
	schedule_start(&s, &poisson, begin, 0, 1e-4);
	assert_int_equal(schedule_next(&s), begin);
	for (i = 0; i < TIMES; i++, before = due) {
		due = schedule_next(&s);
		assert_true(due >= before);
		short_ones += due - before < ns(1e5 * log(2));
	}
	/* Mean and median of an exponential distribution. */
	assert_in_range(before - begin, ns(TIMES * 1e5 * 0.98), ns(TIMES * 1e5 * 1.02));
	assert_in_range(short_ones, TIMES * 49 / 100, TIMES * 51 / 100);
}

static void random_times_are_the_same_in_every_run_and_others_in_every_thread(void **state)
{
	struct schedule first, again, other;
	unsigned int i, same = 0;

	(void)state;
	schedule_start(&first, &poisson, 1000, 0, 1e-4);
	schedule_start(&again, &poisson, 1000, 0, 1e-4);
	schedule_start(&other, &poisson, 1000, 2.5e-5, 1e-4);
	for (i = 0; i < 1000; i++) {
		uint64_t due = schedule_next(&first);

		assert_int_equal(schedule_next(&again), due);
		same += schedule_next(&other) == due;
	}
	assert_true(same < 10);
}

static void who_is_late_waits_for_nothing_and_books_nothing(void **state)
{
	uint64_t due = ticks_now() - ns(1e6), before = ticks_now();

	(void)state;
	schedule_wait(due, &pacing);
	assert_true(ticks_now() - before < ns(1e9));
	assert_int_equal(pacing.sleeps, 0);
	assert_int_equal(pacing.late.count, 0);
	assert_int_equal(pacing.cpu_ns, 0);
}

static void nobody_comes_before_the_time(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		uint64_t due = ticks_now() + ns(i * 1e4);

		schedule_wait(due, &pacing);
		assert_true(ticks_now() >= due);
	}
	assert_in_range(pacing.late.count, 1, 50);
}

static void a_time_that_is_far_is_slept_for_and_a_near_one_is_not(void **state)
{
	(void)state;
	schedule_wait(ticks_now() + ns(2e7), &pacing);
	assert_int_equal(pacing.sleeps, 1);
	assert_int_equal(pacing.syscalls, 3);
	assert_true(pacing.cpu_ns < 10000000);
	schedule_wait(ticks_now() + ns(5e4), &pacing);
	assert_int_equal(pacing.sleeps, 1);
	assert_int_equal(pacing.syscalls, 3);
}

static void what_is_not_measured_is_not_booked(void **state)
{
	uint64_t due = ticks_now() + ns(1e6);

	(void)state;
	schedule_wait(due, NULL);
	assert_true(ticks_now() >= due);
}

static void what_was_offered_goes_from_the_first_time_to_one_after_the_last(void **state)
{
	uint64_t begin = ticks_now() - ns(1e9);
	struct schedule s;
	unsigned int i;

	(void)state;
	schedule_start(&s, &uniform, begin, 5e-2, 1e-3);
	for (i = 0; i < 20; i++)
		schedule_next(&s);
	schedule_end(&s, &pacing);
	assert_in_range(pacing.offered_ticks, ns(2e7) - 2, ns(2e7) + 2);
	assert_true(pacing.done_ticks >= ns(9.4e8));
}

static void threads_offer_together_as_long_as_the_longest(void **state)
{
	static struct pacing other;

	(void)state;
	pacing.offered_ticks = 100;
	pacing.done_ticks = 300;
	pacing.sleeps = 1;
	other = (struct pacing){ .offered_ticks = 200, .done_ticks = 250, .cpu_ns = 5, .sleeps = 2, .syscalls = 6 };
	histogram_record(&other.late, 42);
	pacing_merge(&pacing, &other);
	assert_int_equal(pacing.offered_ticks, 200);
	assert_int_equal(pacing.done_ticks, 300);
	assert_int_equal(pacing.cpu_ns, 5);
	assert_int_equal(pacing.sleeps, 3);
	assert_int_equal(pacing.syscalls, 6);
	assert_int_equal(pacing.late.max, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_at_equal_distances),
		cmocka_unit_test(random_times_are_as_many_and_as_random),
		cmocka_unit_test(random_times_are_the_same_in_every_run_and_others_in_every_thread),
		cmocka_unit_test_setup(who_is_late_waits_for_nothing_and_books_nothing, forget),
		cmocka_unit_test_setup(nobody_comes_before_the_time, forget),
		cmocka_unit_test_setup(a_time_that_is_far_is_slept_for_and_a_near_one_is_not, forget),
		cmocka_unit_test(what_is_not_measured_is_not_booked),
		cmocka_unit_test_setup(what_was_offered_goes_from_the_first_time_to_one_after_the_last, forget),
		cmocka_unit_test_setup(threads_offer_together_as_long_as_the_longest, forget),
	};

	ticks_init(2, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
