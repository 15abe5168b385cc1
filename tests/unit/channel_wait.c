// SPDX-License-Identifier: Apache-2.0
/*
 * channel_wait.c - tests of wait and kick in all four sync modes: events, deadlines, signals
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "worker.h"

/* Each body once for each mode. */
#define MODE(body, adverb, mode)                                                                                       \
	static void body##_##adverb(struct pair *pair)                                                                 \
	{                                                                                                              \
		body(pair, SHMIPC_SYNC_##mode);                                                                        \
	}
#define SLEEPING_MODES(body)                                                                                           \
	MODE(body, on_demand, DEMAND)                                                                                  \
	MODE(body, adaptively, ADAPTIVE)                                                                               \
	MODE(body, timed, TIMED)
#define MODES(body)                                                                                                    \
	SLEEPING_MODES(body)                                                                                           \
	MODE(body, polling, POLLING)
#define IN_SLEEPING_MODES(body) ON_BOTH(body##_on_demand), ON_BOTH(body##_adaptively), ON_BOTH(body##_timed)
#define IN_ALL_MODES(body) IN_SLEEPING_MODES(body), ON_BOTH(body##_polling)

static void open_in_mode(struct pair *pair, enum shmipc_sync sync)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.sync = sync;
	options.slots = 16;
	options.slices = 64;
	options.segment_bytes = options.memory_max = 64 << 10;
	pair_open(pair, &options, &options);
}

/* Until the worker is in the midst of its wait. */
static void await_waiting(struct worker *worker, enum shmipc_sync sync)
{
	if (sync == SHMIPC_SYNC_POLLING)
		sleep_ms(10);
	else
		worker_await_sleep(worker);
}

static uint32_t fill(struct shmipc_channel *channel, size_t size)
{
	uint32_t n = 0;
	int r;

	while (!(r = pattern_push(channel, size, n, 0)))
		n++;
	assert_code(r, -EAGAIN);
	return n;
}

static void a_message_ends_a_wait(struct pair *pair, enum shmipc_sync sync)
{
	struct worker worker;
	uint32_t i;

	open_in_mode(pair, sync);
	for (i = 0; i < 20; i++) {
		worker_wait(&worker, pair->b, SHMIPC_READABLE, FAR);
		if (i % 2)
			await_waiting(&worker, sync);
		assert_code(pattern_push(pair->a, 60, i, 0), 0);
		assert_code(worker_join(&worker), SHMIPC_READABLE);
		pattern_take(pair->b, 60, i);
	}
}
MODES(a_message_ends_a_wait)

static void a_consumed_slot_ends_a_wait_for_room(struct pair *pair, enum shmipc_sync sync)
{
	struct worker worker;
	uint32_t n, i, round;

	open_in_mode(pair, sync);
	for (round = 0; round < 4; round++) {
		n = fill(pair->a, 50);
		worker_wait(&worker, pair->a, SHMIPC_WRITABLE, FAR);
		if (round % 2)
			await_waiting(&worker, sync);
		for (i = 0; i < n; i++)
			pattern_take(pair->b, 50, i);
		assert_code(worker_join(&worker), SHMIPC_WRITABLE);
	}
}
MODES(a_consumed_slot_ends_a_wait_for_room)

static void memory_given_back_ends_a_wait_for_room(struct pair *pair, enum shmipc_sync sync)
{
	struct shmipc_message kept[8];
	struct worker worker;
	uint32_t n, i;

	open_in_mode(pair, sync);
	n = fill(pair->a, 20480);
	assert_true(n > 1 && n <= 8);
	for (i = 0; i < n; i++) {
		assert_code(shmipc_channel_peek(pair->b, &kept[i]), 0);
		assert_code(shmipc_channel_keep(pair->b, &kept[i]), 0);
	}
	/* The slots are free, the memory is not. */
	while (shmipc_channel_push(pair->a, kept[0].data, 20480, 0, 0, 0) != -EAGAIN)
		;
	worker_wait(&worker, pair->a, SHMIPC_WRITABLE, FAR);
	await_waiting(&worker, sync);
	assert_false(worker.over);
	assert_code(shmipc_channel_release(pair->b, &kept[0]), 0);
	assert_code(worker_join(&worker), SHMIPC_WRITABLE);
	assert_code(pattern_push(pair->a, 20480, 7, 0), 0);
	for (i = 1; i < n; i++)
		assert_code(shmipc_channel_release(pair->b, &kept[i]), 0);
	pattern_take(pair->b, 20480, 7);
}
MODES(memory_given_back_ends_a_wait_for_room)

