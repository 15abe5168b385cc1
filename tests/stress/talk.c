// SPDX-License-Identifier: Apache-2.0
/*
 * talk.c - what is to be said on a stream, byte by byte
 */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"

static uint64_t word_at(const struct flow *flow, uint64_t number)
{
	uint64_t state = flow->key + number * 0xd1342543de82ef95ull;

	return rng_next(&state);
}

void flow_fill(const struct flow *flow, void *data, size_t size)
{
	unsigned char *at = data;
	uint64_t position = flow->at;
	size_t skip, step;

	while (size) {
		uint64_t word = word_at(flow, position / 8);

		skip = position % 8;
		step = 8 - skip < size ? 8 - skip : size;
		memcpy(at, (char *)&word + skip, step);
		at += step;
		position += step;
		size -= step;
	}
}

void talk_fail(const struct talk *talk, const char *what, long long value)
{
	fprintf(stderr,
		"# stream %u (%s, ending %d): %s: %lld; written %llu of %llu, read %llu of %llu; the session: %d\n",
		shmipc_stream_id(talk->stream), talk->opener ? "opener" : "accepter", (int)talk->ending, what, value,
		(unsigned long long)talk->out.at, (unsigned long long)talk->out.total, (unsigned long long)talk->in.at,
		(unsigned long long)talk->in.total, shmipc_session_error(shmipc_stream_session(talk->stream)));
	_exit(RUN_FAILED);
}

void talk_check(struct talk *talk, uint64_t position, const void *data, size_t size)
{
	const unsigned char *at = data;
	struct flow flow = talk->in;
	unsigned char expected[4096];
	size_t step, i;

	if (position + size > flow.total)
		talk_fail(talk, "more bytes came than there are", (long long)(position + size));
	for (flow.at = position; size; at += step, flow.at += step, size -= step) {
		step = size < sizeof(expected) ? size : sizeof(expected);
		flow_fill(&flow, expected, step);
		if (!memcmp(at, expected, step))
			continue;
		for (i = 0; at[i] == expected[i]; i++)
			;
		talk_fail(talk, "a wrong byte at", (long long)(flow.at + i));
	}
}

bool talk_is_dead(const struct talk *talk, long long r)
{
	int error = shmipc_session_error(shmipc_stream_session(talk->stream));

	return error && r == error;
}

static uint64_t draw_total(uint64_t *rng)
{
	switch (rng_below(rng, 12)) {
	case 0:
		return 0;
	case 1:
		return rng_below(rng, 1500000);
	case 2:
	case 3:
	case 4:
		return rng_below(rng, 80000);
	default:
		return rng_below(rng, 3000);
	}
}

void talk_begin(struct talk *talk, struct shmipc_stream *stream, bool opener, uint64_t seed,
		const struct talk_limits *limits)
{
	uint32_t id = shmipc_stream_id(stream);
	uint64_t rng = seed ^ id * 0x9e3779b97f4a7c15ull;
	struct flow flows[2]; /* the opener's, the accepter's */
	int i;

	memset(talk, 0, sizeof(*talk));
	talk->stream = stream;
	talk->opener = opener;
	talk->limits = limits;
	for (i = 0; i < 2; i++)
		flows[i] = (struct flow){ .key = rng_next(&rng), .total = draw_total(&rng) };
	talk->out = flows[!opener];
	talk->in = flows[opener];
	talk->ending = rng_below(&rng, 10) < 7 ? ENDING_BOTH : ENDING_CLOSE + (enum ending)rng_below(&rng, 3);
	talk->stop_at = rng_below(&rng, flows[0].total + 1);
	talk->rng_out = rng_next(&rng) + opener;
	talk->rng_in = rng_next(&rng) + opener;
	talk->out_room = malloc(2 * TALK_ROOM);
	if (!talk->out_room)
		talk_fail(talk, "no memory", 0);
	talk->in_room = talk->out_room + TALK_ROOM;
	pthread_mutex_init(&talk->lock, NULL);
}

void talk_end(struct talk *talk)
{
	shmipc_stream_close(talk->stream);
	free(talk->out_room);
	pthread_mutex_destroy(&talk->lock);
}
