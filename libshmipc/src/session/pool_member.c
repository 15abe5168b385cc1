// SPDX-License-Identifier: Apache-2.0
/*
 * pool_member.c - one connected session of a pool, and the streams that are kept for it
 *
 * Idle streams are used last in, first out: the one that was used last is the warmest, and those that nobody needs
 * grow old at the other end. What the peer did to one meanwhile is seen when it is taken: get harvests first.
 */
#include <stddef.h>
#include <stdlib.h>

#include "../process.h"
#include "copy.h"
#include "pool.h"

static void put_member(struct pool_member *member)
{
	struct shmipc_pool *pool = member->slot->pool;

	if (atomic_fetch_sub_explicit(&member->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(member->idle);
	free(member);
	pool_put(pool);
}

static void untake_locked(struct pool_member *member)
{
	member->taken--;
	store_relaxed(&member->slot->taken, load_relaxed(&member->slot->taken) - 1);
}

/*
 * The thread closes a retired member's session when the last stream is back; and sees to it that an end which found the
 * ring full leaves later.
 */
static void untake_member(struct pool_member *member)
{
	struct pool_slot *slot = member->slot;
	bool work;

	lock_take(&slot->lock);
	untake_locked(member);
	work = (member->retired && !member->taken) || (member->session && load_relaxed(&member->session->owing));
	lock_release(&slot->lock);
	if (unlikely(work))
		pool_wake(slot->pool);
}

/* A stream's handle was closed, by whomever: it was out, or counted as such. */
static void note_closed(struct stream_owner *owner)
{
	struct pool_member *member = (struct pool_member *)((char *)owner - offsetof(struct pool_member, owner));

	untake_member(member);
	put_member(member);
}

struct pool_member *member_of(struct shmipc_stream *stream)
{
	struct stream_owner *owner = stream->owner;

	return owner && owner->closed == note_closed
		       ? (struct pool_member *)((char *)owner - offsetof(struct pool_member, owner))
		       : NULL;
}

static void note_end(struct shmipc_session *session, void *arg)
{
	struct pool_member *member = arg;

	(void)session;
	pool_wake(member->slot->pool);
}

static void note_restart(struct shmipc_session *session, uint64_t epoch, void *arg)
{
	struct pool_member *member = arg;

	(void)session;
	store_relaxed(&member->epoch, epoch);
	store_release(&member->asked, true);
	pool_wake(member->slot->pool);
}

int member_create(struct pool_slot *slot, struct shmipc_session *session, struct pool_member **to)
{
	struct session_hooks hooks = { .on_end = note_end, .on_restart = note_restart };
	struct pool_member *member = calloc(1, sizeof(*member));

	*to = member;
	if (!member) {
		shmipc_session_close(session);
		return -ENOMEM;
	}
	member->owner.closed = note_closed;
	member->slot = slot;
	member->session = session;
	member->refs = 1;
	atomic_fetch_add_explicit(&slot->pool->refs, 1, memory_order_relaxed);
	hooks.arg = member;
	session_set_hooks(session, &hooks);
	return 0;
}

void member_close(struct pool_member *member)
{
	struct shmipc_session *session = member->session;
	struct pool_slot *slot = member->slot;

	lock_take(&slot->lock);
	member->session = NULL; /* streams that are out may be closed later */
	lock_release(&slot->lock);
	session_set_hooks(session, NULL);
	shmipc_session_close(session);
	put_member(member);
}

/* The newest or the oldest idle one; NULL if there is none, or that one is not old enough. */
static struct shmipc_stream *pop_newest_locked(struct pool_member *member)
{
	if (!member->count)
		return NULL;
	member->count--;
	return member->idle[(member->head + member->count) & (member->room - 1)].stream;
}

static struct shmipc_stream *pop_oldest_locked(struct pool_member *member)
{
	if (!member->count)
		return NULL;
	member->count--;
	return member->idle[member->head++ & (member->room - 1)].stream;
}

void member_close_copy(struct pool_member *member)
{
	while (member->count)
		copy_put_stream(pop_newest_locked(member));
	shmipc_session_close(member->session);
	free(member->idle);
	free(member);
}

static bool push_locked(struct pool_member *member, struct shmipc_stream *stream)
{
	uint32_t room = member->room ? member->room * 2 : 16, i;
	struct idle_stream *idle;

	if (member->count == member->room) {
		idle = malloc(room * sizeof(*idle));
		if (!idle)
			return false;
		for (i = 0; i < member->count; i++)
			idle[i] = member->idle[(member->head + i) & (member->room - 1)];
		free(member->idle);
		member->idle = idle;
		member->room = room;
		member->head = 0;
	}
	idle = &member->idle[(member->head + member->count++) & (member->room - 1)];
	*idle = (struct idle_stream){ stream, process_now_coarse_ms() };
	return true;
}

static void take_locked(struct pool_member *member)
{
	member->taken++;
	store_relaxed(&member->slot->taken, load_relaxed(&member->slot->taken) + 1);
}

/* Hold the slot's member, and perhaps an idle stream of it. */
static int take_member(struct pool_slot *slot, struct pool_member **to, struct shmipc_stream **idle)
{
	struct pool_member *member;
	int r = 0;

	lock_take(&slot->lock);
	member = slot->current;
	if (!member || shmipc_session_error(member->session)) {
		r = -EAGAIN;
	} else if (!shmipc_session_is_healthy(member->session)) {
		r = -EBUSY;
	} else {
		take_locked(member);
		*to = member;
		*idle = pop_newest_locked(member);
	}
	lock_release(&slot->lock);
	return r;
}

static int open_stream(struct pool_member *member, struct shmipc_stream **stream)
{
	int r = shmipc_stream_open(member->session, stream);

	if (r) {
		untake_member(member);
		return r == -EBUSY || r == -EMFILE || r == -ENOMEM ? r : -EAGAIN;
	}
	(*stream)->owner = &member->owner;
	atomic_fetch_add_explicit(&member->refs, 1, memory_order_relaxed);
	tally(&member->slot->opens, 1);
	return 0;
}

int slot_get(struct pool_slot *slot, struct shmipc_stream **stream)
{
	struct pool_member *member;
	int r;

	for (;;) {
		r = take_member(slot, &member, stream);
		if (r)
			return r;
		session_harvest(member->session); /* what the peer did to the idle stream, or to the session */
		if (!*stream)
			return open_stream(member, stream);
		if (stream_is_clean(*stream)) {
			tally(&slot->hits, 1);
			return 0;
		}
		shmipc_stream_close(*stream); /* that gives the member back too */
		*stream = NULL;
	}
}

bool member_put_stream(struct pool_member *member, struct shmipc_stream *stream)
{
	struct shmipc_pool *pool = member->slot->pool;
	struct pool_slot *slot = member->slot;
	bool kept, wake = false;

	kept = stream_is_clean(stream);
	if (kept)
		shmipc_stream_set_user(stream, NULL);
	lock_take(&slot->lock);
	kept = kept && !member->retired && member->count < pool->options.streams && push_locked(member, stream);
	if (kept) {
		untake_locked(member);
		wake = !slot->expiring && pool->options.idle_ms;
		slot->expiring |= wake;
	}
	lock_release(&slot->lock);
	if (kept) {
		if (wake)
			pool_wake(pool);
		return true;
	}
	tally(&slot->discards, 1);
	shmipc_stream_close(stream);
	return false;
}

/* The oldest idle one, if it is so old; counts as taken until it is closed. */
static struct shmipc_stream *take_oldest(struct pool_member *member, uint32_t idle_ms, int64_t *due)
{
	struct pool_slot *slot = member->slot;
	struct shmipc_stream *stream = NULL;
	uint32_t age;

	*due = SHMIPC_FOREVER;
	lock_take(&slot->lock);
	slot->expiring = member->count;
	if (member->count) {
		age = process_now_coarse_ms() - member->idle[member->head & (member->room - 1)].since_ms;
		if (age >= idle_ms) {
			stream = pop_oldest_locked(member);
			take_locked(member);
		} else {
			*due = process_now() + (int64_t)(idle_ms - age) * 1000000;
		}
	}
	lock_release(&slot->lock);
	return stream;
}

void member_retire(struct pool_member *member)
{
	lock_take(&member->slot->lock);
	member->retired = true;
	lock_release(&member->slot->lock);
	member_expire(member, 0);
}

int64_t member_expire(struct pool_member *member, uint32_t idle_ms)
{
	struct shmipc_stream *stream;
	int64_t due;

	while ((stream = take_oldest(member, idle_ms, &due)))
		shmipc_stream_close(stream);
	return due;
}
