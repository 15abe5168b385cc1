// SPDX-License-Identifier: Apache-2.0
/*
 * spin.c - tests of when the adaptive mode spins, and when it leaves that out
 */
#include "channel/endpoint.h"

#include <sched.h>
#include <string.h>

#include "pair.h"

/* An endpoint that believes in several processors, and whose peer waits on none that we could be on. */
static struct spinner *open_spinner(struct pair *pair, struct spinner *spinner)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.sync = SHMIPC_SYNC_ADAPTIVE;
	options.spin_ns = 20000;
	pair_open(pair, &options, &options);
	pair->a->one_processor = false;
	store_relaxed(&pair->b->own.words->cpu, 0);
	memset(spinner, 0, sizeof(*spinner));
	return spinner;
}

static void spinning_pays_where_the_peer_is_elsewhere(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	assert_true(spin_pays(pair->a, &spinner));
}

static void spinning_never_pays_on_one_processor(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	pair->a->one_processor = true;
	assert_false(spin_pays(pair->a, &spinner));
}

static void spinning_never_pays_when_it_is_switched_off(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	pair->a->options.spin_ns = 0;
	assert_false(spin_pays(pair->a, &spinner));
}

static void spinning_does_not_pay_where_the_peer_waits_on_this_processor(struct pair *pair)
{
	struct spinner spinner;
	cpu_set_t all, one;

	open_spinner(pair, &spinner);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		skip_because("this processor was taken away meanwhile");
	store_relaxed(&pair->b->own.words->cpu, (uint32_t)sched_getcpu() + 1);
	assert_false(spin_pays(pair->a, &spinner));
	/* What it says of itself, for its peer. */
	assert_int_equal(load_relaxed(&pair->a->own.words->cpu), sched_getcpu() + 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void a_spin_that_finds_something_is_won(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	assert_true(spin_until(pair->a, &spinner, SHMIPC_READABLE, soon(1000)));
	assert_int_equal(spinner.won, 1);
	assert_int_equal(spinner.lost, 0);
	assert_true(spin_pays(pair->a, &spinner));
}

static void a_spin_that_finds_nothing_ends_at_its_limit(struct pair *pair)
{
	struct spinner spinner;
	int64_t limit;

	open_spinner(pair, &spinner);
	limit = now_ns() + 300000;
	spinner.hold_until = 0;
	assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, limit));
	/* Or before, where the scheduler took the processor away: then it holds. */
	assert_true(now_ns() >= limit || spinner.hold_until > 0);
	assert_int_equal(spinner.won, 0);
	assert_int_equal(spinner.lost, 1);
}

static int count_left_out(struct shmipc_channel *channel, struct spinner *spinner)
{
	int count = 0;

	spinner->hold_until = 0;
	while (!spin_pays(channel, spinner))
		count++;
	return count;
}

static void lost_spins_leave_more_and_more_waits_out_up_to_a_bound(struct pair *pair)
{
	static const int expected[] = { 1, 2, 4, 8, 16, 32, 64, 64, 64 };
	struct spinner spinner;
	size_t i;

	open_spinner(pair, &spinner);
	for (i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, 0));
		assert_int_equal(count_left_out(pair->a, &spinner), expected[i]);
	}
}

static void a_won_spin_forgets_the_lost_ones(struct pair *pair)
{
	struct spinner spinner;
	int i;

	open_spinner(pair, &spinner);
	for (i = 0; i < 5; i++)
		assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, 0));
	assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	assert_true(spin_until(pair->a, &spinner, SHMIPC_READABLE, soon(1000)));
	pattern_take(pair->a, 10, 1);
	count_left_out(pair->a, &spinner);
	assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, 0));
	assert_int_equal(count_left_out(pair->a, &spinner), 1);
}

static void while_it_holds_nothing_is_spun(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	spinner.hold_until = soon(60000);
	assert_false(spin_pays(pair->a, &spinner));
	spinner.hold_until = now_ns() - 1;
	assert_true(spin_pays(pair->a, &spinner));
	assert_true(spinner.hold_until == 0);
}

static void a_kick_ends_a_spin(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	assert_code(shmipc_channel_kick(pair->a), 0);
	assert_true(spin_until(pair->a, &spinner, SHMIPC_READABLE, soon(20000)));
}

static void both_directions_learn_for_themselves(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.sync = SHMIPC_SYNC_ADAPTIVE;
	pair_open(pair, &options, &options);
	pair->a->one_processor = false;
	assert_ptr_not_equal(&pair->a->spinners[0], &pair->a->spinners[1]);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, soon(5)), -ETIMEDOUT);
	assert_int_equal(pair->a->spinners[1].won + pair->a->spinners[1].lost, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_MEMFD(spinning_pays_where_the_peer_is_elsewhere),
		ON_MEMFD(spinning_never_pays_on_one_processor),
		ON_MEMFD(spinning_never_pays_when_it_is_switched_off),
		ON_MEMFD(spinning_does_not_pay_where_the_peer_waits_on_this_processor),
		ON_BOTH(a_spin_that_finds_something_is_won),
		ON_BOTH(a_spin_that_finds_nothing_ends_at_its_limit),
		ON_MEMFD(lost_spins_leave_more_and_more_waits_out_up_to_a_bound),
		ON_MEMFD(a_won_spin_forgets_the_lost_ones),
		ON_MEMFD(while_it_holds_nothing_is_spun),
		ON_BOTH(a_kick_ends_a_spin),
		ON_BOTH(both_directions_learn_for_themselves),
	};

	return RUN_TESTS(tests, argc, argv);
}
