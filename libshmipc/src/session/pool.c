// SPDX-License-Identifier: Apache-2.0
/*
 * pool.c - a client's sessions to one address: choosing one, lending its streams
 *
 * Which session. Each thread has a home among the slots and compares it with one other, a different one each time:
 * the one with fewer streams out is asked first. A thread that takes and gives back one stream at a time
 * stays at home, where its stream is still warm and no other thread's lock is in the way; one that takes many
 * spreads them evenly. A counter that all threads share would do neither.
 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bounds.h"
#include "../futex.h"
#include "../process.h"

int shmipc_pool_options_check(const struct shmipc_pool_options *o, char *message, size_t size)
{
	char fault[200];

	if (!o)
		return bounds_say(message, size, "", "options: NULL");
	if (o->size != sizeof(*o))
		return bounds_say(message, size, "",
				  "size: not that of struct shmipc_pool_options; use SHMIPC_POOL_OPTIONS_INIT");
	if (shmipc_session_options_check(&o->session, fault, sizeof(fault)))
		return bounds_say(message, size, "session.", fault);
	return bounds_check(
		(const struct bound[]){
			{ "sessions", o->sessions, 1, 1024 },
			{ "streams", o->streams, 0, 1 << 20 },
			{ "connect_ms", o->connect_ms, 1, 3600000 },
			{ "retry_min_ms", o->retry_min_ms, 1, 3600000 },
			{ "retry_max_ms", o->retry_max_ms, o->retry_min_ms, 3600000 },
			{ "idle_ms", o->idle_ms, 0, 86400000 },
		},
		6, message, size);
}

static void free_pool(struct shmipc_pool *pool)
{
	if (pool->epoll >= 0)
		close(pool->epoll);
	if (pool->wake_fd >= 0)
		close(pool->wake_fd);
	free(pool->address);
	free(pool);
}

void pool_put(struct shmipc_pool *pool)
{
	if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1)
		free_pool(pool);
}

static struct shmipc_pool *alloc_pool(const char *address, const struct shmipc_pool_options *options)
{
	size_t size = sizeof(struct shmipc_pool) + options->sessions * sizeof(struct pool_slot);
	struct shmipc_pool *pool = aligned_alloc(LAYOUT_LINE, (size + LAYOUT_LINE - 1) / LAYOUT_LINE * LAYOUT_LINE);
	uint32_t i;

	if (!pool)
		return NULL;
	memset(pool, 0, size);
	pool->options = *options;
	pool->refs = 1;
	pool->epoll = pool->wake_fd = -1;
	pool->slot_count = options->sessions;
	for (i = 0; i < pool->slot_count; i++)
		pool->slots[i].pool = pool;
	pool->address = strdup(address);
	if (!pool->address || process_guard(&pool->guard)) {
		pool_put(pool);
		return NULL;
	}
	return pool;
}

/* The thread, if there was one, is gone. */
static void close_members(struct shmipc_pool *pool)
{
	struct pool_member *member;
	struct pool_slot *slot;

	for (slot = pool->slots; slot < pool->slots + pool->slot_count; slot++) {
		attempt_end(slot);
		lock_take(&slot->lock);
		member = slot->current;
		slot->current = NULL;
		lock_release(&slot->lock);
		if (member) {
			member_retire(member);
			member_close(member);
		}
		while ((member = slot->retired)) {
			slot->retired = member->next;
			member_close(member);
		}
	}
}

int shmipc_pool_create(const char *address, const struct shmipc_pool_options *options, struct shmipc_pool **to)
{
	const struct shmipc_pool_options defaults = SHMIPC_POOL_OPTIONS_INIT;
	struct shmipc_session *session;
	struct shmipc_pool *pool;
	uint32_t i;
	int r;

	*to = NULL;
	if (!options)
		options = &defaults;
	if (!address || shmipc_pool_options_check(options, NULL, 0))
		return -EINVAL;
	pool = alloc_pool(address, options);
	if (!pool)
		return -ENOMEM;
	r = pool_watch_init(pool);
	for (i = 0; i < pool->slot_count && !r; i++) {
		r = shmipc_session_connect(address, &options->session,
					   process_now() + (int64_t)options->connect_ms * 1000000, &session);
		if (!r)
			r = pool_install(&pool->slots[i], session);
	}
	if (!r)
		r = pool_thread_start(pool);
	if (r) {
		close_members(pool);
		pool_put(pool);
		return r;
	}
	*to = pool;
	return 0;
}

