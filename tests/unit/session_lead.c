// SPDX-License-Identifier: Apache-2.0
/*
 * session_lead.c - tests of many threads on one session: one harvests for all, each gets its own, and the lead is handed on
 */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "session_pair.h"

#define THREADS 8

static void open_all(struct pair *pair, struct ends *ends)
{
	int i;

	for (i = 0; i < THREADS; i++)
		ends[i] = ends_open(pair);
}

static void close_all(struct pair *pair, struct ends *ends)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

/* `order` says whose data comes first. */
static void each_gets_its_own(struct pair *pair, bool backwards)
{
	struct call calls[THREADS];
	struct ends ends[THREADS];
	char in[THREADS][100];
	int i, j;

	session_pair_open(pair, NULL, NULL);
	open_all(pair, ends);
	for (i = 0; i < THREADS; i++) {
		call_read(&calls[i], ends[i].far, in[i], sizeof(in[i]), SHMIPC_FOREVER);
		worker_await_sleep(&calls[i].worker);
	}
	for (i = 0; i < THREADS; i++) {
		int which = backwards ? THREADS - 1 - i : i;

		pattern_write(ends[which].near, 50 + (size_t)which, (uint32_t)which);
		assert_code(worker_join(&calls[which].worker), 50 + which);
		assert_true(pattern_is(in[which], 50 + (size_t)which, (uint32_t)which));
		for (j = 0; j < i; j++)
			assert_true(calls[backwards ? THREADS - 1 - j : j].worker.over);
		for (j = i + 1; j < THREADS; j++)
			assert_false(calls[backwards ? THREADS - 1 - j : j].worker.over);
	}
	assert_true(session_stats_of(pair->server).leads > 0);
	assert_true(session_stats_of(pair->server).follows > 0);
	close_all(pair, ends);
}

static void eight_threads_on_eight_streams_each_get_their_own(struct pair *pair)
{
	each_gets_its_own(pair, true);
}

static void likewise_when_the_leader_is_always_served_first(struct pair *pair)
{
	each_gets_its_own(pair, false);
}

struct turn {
	struct worker worker;
	struct shmipc_stream *stream;
	uint32_t rounds;
};

static int answer(struct worker *worker)
{
	struct turn *turn = (struct turn *)worker;
	static _Thread_local char data[5000];
	ssize_t n;
	int last;

	while ((n = shmipc_stream_read_message(turn->stream, data, sizeof(data), &last, SHMIPC_FOREVER)) > 0)
		if (shmipc_stream_write(turn->stream, data, (size_t)n, 0, SHMIPC_FOREVER) != n)
			return -1;
	return (int)n;
}

static int ask(struct worker *worker)
{
	struct turn *turn = (struct turn *)worker;
	uint32_t i, id = shmipc_stream_id(turn->stream);
	static _Thread_local char out[5000], in[5000];
	size_t size;

	for (i = 0; i < turn->rounds; i++) {
		size = (i * 131 + id * 17) % 4900 + 1;
		pattern_fill(out, size, id * 1000 + i);
		if (shmipc_stream_call(turn->stream, out, size, in, sizeof(in), SHMIPC_FOREVER) != (ssize_t)size)
			return -1;
		if (memcmp(in, out, size))
			return -2;
	}
	return shmipc_stream_end(turn->stream);
}

/* A thread at each end of eight streams; each says 0. */
static void run_on_all(struct pair *pair, int (*near)(struct worker *), int (*far)(struct worker *), uint32_t rounds)
{
	struct turn nears[THREADS], fars[THREADS];
	struct ends ends[THREADS];
	int i;

	session_pair_open(pair, NULL, NULL);
	open_all(pair, ends);
	for (i = 0; i < THREADS; i++) {
		fars[i] = (struct turn){ .worker.call = far, .stream = ends[i].far, .rounds = rounds };
		worker_start(&fars[i].worker);
	}
	for (i = 0; i < THREADS; i++) {
		nears[i] = (struct turn){ .worker.call = near, .stream = ends[i].near, .rounds = rounds };
		worker_start(&nears[i].worker);
	}
	for (i = 0; i < THREADS; i++) {
		assert_code(worker_join(&nears[i].worker), 0);
		assert_code(worker_join(&fars[i].worker), 0);
	}
	close_all(pair, ends);
}

