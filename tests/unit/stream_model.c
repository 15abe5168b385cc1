// SPDX-License-Identifier: Apache-2.0
/*
 * stream_model.c - random calls on a stream, against a model of what a stream is: a sequence of bytes with marks where
 * messages end
 *
 * A byte's value follows from its stream and position, so that one of another stream or place is seen. STREAM_MODEL_SEED
 * in the environment repeats a run; every failure names the seed.
 */
#include <stdlib.h>
#include <string.h>

#include "session_pair.h"

#define MARKS 4096
#define HELD 6
#define STREAMS 3
#define STEPS (TESTS_TSAN ? 4000 : 20000)

/* One direction of one stream. */
struct flow {
	struct shmipc_stream *from, *to;
	uint32_t key;
	uint64_t written, read;
	/* Ends of messages, as positions; those up to the reader's are forgotten. */
	uint64_t marks[MARKS];
	unsigned int first, count;
	bool mark_due; /* read_message came to a message's last byte, and was not told that it is */
	bool open;     /* the writer is in the middle of a message */
	bool ended;
	struct shmipc_piece held[HELD];
	uint64_t held_at[HELD];
	unsigned int held_count;
};

static uint64_t seed, state;
static unsigned char room[200000];

static uint64_t draw(uint64_t below)
{
	uint64_t x = state += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return (x ^ (x >> 31)) % below;
}

#define must(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail_msg("seed %llu: not so: %s", (unsigned long long)seed, #condition);                       \
	} while (0)

static unsigned char byte_at(const struct flow *flow, uint64_t position)
{
	uint64_t x = position * 0x9e3779b97f4a7c15ull + flow->key * 0xd1342543de82ef95ull;

	return (unsigned char)(x >> 29 ^ x >> 56);
}

static void fill(const struct flow *flow, unsigned char *data, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		data[i] = byte_at(flow, flow->written + i);
}

static void check(const struct flow *flow, uint64_t position, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t i;

	for (i = 0; i < size; i++)
		if (bytes[i] != byte_at(flow, position + i))
			fail_msg("seed %llu: stream %u, byte %llu is another one", (unsigned long long)seed, flow->key,
				 (unsigned long long)(position + i));
}

static size_t draw_size(size_t most)
{
	static const size_t edges[] = { 1, 111, 112, 113, 4095, 4096, 4097, 32767, 32768, 32769, 65536, 98304 };
	size_t size;

	switch (draw(5)) {
	case 0:
		size = edges[draw(sizeof(edges) / sizeof(*edges))];
		break;
	case 1:
		size = draw(110000) + 1;
		break;
	case 2:
		size = draw(6000) + 1;
		break;
	default:
		size = draw(200) + 1;
	}
	return size < most ? size : most;
}

static void mark(struct flow *flow, bool ends)
{
	flow->open = !ends;
	if (!ends)
		return;
	must(flow->count < MARKS);
	flow->marks[(flow->first + flow->count++) % MARKS] = flow->written;
}

static void wrote(struct flow *flow, ssize_t n, size_t size, bool more)
{
	must(n == -EAGAIN || (n > 0 && (size_t)n <= size));
	if (n <= 0)
		return;
	flow->written += (uint64_t)n;
	/* What was not taken belongs to the same message: what is written next goes on with it. */
	mark(flow, (size_t)n == size && !more);
}