static void what_is_there_already_needs_no_waiting(struct pair *pair, enum shmipc_sync sync)
{
	static const int64_t deadlines[] = { INT64_MIN, -1, 0, 1, SHMIPC_FOREVER };
	size_t i;

	open_in_mode(pair, sync);
	assert_code(pattern_push(pair->a, 60, 1, 0), 0);
	for (i = 0; i < sizeof(deadlines) / sizeof(*deadlines); i++) {
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, deadlines[i]), SHMIPC_READABLE);
		assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, deadlines[i]), SHMIPC_WRITABLE);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE | SHMIPC_WRITABLE, deadlines[i]),
			    SHMIPC_READABLE | SHMIPC_WRITABLE);
	}
	assert_int_equal(stats_of(pair->b).waits, 0);
}
MODES(what_is_there_already_needs_no_waiting)

static void a_past_deadline_does_not_block(struct pair *pair, enum shmipc_sync sync)
{
	static const int64_t deadlines[] = { INT64_MIN, -1, 0, 1 };
	size_t i;

	open_in_mode(pair, sync);
	for (i = 0; i < sizeof(deadlines) / sizeof(*deadlines); i++)
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, deadlines[i]), -ETIMEDOUT);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, now_ns() - 1), -ETIMEDOUT);
	assert_int_equal(stats_of(pair->b).waits, 0);
}
MODES(a_past_deadline_does_not_block)

static void a_deadline_is_kept_and_never_early(struct pair *pair, enum shmipc_sync sync)
{
	int64_t deadline;
	int i;

	open_in_mode(pair, sync);
	fill(pair->b, 50);
	for (i = 0; i < 12; i++) {
		deadline = now_ns() + (i < 6 ? 30000 : 3000000) * (i % 6 + 1);
		assert_code(shmipc_channel_wait(pair->b, i % 2 ? SHMIPC_READABLE : SHMIPC_WRITABLE, deadline),
			    -ETIMEDOUT);
		assert_true(now_ns() >= deadline);
	}
}
MODES(a_deadline_is_kept_and_never_early)

static void a_kick_ends_a_wait_with_0(struct pair *pair, enum shmipc_sync sync)
{
	struct worker worker;
	int i;

	open_in_mode(pair, sync);
	for (i = 0; i < 10; i++) {
		worker_wait(&worker, pair->b, SHMIPC_READABLE | SHMIPC_WRITABLE * (i == 0), FAR);
		if (i == 0) { /* room is there: it returns at once */
			assert_code(worker_join(&worker), SHMIPC_WRITABLE);
			continue;
		}
		if (i % 2)
			await_waiting(&worker, sync);
		assert_code(shmipc_channel_kick(pair->b), 0);
		assert_code(worker_join(&worker), 0);
	}
}
MODES(a_kick_ends_a_wait_with_0)

static void a_kick_that_finds_nobody_ends_the_next_wait_and_no_other(struct pair *pair, enum shmipc_sync sync)
{
	open_in_mode(pair, sync);
	assert_code(shmipc_channel_kick(pair->b), 0);
	assert_code(shmipc_channel_kick(pair->b), 0);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), 0);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, soon(3)), -ETIMEDOUT);
	/* Progress is reported before it. */
	assert_code(shmipc_channel_kick(pair->b), 0);
	assert_code(pattern_push(pair->a, 60, 1, 0), 0);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	pattern_take(pair->b, 60, 1);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), 0);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, soon(3)), -ETIMEDOUT);
}
MODES(a_kick_that_finds_nobody_ends_the_next_wait_and_no_other)

