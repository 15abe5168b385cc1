// SPDX-License-Identifier: Apache-2.0
/*
 * outlet.c - a producer's attached lane: which chunk is written next, growth, dropping the oldest,
 * giving back; vector.h has the protocol and its letters
 *
 * A lane takes a free chunk before it makes another one. New ones are an eighth of what there is, so that
 * a lane of any size has a bounded number of them.
 *
 * Memory that was never touched costs more than what is written into it, and memory that is out of the caches
 * costs both sides. So a lane of some size gives a consumer that is reading a moment before it grows, as long as
 * such moments help. What a moment is depends on what the consumer said (pace): where the lane has no more than its
 * share, the consumer is about to look here, and this processor looks too, if it is another one; beyond it the consumer is
 * busy with others, and needs a processor rather than another lane that grows: first the others get this one, then the
 * producer sleeps.
 */
#include <sched.h>

#include "producer.h"

/* A lane of less grows at once. */
#define GROW_FREELY (8 * CHUNK_BYTES)
/* The moment: looks at freed, and pauses between two of them; some microseconds. Then the processor is given up, so often. */
#define PATIENT_LOOKS 128
#define PATIENT_PAUSES 8
#define YIELDS 4
/* For so long a producer sleeps at most that waits for a busy consumer, before its lane grows. */
#define BUSY_NS 10000000ll
/* Moments left out, at most, while they do not help. */
#define IMPATIENCE_MAX 8u

static struct lane_words *own_words(struct outlet *out)
{
	return out->ch->own.words;
}

void outlet_open_or_close(struct shmipc_producer *p)
{
	struct outlet *out = &p->out;
	bool open = out->ch && !p->backlog.first && !p->missed && !p->reserved;

	out->open_end = open ? out->end : out->at;
}

/* The consumer is found asleep: wake it, if nobody has. */
void outlet_ring(struct shmipc_producer *p)
{
	struct outlet *out = &p->out;
	uint32_t seq = doorbell_take(&out->ch->bell, SEQ_ASLEEP);

	if (!seq)
		return;
	if (out->ch->out.skip && out->number - out->ring_mark < SKIP_AFTER)
		produce_stop_skipping(out->ch);
	out->ring_mark = out->number;
	p->rings++;
	doorbell_ring(&out->ch->bell, seq);
	memory_before_sleep(out->ch, SHMIPC_FOREVER);
}

static void put_free(struct outlet *out, uint32_t id)
{
	out->chunk[id].next = out->free;
	out->free = id;
	out->free_count++;
}

int outlet_collect(struct shmipc_producer *p)
{
	struct outlet *out = &p->out;
	uint64_t freed = load_acquire(&out->ch->peer.words->freed); /* (A) */
	uint32_t seq = (uint32_t)(freed >> 32), id;

	if (is_before(out->seq, seq)) {
		out->broken = true;
		return -EPIPE;
	}
	store_relaxed(&out->ch->out.freed, freed);
	while (out->oldest != out->current && is_before(out->chunk[out->oldest].seq, seq)) {
		id = out->oldest;
		out->oldest = out->chunk[id].next;
		put_free(out, id);
	}
	return 0;
}

bool outlet_is_released(const struct shmipc_producer *p)
{
	uint64_t freed = load_acquire(&p->out.ch->peer.words->freed);
	uint32_t seq = (uint32_t)(freed >> 32), last = (uint32_t)(p->out.last >> 32);

	return !p->out.number || is_before(last, seq) || (last == seq && (uint32_t)freed >= (uint32_t)p->out.last);
}

/* A chunk in which so much fits, its head and last word included. */
static bool fits(const struct chunk *chunk, uint64_t need)
{
	return RECORD_AT + need + WORD_BYTES <= chunk->size;
}