static void step_write(struct flow *flow)
{
	bool more = draw(3) == 0;
	struct shmipc_buffer buffer;
	struct iovec iov[3];
	size_t size;
	int r;

	if (flow->count > MARKS - 8)
		return;
	size = draw_size(sizeof(room));
	switch (draw(6)) {
	case 0:
	case 1:
		fill(flow, room, size);
		wrote(flow, shmipc_stream_write(flow->from, room, size, more ? SHMIPC_MORE : 0, 0), size, more);
		return;
	case 2:
		fill(flow, room, size);
		iov[0] = (struct iovec){ room, size / 3 };
		iov[1] = (struct iovec){ room + size / 3, size / 2 };
		iov[2] = (struct iovec){ room + size / 3 + size / 2, size - size / 3 - size / 2 };
		wrote(flow, shmipc_stream_writev(flow->from, iov, 3, more ? SHMIPC_MORE : 0, 0), size, more);
		return;
	case 3:
		r = shmipc_stream_reserve(flow->from, size, &buffer, 0);
		must(r == 0 || r == -EAGAIN || r == -EMSGSIZE);
		if (r)
			return;
		fill(flow, buffer.data, size);
		if (draw(4) == 0) {
			must(shmipc_stream_cancel(flow->from, &buffer) == 0);
			return;
		}
		size -= draw(3) ? 0 : draw(size);
		r = shmipc_stream_submit(flow->from, &buffer, size, more ? SHMIPC_MORE : 0, 0);
		must(r == 0 || r == -EAGAIN);
		if (r)
			must(shmipc_stream_cancel(flow->from, &buffer) == 0);
		else
			wrote(flow, (ssize_t)size, size, more);
		return;
	case 4:
		r = shmipc_stream_flush(flow->from, 0);
		must(r == 0 || r == -EAGAIN);
		return;
	default:
		if (!flow->open)
			return;
		r = (int)shmipc_stream_write(flow->from, NULL, 0, 0, 0);
		must(r == 0 || r == -EAGAIN);
		if (!r)
			mark(flow, true);
	}
}

/* Position of the next message's end beyond the reader's, or UINT64_MAX. Forgets what is behind. */
static uint64_t next_mark(struct flow *flow)
{
	while (flow->count && flow->marks[flow->first] <= flow->read) {
		flow->first = (flow->first + 1) % MARKS;
		flow->count--;
	}
	return flow->count ? flow->marks[flow->first] : UINT64_MAX;
}

static void was_read(struct flow *flow, ssize_t n, size_t most, const void *data)
{
	must(n == -EAGAIN || (n == 0 && flow->ended && flow->read == flow->written) || (n > 0 && (size_t)n <= most));
	if (n <= 0)
		return;
	must(flow->read + (uint64_t)n <= flow->written);
	if (data)
		check(flow, flow->read, data, (size_t)n);
	flow->read += (uint64_t)n;
	flow->mark_due = true; /* it may have stopped short of a mark */
}

static void step_read_message(struct flow *flow)
{
	size_t most = draw_size(sizeof(room));
	uint64_t end;
	int last = 7;
	ssize_t n;

	next_mark(flow);
	n = shmipc_stream_read_message(flow->to, room, most, &last, 0);
	if (n == 0 && last == 1) { /* a message's end came behind its last byte */
		must(flow->mark_due);
		flow->mark_due = false;
		return;
	}
	end = next_mark(flow);
	was_read(flow, n, most, room);
	if (n <= 0)
		return;
	must(last == 0 || last == 1);
	must(flow->read <= end);
	if (last)
		must(flow->read == end);
	flow->mark_due = !last;
}

static void step_receive(struct flow *flow)
{
	struct shmipc_piece *piece = &flow->held[flow->held_count];
	uint64_t end = next_mark(flow);
	unsigned int which;
	int r;

	if (flow->held_count < HELD && draw(2)) {
		r = shmipc_stream_receive(flow->to, piece, 0);
		must(r == -EAGAIN || r == 1 || (r == 0 && flow->ended));
		if (r != 1)
			return;
		must(piece->size || piece->last);
		flow->held_at[flow->held_count++] = flow->read;
		must(flow->read + piece->size <= end);
		if (piece->last)
			must(flow->read + piece->size == end || !piece->size);
		check(flow, flow->read, piece->data, piece->size);
		flow->read += piece->size;
		flow->mark_due = !piece->last;
	} else if (flow->held_count) {
		which = (unsigned int)draw(flow->held_count);
		check(flow, flow->held_at[which], flow->held[which].data, flow->held[which].size);
		must(shmipc_stream_release(flow->to, &flow->held[which]) == 0);
		flow->held[which] = flow->held[--flow->held_count];
		flow->held_at[which] = flow->held_at[flow->held_count];
	}
}