static int wait_until_told(struct worker *worker)
{
	_Atomic int *kicked = worker->argument;
	int r;

	while (!(r = shmipc_channel_wait(worker->channel, SHMIPC_READABLE, FAR)))
		(*kicked)++;
	return r;
}

static void kicks_return_though_the_kicked_thread_waits_again(struct pair *pair, enum shmipc_sync sync)
{
	_Atomic int kicked = 0;
	struct worker worker = { .call = wait_until_told, .argument = (void *)&kicked };
	int64_t began;
	int i, seen;

	open_in_mode(pair, sync);
	worker.channel = pair->b;
	worker_start(&worker);
	for (i = 0; i < 500; i++) {
		seen = kicked;
		began = now_ns();
		assert_code(shmipc_channel_kick(pair->b), 0);
		assert_true(now_ns() - began < 10000000000);
		if (i % 2)
			await(kicked > seen);
	}
	assert_code(pattern_push(pair->a, 10, 1, 0), 0);
	assert_code(worker_join(&worker), SHMIPC_READABLE);
	assert_true(kicked <= 500);
	pattern_take(pair->b, 10, 1);
}
MODES(kicks_return_though_the_kicked_thread_waits_again)

static _Atomic int signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static void handle_signal(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	signals = 0;
	sigemptyset(&action.sa_mask);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void interrupt(struct pair *pair, int64_t deadline)
{
	struct worker worker;

	handle_signal(0);
	worker_wait(&worker, pair->b, SHMIPC_READABLE, deadline);
	worker_await_sleep(&worker);
	/* One that comes between two looks of the timed mode ends nothing. */
	do {
		worker_signal(&worker, SIGUSR1);
		sleep_ms(5);
	} while (!worker.over && signals < 100);
	assert_code(worker_join(&worker), -EINTR);
	assert_true(signals > 0);
}

static void a_signal_ends_a_wait_with_eintr(struct pair *pair, enum shmipc_sync sync)
{
	open_in_mode(pair, sync);
	interrupt(pair, SHMIPC_FOREVER);
	interrupt(pair, FAR);
}

static void a_signal_to_be_restarted_does_not_end_a_wait(struct pair *pair, enum shmipc_sync sync)
{
	int64_t deadlines[2] = { SHMIPC_FOREVER, FAR };
	struct worker worker;
	int i, j;

	if (TESTS_TSAN)
		skip_because("ThreadSanitizer runs handlers only when the system call is over");
	open_in_mode(pair, sync);
	handle_signal(SA_RESTART);
	for (i = 0; i < 2; i++) {
		worker_wait(&worker, pair->b, SHMIPC_READABLE, deadlines[i]);
		for (j = 0; j < 5; j++) {
			worker_await_sleep(&worker);
			signals = 0;
			worker_signal(&worker, SIGUSR1);
			await(signals == 1);
		}
		worker_await_sleep(&worker);
		assert_false(worker.over);
		assert_code(pattern_push(pair->a, 60, 1, 0), 0);
		assert_code(worker_join(&worker), SHMIPC_READABLE);
		pattern_take(pair->b, 60, 1);
	}
}

static void a_restarted_wait_keeps_its_deadline(struct pair *pair, enum shmipc_sync sync)
{
	int64_t deadline;
	struct worker worker;

	open_in_mode(pair, sync);
	handle_signal(SA_RESTART);
	deadline = soon(100);
	worker_wait(&worker, pair->b, SHMIPC_READABLE, deadline);
	while (!worker.over && now_ns() < deadline) {
		worker_signal(&worker, SIGUSR1);
		sleep_ms(5);
	}
	assert_code(worker_join(&worker), -ETIMEDOUT);
	assert_true(worker.ended >= deadline);
}

/* Polling makes no system call that a signal could end. */
SLEEPING_MODES(a_signal_ends_a_wait_with_eintr)
SLEEPING_MODES(a_signal_to_be_restarted_does_not_end_a_wait)
SLEEPING_MODES(a_restarted_wait_keeps_its_deadline)

static void unknown_events_are_einval(struct pair *pair)
{
	unsigned int bit;

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_wait(pair->a, 0, FAR), -EINVAL);
	assert_code(shmipc_channel_arm(pair->a, 0), -EINVAL);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_WRITABLE), -EINVAL);
	for (bit = 2; bit < 32; bit++) {
		assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE | 1u << bit, FAR), -EINVAL);
		assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE | 1u << bit), -EINVAL);
	}
}