static uint32_t take_free(struct outlet *out, uint64_t need)
{
	uint32_t *link, id;

	for (link = &out->free; *link != NO_CHUNK; link = &out->chunk[*link].next) {
		id = *link;
		if (!fits(&out->chunk[id], need))
			continue;
		*link = out->chunk[id].next;
		out->free_count--;
		if (out->free_count < out->free_low)
			out->free_low = out->free_count;
		return id;
	}
	return NO_CHUNK;
}

static bool frees_more(struct outlet *out)
{
	int i, pause;

	for (i = 0; i < PATIENT_LOOKS; i++) {
		if (load_acquire(&out->ch->peer.words->freed) != load_relaxed(&out->ch->out.freed))
			return true;
		for (pause = 0; pause < PATIENT_PAUSES; pause++)
			spin_pause();
	}
	return false;
}

static uint32_t collect_one(struct shmipc_producer *p, uint64_t need)
{
	return outlet_collect(p) ? NO_CHUNK : take_free(&p->out, need);
}

static uint32_t yield_for_one(struct shmipc_producer *p, uint64_t need)
{
	uint32_t id = NO_CHUNK;
	int i;

	for (i = 0; i < YIELDS && id == NO_CHUNK; i++) {
		p->system_calls++;
		sched_yield();
		id = collect_one(p, need);
	}
	return id;
}

static uint32_t sleep_for_one(struct shmipc_producer *p, uint64_t need, int64_t deadline)
{
	int64_t until = process_now() + BUSY_NS;
	uint32_t id;
	int r;

	if (deadline < until)
		until = deadline;
	do {
		produce_starve(p->out.ch);
		id = collect_one(p, need);
		r = id == NO_CHUNK ? wait_asleep(p->out.ch, SHMIPC_WRITABLE, until) : 0;
	} while (r > 0 && !p->out.broken && process_now() < until);
	return id;
}

/* Whether the lane has what the consumer thinks enough. That is an advice, and no more. */
static bool is_at_pace(const struct outlet *out)
{
	uint32_t pace = load_relaxed(&out->ch->peer.words->pace);

	return pace && out->bytes >= (pace > PACE_BYTES_EACH ? pace : PACE_BYTES_EACH);
}

/* Whether the consumer was last seen on this very processor: to spin here would keep it from freeing anything. */
static bool is_beside_consumer(const struct outlet *out)
{
	return load_relaxed(&out->ch->peer.words->cpu) == (uint32_t)sched_getcpu() + 1;
}

/* A chunk that comes back within a moment. */
static uint32_t await_free(struct shmipc_producer *p, uint64_t need, int64_t deadline)
{
	struct outlet *out = &p->out;
	bool busy = is_at_pace(out);
	uint32_t id = NO_CHUNK;

	if (out->bytes < GROW_FREELY && !busy)
		return NO_CHUNK;
	if (out->leave_out) {
		out->leave_out--;
		return NO_CHUNK;
	}
	if (!busy && !is_beside_consumer(out) && frees_more(out))
		id = collect_one(p, need);
	if (id == NO_CHUNK)
		id = yield_for_one(p, need);
	if (id == NO_CHUNK && busy && deadline > 0)
		id = sleep_for_one(p, need, deadline);
	if (id != NO_CHUNK)
		out->leave_next = 0;
	else
		out->leave_next = out->leave_next >= IMPATIENCE_MAX / 2 ? IMPATIENCE_MAX : 2 * out->leave_next + 1;
	out->leave_out = out->leave_next;
	return id;
}

/* Whether a chunk lies in the segment that stays. */
static bool is_at_home(const struct outlet *out, uint32_t id)
{
	const unsigned char *first = out->ch->own.segment[0].base, *base = out->chunk[id].base;

	return base >= first && base < first + out->ch->own.segment[0].bytes;
}

