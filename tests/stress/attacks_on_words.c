// SPDX-License-Identifier: Apache-2.0
/*
 * attacks_on_words.c - lies in the own lane: words, slots, the return ring, and what is there for tools
 */
#include "attacker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static void lie_in_a_word(struct attacker *a)
{
	struct lane_words *w = a->channel->own.words;
	_Atomic uint32_t *words[] = { &w->seq, &w->rung,    &w->cons,	  &w->skip,
				      &w->cpu, &w->retired, &w->unmapped, &w->ret_cons };
	_Atomic uint32_t *word = words[pick(a, 8)];

	store_release(word, nasty_number(a, load_relaxed(word)));
}

/* A random byte of the first page, whatever it is. */
static void scribble_words(struct attacker *a)
{
	volatile unsigned char *bytes = (void *)a->channel->own.words;
	uint32_t i;

	for (i = pick(a, 64); i > 0; i--)
		bytes[pick(a, LAYOUT_PAGE)] = (unsigned char)rng_next(&a->rng);
}

static void scribble_tables(struct attacker *a)
{
	volatile unsigned char *bytes = (void *)a->channel->own.words;
	const struct geometry *g = &a->channel->geometry;
	uint32_t i;

	for (i = 0; i < 200; i++) {
		bytes[LAYOUT_PAGE + pick(a, LAYOUT_PAGE)] = (unsigned char)rng_next(&a->rng);
		bytes[g->table_at + pick(a, (uint32_t)(g->head_bytes - g->table_at))] = (unsigned char)rng_next(&a->rng);
	}
}

static void scribble_slots(struct attacker *a)
{
	volatile unsigned char *ring = (void *)a->channel->own.ring;
	uint32_t i;

	for (i = 0; i < 100; i++)
		ring[pick(a, a->channel->geometry.slots * (uint32_t)sizeof(struct slot))] = (unsigned char)rng_next(&a->rng);
}

static uint64_t nasty_offset(struct attacker *a)
{
	static const uint64_t offsets[] = { 0, 64, 4095, 4096, 65535, 65536, 1 << 20, UINT32_MAX, UINT64_MAX, UINT64_MAX - 63,
					    1ull << 63 };

	return pick(a, 4) ? offsets[pick(a, 11)] : rng_next(&a->rng);
}

/* A slot with a right lap, and next to nothing else right. */
static void forge_slot(struct attacker *a)
{
	static const uint32_t sizes[] = { 0, 1, 112, 113, 4096, 65536, 65537, 1 << 20, 1u << 31, UINT32_MAX };
	struct producer *out = &a->channel->out;
	struct slot *slot = &a->channel->own.ring[out->prod & out->mask];

	store_relaxed(&slot->size, sizes[pick(a, 10)]);
	store_relaxed(&slot->what, pick(a, 3) ? (uint32_t)(SLOT_SLICE << 16) : nasty_number(a, SLOT_INLINE << 16));
	store_relaxed(&slot->ref.slice, pick(a, 2) ? pick(a, 64) : nasty_number(a, a->channel->geometry.slices));
	store_relaxed(&slot->ref.segment, pick(a, 2) ? 0 : nasty_number(a, SHMIPC_SEGMENTS));
	store_relaxed(&slot->ref.offset, nasty_offset(a));
	store_release(&slot->lap, pick(a, 8) ? out->prod + 1 : nasty_number(a, out->prod + 1));
	out->prod++;
	shmipc_channel_ring(a->channel);
}

/* The same slice, lent again and again. */
static void lend_twice(struct attacker *a)
{
	struct producer *out = &a->channel->out;
	uint32_t i;

	for (i = 0; i < 8; i++) {
		struct slot *slot = &a->channel->own.ring[out->prod & out->mask];

		store_relaxed(&slot->size, 200);
		store_relaxed(&slot->what, (uint32_t)(SLOT_SLICE << 16));
		store_relaxed(&slot->ref.slice, 3);
		store_relaxed(&slot->ref.segment, 0);
		store_relaxed(&slot->ref.offset, 0);
		store_release(&slot->lap, ++out->prod);
	}
	shmipc_channel_ring(a->channel);
}

