// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher_member.c - what a dispatcher drives: sessions and listeners come and go
 *
 * Responsible for the table of them, and for who may still touch an entry: see "Lifetime" in dispatcher.h. In a
 * forked child a session's end leaves the epoll alone, which is the parent's too, and waits for no lock: see copy.h.
 */
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "../futex.h"
#include "dispatcher.h"

struct driven *driven_find_locked(struct shmipc_dispatcher *dispatcher, uint64_t name)
{
	uint32_t number = (uint32_t)name;
	struct driven *driven = number < dispatcher->room ? dispatcher->members[number] : NULL;

	return driven && driven->name == name ? driven : NULL;
}

/* The session is there until its last reference goes, and that one tells the dispatcher first, which takes the lock. */
static bool get_session(struct shmipc_session *session)
{
	uint32_t refs = load_relaxed(&session->refs);

	while (refs)
		if (atomic_compare_exchange_weak_explicit(&session->refs, &refs, refs + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

bool driven_get_locked(struct driven *driven)
{
	if (driven->session)
		return get_session(driven->session);
	driven->users++;
	return true;
}

void driven_put(struct driven *driven)
{
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;
	bool last, removed;

	if (driven->session) {
		session_put(driven->session);
		return;
	}
	lock_take(&dispatcher->lock);
	removed = load_relaxed(&driven->removed);
	last = !--driven->users && removed;
	if (removed)
		atomic_fetch_add_explicit(&dispatcher->changes, 1, memory_order_relaxed);
	lock_release(&dispatcher->lock);
	if (removed)
		futex_wake(&dispatcher->changes, INT32_MAX, FUTEX_IN_PROCESS);
	if (last) {
		free(driven);
		dispatcher_put(dispatcher);
	}
}

static int make_room_locked(struct shmipc_dispatcher *dispatcher)
{
	uint32_t room = dispatcher->room ? dispatcher->room * 2 : 16, i;
	struct driven **members;

	while (dispatcher->free < dispatcher->room && dispatcher->members[dispatcher->free])
		dispatcher->free++;
	if (dispatcher->free < dispatcher->room)
		return 0;
	members = realloc(dispatcher->members, room * sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (i = dispatcher->room; i < room; i++)
		members[i] = NULL;
	dispatcher->members = members;
	dispatcher->room = room;
	return 0;
}

/* Give it a number and a generation: events may name it from now on. */
static int enter_locked(struct driven *driven)
{
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;
	uint32_t i;
	int r;

	for (i = 0; driven->listener && i < dispatcher->room; i++)
		if (dispatcher->members[i] && dispatcher->members[i]->listener == driven->listener)
			return -EALREADY;
	r = make_room_locked(dispatcher);
	if (r)
		return r;
	driven->name = (uint64_t)dispatcher->generation++ << 32 | dispatcher->free;
	dispatcher->members[dispatcher->free++] = driven;
	return 0;
}

static void leave_locked(struct driven *driven)
{
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;
	uint32_t number = (uint32_t)driven->name;

	dispatcher_unqueue_locked(driven);
	dispatcher->members[number] = NULL;
	if (number < dispatcher->free)
		dispatcher->free = number;
}

/* Enter it, watch its descriptor, and look at it for the first time. */
static int begin(struct driven *driven, uint32_t events)
{
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;
	struct epoll_event event = { .events = events };
	bool wake = false;
	int r;

	lock_take(&dispatcher->lock);
	r = enter_locked(driven);
	if (r)
		goto out;
	event.data.u64 = driven->name;
	if (epoll_ctl(dispatcher->epoll, EPOLL_CTL_ADD, driven->fd, &event)) {
		r = errno == ENOSPC ? -ENOMEM : -errno;
		leave_locked(driven);
		goto out;
	}
	atomic_fetch_add_explicit(&dispatcher->refs, 1, memory_order_relaxed);
	wake = dispatcher_queue_locked(driven, true);
out:
	lock_release(&dispatcher->lock);
	if (wake)
		dispatcher_wake(dispatcher);
	return r;
}

/* The last reference of a session goes: nobody works on it, and nobody can begin to. */
static void forget_session(struct session_driver *driver)
{
	struct driven *driven = (struct driven *)((char *)driver - offsetof(struct driven, driver));
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;

	if (load_relaxed(dispatcher->guard)) {
		lock_take(&dispatcher->lock);
		leave_locked(driven);
		lock_release(&dispatcher->lock);
		epoll_ctl(dispatcher->epoll, EPOLL_CTL_DEL, driven->fd, NULL);
	} else if (lock_try(&dispatcher->lock)) {
		leave_locked(driven);
		lock_release(&dispatcher->lock);
	}
	free(driven);
	dispatcher_put(dispatcher);
}

int shmipc_dispatcher_add_session(struct shmipc_dispatcher *dispatcher, struct shmipc_session *session)
{
	struct session_driver *nobody = NULL;
	struct driven *driven;
	int r;

	if (!load_relaxed(dispatcher->guard))
		return -EPERM;
	r = shmipc_session_error(session);
	if (r)
		return r;
	driven = calloc(1, sizeof(*driven));
	if (!driven)
		return -ENOMEM;
	driven->driver.gone = forget_session;
	driven->dispatcher = dispatcher;
	driven->session = session;
	r = shmipc_session_fd(session);
	if (r < 0)
		goto err_free;
	driven->fd = r;
	r = -EALREADY;
	if (!atomic_compare_exchange_strong_explicit(&session->driver, &nobody, &driven->driver, memory_order_release,
						     memory_order_relaxed))
		goto err_free;
	r = begin(driven, EPOLLIN | EPOLLET);
	if (!r)
		return 0;
	store_relaxed(&session->driver, NULL);
err_free:
	free(driven);
	return r;
}

int shmipc_dispatcher_add_listener(struct shmipc_dispatcher *dispatcher, struct shmipc_listener *listener,
				   void (*on_session)(struct shmipc_listener *listener, struct shmipc_session *session,
						      void *arg),
				   void *arg)
{
	struct driven *driven;
	int r;

	if (!load_relaxed(dispatcher->guard))
		return -EPERM;
	driven = calloc(1, sizeof(*driven));
	if (!driven)
		return -ENOMEM;
	driven->dispatcher = dispatcher;
	driven->listener = listener;
	driven->on_session = on_session;
	driven->arg = arg;
	r = shmipc_listener_fd(listener);
	if (r >= 0) {
		driven->fd = r;
		r = begin(driven, EPOLLIN | EPOLLONESHOT);
	}
	if (r)
		free(driven);
	return r;
}

/* Threads that are at work on it, other than the caller, whose callback may be what removes it. */
static bool others_work_locked(const struct driven *driven)
{
	return driven->users > (driven_current == driven ? 2u : 1u);
}

int shmipc_dispatcher_remove_listener(struct shmipc_dispatcher *dispatcher, struct shmipc_listener *listener)
{
	struct driven *driven = NULL;
	uint32_t i, seen;

	if (!load_relaxed(dispatcher->guard))
		return -EPERM;
	lock_take(&dispatcher->lock);
	for (i = 0; i < dispatcher->room && !driven; i++)
		if (dispatcher->members[i] && dispatcher->members[i]->listener == listener)
			driven = dispatcher->members[i];
	if (!driven) {
		lock_release(&dispatcher->lock);
		return -ENOENT;
	}
	leave_locked(driven);
	epoll_ctl(dispatcher->epoll, EPOLL_CTL_DEL, driven->fd, NULL);
	store_relaxed(&driven->removed, true);
	driven->users++;
	while (others_work_locked(driven)) {
		seen = load_relaxed(&dispatcher->changes);
		lock_release(&dispatcher->lock);
		futex_sleep(&dispatcher->changes, seen, FUTEX_IN_PROCESS, SHMIPC_FOREVER);
		lock_take(&dispatcher->lock);
	}
	lock_release(&dispatcher->lock);
	driven_put(driven);
	return 0;
}

void driven_drop_all(struct shmipc_dispatcher *dispatcher)
{
	struct driven *driven, *dropped = NULL;
	uint32_t i;

	lock_take(&dispatcher->lock);
	for (i = 0; i < dispatcher->room; i++) {
		driven = dispatcher->members[i];
		/* Of a session whose last reference just went, forget_session() is under way. */
		if (!driven || !driven_get_locked(driven))
			continue;
		leave_locked(driven);
		driven->next = dropped;
		dropped = driven;
	}
	lock_release(&dispatcher->lock);
	while ((driven = dropped)) {
		dropped = driven->next;
		epoll_ctl(dispatcher->epoll, EPOLL_CTL_DEL, driven->fd, NULL);
		if (driven->session) {
			store_relaxed(&driven->session->driver, NULL);
			callback_drop(driven->session);
			session_put(driven->session);
		}
		free(driven);
		dispatcher_put(dispatcher);
	}
}

/* Those of sessions go with these. */
void driven_close_copies(struct shmipc_dispatcher *dispatcher)
{
	struct driven *driven;
	uint32_t i;

	if (!lock_try(&dispatcher->lock))
		return;
	for (i = 0; i < dispatcher->room; i++) {
		driven = dispatcher->members[i];
		if (!driven || !driven->listener)
			continue;
		leave_locked(driven);
		free(driven);
		dispatcher_put(dispatcher); /* not the last one: the handle's is not given up yet */
	}
	lock_release(&dispatcher->lock);
}
