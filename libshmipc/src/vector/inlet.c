// SPDX-License-Identifier: Apache-2.0
/*
 * inlet.c - reads one producer's lane; vector.h has the protocol and its letters
 *
 * All that is read here was written by the producer, and may be written still: each word is loaded once,
 * checked against what is known, then used. What cannot be ends the lane.
 */
#include "consumer.h"

/* How often in a row the floor may have moved on before we come back later. */
#define CLAIMS_MAX 8
/* A chunk costs at least so much of a batch, so that empty ones come to an end. */
#define CHUNK_COST 1024u
/* Control messages that one look takes. */
#define CONTROL_MAX (2 * CHUNKS_MAX)

static cold int break_inlet(struct inlet *in)
{
	in->broken = true;
	in->base = NULL;
	in->at = in->limit = 0;
	return -EBADMSG;
}

static int take_announcement(struct inlet *in, struct shmipc_message *m)
{
	struct known_chunk *chunk = &in->chunk[m->tag];

	if (chunk->base || m->size < RECORD_AT + WORD_BYTES || m->size % 8 || shmipc_channel_keep(in->ch, m))
		return -EBADMSG;
	*chunk = (struct known_chunk){ .base = m->data, .size = (uint32_t)m->size, .slice = m->slice };
	return 0;
}

static int take_retirement(struct inlet *in, struct shmipc_message *m, uint64_t batch)
{
	struct known_chunk *chunk = &in->chunk[m->tag];
	struct shmipc_message kept = { .slice = chunk->slice, .slot = m->slot + 1 };
	uint32_t id = m->tag;

	/* What is being read, or was shown in the open batch, is not the producer's to take back. */
	if (!chunk->base || (in->base && id == in->id) || (batch && chunk->batch == batch) ||
	    shmipc_channel_release(in->ch, m))
		return -EBADMSG;
	chunk->base = NULL;
	return shmipc_channel_release(in->ch, &kept);
}

/* Take what the channel itself brought. batch: the open one, or 0. */
static int take_control(struct inlet *in, uint64_t batch)
{
	struct shmipc_message m;
	uint32_t i;
	int r;

	for (i = 0; i < CONTROL_MAX; i++) {
		r = shmipc_channel_peek(in->ch, &m);
		if (r)
			return r == -EBADMSG ? r : 0;
		if (m.tag >= CHUNKS_MAX)
			return -EBADMSG;
		r = -EBADMSG;
		if (m.kind == CONTROL_ANNOUNCE)
			r = take_announcement(in, &m);
		else if (m.kind == CONTROL_RETIRE)
			r = take_retirement(in, &m, batch);
		if (r)
			return r;
	}
	return 0;
}

void inlet_control(struct inlet *in)
{
	if (in->broken)
		return;
	if (wait_has_news(in->ch) && (take_control(in, 0) || consume_chores(in->ch) == -EBADMSG))
		break_inlet(in);
}

/* (I) to (K): 0: this chunk may be read; -EAGAIN: it goes too fast. */
static int claim_chunk(struct inlet *in)
{
	uint64_t floor;
	int i;

	for (i = 0; i < CLAIMS_MAX; i++) {
		store_relaxed(&in->ch->own.words->claim, in->seq); /* (I) */
		full_barrier();					   /* (J) */
		floor = load_acquire(&in->ch->peer.words->floor);  /* (K) */
		if (!is_before(in->seq, (uint32_t)(floor >> 32)))
			return 0;
		in->seq = (uint32_t)(floor >> 32);
		in->id = (uint32_t)floor;
	}
	return -EAGAIN;
}

/* Enter chunk seq, id. 0; -EAGAIN: not now; -EBADMSG. */
static int enter_chunk(struct inlet *in, uint64_t batch)
{
	const struct known_chunk *chunk;
	const struct chunk_head *head;
	uint64_t number;
	int r;

	if (!in->entered && !in->chunk[0].base) { /* a new lane: its first chunk will be announced */
		r = take_control(in, batch);
		if (r || !in->chunk[0].base)
			return r ? r : -EAGAIN;
	}
	if (in->entered) { /* the first chunk is claimed from the beginning: claim is 0 */
		r = claim_chunk(in);
		if (r)
			return r;
	}
	if (in->id >= CHUNKS_MAX)
		return -EBADMSG;
	chunk = &in->chunk[in->id];
	if (!chunk->base) {
		r = take_control(in, batch);
		if (r || !chunk->base)
			return -EBADMSG;
	}
	head = (const void *)chunk->base;
	number = load_relaxed(&head->number);
	if (load_relaxed(&head->seq) != in->seq || number < in->number)
		return -EBADMSG;
	in->unsaid += number - in->number;
	in->number = number;
	in->base = chunk->base;
	in->entered = true;
	in->at = in->from = RECORD_AT;
	in->end = chunk->size - WORD_BYTES;
	in->chunk[in->id].batch = batch;
	in->limit = in->budget < in->end - in->at ? in->at + in->budget : in->end + 1;
	return 0;
}

/* A batch begins: this inlet's share of it. */
void inlet_begin(struct inlet *in, uint64_t batch, uint32_t share)
{
	in->batch = batch;
	in->budget = share < in->granted / 4 ? share : (uint32_t)(in->granted / 4);
	if (!in->base) {
		in->limit = 0;
		return;
	}
	in->chunk[in->id].batch = batch;
	in->from = in->at;
	in->limit = in->budget < in->end - in->at ? in->at + in->budget : in->end + 1;
}

