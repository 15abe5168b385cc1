// SPDX-License-Identifier: Apache-2.0
/*
 * session_many.c - tests of very many streams in one session, and of what an idle one costs
 */
#include <malloc.h>
#include <stdlib.h>

#include "session_pair.h"

#if defined(__SANITIZE_ADDRESS__) || TESTS_TSAN
#define MEASURES 0 /* the sanitizers' allocator is another one */
#define MANY 5000
#else
#define MEASURES 1
#define MANY 100000
#endif
/* Most bytes that an idle open stream may cost a side. */
#define BYTES_EACH 512

static struct shmipc_session_options options_for_many(const struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);

	options.channel.slots = 4096;
	options.backlog = MANY;
	options.private_max = 1 << 30;
	return options;
}

static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void check_each(const char *what, size_t before, size_t after, size_t streams)
{
	size_t each = after > before ? (after - before) / streams : 0;

	print_message("# %s: %zu bytes each\n", what, each);
	if (MEASURES && each > BYTES_EACH)
		fail_msg("%s: %zu bytes each", what, each);
}

static void a_hundred_thousand_idle_streams_cost_512_bytes_each(struct pair *pair)
{
	struct shmipc_session_options options = options_for_many(pair);
	struct shmipc_stream **near = calloc(MANY, sizeof(*near));
	size_t before, i;

	assert_non_null(near);
	session_pair_open(pair, &options, &options);
	before = allocated();
	for (i = 0; i < MANY; i++)
		assert_code(shmipc_stream_open(pair->client, &near[i]), 0);
	check_each("not yet seen by the peer", before, allocated(), MANY);
	assert_int_equal(session_streams(pair->client), MANY);
	for (i = 0; i < MANY; i++)
		shmipc_stream_close(near[i]);
	session_pair_await_empty(pair);
	free(near);
}

static void a_hundred_thousand_streams_that_were_used_cost_512_bytes_each_and_side(struct pair *pair)
{
	struct shmipc_session_options options = options_for_many(pair);
	struct ends *ends = calloc(MANY, sizeof(*ends));
	size_t before, i;
	uint32_t number;

	assert_non_null(ends);
	session_pair_open(pair, &options, &options);
	before = allocated();
	for (i = 0; i < MANY; i++)
		ends[i] = ends_open(pair);
	check_each("at both sides together, half", before, allocated(), 2 * (size_t)MANY);
	assert_int_equal(session_streams(pair->client), MANY);
	assert_int_equal(session_streams(pair->server), MANY);
	/* All of them work. */
	for (i = 0; i < MANY; i++) {
		number = (uint32_t)(i * 48271);
		assert_code(shmipc_stream_write(ends[i].far, &number, sizeof(number), 0, FAR), sizeof(number));
		if (i % 1000 == 999)
			session_look(pair->client);
	}
	for (i = MANY; i-- > 0;) {
		number = 0;
		assert_code(shmipc_stream_read(ends[i].near, &number, sizeof(number), FAR), sizeof(number));
		assert_int_equal(number, (uint32_t)(i * 48271));
	}
	for (i = 0; i < MANY; i++) {
		shmipc_stream_close(ends[i].near);
		shmipc_stream_close(ends[i].far);
		if (i % 1000 == 999) {
			session_look(pair->client);
			session_look(pair->server);
		}
	}
	session_pair_await_empty(pair);
	free(ends);
}

static void opening_and_closing_for_long_costs_nothing(struct pair *pair)
{
	size_t before = 0, i;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 20000; i++) {
		ends = ends_open(pair);
		pattern_write(ends.near, i % 300 + 1, 1);
		if (i % 3)
			pattern_read(ends.far, i % 300 + 1, 1);
		shmipc_stream_close(ends.near);
		shmipc_stream_close(ends.far);
		if (i % 100 == 0) {
			session_look(pair->client);
			session_look(pair->server);
		}
		if (i == 2000) {
			session_pair_await_empty(pair);
			before = allocated();
		}
	}
	session_pair_await_empty(pair);
	if (MEASURES && allocated() > before + 65536)
		fail_msg("%zu bytes before, %zu after", before, allocated());
}

/* Their numbers grow, and never meet one that is open. */
static void an_old_stream_lives_on_among_the_coming_and_going_of_others(struct pair *pair)
{
	struct ends old, ends;
	uint32_t i;

	session_pair_open(pair, NULL, NULL);
	old = ends_open(pair);
	for (i = 0; i < 5000; i++) {
		ends = i % 2 ? ends_open(pair) : ends_open_by(pair->server, pair->client);
		assert_int_not_equal(shmipc_stream_id(ends.near), shmipc_stream_id(old.near));
		if (i % 50 == 0) {
			pattern_write(old.near, 200, i);
			pattern_read(old.far, 200, i);
		}
		shmipc_stream_close(ends.far);
		shmipc_stream_close(ends.near);
	}
	assert_code(shmipc_stream_read(old.near, &i, 1, 0), -EAGAIN);
	ends_close(pair, &old);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_hundred_thousand_idle_streams_cost_512_bytes_each),
		ON_BOTH(a_hundred_thousand_streams_that_were_used_cost_512_bytes_each_and_side),
		ON_BOTH(opening_and_closing_for_long_costs_nothing),
		ON_BOTH(an_old_stream_lives_on_among_the_coming_and_going_of_others),
	};

	return RUN_TESTS(tests, argc, argv);
}
