// SPDX-License-Identifier: Apache-2.0
/*
 * dispatcher.c - threads that harvest sessions and run callbacks
 *
 * Responsible for who does what next; what is driven is dispatcher_member.c's. See dispatcher.h.
 */
#include "dispatcher.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../process.h"

#define THREADS_MAX 1024u
/* Callbacks of one session that a thread runs before others have their turn. */
#define TURN 64

__thread const struct driven *driven_current;

static void unlink_locked(struct driven *driven)
{
	*driven->link = driven->next;
	if (driven->next)
		driven->next->link = driven->link;
	else
		driven->dispatcher->ready_end = driven->link;
	driven->link = NULL;
	driven->next = NULL;
}

void dispatcher_unqueue_locked(struct driven *driven)
{
	if (driven->link)
		unlink_locked(driven);
}

/* Whether somebody sleeps who is to be woken, and nobody is on the way. */
static bool want_thread_locked(struct shmipc_dispatcher *dispatcher)
{
	if (!dispatcher->ready || !dispatcher->idle || dispatcher->waking)
		return false;
	dispatcher->waking = true;
	return true;
}

bool dispatcher_queue_locked(struct driven *driven, bool look)
{
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;

	driven->look |= look;
	if (!driven->link) {
		driven->next = NULL;
		driven->link = dispatcher->ready_end;
		*driven->link = driven;
		dispatcher->ready_end = &driven->next;
	}
	return want_thread_locked(dispatcher);
}

/* One of the threads that sleep wakes: the descriptor is edge-triggered, and never read. */
void dispatcher_wake(struct shmipc_dispatcher *dispatcher)
{
	eventfd_write(dispatcher->wake_fd, 1);
}

/* The first of the run queue whose session is not going. */
static struct driven *take_locked(struct shmipc_dispatcher *dispatcher, bool *look)
{
	struct driven *driven;

	while ((driven = dispatcher->ready)) {
		unlink_locked(driven);
		*look = driven->look;
		driven->look = false;
		if (driven_get_locked(driven))
			return driven;
	}
	return NULL;
}

/* What to do next, held; sleeps until there is something. NULL: the dispatcher stops. */
static struct driven *next_work(struct shmipc_dispatcher *dispatcher, bool *look)
{
	struct epoll_event event;
	struct driven *driven;
	bool sleeps, more;
	int n;

	for (;;) {
		lock_take(&dispatcher->lock);
		sleeps = !dispatcher->ready;
		dispatcher->idle += sleeps;
		lock_release(&dispatcher->lock);
		/* Where something is queued: what the descriptors say has its turn after it. */
		n = load_acquire(&dispatcher->stopping) ? 0 : epoll_wait(dispatcher->epoll, &event, 1, sleeps ? -1 : 0);
		lock_take(&dispatcher->lock);
		dispatcher->idle -= sleeps;
		if (n == 1 && event.data.u64 == DRIVEN_WAKE) {
			dispatcher->waking = false;
		} else if (n == 1) {
			driven = driven_find_locked(dispatcher, event.data.u64);
			if (driven && dispatcher_queue_locked(driven, true))
				dispatcher->waking = false; /* for now: this thread is awake */
		}
		driven = load_acquire(&dispatcher->stopping) ? NULL : take_locked(dispatcher, look);
		more = want_thread_locked(dispatcher);
		lock_release(&dispatcher->lock);
		if (more)
			dispatcher_wake(dispatcher);
		if (driven || load_acquire(&dispatcher->stopping))
			return driven;
	}
}

/* Whether two callbacks are due, that two threads could run. */
static bool several_due(struct shmipc_session *session)
{
	unsigned int due = 0;

	lock_take(&session->lock);
	if (session->ready)
		due += session->ready->ready_next ? 2 : 1;
	if (session->has_callbacks && !session->running)
		due += session->restart_due || (session->accepted && session->callbacks.on_stream);
	lock_release(&session->lock);
	return due > 1;
}

static void share_work(struct driven *driven, bool look)
{
	bool wake;

	lock_take(&driven->dispatcher->lock);
	wake = dispatcher_queue_locked(driven, look);
	lock_release(&driven->dispatcher->lock);
	if (wake)
		dispatcher_wake(driven->dispatcher);
}

/* Nothing is due: whoever was to help need not, unless something arrived. */
static void unshare_work(struct driven *driven)
{
	lock_take(&driven->dispatcher->lock);
	if (!driven->look)
		dispatcher_unqueue_locked(driven);
	lock_release(&driven->dispatcher->lock);
}

static void drive_session(struct driven *driven, bool look)
{
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;
	struct shmipc_session *session = driven->session;
	bool shared = false;
	int turn;

	if (look)
		session_harvest(session); /* an end makes callbacks due, as other news does */
	for (turn = 0; turn < TURN && !load_acquire(&dispatcher->stopping); turn++) {
		if (dispatcher->thread_count > 1 && several_due(session)) {
			share_work(driven, false);
			shared = true;
		}
		if (session_run_one(session) <= 0) {
			if (shared)
				unshare_work(driven);
			return;
		}
	}
	share_work(driven, false);
}

