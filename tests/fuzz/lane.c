// SPDX-License-Identifier: Apache-2.0
/*
 * lane.c - an endpoint whose peer's lane contains whatever the fuzzer says, now and between two calls
 *
 * The input is a script: writes into the peer's lane, and calls on this side. Every call must return
 * what its contract names, every message must lie in the peer's lane, and every byte of it be there.
 */
#include <errno.h>
#include <string.h>

#include "channel/endpoint.h"
#include "input.h"
#include "pair.h"

#define KEPT 8

struct script {
	struct input in;
	struct shmipc_channel *channel, *peer;
	struct shmipc_message kept[KEPT];
	unsigned int kept_count;
	struct shmipc_buffer open[4];
	unsigned int open_count;
};

static bool is_inside(const void *base, uint64_t bytes, const struct shmipc_message *m)
{
	uintptr_t from = (uintptr_t)base, at = (uintptr_t)m->data;

	return base && at >= from && m->size <= bytes && at - from <= bytes - m->size;
}

static void read_message(const struct script *s, const struct shmipc_message *m)
{
	const struct shmipc_channel *ch = s->channel;
	bool inside = is_inside(ch->peer.ring, ch->geometry.slots * sizeof(struct slot), m);
	const volatile unsigned char *bytes = m->data;
	size_t i;

	for (i = 0; i < SHMIPC_SEGMENTS; i++)
		inside |= is_inside(ch->peer.segment[i].base, ch->peer.segment[i].bytes, m);
	check(inside);
	for (i = 0; i < m->size; i++)
		(void)bytes[i];
}

static int allow(int r, int other)
{
	check(r >= 0 || r == other || r == -EBADMSG || r == -EPIPE);
	return r;
}

/* Writes: what the peer's lane is to contain. */

static void write_word(struct script *s)
{
	_Atomic uint32_t *words = (void *)s->peer->own.words;

	store_release(&words[input_below(&s->in, LAYOUT_RECORD / 4)], (uint32_t)input_take(&s->in, 4));
}

static void write_near(struct script *s)
{
	struct lane_words *w = s->peer->own.words;
	_Atomic uint32_t *words[] = { &w->seq, &w->rung, &w->cons, &w->skip, &w->retired, &w->unmapped, &w->ret_cons };
	_Atomic uint32_t *word = words[input_below(&s->in, 7)];

	store_release(word, load_relaxed(word) + (uint32_t)(int8_t)input_take(&s->in, 1));
}

static void write_slot(struct script *s)
{
	uint32_t next = load_relaxed(&s->channel->own.words->cons) + input_below(&s->in, 4);
	struct slot *slot = &s->peer->own.ring[next & (s->peer->geometry.slots - 1)];

	store_relaxed(&slot->size, (uint32_t)input_take(&s->in, 1 + input_below(&s->in, 4)));
	store_relaxed(&slot->what, input_below(&s->in, 4) << 16 | input_below(&s->in, 256));
	store_relaxed(&slot->ref.slice, input_below(&s->in, 2) ? input_below(&s->in, 66) : (uint32_t)input_take(&s->in, 4));
	store_relaxed(&slot->ref.segment, input_below(&s->in, 2) ? input_below(&s->in, 34) : (uint32_t)input_take(&s->in, 4));
	store_relaxed(&slot->ref.offset, input_take(&s->in, 1 + input_below(&s->in, 8)));
	store_release(&slot->lap, next + 1 + (input_below(&s->in, 8) ? 0 : (uint32_t)input_take(&s->in, 4)));
}

static void write_return(struct script *s)
{
	uint32_t next = load_relaxed(&s->channel->own.words->ret_cons) + input_below(&s->in, 4);

	store_release(&s->peer->own.returns[next & (s->peer->geometry.slices - 1)],
		      RETURN_ENTRY(next, input_below(&s->in, 2) ? input_below(&s->in, 66) : (uint32_t)input_take(&s->in, 4)));
}

