// SPDX-License-Identifier: Apache-2.0
/*
 * pool_thread.c - the thread behind a pool: connecting anew, hot restart, idle streams that grow old
 *
 * It alone changes which member is a slot's current one, once the pool is made. It never blocks but in its epoll: however
 * many slots are being connected, it sees to all of them, and to the pool's close.
 */
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../futex.h"
#include "../observe/log.h"
#include "../process.h"
#include "pool.h"
#include "shmipc/listener.h"

#define MS 1000000ll
/* How long after its control socket a session may take to end by itself. */
#define HANG_UP_NS (1000 * MS)
/* How often a session is looked at that waits for something that no descriptor tells of. */
#define LOOK_STEP_NS (5 * MS)

void pool_wake(struct shmipc_pool *pool)
{
	/* Edge-triggered, and never read. */
	if (!atomic_exchange_explicit(&pool->news, true, memory_order_acq_rel))
		eventfd_write(pool->wake_fd, 1);
}

/* Something is in its control socket. */
static void note_socket(struct watched *watched, uint32_t events)
{
	struct pool_member *member = (struct pool_member *)((char *)watched - offsetof(struct pool_member, watched));

	session_harvest(member->session);
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		member->hung_up = process_now();
		store_relaxed(&member->slot->pool->news, true);
	}
}

int pool_install(struct pool_slot *slot, struct shmipc_session *session)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	struct shmipc_pool *pool = slot->pool;
	struct pool_member *member, *old;
	int r;

	r = member_create(slot, session, &member);
	if (r)
		return r;
	member->watched.ready = note_socket;
	event.data.ptr = &member->watched;
	if (epoll_ctl(pool->epoll, EPOLL_CTL_ADD, session->socket, &event)) {
		r = errno == ENOSPC ? -ENOMEM : -errno;
		member_close(member);
		return r;
	}
	lock_take(&slot->lock);
	old = slot->current;
	slot->current = member;
	lock_release(&slot->lock);
	if (old) {
		old->next = slot->retired;
		slot->retired = old;
	}
	atomic_fetch_add_explicit(&pool->changes, 1, memory_order_release);
	futex_wake(&pool->changes, INT_MAX, FUTEX_IN_PROCESS);
	return 0;
}

/* Nobody gets streams from it any more. */
static void drop_current(struct pool_slot *slot)
{
	struct pool_member *member = slot->current;

	lock_take(&slot->lock);
	slot->current = NULL;
	lock_release(&slot->lock);
	member->next = slot->retired;
	slot->retired = member;
	member_retire(member);
}

/* When to try again after so many tries in a row: the second at once, then a time that doubles, less up to half of it. */
static int64_t retry_time(struct pool_slot *slot)
{
	const struct shmipc_pool_options *options = &slot->pool->options;
	uint64_t *random = &slot->pool->random;
	int64_t ns = options->retry_min_ms * MS, most = options->retry_max_ms * MS;
	uint32_t i;

	if (slot->failures < 2)
		return 0;
	for (i = 2; i < slot->failures && ns < most; i++)
		ns *= 2;
	ns = earlier(ns, most);
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return process_now() + ns - (int64_t)(*random % (uint64_t)(ns / 2));
}

/*
 * Begin to connect, if it is time for a try, or go on with one. 0: there is a new current member; -EAGAIN: look again at
 * slot->retry_at; else that try failed, and the next one is due then.
 */
static int try_connect(struct pool_slot *slot, int64_t deadline)
{
	struct shmipc_pool *pool = slot->pool;
	struct shmipc_session *session;
	int r;

	if (!slot->attempt && process_now() < slot->retry_at)
		return -EAGAIN;
	r = attempt_go_on(slot, deadline, &session, &slot->retry_at);
	if (r == -EAGAIN)
		return r;
	if (!r)
		r = pool_install(slot, session);
	if (!r) {
		slot->failures = 0;
		slot->retry_at = 0;
		return 0;
	}
	slot->failures++;
	slot->retry_at = retry_time(slot);
	tally(&pool->retries, 1);
	log_debug("pool", "%s: try %u to connect: %s", pool->address, slot->failures, shmipc_strerror(r));
	return r;
}

static int64_t connect_deadline(struct pool_slot *slot)
{
	return process_now() + slot->pool->options.connect_ms * MS;
}

/* The slot has no session. Returns when it is to be looked at again. */
static int64_t reconnect(struct pool_slot *slot)
{
	slot->restart_until = 0;
	if (try_connect(slot, connect_deadline(slot)))
		return slot->retry_at;
	tally(&slot->pool->reconnects, 1);
	log_info("pool", "%s: connected anew", slot->pool->address);
	return SHMIPC_FOREVER;
}

