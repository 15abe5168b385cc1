// SPDX-License-Identifier: Apache-2.0
/*
 * spin.c - tests of when the adaptive mode of a channel spins; what it learns is spin_account.c's
 */
#include "channel/endpoint.h"

#include <sched.h>
#include <string.h>

#include "pair.h"

#define SPIN_NS 20000

/* An endpoint that believes in several processors, and whose peer waits on none that we could be on. */
static struct spinner *open_spinner(struct pair *pair, struct spinner *spinner)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.sync = SHMIPC_SYNC_ADAPTIVE;
	options.spin_ns = SPIN_NS;
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
	assert_true(spin_until(pair->a, &spinner, SHMIPC_READABLE, SPIN_NS, soon(1000)));
	assert_int_equal(spinner.won, 1);
	assert_int_equal(spinner.lost, 0);
	assert_true(spin_pays(pair->a, &spinner));
}

static void a_spin_that_finds_nothing_ends_at_its_limit(struct pair *pair)
{
	struct spinner spinner;
	int64_t begin;

	open_spinner(pair, &spinner);
	begin = now_ns();
	assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, 300000, SHMIPC_FOREVER));
	assert_true(now_ns() >= begin + 300000);
	assert_int_equal(spinner.won, 0);
	assert_int_equal(spinner.lost, 1);
}

static void a_spin_ends_at_the_deadline_of_its_wait(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, INT64_MAX / 32, soon(1)));
	assert_int_equal(spinner.lost, 1);
}

static void after_a_lost_spin_the_next_wait_is_left_out(struct pair *pair)
{
	struct spinner spinner;

	open_spinner(pair, &spinner);
	assert_false(spin_until(pair->a, &spinner, SHMIPC_READABLE, SPIN_NS, SHMIPC_FOREVER));
	assert_false(spin_pays(pair->a, &spinner));
	spinner.hold_until = 1;
	assert_true(spin_pays(pair->a, &spinner));
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
	assert_true(spin_until(pair->a, &spinner, SHMIPC_READABLE, SPIN_NS, soon(20000)));
}

static void both_directions_learn_for_themselves(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.sync = SHMIPC_SYNC_ADAPTIVE;
	pair_open(pair, &options, &options);
	pair->a->one_processor = false;
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, soon(5)), -ETIMEDOUT);
	assert_int_equal(pair->a->writing.won + pair->a->writing.lost, 0);
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
		ON_MEMFD(a_spin_ends_at_the_deadline_of_its_wait),
		ON_MEMFD(after_a_lost_spin_the_next_wait_is_left_out),
		ON_MEMFD(while_it_holds_nothing_is_spun),
		ON_BOTH(a_kick_ends_a_spin),
		ON_BOTH(both_directions_learn_for_themselves),
	};

	return RUN_TESTS(tests, argc, argv);
}