/* Free chunks go back to the arena when the consumer has let go of them: all, or those that keep memory. */
static void retire_free(struct outlet *out, bool all)
{
	uint32_t *link = &out->free, id;
	struct chunk *chunk;

	while (*link != NO_CHUNK) {
		id = *link;
		chunk = &out->chunk[id];
		if (!all && is_at_home(out, id)) {
			link = &chunk->next;
			continue;
		}
		if (shmipc_channel_push(out->ch, NULL, 0, id, CONTROL_RETIRE, SHMIPC_KEPT))
			return;
		*link = chunk->next;
		out->free_count--;
		out->bytes -= chunk->size;
		chunk->base = NULL;
	}
	if (out->free_low > out->free_count)
		out->free_low = out->free_count;
}

/* 0: a slice was lent to the consumer as chunk `id`. */
static int announce_chunk(struct outlet *out, uint32_t id, uint64_t bytes)
{
	struct shmipc_buffer buffer;
	int r = shmipc_channel_reserve(out->ch, bytes, SHMIPC_KEPT, &buffer);

	if (r)
		return r == -ENOMEM || r == -EDQUOT || r == -ENOSPC ? -EAGAIN : r;
	buffer.tag = id;
	buffer.kind = CONTROL_ANNOUNCE;
	out->chunk[id].base = buffer.data;
	out->chunk[id].size = (uint32_t)bytes;
	out->bytes += bytes;
	/* What is written into it first will ring. */
	return shmipc_channel_submit(out->ch, &buffer, bytes, SHMIPC_MORE);
}

static int add_chunk(struct outlet *out, uint64_t need, uint32_t *id)
{
	uint64_t least = (RECORD_AT + need + WORD_BYTES + 63) & ~63ull, bytes = out->bytes / 8 & ~4095ull;
	uint64_t usual = usual_chunk(out->memory_max);
	uint32_t i;
	int r;

	if (least < usual)
		least = usual;
	for (i = 0; i < CHUNKS_MAX && out->chunk[i].base; i++)
		;
	if (i == CHUNKS_MAX) {
		produce_starve(out->ch);
		return -EAGAIN;
	}
	if (bytes < least)
		bytes = least;
	for (;;) {
		r = announce_chunk(out, i, bytes);
		if (r != -EAGAIN || bytes == least)
			break;
		bytes = bytes / 2 > least ? bytes / 2 & ~63ull : least;
	}
	*id = i;
	/* What is free is too small, or it would have been taken; together it may do. */
	if (r == -EAGAIN)
		retire_free(out, true);
	return r == -EBADMSG ? -EPIPE : r;
}

static void count_dropped(struct shmipc_producer *p, uint64_t count)
{
	p->dropped_oldest += count;
	store_relaxed(&own_words(&p->out)->dropped, p->dropped_oldest + p->dropped_newest);
}

/* Take the oldest chunk that is not released, nor claimed, and in which so much fits. */
static uint32_t take_oldest(struct shmipc_producer *p, uint64_t need)
{
	struct outlet *out = &p->out;
	const _Atomic uint32_t *claim = &out->ch->peer.words->claim;
	uint32_t *link = &out->oldest, id;
	struct chunk *chunk, *after;

	while (*link != out->current) {
		id = *link;
		chunk = &out->chunk[id];
		after = &out->chunk[chunk->next];
		if (is_before(chunk->seq, out->floor) || !is_before(load_acquire(claim), chunk->seq)) {
			link = &chunk->next;
			continue;
		}
		out->floor = after->seq;
		store_release(&own_words(out)->floor, place_of(after->seq, chunk->next)); /* (F) */
		full_barrier();								  /* (G) */
		if (!is_before(load_acquire(claim), chunk->seq)) {			  /* (H) */
			link = &chunk->next;
			continue;
		}
		*link = chunk->next;
		count_dropped(p, after->first - chunk->first);
		if (fits(chunk, need))
			return id;
		put_free(out, id);
	}
	return NO_CHUNK;
}