/* The chunk is read; on to the next. */
static int leave_chunk(struct inlet *in, uint64_t word)
{
	uint32_t cost = in->at - in->from < CHUNK_COST ? CHUNK_COST : in->at - in->from;

	in->id = (uint32_t)word;
	in->seq++;
	in->base = NULL;
	in->at = in->limit = 0;
	in->budget = in->budget > cost ? in->budget - cost : 1;
	return 0;
}

/* Look at the record that is next. 1: a message, its word in *found; 0: nothing for this batch; -EBADMSG. */
static int look(struct inlet *in, uint64_t batch, uint64_t *found)
{
	uint32_t what, size;
	uint64_t word;
	int r;

	for (;;) {
		if (!in->base) {
			r = enter_chunk(in, batch);
			if (r)
				return r == -EAGAIN ? 0 : r;
		}
		if (in->at >= in->limit)
			return 0;
		word = load_acquire(inlet_word(in)); /* (D) */
		what = record_what(word);
		size = (uint32_t)word;
		if (!word)
			return 0;
		switch (what & RECORD_KINDS) {
		case RECORD_MESSAGE:
			if (what & ~(uint32_t)(RECORD_KINDS | RECORD_REPEATED | RECORD_STAMPED) ||
			    record_bytes(size, what & RECORD_STAMPED) > in->end - in->at)
				return -EBADMSG;
			*found = word;
			return 1;
		case RECORD_DROPS:
			if (what != RECORD_DROPS || in->end - in->at < WORD_BYTES)
				return -EBADMSG;
			in->unsaid += size;
			in->number += size;
			in->at += WORD_BYTES;
			break;
		case RECORD_END:
			if (what != RECORD_END || in->budget <= 1)
				return what != RECORD_END ? -EBADMSG : 0;
			leave_chunk(in, word);
			break;
		default:
			return -EBADMSG;
		}
	}
}

static bool find_message(struct inlet *in, uint64_t batch, uint64_t *word)
{
	int r = in->broken ? 0 : look(in, batch, word);

	if (r < 0)
		break_inlet(in);
	return r > 0;
}

bool inlet_settle(struct inlet *in, uint64_t batch)
{
	uint64_t word;

	return find_message(in, batch, &word);
}

int inlet_step(struct inlet *in, uint64_t batch, struct shmipc_vector_message *m)
{
	uint32_t what, header = WORD_BYTES;
	uint64_t word;

	if (!find_message(in, batch, &word))
		return 0;
	what = record_what(word);
	m->time_ns = 0;
	if (what & RECORD_STAMPED) {
		m->time_ns = (int64_t)load_relaxed(inlet_word(in) + 1);
		header += sizeof(int64_t);
	}
	m->data = in->base + in->at + header;
	m->size = (uint32_t)word;
	m->sender = &in->sender;
	m->flags = what & RECORD_REPEATED ? SHMIPC_REPEATED : 0;
	m->dropped = in->unsaid;
	in->sender.dropped += in->unsaid;
	in->unsaid = 0;
	in->at += (uint32_t)record_bytes(m->size, what & RECORD_STAMPED);
	in->number++;
	in->sender.messages++;
	in->sender.bytes += m->size;
	return 1;
}

int64_t inlet_time(const struct inlet *in)
{
	if (!(record_what(load_relaxed(inlet_word(in))) & RECORD_STAMPED))
		return 0;
	return (int64_t)load_relaxed(inlet_word(in) + 1);
}

uint64_t inlet_count(const struct inlet *in, uint64_t most)
{
	uint64_t count = 0, word, bytes;
	uint32_t at = in->at, what;

	if (!in->base)
		return 0;
	while (count < most && at < in->end) {
		word = load_acquire((const _Atomic uint64_t *)(const void *)(in->base + at));
		what = record_what(word);
		if ((what & RECORD_KINDS) == RECORD_DROPS) {
			at += WORD_BYTES;
			continue;
		}
		if ((what & RECORD_KINDS) == RECORD_END)
			return most; /* a chunk is enough for anybody */
		bytes = record_bytes((uint32_t)word, what & RECORD_STAMPED);
		if ((what & RECORD_KINDS) != RECORD_MESSAGE || bytes > in->end - at)
			break;
		at += (uint32_t)bytes;
		count++;
	}
	return count;
}

bool inlet_free(struct inlet *in)
{
	uint64_t place = place_of(in->seq, in->base ? in->at : RECORD_AT);

	if (in->freed == place)
		return false;
	in->freed = place;
	store_release(&in->ch->own.words->freed, in->freed); /* (E) */
	return true;
}

void inlet_skip(struct inlet *in)
{
	if (!inlet_free(in))
		return;
	full_barrier();
	inlet_wake(in);
}

void inlet_wake(struct inlet *in)
{
	if (doorbell_asks(&in->ch->bell, SEQ_ASLEEP | SEQ_SPACE))
		consume_wake(in->ch);
}

int inlet_init(struct inlet *in, struct shmipc_channel *ch, uint64_t granted)
{
	in->ch = ch;
	in->granted = granted;
	return shmipc_channel_peer(ch, &in->sender.peer);
}