static void close_slot_copy(struct pool_slot *slot)
{
	struct pool_member *member;

	attempt_end(slot);
	if (!lock_try(&slot->lock))
		return;
	if (slot->current)
		member_close_copy(slot->current);
	while ((member = slot->retired)) {
		slot->retired = member->next;
		member_close_copy(member);
	}
}

/* In a forked child: the thread is not here. */
static void close_copy(struct shmipc_pool *pool)
{
	uint32_t i;

	for (i = 0; i < pool->slot_count; i++)
		close_slot_copy(&pool->slots[i]);
	free_pool(pool);
}

void shmipc_pool_close(struct shmipc_pool *pool)
{
	if (!pool)
		return;
	if (!load_relaxed(pool->guard)) {
		close_copy(pool);
		return;
	}
	pool_thread_stop(pool);
	close_members(pool);
	pool_put(pool);
}

static uint32_t choose_slot(struct shmipc_pool *pool)
{
	static _Atomic uint32_t threads;
	static __thread uint32_t own, turn; /* own: 0: not yet known */
	uint32_t n = pool->slot_count, home, other;

	if (n == 1)
		return 0;
	if (!own)
		own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) | 1u << 31;
	home = (own & ~(1u << 31)) % n;
	other = (home + 1 + turn++ % (n - 1)) % n;
	return load_relaxed(&pool->slots[other].taken) < load_relaxed(&pool->slots[home].taken) ? other : home;
}

/* What to say of several slots that all failed: the gravest, of those whose sessions live. */
static int graver(int a, int b)
{
	static const int order[] = { -ENOMEM, -EMFILE, -EBUSY };
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a;
}

static int try_get(struct shmipc_pool *pool, struct shmipc_stream **stream)
{
	uint32_t first = choose_slot(pool), i;
	int r = -EAGAIN, one;

	for (i = 0; i < pool->slot_count; i++) {
		one = slot_get(&pool->slots[(first + i) % pool->slot_count], stream);
		if (!one)
			return 0;
		r = graver(r, one);
	}
	return r;
}

int shmipc_pool_get(struct shmipc_pool *pool, struct shmipc_stream **stream, int64_t deadline)
{
	uint32_t changes;
	int r = load_relaxed(pool->guard) ? 0 : -EPERM;

	*stream = NULL;
	while (!r) {
		changes = load_acquire(&pool->changes);
		r = try_get(pool, stream);
		if (r != -EAGAIN || !deadline)
			return r;
		r = futex_sleep(&pool->changes, changes, FUTEX_IN_PROCESS, deadline);
	}
	return r;
}

int shmipc_pool_put(struct shmipc_pool *pool, struct shmipc_stream *stream)
{
	struct pool_member *member;

	if (!stream)
		return 0;
	/* A forked child's copy of a stream may be all that is left of its pool. */
	member = session_check(stream->session) ? NULL : member_of(stream);
	if (member && member->slot->pool == pool)
		return member_put_stream(member, stream);
	shmipc_stream_close(stream);
	return 0;
}

static void add_slot(struct pool_slot *slot, struct shmipc_pool_stats *stats)
{
	struct pool_member *member;

	lock_take(&slot->lock);
	member = slot->current;
	if (member && !shmipc_session_error(member->session)) {
		stats->sessions++;
		stats->healthy += (unsigned int)shmipc_session_is_healthy(member->session);
	}
	stats->idle += member ? member->count : 0;
	stats->taken += load_relaxed(&slot->taken);
	lock_release(&slot->lock);
	stats->hits += load_relaxed(&slot->hits);
	stats->opens += load_relaxed(&slot->opens);
	stats->discards += load_relaxed(&slot->discards);
}

int shmipc_pool_stats(struct shmipc_pool *pool, struct shmipc_pool_stats *stats)
{
	struct shmipc_pool_stats all = { .size = sizeof(all) };
	uint32_t i;

	if (!load_relaxed(pool->guard))
		return -EPERM;
	if (stats->size < sizeof(stats->size) || stats->size > sizeof(all))
		return -EINVAL;
	for (i = 0; i < pool->slot_count; i++)
		add_slot(&pool->slots[i], &all);
	all.reconnects = load_relaxed(&pool->reconnects);
	all.retries = load_relaxed(&pool->retries);
	all.restarts = load_relaxed(&pool->restarts);
	all.size = stats->size;
	memcpy(stats, &all, stats->size);
	return 0;
}