static void eight_conversations_at_once_never_mix(struct pair *pair)
{
	run_on_all(pair, ask, answer, 300);
}

static int write_lines(struct worker *worker)
{
	struct turn *turn = (struct turn *)worker;
	uint64_t line[8] = { 0 };

	for (; line[0] < turn->rounds; line[0]++)
		if (shmipc_stream_write(turn->stream, line, sizeof(line), 0, SHMIPC_FOREVER) != sizeof(line))
			return -1;
	return shmipc_stream_end(turn->stream);
}

/* All of them on one processor, so that whoever leads keeps the others from reading. */
static int read_lines(struct worker *worker)
{
	struct turn *turn = (struct turn *)worker;
	uint64_t line[8], next = 0;
	cpu_set_t all, one;
	int last, cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		return -1;
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return -2;
	while (shmipc_stream_read_message(turn->stream, line, sizeof(line), &last, SHMIPC_FOREVER) == sizeof(line))
		if (line[0] != next++)
			return -3;
	return next == turn->rounds ? 0 : -4;
}

static void readers_that_share_a_processor_make_way_and_lose_no_order(struct pair *pair)
{
	run_on_all(pair, write_lines, read_lines, 20000);
}

/* Accepting, reading and writing at once, all of them blocked, and each is woken by what it waits for alone. */
static void accept_read_and_write_block_at_once_and_wake_one_by_one(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char out[20000];
	struct call accepting, reading, writing;
	struct ends ends, other;
	char in[10];
	size_t total;

	options.window = 16384;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	total = fill_up(ends.far, 1000);
	call_accept(&accepting, pair->server, SHMIPC_FOREVER);
	call_read(&reading, ends.far, in, sizeof(in), SHMIPC_FOREVER);
	call_write(&writing, ends.far, out, 1000, SHMIPC_FOREVER);
	worker_await_sleep(&accepting.worker);
	worker_await_sleep(&reading.worker);
	worker_await_sleep(&writing.worker);
	assert_true(shmipc_stream_discard(ends.near, total, FAR) > 0);
	assert_true(worker_join(&writing.worker) > 0);
	worker_await_sleep(&accepting.worker);
	worker_await_sleep(&reading.worker);
	assert_code(shmipc_stream_open(pair->client, &other.near), 0);
	pattern_write(other.near, 10, 1);
	assert_code(worker_join(&accepting.worker), 0);
	other.far = accepting.stream;
	worker_await_sleep(&reading.worker);
	pattern_write(ends.near, 10, 2);
	assert_code(worker_join(&reading.worker), 10);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
	ends_close(pair, &ends);
}