static void step_read(struct flow *flow)
{
	size_t most = draw_size(sizeof(room)), half = most / 2;
	struct iovec iov[2] = { { room, half }, { room + half, most - half } };
	const void *data;
	ssize_t n;

	switch (draw(7)) {
	case 0:
		was_read(flow, shmipc_stream_read(flow->to, room, most, 0), most, room);
		return;
	case 1:
		was_read(flow, shmipc_stream_readv(flow->to, iov, 2, 0), most, room);
		return;
	case 2:
		was_read(flow, shmipc_stream_discard(flow->to, most, 0), most, NULL);
		return;
	case 3:
		n = shmipc_stream_peek(flow->to, most < 50000 ? most : 50000, &data, 0);
		must(n == -EAGAIN || n > 0 || (n == 0 && flow->ended));
		if (n > 0)
			check(flow, flow->read, data, (size_t)n);
		return;
	case 4:
		step_receive(flow);
		return;
	default:
		step_read_message(flow);
	}
}

static void drain(struct flow *flow)
{
	ssize_t n;

	/* Both sides work on: what is held back goes with the end. */
	while (flow->held_count) {
		flow->held_count--;
		check(flow, flow->held_at[flow->held_count], flow->held[flow->held_count].data,
		      flow->held[flow->held_count].size);
		must(shmipc_stream_release(flow->to, &flow->held[flow->held_count]) == 0);
	}
	must(shmipc_stream_end(flow->from) == 0);
	flow->ended = true;
	for (;;) {
		n = shmipc_stream_read(flow->to, room, sizeof(room), 0);
		if (n == 0)
			break;
		was_read(flow, n, sizeof(room), room);
		if (n == -EAGAIN) {
			session_look(shmipc_stream_session(flow->from));
			sleep_ms(0);
		}
	}
	must(flow->read == flow->written);
}

static void play(struct pair *pair, const struct shmipc_session_options *options)
{
	const char *fixed = getenv("STREAM_MODEL_SEED");
	static struct flow flows[2 * STREAMS];
	struct ends ends[STREAMS];
	struct flow *flow;
	unsigned int i, step;

	seed = fixed ? strtoull(fixed, NULL, 0) : (uint64_t)now_ns();
	print_message("# seed %llu\n", (unsigned long long)seed);
	state = seed;
	memset(flows, 0, sizeof(flows));
	session_pair_open(pair, options, options);
	for (i = 0; i < STREAMS; i++) {
		ends[i] = ends_open(pair);
		flows[2 * i] = (struct flow){ .from = ends[i].near, .to = ends[i].far, .key = 2 * i };
		flows[2 * i + 1] = (struct flow){ .from = ends[i].far, .to = ends[i].near, .key = 2 * i + 1 };
	}
	for (step = 0; step < (unsigned int)STEPS; step++) {
		flow = &flows[draw(2 * STREAMS)];
		if (draw(2))
			step_write(flow);
		else
			step_read(flow);
	}
	for (i = 0; i < 2 * STREAMS; i++) {
		must(flows[i].written > 0);
		drain(&flows[i]);
	}
	for (i = 0; i < STREAMS; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
	}
	session_pair_await_empty(pair);
}

static void random_calls_agree_with_the_model(struct pair *pair)
{
	play(pair, NULL);
}

static void random_calls_agree_with_the_model_where_all_is_tight(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);

	options.channel.slots = 16;
	options.channel.slices = 64;
	options.channel.segment_bytes = 4096;
	options.channel.memory_max = 131072;
	options.channel.shrink_after_ms = 1;
	options.window = 110000;
	options.private_max = 65536;
	options.exhaustion = SHMIPC_EXHAUSTION_WAIT;
	play(pair, &options);
}

static void random_calls_agree_with_the_model_where_much_falls_back(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);

	options.channel.segment_bytes = 16384;
	options.channel.memory_max = 16384;
	options.breaker_ms = 0;
	play(pair, &options);
	assert_true(session_stats_of(pair->client).fallback_sent > 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(random_calls_agree_with_the_model),
		ON_BOTH(random_calls_agree_with_the_model_where_all_is_tight),
		ON_BOTH(random_calls_agree_with_the_model_where_much_falls_back),
	};

	return RUN_TESTS(tests, argc, argv);
}
