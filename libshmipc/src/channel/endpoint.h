/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint.h - what is inside a struct shmipc_channel, and what its files share
 *
 *	options.c	checking and choosing
 *	create.c	create, attach, destroy
 *	handover.c	send and receive an endpoint
 *	produce.c	reserve, submit, cancel, push, ring
 *	consume.c	peek, release, keep
 *	memory.c	segments: growth, give-backs, retirement
 *	wait.c		wait, kick, fd, arm, disarm
 *	spin.c		how long to spin before sleeping
 *	stats.c		counters
 *
 * Threads. `out` is the producing thread's, but its arena, which is under out.lock because a
 * sleeping thread of either kind may give idle memory back. `in` is the consuming thread's. A
 * sleeping thread looks for the other kind too, and then at atomic words alone: those below, and the
 * own lane's, where ret_cons is the next give-back to collect, and unmapped the peer's
 * retired segments that were unmapped here.
 */
#ifndef SHMIPC_ENDPOINT_H
#define SHMIPC_ENDPOINT_H

#include <errno.h>

#include "../bell/doorbell.h"
#include "../bell/watcher.h"
#include "../process.h"
#include "../shm/arena.h"
#include "../shm/layout.h"
#include "../shm/region.h"
#include "shmipc/channel.h"
#include "spin.h"

/* Slots of the ring that only SHMIPC_KEPT messages may take. */
#define KEPT_SLOTS 4u
/* Messages without a ring in between after which publishing goes without a barrier. */
#define SKIP_AFTER 64u
/* buffer->slice and message->slice of what rides in a slot. */
#define IN_SLOT UINT32_MAX

struct producer {
	uint32_t prod;	/* next slot */
	uint32_t limit; /* first slot that may not be written: what the peer consumed, one lap on */
	uint32_t open;	/* slots promised to open reservations: 1, or 2 to one that stands in the next slot */
	uint32_t mask;
	uint32_t slot_at; /* the slot of the open reservation in the ring itself */
	bool slot_open;
	bool skip;	    /* publish without a barrier; own->words->skip says so */
	uint32_t ring_mark; /* prod when the peer was last found asleep */
	uint32_t failures;  /* calls of reserve that found no slot */
	/* What a sleeping thread of the other kind asks too: */
	_Atomic uint32_t cons;	   /* the peer's, when last looked at */
	_Atomic uint32_t unmapped; /* likewise */
	_Atomic uint64_t freed;	   /* likewise */
	_Atomic bool starved;	   /* reserve said -EAGAIN, and nothing came back since */
	_Atomic bool grown;	   /* there is more than the first segment */

	struct lock lock; /* protects the rest */
	struct arena arena;
	uint32_t retiring;  /* segments given up, which the peer has not unmapped yet */
	uint32_t releasing; /* numbers that are free when the peer has seen that */
	int64_t shrink_at;  /* when to look for idle segments next; 0: not set yet */
	bool untold;	    /* own.words->retired was changed, and the peer not woken for it yet */
};

struct consumer {
	_Atomic uint32_t next; /* slot to read next; a sleeping thread asks too */
	uint32_t mask;
	uint32_t show_mask;	 /* the own lane's cons says only each next that has none of these bits, at first */
	bool peeked;		 /* the message in slot `next` was looked at */
	_Atomic bool flush_owed; /* room was given back and the peer not asked yet whether it sleeps for it */
	uint32_t size;		 /* the peeked message's, and its slice, as first read and checked */
	uint32_t slice;
	uint64_t mapped_bytes;
	uint32_t failures; /* calls of peek that found nothing */

	struct lock lock;		/* protects the rest: kept messages may be given back by any thread */
	uint32_t ret_prod;		/* next entry of the own return ring */
	uint64_t *kept;			/* a bit for each slice number */
	uint32_t held[SHMIPC_SEGMENTS]; /* kept messages in a segment of the peer's */
};

