// SPDX-License-Identifier: Apache-2.0
/*
 * channel_threads.c - tests of a consuming and a producing thread of one endpoint that wait at once: one
 * leads, the other follows, whichever came first
 */
#include <signal.h>
#include <string.h>

#include "worker.h"

static void open_full(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	uint32_t n = 0;

	options.slots = 16;
	pair_open(pair, &options, &options);
	while (!pattern_push(pair->a, 50, n, 0))
		n++;
}

/*
 * Both wait on a, which has no room and no message; the first one leads. Times in milliseconds. False: one deadline
 * passed before both were asleep, on a busy machine.
 */
static bool try_both(struct pair *pair, struct worker *reader, struct worker *writer, bool reader_first, int read_ms,
		     int write_ms)
{
	open_full(pair);
	if (reader_first) {
		worker_wait(reader, pair->a, SHMIPC_READABLE, soon(read_ms));
		worker_sleeps(reader);
	}
	worker_wait(writer, pair->a, SHMIPC_WRITABLE, soon(write_ms));
	worker_sleeps(writer);
	if (!reader_first)
		worker_wait(reader, pair->a, SHMIPC_READABLE, soon(read_ms));
	/* A follower that wanted more has kicked the leader by now, who sleeps again. */
	return worker_sleeps(writer) && worker_sleeps(reader);
}

static void wait_both(struct pair *pair, struct worker *reader, struct worker *writer, bool reader_first)
{
	assert_true(try_both(pair, reader, writer, reader_first, 20000, 20000));
}

static void each_gets_its_own_event_and_the_other_sleeps_on(struct pair *pair, bool reader_first, bool message_first)
{
	struct worker reader, writer, *first, *second;

	wait_both(pair, &reader, &writer, reader_first);
	first = message_first ? &reader : &writer;
	second = message_first ? &writer : &reader;
	if (message_first)
		assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	else
		pattern_take(pair->b, 50, 0);
	assert_code(worker_join(first), message_first ? SHMIPC_READABLE : SHMIPC_WRITABLE);
	worker_await_sleep(second);
	assert_false(second->over);
	if (message_first)
		pattern_take(pair->b, 50, 0);
	else
		assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	assert_code(worker_join(second), message_first ? SHMIPC_WRITABLE : SHMIPC_READABLE);
	pattern_take(pair->a, 10, 1);
}

static void a_message_wakes_the_leading_reader(struct pair *pair)
{
	each_gets_its_own_event_and_the_other_sleeps_on(pair, true, true);
}

static void a_message_wakes_the_following_reader(struct pair *pair)
{
	each_gets_its_own_event_and_the_other_sleeps_on(pair, false, true);
}

static void room_wakes_the_leading_writer(struct pair *pair)
{
	each_gets_its_own_event_and_the_other_sleeps_on(pair, false, false);
}

static void room_wakes_the_following_writer_whose_leader_did_not_ask_for_it(struct pair *pair)
{
	each_gets_its_own_event_and_the_other_sleeps_on(pair, true, false);
}

static void a_deadline_passes(struct pair *pair, bool reader_first, bool readers_deadline)
{
	struct worker reader, writer;
	struct worker *first = readers_deadline ? &reader : &writer, *second = readers_deadline ? &writer : &reader;
	int near = 100;

	while (!try_both(pair, &reader, &writer, reader_first, readers_deadline ? near : 20000,
			 readers_deadline ? 20000 : near)) {
		assert_code(worker_join(first), -ETIMEDOUT);
		assert_code(shmipc_channel_kick(pair->a), 0);
		worker_join(second);
		shmipc_channel_destroy(pair->a);
		shmipc_channel_destroy(pair->b);
		assert_true((near *= 2) < 20000);
	}
	assert_code(worker_join(first), -ETIMEDOUT);
	assert_true(first->ended >= first->deadline);
	worker_await_sleep(second);
	assert_false(second->over);
	if (readers_deadline)
		pattern_take(pair->b, 50, 0);
	else
		assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	assert_code(worker_join(second), readers_deadline ? SHMIPC_WRITABLE : SHMIPC_READABLE);
}

static void a_followers_deadline_is_its_own(struct pair *pair)
{
	a_deadline_passes(pair, true, false);
}

static void a_following_readers_deadline_is_its_own_too(struct pair *pair)
{
	a_deadline_passes(pair, false, true);
}

static void the_follower_takes_the_lead_when_the_leaders_deadline_passes(struct pair *pair)
{
	a_deadline_passes(pair, true, true);
}

static void the_following_reader_takes_the_lead_too(struct pair *pair)
{
	a_deadline_passes(pair, false, false);
}

static void one_kick_ends_both(struct pair *pair)
{
	struct worker reader, writer;

	wait_both(pair, &reader, &writer, true);
	assert_code(shmipc_channel_kick(pair->a), 0);
	assert_code(worker_join(&reader), 0);
	assert_code(worker_join(&writer), 0);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, soon(3)), -ETIMEDOUT);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, soon(3)), -ETIMEDOUT);
}

static void the_peers_end_ends_both(struct pair *pair)
{
	struct worker reader, writer;

	wait_both(pair, &reader, &writer, false);
	shmipc_channel_destroy(pair->b);
	pair->b = NULL;
	assert_code(worker_join(&reader), -EPIPE);
	assert_code(worker_join(&writer), -EPIPE);
}

static void ignore(int signal)
{
	(void)signal;
}

/* A signal that comes while its thread is not asleep ends nothing: again, then. */
static void interrupt(struct worker *worker)
{
	do {
		worker_signal(worker, SIGUSR1);
		sleep_ms(5);
	} while (!worker->over);
	assert_code(worker_join(worker), -EINTR);
}