static void room_that_came_back_and_was_used_is_reported_still(struct pair *pair)
{
	uint32_t n, i;

	open_in_mode(pair, SHMIPC_SYNC_DEMAND);
	n = fill(pair->a, 50);
	for (i = 0; i < n; i++)
		pattern_take(pair->b, 50, i);
	assert_code(pattern_push(pair->a, 50, 1, 0), 0);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, soon(1000)), SHMIPC_WRITABLE);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE | SHMIPC_WRITABLE), 1);
}

static void slots_that_come_back_are_no_news_for_one_who_lacks_memory(struct pair *pair)
{
	struct shmipc_message kept[8];
	uint32_t n, i;

	open_in_mode(pair, SHMIPC_SYNC_DEMAND);
	n = fill(pair->a, 20480);
	for (i = 0; i < n; i++) {
		assert_code(shmipc_channel_peek(pair->b, &kept[i]), 0);
		assert_code(shmipc_channel_keep(pair->b, &kept[i]), 0);
	}
	/* Nothing comes back from here on: a wait for it has to wait, after at most one look. */
	for (i = 0; i < 2; i++) {
		assert_code(shmipc_channel_push(pair->a, kept[0].data, 20480, 0, 0, 0), -EAGAIN);
		if (shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, soon(20)) == -ETIMEDOUT)
			break;
	}
	assert_true(i < 2);
	for (i = 0; i < n; i++)
		assert_code(shmipc_channel_release(pair->b, &kept[i]), 0);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
}

static void waits_and_sleeps_are_counted(struct pair *pair)
{
	struct shmipc_channel_stats stats;

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, soon(5)), -ETIMEDOUT);
	stats = stats_of(pair->b);
	assert_int_equal(stats.waits, 1);
	assert_int_equal(stats.sleeps, 1);
	assert_true(stats.system_calls >= 1);
	assert_int_equal(stats_of(pair->a).rings, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_ALL_MODES(a_message_ends_a_wait),
		IN_ALL_MODES(a_consumed_slot_ends_a_wait_for_room),
		IN_ALL_MODES(memory_given_back_ends_a_wait_for_room),
		IN_ALL_MODES(what_is_there_already_needs_no_waiting),
		IN_ALL_MODES(a_past_deadline_does_not_block),
		IN_ALL_MODES(a_deadline_is_kept_and_never_early),
		IN_ALL_MODES(a_kick_ends_a_wait_with_0),
		IN_ALL_MODES(a_kick_that_finds_nobody_ends_the_next_wait_and_no_other),
		IN_ALL_MODES(kicks_return_though_the_kicked_thread_waits_again),
		IN_SLEEPING_MODES(a_signal_ends_a_wait_with_eintr),
		IN_SLEEPING_MODES(a_signal_to_be_restarted_does_not_end_a_wait),
		IN_SLEEPING_MODES(a_restarted_wait_keeps_its_deadline),
		ON_BOTH(unknown_events_are_einval),
		ON_BOTH(room_that_came_back_and_was_used_is_reported_still),
		ON_BOTH(slots_that_come_back_are_no_news_for_one_who_lacks_memory),
		ON_BOTH(waits_and_sleeps_are_counted),
	};

	return RUN_TESTS(tests, argc, argv);
}