/* Go on in another chunk: (C) for its head, which END is behind. */
static void enter_chunk(struct outlet *out, uint32_t id)
{
	struct chunk *chunk = &out->chunk[id];
	struct chunk_head *head = (void *)chunk->base;

	chunk->seq = ++out->seq;
	chunk->first = out->number;
	chunk->next = NO_CHUNK;
	store_relaxed(&head->number, out->number);
	store_relaxed(&head->seq, out->seq);
	store_relaxed(word_at(chunk->base, RECORD_AT), 0);
	if (out->base) {
		out->chunk[out->current].next = id;
		store_release(word_at(out->base, out->at), record_word(RECORD_END, id));
	} else {
		out->oldest = id;
	}
	out->current = id;
	out->base = chunk->base;
	out->at = RECORD_AT;
	out->end = chunk->size - WORD_BYTES;
	out->open_end = out->at;
}

/*
 * Give up all chunks that are free and keep a segment, and the place of the one that is being written, if it does.
 */
static void shrink(struct outlet *out)
{
	uint32_t id;

	retire_free(out, false);
	if (out->oldest != out->current || is_at_home(out, out->current))
		return;
	id = take_free(out, 0); /* one that is at home */
	if (id == NO_CHUNK && add_chunk(out, 0, &id))
		return;
	if (is_at_home(out, id)) {
		enter_chunk(out, id);
	} else {
		put_free(out, id);
		retire_free(out, false);
	}
}

/* Chunks that stayed free for a whole period are not needed. */
static void shrink_when_due(struct shmipc_producer *p)
{
	struct outlet *out = &p->out;
	uint32_t now = process_now_coarse_ms();

	if (!p->options.shrink_after_ms || now - out->period_ms < p->options.shrink_after_ms)
		return;
	if (out->free_low || !is_at_home(out, out->current))
		shrink(out);
	out->period_ms = now;
	out->free_low = out->free_count;
	memory_before_sleep(out->ch, SHMIPC_FOREVER);
}

void outlet_shrink(struct shmipc_producer *p)
{
	if (outlet_collect(p))
		return;
	shrink(&p->out);
	shmipc_channel_shrink(p->out.ch);
}

int outlet_room(struct shmipc_producer *p, uint64_t need, bool may_drop, int64_t deadline)
{
	struct outlet *out = &p->out;
	uint64_t freed;
	uint32_t id;
	int r;

	if (need <= out->end - out->at)
		return 0;
	r = outlet_collect(p);
	if (r)
		return r;
	shrink_when_due(p);
	if (need <= out->end - out->at)
		return 0;
	id = take_free(out, need);
	if (id == NO_CHUNK)
		id = await_free(p, need, deadline);
	if (id == NO_CHUNK) {
		r = add_chunk(out, need, &id);
		if (r == -EAGAIN && may_drop) {
			id = take_oldest(p, need);
			r = id == NO_CHUNK ? -EAGAIN : 0;
		}
		if (r)
			return r;
	}
	enter_chunk(out, id);
	/* One that released something since the last chunk is there; of another the system is asked. */
	freed = load_relaxed(&out->ch->out.freed);
	if (freed == out->freed_before)
		wait_ask_dead(out->ch);
	out->freed_before = freed;
	return 0;
}

int outlet_init(struct shmipc_producer *p, struct shmipc_channel *ch, bool stamped)
{
	struct outlet *out = &p->out;
	uint32_t id;
	int r;

	*out = (struct outlet){
		.ch = ch,
		.stamped = stamped,
		.seq = UINT32_MAX, /* the first is 0 */
		.oldest = NO_CHUNK,
		.free = NO_CHUNK,
		.memory_max = ch->options.memory_max,
		.period_ms = process_now_coarse_ms(),
	};
	store_relaxed(&own_words(out)->dropped, p->dropped_newest + p->dropped_oldest);
	r = add_chunk(out, 0, &id);
	if (!r)
		enter_chunk(out, id);
	else
		out->ch = NULL;
	return r;
}

void outlet_fini(struct shmipc_producer *p)
{
	shmipc_channel_destroy(p->out.ch);
	p->out.ch = NULL;
	p->out.base = NULL;
	p->out.at = p->out.end = p->out.open_end = 0;
}