static void a_signal_ends_only_the_wait_of_its_thread(struct pair *pair)
{
	struct sigaction action = { .sa_handler = ignore };
	struct worker reader, writer;

	sigaction(SIGUSR1, &action, NULL);
	wait_both(pair, &reader, &writer, true);
	interrupt(&reader);
	worker_await_sleep(&writer);
	interrupt(&writer);
}

static void a_signal_ends_only_the_followers_wait(struct pair *pair)
{
	struct sigaction action = { .sa_handler = ignore };
	struct worker reader, writer;

	sigaction(SIGUSR1, &action, NULL);
	wait_both(pair, &reader, &writer, true);
	interrupt(&writer);
	worker_await_sleep(&reader);
	assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
}

static void arming_is_ebusy_while_a_thread_waits(struct pair *pair)
{
	struct worker writer;

	open_full(pair);
	worker_wait(&writer, pair->a, SHMIPC_WRITABLE, FAR);
	worker_await_sleep(&writer);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE), -EBUSY);
	assert_false(writer.over);
	pattern_take(pair->b, 50, 0);
	assert_code(worker_join(&writer), SHMIPC_WRITABLE);
}

/* Traffic both ways, each endpoint with a thread that sends and one that receives. */
#define TRAFFIC 5000

static size_t size_of(uint32_t i)
{
	return i % 7 == 0 ? 3000 + i % 1000 : i % 100;
}

static int send_all(struct worker *worker)
{
	unsigned char data[4096];
	uint32_t i;
	int r;

	for (i = 0; i < TRAFFIC; i++) {
		pattern_fill(data, size_of(i), i);
		while ((r = shmipc_channel_push(worker->channel, data, size_of(i), i, (uint16_t)(i * 3), 0)) ==
		       -EAGAIN) {
			r = shmipc_channel_wait(worker->channel, SHMIPC_WRITABLE, FAR);
			if (r != SHMIPC_WRITABLE)
				return r ? r : -1;
		}
		if (r)
			return r;
	}
	return 0;
}

static int receive_all(struct worker *worker)
{
	struct shmipc_message message;
	uint32_t i = 0;
	int r;

	while (i < TRAFFIC) {
		r = shmipc_channel_peek(worker->channel, &message);
		if (r == -EAGAIN) {
			r = shmipc_channel_wait(worker->channel, SHMIPC_READABLE, FAR);
			if (r != SHMIPC_READABLE)
				return r ? r : -1;
			continue;
		}
		if (r)
			return r;
		if (message.tag != i || message.size != size_of(i) || !pattern_is(message.data, message.size, i))
			return -2;
		r = shmipc_channel_release(worker->channel, &message);
		if (r)
			return r;
		i++;
	}
	return 0;
}

static int watch_stats(struct worker *worker)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };
	uint64_t last = 0;

	do {
		if (shmipc_channel_stats(worker->channel, &stats) || stats.messages_sent < last)
			return -3;
		last = stats.messages_sent;
	} while (last < TRAFFIC);
	return 0;
}

static void four_threads_and_a_fifth_that_counts(struct pair *pair, enum shmipc_sync sync)
{
	struct shmipc_channel_options options = pair_options(pair);
	struct worker workers[5];
	int i;

	options.slots = 32;
	options.slices = 64;
	options.segment_bytes = 8192;
	options.memory_max = 64 << 10;
	options.sync = sync;
	pair_open(pair, &options, &options);
	for (i = 0; i < 5; i++) {
		workers[i] = (struct worker){
			.call = i == 4	? watch_stats
				: i % 2 ? receive_all
					: send_all,
			.channel = i < 2 || i == 4 ? pair->a : pair->b,
		};
		worker_start(&workers[i]);
	}
	for (i = 0; i < 5; i++)
		assert_code(worker_join(&workers[i]), 0);
	assert_int_equal(stats_of(pair->a).messages_received, TRAFFIC);
	assert_int_equal(stats_of(pair->a).slices_lent, 0);
	assert_true(stats_of(pair->a).rings <= stats_of(pair->b).sleeps);
	assert_true(stats_of(pair->b).rings <= stats_of(pair->a).sleeps);
}

static void four_threads_and_a_fifth_that_counts_on_demand(struct pair *pair)
{
	four_threads_and_a_fifth_that_counts(pair, SHMIPC_SYNC_DEMAND);
}

static void four_threads_and_a_fifth_that_counts_adaptively(struct pair *pair)
{
	four_threads_and_a_fifth_that_counts(pair, SHMIPC_SYNC_ADAPTIVE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_message_wakes_the_leading_reader),
		ON_BOTH(a_message_wakes_the_following_reader),
		ON_BOTH(room_wakes_the_leading_writer),
		ON_BOTH(room_wakes_the_following_writer_whose_leader_did_not_ask_for_it),
		ON_BOTH(a_followers_deadline_is_its_own),
		ON_BOTH(a_following_readers_deadline_is_its_own_too),
		ON_BOTH(the_follower_takes_the_lead_when_the_leaders_deadline_passes),
		ON_BOTH(the_following_reader_takes_the_lead_too),
		ON_BOTH(one_kick_ends_both),
		ON_BOTH(the_peers_end_ends_both),
		ON_BOTH(a_signal_ends_only_the_wait_of_its_thread),
		ON_BOTH(a_signal_ends_only_the_followers_wait),
		ON_BOTH(arming_is_ebusy_while_a_thread_waits),
		ON_BOTH(four_threads_and_a_fifth_that_counts_on_demand),
		ON_BOTH(four_threads_and_a_fifth_that_counts_adaptively),
	};

	return RUN_TESTS(tests, argc, argv);
}