/* Who sleeps for whom: one thread announces, the others wait for it to leave. */
struct room {
	_Atomic uint32_t
		state; /* ROOM_* bits, and the SHMIPC_READABLE and SHMIPC_WRITABLE that are waited for; a futex */
	_Atomic uint32_t kicked; /* waits for these are to return */
};
enum { ROOM_EMPTY = 0, ROOM_LED = 1 << 8, ROOM_FOLLOWED = 1 << 9, ROOM_ARMED = 1 << 10 };

/* Why a channel is of no use: it was not handed over yet; the peer lied, which is for good. */
enum { UNUSABLE_UNATTACHED = 1, UNUSABLE_BROKEN = 2 };

struct shmipc_channel {
	/* Set before publish: */
	const _Atomic uint32_t *guard;
	struct lane own, peer; /* peer.segment is the consuming thread's */
	struct geometry geometry;
	uint64_t first_bytes; /* of the own lane's first segment: geometry.segment_bytes, or less */
	struct shmipc_channel_options options;
	struct shmipc_peer peer_id;
	uint32_t endpoint;
	bool handed_over;
	bool one_processor;

	_Atomic uint32_t unusable; /* UNUSABLE_* bits */
	_Atomic uint32_t asked_ms; /* when the system was last asked whether the peer is dead */

	_Alignas(LAYOUT_LINE) struct producer out;
	_Alignas(LAYOUT_LINE) struct consumer in;
	_Alignas(LAYOUT_LINE) struct doorbell bell;
	struct room room;
	/* Each waiting thread's own: of one that waits to read, and of one that waits for room. */
	_Alignas(LAYOUT_LINE) struct spinner reading;
	_Alignas(LAYOUT_LINE) struct spinner writing;
	_Alignas(LAYOUT_LINE) struct region region;
	struct watch watch;
};

/* create.c: the reason, -EPERM first. */
cold int explain_unusable(const struct shmipc_channel *ch);

/* Whether a call may touch the lanes: 0, -EPERM, -EBADMSG, -ENOTCONN. First in every public function. */
static inline int check_usable(const struct shmipc_channel *ch)
{
	if (likely(load_relaxed(ch->guard) && !load_relaxed(&ch->unusable)))
		return 0;
	return explain_unusable(ch);
}

static inline bool is_attached(const struct shmipc_channel *ch)
{
	return !(load_relaxed(&ch->unusable) & UNUSABLE_UNATTACHED);
}

/* options.c */
int options_take(const struct shmipc_channel_options *from, struct shmipc_channel_options *to);
int options_backend(const struct shmipc_channel_options *options, enum shmipc_backend *backend);

/* create.c */
int endpoint_alloc(const struct shmipc_channel_options *options, uint32_t endpoint, struct shmipc_channel **channel);
int endpoint_own_lane(struct shmipc_channel *ch, void *head);
int endpoint_attach(struct shmipc_channel *ch, void *peer_head);

/* create.c: the peer lied. Returns -EBADMSG. */
int break_channel(struct shmipc_channel *ch);

/* memory.c: wake a peer that sleeps: it has a segment to unmap, or an answer to take back. With no lock held. */
void memory_tell_peer(struct shmipc_channel *ch);

/* The arena's lock. What was done under it that a sleeping peer must know is told after it: the bell is not rung under it. */
static inline void memory_lock(struct shmipc_channel *ch)
{
	lock_take(&ch->out.lock);
}

static inline void memory_unlock(struct shmipc_channel *ch)
{
	bool untold = ch->out.untold;

	if (unlikely(untold))
		ch->out.untold = false;
	lock_release(&ch->out.lock);
	if (unlikely(untold))
		memory_tell_peer(ch);
}

/* memory.c: all with the arena locked; 0 or -errno. */
int memory_collect_locked(struct shmipc_channel *ch);
void memory_gauge_locked(struct shmipc_channel *ch);
int memory_grow_locked(struct shmipc_channel *ch, uint64_t bytes);
int memory_alloc_locked(struct shmipc_channel *ch, uint64_t bytes, uint32_t *slice);
int memory_shrink_locked(struct shmipc_channel *ch, bool idle_only);
bool memory_came_back(const struct shmipc_channel *ch);