static void forge_returns(struct attacker *a)
{
	struct consumer *in = &a->channel->in;
	uint32_t mask = a->channel->geometry.slices - 1, index = in->ret_prod, slice;

	switch (pick(a, 4)) {
	case 0: /* one that was given back before, once more */
		slice = (uint32_t)load_relaxed(&a->channel->own.returns[(index - 1 - pick(a, 8)) & mask]);
		break;
	case 1: slice = pick(a, a->channel->geometry.slices); break;
	case 2: slice = nasty_number(a, a->channel->geometry.slices); break;
	default: index = nasty_number(a, index); slice = pick(a, 64); break;
	}
	store_release(&a->channel->own.returns[index & mask], RETURN_ENTRY(index, slice));
	in->ret_prod++;
}

/* Every slot a hole, the next ones there before the other side comes to them. */
static void send_holes(struct attacker *a)
{
	struct producer *out = &a->channel->out;
	struct slot *ring = a->channel->own.ring;
	uint32_t i, limit;

	for (i = 0; i < 20000; i++) {
		limit = load_relaxed(&a->channel->peer.words->cons) + a->channel->geometry.slots;
		for (; (int32_t)(limit - out->prod) > 0; out->prod++) {
			store_relaxed(&ring[out->prod & out->mask].what, (uint32_t)(SLOT_HOLE << 16));
			store_release(&ring[out->prod & out->mask].lap, out->prod + 1);
		}
	}
}

static void flip_lap(struct attacker *a)
{
	struct slot *slot;
	int i;

	for (i = 0; i < 20000; i++) {
		uint32_t cons = load_relaxed(&a->channel->peer.words->cons);

		slot = &a->channel->own.ring[cons & a->channel->out.mask];
		store_release(&slot->lap, i & 1 ? cons + 1 : cons + 1 - a->channel->geometry.slots);
	}
}

static void storm(_Atomic uint32_t *word, uint32_t step)
{
	int i;

	for (i = 0; i < 50000; i++)
		store_release(word, load_relaxed(word) + step);
}

static void storm_rung(struct attacker *a)
{
	storm(&a->channel->own.words->rung, 8);
}

static void storm_seq(struct attacker *a)
{
	storm(&a->channel->own.words->seq, pick(a, 2) ? 1 : 8);
}

static void storm_cons(struct attacker *a)
{
	storm(&a->channel->own.words->cons, pick(a, 2) ? 1 : UINT32_MAX);
}

static void storm_retired(struct attacker *a)
{
	storm(pick(a, 2) ? &a->channel->own.words->retired : &a->channel->own.words->unmapped, pick(a, 64));
}

/* Ring for whatever the victim announces, without ever having anything to say. */
static void ring_in_vain(struct attacker *a)
{
	int i;

	for (i = 0; i < 2000; i++) {
		uint32_t seq = load_relaxed(&a->channel->peer.words->seq);

		store_release(&a->channel->own.words->rung, seq);
		if (seq & SEQ_ASLEEP)
			a->channel->bell.ops->ring(&a->channel->bell, seq);
	}
}

/* Wake, and move to a place of our own, whoever sleeps on our rung. */
static void misuse_futex(struct attacker *a)
{
	static _Atomic uint32_t here;
	_Atomic uint32_t *rung = &a->channel->own.words->rung;
	int i;

	for (i = 0; i < 500; i++) {
		syscall(SYS_futex, rung, FUTEX_WAKE, pick(a, 3), NULL, NULL, 0);
		syscall(SYS_futex, rung, FUTEX_REQUEUE, 0, (void *)8, &here, 0);
		syscall(SYS_futex, rung, FUTEX_REQUEUE, 0, (void *)8, &a->channel->own.words->cons, 0);
	}
}

const struct attack attacks_on_words[] = {
	{ .name = "lie in a word", .run = lie_in_a_word },
	{ .name = "scribble over the words", .run = scribble_words },
	{ .name = "scribble over the tables", .run = scribble_tables },
	{ .name = "scribble over the slots", .run = scribble_slots },
	{ .name = "forge a slot", .run = forge_slot },
	{ .name = "lend a slice twice", .run = lend_twice },
	{ .name = "forge give-backs", .run = forge_returns },
	{ .name = "send holes alone", .run = send_holes, .relentless = true },
	{ .name = "flip a lap", .run = flip_lap, .relentless = true },
	{ .name = "storm rung", .run = storm_rung, .relentless = true },
	{ .name = "storm seq", .run = storm_seq, .relentless = true },
	{ .name = "storm cons", .run = storm_cons, .relentless = true },
	{ .name = "storm retired", .run = storm_retired, .relentless = true },
	{ .name = "ring in vain", .run = ring_in_vain, .relentless = true },
	{ .name = "misuse the futex", .run = misuse_futex, .relentless = true },
	{ 0 },
};