/* The server asked the slot's session to connect anew. Likewise. */
static int64_t restart(struct pool_slot *slot)
{
	struct pool_member *old = slot->current;
	int r;

	if (atomic_exchange_explicit(&old->asked, false, memory_order_acquire)) {
		slot->restart_until = connect_deadline(slot);
		slot->restart_epoch = load_relaxed(&old->epoch);
		slot->failures = 0;
		slot->retry_at = 0;
	}
	r = try_connect(slot, slot->restart_until);
	if (r == -EAGAIN || (r && slot->retry_at < slot->restart_until && process_now() < slot->restart_until))
		return slot->retry_at;
	slot->restart_until = 0;
	slot->failures = 0;
	slot->retry_at = 0;
	shmipc_session_restart_done(old->session, slot->restart_epoch, r);
	if (r)
		log_warn("pool", "%s: restart %llu: cannot connect anew: %s", slot->pool->address,
			 (unsigned long long)slot->restart_epoch, shmipc_strerror(r));
	else
		log_debug("pool", "%s: restart %llu: connected anew", slot->pool->address,
			  (unsigned long long)slot->restart_epoch);
	if (!r) {
		tally(&slot->pool->restarts, 1);
		member_retire(old);
	}
	return SHMIPC_FOREVER;
}

/*
 * A session that no thread may be waiting in: what it owes the peer (ends of streams that found the ring full) leaves when
 * there is room; and where its control socket is at its end, it will be too when its ring is read out. Likewise.
 */
static int64_t look_after(struct pool_member *member)
{
	struct shmipc_session *session = member->session;
	int64_t now = process_now();

	if (shmipc_session_error(session) || (!member->hung_up && !load_acquire(&session->owing)))
		return SHMIPC_FOREVER;
	session_harvest(session);
	if (member->hung_up && now - member->hung_up >= HANG_UP_NS)
		session_fail(session, -EPIPE);
	if (shmipc_session_error(session) || (!member->hung_up && !load_acquire(&session->owing)))
		return SHMIPC_FOREVER;
	return now + LOOK_STEP_NS;
}

/* Sessions that were renewed, or have ended: close those of which no stream is out. Likewise. */
static int64_t sweep_retired(struct pool_slot *slot)
{
	struct pool_member **link = &slot->retired, *member;
	int64_t due = SHMIPC_FOREVER;
	bool taken;

	while ((member = *link)) {
		due = earlier(due, look_after(member));
		if (atomic_exchange_explicit(&member->asked, false, memory_order_acquire))
			shmipc_session_restart_done(member->session, load_relaxed(&member->epoch), 0);
		lock_take(&slot->lock);
		taken = member->taken;
		lock_release(&slot->lock);
		if (taken) {
			link = &member->next;
			continue;
		}
		*link = member->next;
		epoll_ctl(slot->pool->epoll, EPOLL_CTL_DEL, member->session->socket, NULL);
		member_close(member);
	}
	return due;
}

static int64_t look_at_slot(struct pool_slot *slot)
{
	uint32_t idle_ms = slot->pool->options.idle_ms;
	int64_t due = SHMIPC_FOREVER;

	if (slot->current) {
		due = look_after(slot->current);
		if (shmipc_session_error(slot->current->session))
			drop_current(slot);
	}
	if (!slot->current)
		due = earlier(due, reconnect(slot));
	else if (slot->restart_until || load_relaxed(&slot->current->asked))
		due = earlier(due, restart(slot));
	if (slot->current && idle_ms)
		due = earlier(due, member_expire(slot->current, idle_ms));
	return earlier(due, sweep_retired(slot));
}

/* Sleep until something is to be done, or it is time. */
static void wait_for_news(struct shmipc_pool *pool, int64_t due)
{
	struct epoll_event events[16];
	struct watched *watched;
	int64_t ms = -1;
	int n;

	if (due != SHMIPC_FOREVER)
		ms = due <= process_now() ? 0 : earlier((due - process_now() + MS - 1) / MS, INT_MAX);
	n = epoll_wait(pool->epoll, events, 16, (int)ms);
	while (n-- > 0) {
		watched = events[n].data.ptr;
		if (watched)
			watched->ready(watched, events[n].events);
	}
}

static void *run(void *argument)
{
	struct shmipc_pool *pool = argument;
	int64_t due = SHMIPC_FOREVER;
	uint32_t i;

	while (!load_acquire(&pool->closing)) {
		wait_for_news(pool, due);
		if (!atomic_exchange_explicit(&pool->news, false, memory_order_acq_rel) && process_now() < due)
			continue;
		due = SHMIPC_FOREVER;
		for (i = 0; i < pool->slot_count && !load_acquire(&pool->closing); i++)
			due = earlier(due, look_at_slot(&pool->slots[i]));
	}
	return NULL;
}

int pool_watch_init(struct shmipc_pool *pool)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	pool->random = (uint64_t)process_now() ^ (uint64_t)(uintptr_t)pool << 32 ^ (uint64_t)getpid();
	pool->random |= 1;
	pool->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (pool->epoll < 0)
		return -errno;
	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->wake_fd < 0 || epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->wake_fd, &event))
		return -errno;
	return 0;
}

int pool_thread_start(struct shmipc_pool *pool)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&pool->thread, NULL, run, pool);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		pthread_setname_np(pool->thread, "shmipc-pool");
	return -error;
}

void pool_thread_stop(struct shmipc_pool *pool)
{
	store_release(&pool->closing, true);
	store_relaxed(&pool->news, true);
	eventfd_write(pool->wake_fd, 1);
	pthread_join(pool->thread, NULL);
}