/* Its descriptor is readable while sessions wait: others take those meanwhile. */
static void drive_listener(struct driven *driven)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = driven->name };
	struct shmipc_dispatcher *dispatcher = driven->dispatcher;
	struct shmipc_session *session;

	if (shmipc_listener_process(driven->listener) == -ESHUTDOWN)
		return;
	lock_take(&dispatcher->lock);
	if (!load_relaxed(&driven->removed))
		epoll_ctl(dispatcher->epoll, EPOLL_CTL_MOD, driven->fd, &event);
	lock_release(&dispatcher->lock);
	driven_current = driven;
	while (!load_acquire(&dispatcher->stopping) && !load_relaxed(&driven->removed) &&
	       !shmipc_listener_accept(driven->listener, &session, 0))
		driven->on_session(driven->listener, session, driven->arg);
	driven_current = NULL;
}

static void *run(void *argument)
{
	struct shmipc_dispatcher *dispatcher = argument;
	struct driven *driven;
	bool look;

	while ((driven = next_work(dispatcher, &look))) {
		if (driven->listener)
			drive_listener(driven);
		else
			drive_session(driven, look);
		driven_put(driven);
	}
	dispatcher_wake(dispatcher); /* the next one is to stop too */
	return NULL;
}

static unsigned int count_processors(void)
{
	cpu_set_t set;

	/* More than CPU_SETSIZE processors: EINVAL. */
	if (sched_getaffinity(0, sizeof(set), &set))
		return THREADS_MAX;
	return (unsigned int)CPU_COUNT(&set);
}

static void stop_threads(struct shmipc_dispatcher *dispatcher)
{
	unsigned int i;

	store_release(&dispatcher->stopping, true);
	dispatcher_wake(dispatcher);
	for (i = 0; i < dispatcher->started; i++)
		pthread_join(dispatcher->threads[i], NULL);
}

/* On failure none is left. */
static int start_threads(struct shmipc_dispatcher *dispatcher)
{
	unsigned int count = dispatcher->thread_count;
	sigset_t all, old;
	int error = 0;

	dispatcher->threads = calloc(count, sizeof(*dispatcher->threads));
	if (!dispatcher->threads)
		return -ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!error && dispatcher->started < count) {
		pthread_t *thread = &dispatcher->threads[dispatcher->started];

		error = pthread_create(thread, NULL, run, dispatcher);
		if (!error) {
			pthread_setname_np(*thread, "shmipc-disp");
			dispatcher->started++;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		stop_threads(dispatcher);
	return -error;
}

void dispatcher_put(struct shmipc_dispatcher *dispatcher)
{
	if (atomic_fetch_sub_explicit(&dispatcher->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (dispatcher->epoll >= 0)
		close(dispatcher->epoll);
	if (dispatcher->wake_fd >= 0)
		close(dispatcher->wake_fd);
	free(dispatcher->threads);
	free(dispatcher->members);
	free(dispatcher);
}

int shmipc_dispatcher_create(unsigned int threads, struct shmipc_dispatcher **to)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = DRIVEN_WAKE };
	struct shmipc_dispatcher *dispatcher;
	int r;

	*to = NULL;
	if (threads > THREADS_MAX)
		return -EINVAL;
	if (!threads)
		threads = count_processors();
	dispatcher = calloc(1, sizeof(*dispatcher));
	if (!dispatcher)
		return -ENOMEM;
	dispatcher->refs = 1;
	dispatcher->thread_count = threads;
	dispatcher->epoll = dispatcher->wake_fd = -1;
	dispatcher->ready_end = &dispatcher->ready;
	r = process_guard(&dispatcher->guard);
	if (r)
		goto err_put;
	dispatcher->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (dispatcher->epoll < 0) {
		r = -errno;
		goto err_put;
	}
	dispatcher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dispatcher->wake_fd < 0 || epoll_ctl(dispatcher->epoll, EPOLL_CTL_ADD, dispatcher->wake_fd, &event)) {
		r = -errno;
		goto err_put;
	}
	r = start_threads(dispatcher);
	if (r)
		goto err_put;
	*to = dispatcher;
	return 0;
err_put:
	dispatcher_put(dispatcher);
	return r;
}

void shmipc_dispatcher_close(struct shmipc_dispatcher *dispatcher)
{
	if (!dispatcher)
		return;
	if (load_relaxed(dispatcher->guard)) {
		stop_threads(dispatcher);
		driven_drop_all(dispatcher);
	} else {
		/* A forked child: there are no threads, and the epoll is the parent's too. */
		driven_close_copies(dispatcher);
	}
	dispatcher_put(dispatcher);
}
