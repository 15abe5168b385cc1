/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer.h - what is inside a struct shmipc_producer, and what its files share
 *
 *	producer.c	the public functions, but those of the path
 *	outlet.c	the attached lane: chunks, records, growth, dropping, shrinking
 *	backlog.c	messages for which there is no consumer, or no room yet
 *	attach.c	from the path to a lane, and back
 *
 * A producer is one thread's at a time.
 */
#ifndef SHMIPC_VECTOR_PRODUCER_H
#define SHMIPC_VECTOR_PRODUCER_H

#include "vector.h"

#define NO_CHUNK UINT32_MAX

/* A piece of the lane, by its id. */
struct chunk {
	unsigned char *base; /* NULL: no memory has this id */
	uint32_t size;
	uint32_t seq;	/* of its latest use */
	uint64_t first; /* number of the first message in it */
	uint32_t next;	/* id: in the list of live ones, oldest first; or of free ones, latest first */
};

/* The attached lane. The place of the next record, where the common case needs it. */
struct outlet {
	unsigned char *base; /* of the chunk being written */
	uint32_t at;	     /* where the next record's word goes */
	uint32_t end;	     /* the last place for a word */
	uint32_t open_end;   /* end; or at: every push is to take the long way */
	bool stamped;
	struct shmipc_channel *ch; /* NULL: not attached */
	uint64_t number;	   /* of the next message */
	uint64_t ring_mark;	   /* number when the consumer was last found asleep */
	uint64_t last;		   /* the place behind the last message */

	uint32_t seq;			/* of the chunk being written */
	uint32_t current;		/* its id */
	uint32_t oldest;		/* live chunks, to the current one */
	uint32_t free;			/* chunks that may be used again */
	uint32_t free_count, free_low;	/* and the fewest there were in this period */
	uint32_t floor;			/* chunks before this sequence number were given to nobody */
	uint32_t period_ms;		/* when it began */
	uint64_t freed_before;		/* what the consumer had released when this chunk was entered */
	uint64_t bytes;			/* of all chunks */
	uint64_t memory_max;		/* granted */
	uint32_t leave_out, leave_next; /* times to grow at once; and how many when the next moment is lost */
	bool broken;			/* the consumer lied */
	struct chunk chunk[CHUNKS_MAX];
};

struct backlog_chunk {
	struct backlog_chunk *next;
	uint32_t size;
	uint32_t at;   /* first record not moved yet */
	uint32_t used; /* where the next record's word goes */
	bool repeated; /* was in another consumer's lane */
	_Alignas(8) unsigned char bytes[];
};

struct backlog {
	struct backlog_chunk *first, *last;
	uint64_t bytes;
	uint64_t dropped; /* messages before the first record */
};

enum attach_state { ATTACH_IDLE, ATTACH_GRANT, ATTACH_ANSWER };

struct attach {
	enum attach_state state;
	int socket;
	struct shmipc_channel *ch; /* being handed over */
	uint32_t flags;		   /* GRANT_* */
	int64_t retry_at;	   /* not before; or when to give this attempt up */
	int error;
};

enum reservation { RESERVED_NONE, RESERVED_LANE, RESERVED_BACKLOG };

struct shmipc_producer {
	const _Atomic uint32_t *guard;
	struct outlet out;
	uint64_t messages, bytes;
	uint64_t missed; /* dropped, and not said yet in front of the next message */
	struct backlog backlog;
	enum reservation reserved;
	uint32_t reserved_size;
	uint64_t dropped_newest, dropped_oldest, repeated, attaches, rings, system_calls;
	struct attach attach;
	struct shmipc_producer_options options;
	char path[];
};

/* Write what there is room for, and publish it. The record's bytes stand behind its word. */
static inline uint32_t record_close(unsigned char *base, uint32_t at, uint32_t what, uint32_t size)
{
	uint32_t next = at + (uint32_t)record_bytes(size, what & RECORD_STAMPED);

	store_relaxed(word_at(base, next), 0);			   /* (B) */
	store_release(word_at(base, at), record_word(what, size)); /* (C) */
	return next;
}

static inline unsigned char *record_data(unsigned char *base, uint32_t at, bool stamped)
{
	return base + at + WORD_BYTES + (stamped ? sizeof(int64_t) : 0);
}

static inline uint32_t record_drops(unsigned char *base, uint32_t at, uint32_t count)
{
	store_relaxed(word_at(base, at + WORD_BYTES), 0);
	store_release(word_at(base, at), record_word(RECORD_DROPS, count));
	return at + WORD_BYTES;
}

/* outlet.c: all on an attached lane; -EPIPE: it is not of use any more. */
int outlet_init(struct shmipc_producer *p, struct shmipc_channel *ch, bool stamped);
void outlet_fini(struct shmipc_producer *p);
/*
 * Room for `need` bytes of records at out.at. may_drop: as the options say. deadline: how long it may sleep, if that
 * keeps the lane from growing; 0: not at all. 0, -EAGAIN, -EMSGSIZE, -EPIPE.
 */
int outlet_room(struct shmipc_producer *p, uint64_t need, bool may_drop, int64_t deadline);
/* See what the consumer released. 0 or -EPIPE. */
int outlet_collect(struct shmipc_producer *p);
bool outlet_is_released(const struct shmipc_producer *p);
void outlet_shrink(struct shmipc_producer *p);
/* The common case of push is possible from now on, or is not. */
void outlet_open_or_close(struct shmipc_producer *p);
cold void outlet_ring(struct shmipc_producer *p);

/* Behind a publication: doorbell.h's (B) and (C). */
static inline void outlet_step_bell(struct shmipc_producer *p)
{
	struct shmipc_channel *ch = p->out.ch;

	if (likely(ch->out.skip)) {
		compiler_barrier();
	} else {
		full_barrier();
		if (unlikely(p->out.number - p->out.ring_mark >= SKIP_AFTER)) {
			p->out.ring_mark = p->out.number;
			produce_start_skipping(ch);
		}
	}
	if (unlikely(doorbell_asks(&ch->bell, SEQ_ASLEEP)))
		outlet_ring(p);
}

/* backlog.c */
int backlog_room(struct shmipc_producer *p, uint64_t need, bool may_drop);
void backlog_take_lane(struct shmipc_producer *p);
void backlog_move(struct shmipc_producer *p);
void backlog_fini(struct shmipc_producer *p);

/* attach.c: go on with attaching, without waiting; leave a lane whose consumer is gone. */
void attach_step(struct shmipc_producer *p);
/* The same, waiting until something changes or `until`. 0 or -EINTR. */
int attach_wait(struct shmipc_producer *p, int64_t until);
/* Ask the system whether the consumer is gone; it tells by itself, too, but later. */
void attach_ask_dead(struct shmipc_producer *p);
void attach_fini(struct shmipc_producer *p);

#endif /* SHMIPC_VECTOR_PRODUCER_H */
