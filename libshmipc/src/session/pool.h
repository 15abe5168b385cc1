/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - what a pool's files share
 *
 *	pool.c		options, create, get, put, close
 *	pool_member.c	one connected session and its idle streams
 *	pool_thread.c	the thread behind: ended sessions, hot restart, idle streams that grow old
 *	pool_connect.c	its tries to connect
 *
 * Overview. A pool has slots; a slot has one current member, a session with its idle streams, and perhaps
 * older ones that were renewed for a hot restart and wait for their last streams to come back. get never connects: that
 * is the thread's alone, so that many that find a slot dead make one connection, not many.
 *
 * The thread sleeps until a session ends, a restart is asked for, a retry is due or an idle stream gets old. A member
 * at rest has nobody in its session's lead, and must not: a reader would have to follow. So the thread watches the
 * control socket, edge-triggered, and harvests when that says anything: its end, or the empty frame that
 * goes with a restart.
 *
 * Locking. slot->lock: which member is current, its members' streams and states, counters. Short; the session's
 * and the pool's functions are called under none, but those that only ask. pool->changes is a futex for get.
 *
 * Lifetime. A member is freed with its last reference: its slot's, and each of its streams', idle or out (stream_owner).
 * Its session's handle is closed by the thread, or by the pool's close, when no stream is out: so nobody
 * who has one out, or is in get, calls into a closed handle. A pool is freed with its last: the handle's, its members'.
 *
 * Fork. A child has no pool, but a copy of its memory: there a stream says nothing to its member when it is closed, so that
 * closing the pool counts no references. What a lock protects that was held at the fork is left alone, as in copy.h.
 */
#ifndef SHMIPC_SESSION_POOL_H
#define SHMIPC_SESSION_POOL_H

#include <pthread.h>

#include "internal.h"
#include "shmipc/pool.h"

struct idle_stream {
	struct shmipc_stream *stream;
	uint32_t since_ms;
};

/* What the thread's epoll points to; NULL: the thread is wanted. */
struct watched {
	void (*ready)(struct watched *watched, uint32_t events);
};

struct attempt;
struct pool_slot;

struct pool_member {
	struct stream_owner owner; /* what its streams point to */
	/* Set before publish: */
	struct pool_slot *slot;
	struct shmipc_session *session; /* the handle; NULL once closed, under slot->lock */

	_Atomic uint32_t refs;
	_Atomic bool asked; /* by a hook: a restart, of this epoch */
	_Atomic uint64_t epoch;

	/* Under slot->lock: */
	struct idle_stream *idle; /* a ring: the oldest at head */
	uint32_t room, head, count;
	uint32_t taken; /* out, or in get's hands */
	bool retired;	/* keeps no streams any more */

	/* The thread's: */
	struct watched watched;
	struct pool_member *next; /* in slot->retired */
	int64_t hung_up;	  /* since when its control socket has been at its end */
};

struct pool_slot {
	_Alignas(LAYOUT_LINE) struct lock lock;
	_Atomic uint32_t taken;	     /* of all its members; written under the lock */
	struct pool_member *current; /* or NULL; changed by the thread, under the lock */
	bool expiring;		     /* the thread knows that there are idle streams */
	_Atomic uint64_t hits, opens, discards;

	struct shmipc_pool *pool;
	/* The thread's: */
	struct pool_member *retired;
	struct attempt *attempt; /* to connect; or NULL */
	uint32_t failures;	 /* of tries to connect, in a row */
	int64_t retry_at;	 /* when to begin one, or to go on with it */
	int64_t restart_until;	 /* the latest to answer a restart; 0: none is under way */
	uint64_t restart_epoch;
};

struct shmipc_pool {
	const _Atomic uint32_t *guard;
	struct shmipc_pool_options options;
	char *address;
	_Atomic uint32_t refs;
	_Atomic uint32_t changes; /* a futex: a slot has a new member */

	pthread_t thread;
	int epoll, wake_fd;
	_Atomic bool closing;
	_Atomic bool news; /* since the thread looked at all slots */
	uint64_t random;   /* the thread's */
	_Atomic uint64_t reconnects, retries, restarts;

	uint32_t slot_count;
	struct pool_slot slots[];
};

/* pool.c */
void pool_put(struct shmipc_pool *pool);

/* pool_member.c */

/* A member with this session, not yet current; the session is its own, on failure too. */
int member_create(struct pool_slot *slot, struct shmipc_session *session, struct pool_member **member);
/* A stream of the slot's member. 0, -EAGAIN: it has none that lives; -EBUSY: unhealthy; -EMFILE, -ENOMEM. */
int slot_get(struct pool_slot *slot, struct shmipc_stream **stream);
/* The member that lent a stream, or NULL. */
struct pool_member *member_of(struct shmipc_stream *stream);
/* Keep it, or close it. */
bool member_put_stream(struct pool_member *member, struct shmipc_stream *stream);
/* Close its idle streams, and keep no more. */
void member_retire(struct pool_member *member);
/* Close those that are idle for so long. Returns when the next one will be, or SHMIPC_FOREVER. */
int64_t member_expire(struct pool_member *member, uint32_t idle_ms);
/* Close its session's handle, and give the slot's reference up. No other thread is in a call on the session. */
void member_close(struct pool_member *member);
/* In a forked child: free what it has of it. */
void member_close_copy(struct pool_member *member);

/* pool_thread.c */

/* Make it the slot's current member, watched. */
int pool_install(struct pool_slot *slot, struct shmipc_session *session);
/* What the thread will sleep on. */
int pool_watch_init(struct shmipc_pool *pool);
int pool_thread_start(struct shmipc_pool *pool);
void pool_thread_stop(struct shmipc_pool *pool);
/* Something is to be done. From any thread, and from hooks. */
void pool_wake(struct shmipc_pool *pool);

/* pool_connect.c */

/*
 * Begin a try to connect that ends at @deadline, or go on with the one that there is. 0: a session; -EAGAIN: when the socket
 * is ready, or at @due; else it failed, as shmipc_session_connect() would.
 */
int attempt_go_on(struct pool_slot *slot, int64_t deadline, struct shmipc_session **session, int64_t *due);
void attempt_end(struct pool_slot *slot);

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif /* SHMIPC_SESSION_POOL_H */