static void write_bytes(struct script *s)
{
	volatile unsigned char *head = (void *)s->peer->own.words;
	uint64_t at = input_below(&s->in, (uint32_t)s->peer->geometry.head_bytes), n = input_below(&s->in, 64);

	while (n-- && at < s->peer->geometry.head_bytes)
		head[at++] = (unsigned char)input_take(&s->in, 1);
}

static void work_honestly(struct script *s)
{
	struct shmipc_message m;
	uint32_t size = input_below(&s->in, 9000);
	struct shmipc_buffer b;

	if (!shmipc_channel_reserve(s->peer, size, 0, &b))
		shmipc_channel_submit(s->peer, &b, size, 0);
	if (!shmipc_channel_peek(s->peer, &m))
		shmipc_channel_release(s->peer, &m);
}

/* Calls. */

static void call_peek(struct script *s)
{
	struct shmipc_message m;
	int r;

	memset(&m, 0x5a, sizeof(m));
	if (allow(shmipc_channel_peek(s->channel, &m), -EAGAIN))
		return;
	read_message(s, &m);
	switch (input_below(&s->in, 4)) {
	case 0: return;
	case 1:
		if (s->kept_count == KEPT)
			return;
		r = allow(shmipc_channel_keep(s->channel, &m), -EOPNOTSUPP);
		if (!r)
			s->kept[s->kept_count++] = m;
		return;
	default: allow(shmipc_channel_release(s->channel, &m), 0);
	}
}

static void call_release(struct script *s)
{
	if (!s->kept_count)
		return;
	read_message(s, &s->kept[--s->kept_count]);
	allow(shmipc_channel_release(s->channel, &s->kept[s->kept_count]), 0);
}

static void call_reserve(struct script *s)
{
	uint32_t size = input_below(&s->in, 2) ? input_below(&s->in, 256) : input_below(&s->in, 20000);

	if (s->open_count == 4 || allow(shmipc_channel_reserve(s->channel, size, 0, &s->open[s->open_count]), -EAGAIN))
		return;
	check(s->open[s->open_count].size >= size);
	memset(s->open[s->open_count].data, 0x33, size);
	s->open_count++;
}

static void call_submit(struct script *s)
{
	struct shmipc_buffer b;
	uint32_t i, size;

	if (!s->open_count)
		return;
	i = input_below(&s->in, s->open_count);
	b = s->open[i];
	s->open[i] = s->open[--s->open_count];
	size = input_below(&s->in, (uint32_t)b.size + 1);
	if (input_below(&s->in, 4))
		allow(shmipc_channel_submit(s->channel, &b, size, 0), 0);
	else
		allow(shmipc_channel_cancel(s->channel, &b), 0);
}

static void call_other(struct script *s)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };

	switch (input_below(&s->in, 6)) {
	case 0: check(!shmipc_channel_stats(s->channel, &stats)); break;
	case 1: allow(shmipc_channel_shrink(s->channel), 0); break;
	case 2: allow(shmipc_channel_grow(s->channel, input_below(&s->in, 30000)), -EAGAIN); break;
	case 3: allow(shmipc_channel_ring(s->channel), 0); break;
	case 4: allow(shmipc_channel_wait(s->channel, 1 + input_below(&s->in, 3), 1), -ETIMEDOUT); break;
	default:
		allow(shmipc_channel_arm(s->channel, SHMIPC_READABLE | (input_below(&s->in, 2) ? SHMIPC_WRITABLE : 0)), 0);
		allow(shmipc_channel_disarm(s->channel), 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const steps[])(struct script *) = {
		write_word,  write_near,   write_slot,	write_slot,  write_return, write_bytes, work_honestly,
		call_peek,   call_peek,	   call_release, call_reserve, call_submit,  call_other,	call_other,
	};
	struct script s = { .in = { data, size } };
	struct pair pair;

	pair_open(&pair);
	s.channel = pair.end[size & 1];
	s.peer = pair.end[!(size & 1)];
	while (s.in.left)
		steps[input_below(&s.in, sizeof(steps) / sizeof(*steps))](&s);
	while (s.kept_count)
		call_release(&s);
	pair_close(&pair);
	return 0;
}
