// SPDX-License-Identifier: Apache-2.0
/*
 * backlog.c - messages that have no lane to go to: private memory, within the producer's limit
 *
 * It has the lane's records, stamped, so that what a dead consumer had not released is copied over chunk by chunk;
 * order is kept by sending everything through the backlog while it is not empty.
 */
#include <stdlib.h>

#include "producer.h"

static struct backlog_chunk *make_chunk(uint64_t bytes)
{
	struct backlog_chunk *chunk = malloc(sizeof(*chunk) + bytes);

	if (!chunk)
		return NULL;
	*chunk = (struct backlog_chunk){ .size = (uint32_t)bytes };
	store_relaxed(word_at(chunk->bytes, 0), 0);
	return chunk;
}

/* How many messages the records from `at` on were, said or unsaid. */
static uint64_t count_messages(struct backlog_chunk *chunk)
{
	uint64_t count = 0, word;
	uint32_t at = chunk->at;

	while (at < chunk->used) {
		word = load_relaxed(word_at(chunk->bytes, at));
		if ((record_what(word) & RECORD_KINDS) == RECORD_DROPS) {
			count += (uint32_t)word;
			at += WORD_BYTES;
		} else {
			count++;
			at += (uint32_t)record_bytes((uint32_t)word, record_what(word) & RECORD_STAMPED);
		}
	}
	return count;
}

static void remove_first(struct backlog *backlog)
{
	struct backlog_chunk *chunk = backlog->first;

	backlog->first = chunk->next;
	if (!backlog->first)
		backlog->last = NULL;
	backlog->bytes -= chunk->size;
	free(chunk);
}

static bool drop_oldest(struct shmipc_producer *p)
{
	struct backlog *backlog = &p->backlog;
	uint64_t count, said = backlog->dropped;

	if (!backlog->first || backlog->first == backlog->last)
		return false;
	count = count_messages(backlog->first);
	backlog->dropped = said + count;
	p->dropped_oldest += count;
	remove_first(backlog);
	return true;
}

int backlog_room(struct shmipc_producer *p, uint64_t need, bool may_drop)
{
	struct backlog *backlog = &p->backlog;
	struct backlog_chunk *chunk = backlog->last;
	uint64_t bytes = usual_chunk(p->options.memory_max);

	if (chunk && !chunk->repeated && need + WORD_BYTES <= chunk->size - chunk->used)
		return 0;
	if (bytes < need + WORD_BYTES)
		bytes = need + WORD_BYTES;
	while (backlog->bytes + bytes > p->options.memory_max)
		if (!may_drop || !drop_oldest(p))
			return -EAGAIN;
	chunk = make_chunk(bytes);
	if (!chunk)
		return -EAGAIN;
	if (backlog->last)
		backlog->last->next = chunk;
	else
		backlog->first = chunk;
	backlog->last = chunk;
	backlog->bytes += bytes;
	return 0;
}

/* The bytes of a record of our own, at most `left`; 0: it is none that carries anything. */
static uint32_t length_of_record(uint64_t word, uint32_t left)
{
	uint64_t bytes = WORD_BYTES;

	switch (record_what(word) & RECORD_KINDS) {
	case RECORD_MESSAGE:
		bytes = record_bytes((uint32_t)word, record_what(word) & RECORD_STAMPED);
		break;
	case RECORD_DROPS:
		break;
	default:
		return 0;
	}
	return bytes <= left ? (uint32_t)bytes : 0;
}

/* Copy the records of one chunk of the lane, from the first that begins at `from` or later. */
static struct backlog_chunk *copy_chunk(const struct chunk *chunk, uint32_t from)
{
	uint32_t at = RECORD_AT, start = 0, bytes;
	unsigned char *base = chunk->base;
	struct backlog_chunk *copy;

	for (;; at += bytes) {
		if (!start && at >= from)
			start = at;
		bytes = length_of_record(load_relaxed(word_at(base, at)), chunk->size - WORD_BYTES - at);
		if (!bytes)
			break;
	}
	if (!start || start == at)
		return NULL;
	copy = make_chunk(at - start);
	if (!copy)
		return NULL;
	memcpy(copy->bytes, base + start, at - start);
	copy->used = at - start;
	copy->repeated = true;
	return copy;
}

/* The consumer is gone: what it had not released goes in front of what there is. */
void backlog_take_lane(struct shmipc_producer *p)
{
	struct backlog_chunk *first = NULL, **link = &first, *copy, *last = NULL;
	uint64_t freed = load_acquire(&p->out.ch->peer.words->freed);
	struct outlet *out = &p->out;
	uint32_t id, from;

	for (id = out->oldest; id != NO_CHUNK; id = out->chunk[id].next) {
		if (is_before(out->chunk[id].seq, (uint32_t)(freed >> 32)) && !out->broken)
			continue;
		from = out->chunk[id].seq == (uint32_t)(freed >> 32) ? (uint32_t)freed : 0;
		copy = copy_chunk(&out->chunk[id], from);
		if (!copy)
			continue;
		*link = last = copy;
		link = &copy->next;
		p->backlog.bytes += copy->size;
	}
	*link = p->backlog.first;
	p->backlog.first = first ? first : p->backlog.first;
	if (last && !p->backlog.last)
		p->backlog.last = last;
}

/* Move one record to the lane. false: there is no room. */
static bool move_record(struct shmipc_producer *p, struct backlog_chunk *from)
{
	uint64_t word = load_relaxed(word_at(from->bytes, from->at));
	uint32_t size = (uint32_t)word, what = record_what(word);
	struct outlet *out = &p->out;
	uint32_t bytes;
	int r;

	if ((what & RECORD_KINDS) == RECORD_DROPS) {
		p->backlog.dropped += size;
		from->at += WORD_BYTES;
		return true;
	}
	bytes = (uint32_t)record_bytes(size, what & RECORD_STAMPED);
	r = outlet_room(p, bytes + (p->backlog.dropped ? WORD_BYTES : 0), false, 0);
	if (r == -EMSGSIZE) { /* this consumer granted less than the last one */
		p->backlog.dropped++;
		p->dropped_oldest++;
		from->at += bytes;
		return true;
	}
	if (r)
		return false;
	if (p->backlog.dropped) {
		size = p->backlog.dropped > UINT32_MAX ? UINT32_MAX : (uint32_t)p->backlog.dropped;
		out->at = record_drops(out->base, out->at, size);
		out->number += size;
		p->backlog.dropped -= size;
		size = (uint32_t)word;
	}
	memcpy(out->base + out->at + WORD_BYTES, from->bytes + from->at + WORD_BYTES, bytes - WORD_BYTES);
	if (from->repeated) {
		what |= RECORD_REPEATED;
		p->repeated++;
	}
	out->at = record_close(out->base, out->at, what, size);
	out->number++;
	out->last = place_of(out->seq, out->at);
	from->at += bytes;
	return true;
}

void backlog_move(struct shmipc_producer *p)
{
	struct backlog *backlog = &p->backlog;
	uint64_t before = p->out.number;

	while (backlog->first) {
		struct backlog_chunk *chunk = backlog->first;

		while (chunk->at < chunk->used)
			if (!move_record(p, chunk))
				goto out;
		remove_first(backlog);
	}
	/* Said in front of the next message. */
	p->missed += backlog->dropped;
	backlog->dropped = 0;
out:
	if (p->out.number != before)
		outlet_step_bell(p);
}

void backlog_fini(struct shmipc_producer *p)
{
	while (p->backlog.first)
		remove_first(&p->backlog);
}