/* memory.c: a thread that is about to sleep gives idle memory back. The latest time to sleep until. */
int64_t memory_give_idle(struct shmipc_channel *ch, int64_t deadline);

static inline int64_t memory_before_sleep(struct shmipc_channel *ch, int64_t deadline)
{
	return likely(!load_relaxed(&ch->out.grown)) ? deadline : memory_give_idle(ch, deadline);
}

/*
 * produce.c: memory for a message without the promise of a slot, and publishing it when there is one. By the
 * producing thread. alloc returns as reserve; publish -EAGAIN: no slot, the buffer is still open.
 */
int produce_alloc(struct shmipc_channel *ch, size_t size, struct shmipc_buffer *buffer);
int produce_publish(struct shmipc_channel *ch, const struct shmipc_buffer *buffer, size_t size, unsigned int flags);
void produce_free(struct shmipc_channel *ch, const struct shmipc_buffer *buffer);
/* What the producer lacks comes with the peer's progress: what it consumed so far is no news to one who waits for room. */
void produce_starve(struct shmipc_channel *ch);

/* consume.c: peek at the next message. The one in hand, which peek gave and which lies in its slot, is released. */
int consume_next(struct shmipc_channel *ch, struct shmipc_message *message);

/* consume.c: give a kept message's slice (its message's, as peek said) back. By any thread. 0, or -EINVAL: not kept. */
int consume_give_back(struct shmipc_channel *ch, uint32_t message_slice);

/* produce.c: publish without a barrier from now on, if the peer can pay for it (sets out.skip); with one again. */
void produce_start_skipping(struct shmipc_channel *ch);
void produce_stop_skipping(struct shmipc_channel *ch);

/* consume.c: the consuming thread's chores; telling a sleeper that waits for room that some came back. */
int consume_chores(struct shmipc_channel *ch);
void consume_wake(struct shmipc_channel *ch);

/* The consuming thread's: the producer is to see all that was consumed. */
static inline void consume_show(struct shmipc_channel *ch)
{
	uint32_t next = load_relaxed(&ch->in.next);

	if (load_relaxed(&ch->own.words->cons) != next)
		store_release(&ch->own.words->cons, next); /* (N) */
}

/* What was given back is seen, and a peer that sleeps for it woken. */
static inline void consume_flush(struct shmipc_channel *ch)
{
	consume_show(ch);
	store_relaxed(&ch->in.flush_owed, false);
	full_barrier(); /* (B) of doorbell.h, behind (N) and (O) */
	if (unlikely(doorbell_asks(&ch->bell, SEQ_ASLEEP | SEQ_SPACE)))
		consume_wake(ch);
}

/* spin.c: whether to spin in this wait, which counts. Look for at most spin_ns: 1: something is there, or 0. */
bool spin_pays(struct shmipc_channel *ch, struct spinner *spinner);
int spin_until(struct shmipc_channel *ch, struct spinner *spinner, unsigned int events, int64_t spin_ns,
	       int64_t deadline);

/* wait.c: shmipc_channel_wait() that sleeps at once, whatever the mode. */
int wait_asleep(struct shmipc_channel *ch, unsigned int events, int64_t deadline);

/* wait.c: ask the system, if it was not asked lately, whether the peer is dead. */
void wait_ask_dead(struct shmipc_channel *ch);

/*
 * wait.c: shmipc_channel_arm() in steps, for one thread that sleeps on many endpoints: announce on all; one full
 * barrier; one membarrier if a peer publishes without its own; look at all. Then sleep, or withdraw everywhere.
 */
int wait_announce(struct shmipc_channel *ch);
bool wait_owes_barrier(const struct shmipc_channel *ch);
bool wait_has_news(const struct shmipc_channel *ch);
void wait_withdraw(struct shmipc_channel *ch, bool reported);

/* Whether the peer is dead, for a caller that never sleeps. */
static inline bool ask_dead(struct shmipc_channel *ch, uint32_t *calls)
{
	if (unlikely((++*calls & 63) == 0))
		wait_ask_dead(ch);
	return load_acquire(&ch->bell.dead);
}

#endif /* SHMIPC_ENDPOINT_H */