/* Both directions of both sides blocked: window updates are brought by whoever leads. */
static void a_writer_alone_learns_that_the_window_opened(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static unsigned char out[300000], in[300000];
	struct ends ends;
	struct call call;
	size_t got = 0;

	options.window = 8192;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	pattern_fill(out, sizeof(out), 1);
	/* Nobody reads at the client: its writer leads itself. */
	call_write(&call, ends.near, out, sizeof(out), SHMIPC_FOREVER);
	while (got < sizeof(in)) {
		ssize_t n = shmipc_stream_read(ends.far, in + got, sizeof(in) - got, FAR);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_code(worker_join(&call.worker), sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	ends_close(pair, &ends);
}

struct opener {
	struct worker worker;
	struct shmipc_session *session;
	int count;
};

static int open_and_ask(struct worker *worker)
{
	struct opener *opener = (struct opener *)worker;
	struct shmipc_stream *stream;
	uint32_t i, id, echoed = 0;

	for (i = 0; i < (uint32_t)opener->count; i++) {
		if (shmipc_stream_open(opener->session, &stream))
			return -1;
		id = shmipc_stream_id(stream);
		if (shmipc_stream_call(stream, &id, sizeof(id), &echoed, sizeof(echoed), SHMIPC_FOREVER) != sizeof(id))
			return -2;
		if (echoed != id)
			return -3;
		shmipc_stream_close(stream);
	}
	return 0;
}

static int accept_and_answer(struct worker *worker)
{
	struct opener *opener = (struct opener *)worker;
	struct shmipc_stream *stream;
	uint32_t id;
	int r, i;

	for (i = 0; i < opener->count; i++) {
		r = shmipc_session_accept(opener->session, &stream, SHMIPC_FOREVER);
		if (r)
			return r;
		if (shmipc_stream_read(stream, &id, sizeof(id), SHMIPC_FOREVER) != sizeof(id))
			return -2;
		if (id != shmipc_stream_id(stream))
			return -3;
		shmipc_stream_write(stream, &id, sizeof(id), SHMIPC_END, SHMIPC_FOREVER);
		shmipc_stream_close(stream);
	}
	return 0;
}

static void threads_that_open_accept_and_close_streams_never_get_anothers(struct pair *pair)
{
	struct opener opening[4], accepting[4];
	int i;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 4; i++) {
		accepting[i] =
			(struct opener){ .worker.call = accept_and_answer, .session = pair->server, .count = 250 };
		opening[i] = (struct opener){ .worker.call = open_and_ask, .session = pair->client, .count = 250 };
		worker_start(&accepting[i].worker);
		worker_start(&opening[i].worker);
	}
	for (i = 0; i < 4; i++) {
		assert_code(worker_join(&opening[i].worker), 0);
		assert_code(worker_join(&accepting[i].worker), 0);
	}
	session_pair_await_empty(pair);
	assert_int_equal(session_stats_of(pair->server).streams_accepted, 1000);
	assert_int_equal(session_stats_of(pair->client).streams_opened, 1000);
}

/* Every sync mode waits in the leader's place. */
static void conversations_work_in_every_sync_mode(struct pair *pair)
{
	static const enum shmipc_sync modes[] = { SHMIPC_SYNC_ADAPTIVE, SHMIPC_SYNC_DEMAND, SHMIPC_SYNC_POLLING,
						  SHMIPC_SYNC_TIMED };
	struct shmipc_session_options options = session_options(pair);
	struct turn asking[2], answering[2];
	struct ends ends[2];
	size_t i, mode;

	options.channel.timed_ns = 100000;
	for (mode = 0; mode < sizeof(modes) / sizeof(*modes); mode++) {
		options.channel.sync = modes[mode];
		session_pair_open(pair, &options, NULL);
		for (i = 0; i < 2; i++) {
			ends[i] = ends_open(pair);
			answering[i] = (struct turn){ .worker.call = answer, .stream = ends[i].far };
			asking[i] = (struct turn){ .worker.call = ask, .stream = ends[i].near, .rounds = 30 };
			worker_start(&answering[i].worker);
			worker_start(&asking[i].worker);
		}
		for (i = 0; i < 2; i++) {
			assert_code(worker_join(&asking[i].worker), 0);
			assert_code(worker_join(&answering[i].worker), 0);
			shmipc_stream_close(ends[i].near);
			shmipc_stream_close(ends[i].far);
		}
		session_pair_await_empty(pair);
		session_pair_close(pair);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(eight_threads_on_eight_streams_each_get_their_own),
		ON_BOTH(likewise_when_the_leader_is_always_served_first),
		ON_BOTH(eight_conversations_at_once_never_mix),
		ON_BOTH(readers_that_share_a_processor_make_way_and_lose_no_order),
		ON_BOTH(accept_read_and_write_block_at_once_and_wake_one_by_one),
		ON_BOTH(a_writer_alone_learns_that_the_window_opened),
		ON_BOTH(threads_that_open_accept_and_close_streams_never_get_anothers),
		ON_BOTH(conversations_work_in_every_sync_mode),
	};

	return RUN_TESTS(tests, argc, argv);
}
