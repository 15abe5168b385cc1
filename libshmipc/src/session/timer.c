// SPDX-License-Identifier: Apache-2.0
/*
 * timer.c - calls monitors, and resets streams on which nothing moves
 *
 * The clockwork: one thread, and a heap of the sessions that have something to be done by the clock, soonest first. The
 * thread sleeps until the first is due; with no session there is no thread. It takes a session out of the heap, works on it with no
 * lock held, and puts it back.
 *
 * Locking: clockwork->lock, a leaf, protects all of the clockwork and every session's `timer`. Streams are looked
 * at under session->lock, and reset under none. The thread has a reference to the session that it works on.
 *
 * Fork: a child has no such thread. It knows by the guard that the clockwork is not its own, leaves it alone, lock included,
 * and makes a new one when it needs one. There is one a generation, never freed, like the guard.
 */
#include "timer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "../observe/log.h"
#include "../process.h"
#include "internal.h"

#define NEVER INT64_MAX
#define MS 1000000ll
/* Streams reset before the session's lock is let go. */
#define IDLE_BATCH 64
#define NOWHERE UINT32_MAX
/* How late the coarse clock may be that streams are stamped by: a tick at 100 Hz. Nothing is reset too early. */
#define COARSE_MS 10

struct clockwork {
	const _Atomic uint32_t *guard; /* set before publish */
	pthread_mutex_t lock;
	pthread_cond_t sooner; /* the thread: look again when to wake */
	pthread_cond_t over;   /* who removes: something of a session is over */
	struct shmipc_session **heap;
	uint32_t count, room; /* sessions in the heap; entries of it: at least one for each session */
	uint32_t sessions;    /* added, and not removed */
	pthread_t thread;     /* of this generation, where there are sessions */
	uint32_t generation;  /* a thread of another one is on its way out */
};

static struct clockwork *_Atomic current;

static bool is_ours(const struct clockwork *work)
{
	return work && load_relaxed(work->guard);
}

static struct clockwork *make_clockwork(void)
{
	struct clockwork *work = calloc(1, sizeof(*work));
	pthread_condattr_t attributes;

	if (!work)
		return NULL;
	if (process_guard(&work->guard)) {
		free(work);
		return NULL;
	}
	pthread_mutex_init(&work->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&work->sooner, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_cond_init(&work->over, NULL);
	return work;
}

/* This process's, made by whoever is first. */
static struct clockwork *find_clockwork(void)
{
	struct clockwork *old = load_acquire(&current), *work;

	if (is_ours(old))
		return old;
	work = make_clockwork();
	if (!work)
		return NULL;
	if (atomic_compare_exchange_strong(&current, &old, work))
		return work;
	free(work); /* nobody has seen it */
	return old;
}

static int64_t due(const struct shmipc_session *session)
{
	const struct session_timer *timer = &session->timer;

	return timer->monitor_due < timer->idle_due ? timer->monitor_due : timer->idle_due;
}

static void place(struct clockwork *work, uint32_t position, struct shmipc_session *session)
{
	work->heap[position] = session;
	session->timer.position = position;
}

/* Put a session where it belongs, from @position on, which is free. */
static void sift_locked(struct clockwork *work, uint32_t position, struct shmipc_session *session)
{
	uint32_t child;

	for (; position && due(work->heap[(position - 1) / 2]) > due(session); position = (position - 1) / 2)
		place(work, position, work->heap[(position - 1) / 2]);
	while ((child = 2 * position + 1) < work->count) {
		if (child + 1 < work->count && due(work->heap[child + 1]) < due(work->heap[child]))
			child++;
		if (due(work->heap[child]) >= due(session))
			break;
		place(work, position, work->heap[child]);
		position = child;
	}
	place(work, position, session);
}

static void push_locked(struct clockwork *work, struct shmipc_session *session)
{
	if (due(session) == NEVER)
		return;
	sift_locked(work, work->count++, session);
	if (session->timer.position == 0)
		pthread_cond_signal(&work->sooner);
}

static void pull_locked(struct clockwork *work, struct shmipc_session *session)
{
	uint32_t position = session->timer.position;
	struct shmipc_session *last;

	if (position == NOWHERE)
		return;
	session->timer.position = NOWHERE;
	last = work->heap[--work->count];
	if (last != session)
		sift_locked(work, position, last);
}

static void call_monitor(struct shmipc_session *session)
{
	struct shmipc_session_stats stats = { .size = sizeof(stats) };

	if (shmipc_session_stats(session, &stats) == 0)
		session->options.monitor(session, &stats, session->options.monitor_arg);
}

/* Streams that are overdue, referenced, as many as there is room for; and when the next one will be. */
struct idle_search {
	struct shmipc_stream *found[IDLE_BATCH];
	unsigned int count;
	uint32_t now_ms, timeout_ms, left_ms;
};

static void look_at_stream(struct shmipc_stream *stream, void *arg)
{
	struct idle_search *search = arg;
	uint32_t idle_ms = search->now_ms - load_relaxed(&stream->active_ms);

	if (load_relaxed(&stream->flags) & (STREAM_RESET | STREAM_CLOSED))
		return;
	if ((int32_t)idle_ms < 0) /* it moved since the clock was read */
		idle_ms = 0;
	if (idle_ms < search->timeout_ms) {
		if (search->timeout_ms - idle_ms < search->left_ms)
			search->left_ms = search->timeout_ms - idle_ms;
	} else if (search->count < IDLE_BATCH) {
		stream_get(stream);
		search->found[search->count++] = stream;
	}
}

/* Reset what did not move. Returns in how many milliseconds to look again. */
static uint32_t reset_idle_streams(struct shmipc_session *session)
{
	uint32_t timeout_ms = session->options.idle_timeout_ms, apart_ms = timeout_ms / 16 + 10;
	struct idle_search search;
	unsigned int i;

	do {
		search.count = 0;
		search.timeout_ms = search.left_ms = timeout_ms + COARSE_MS;
		search.now_ms = process_now_coarse_ms();
		lock_take(&session->lock);
		table_for_each(&session->table, look_at_stream, &search);
		lock_release(&session->lock);
		for (i = 0; i < search.count; i++) {
			log_debug("session", "%llu: stream %u did not move for %u ms: reset",
				  (unsigned long long)session->number, search.found[i]->id, timeout_ms);
			shmipc_stream_reset(search.found[i], ETIMEDOUT);
			stream_put(search.found[i]);
		}
	} while (search.count == IDLE_BATCH && !load_relaxed(&session->error));
	/* Streams that fall due a little apart are worth one look together. */
	return search.left_ms > apart_ms ? search.left_ms : apart_ms;
}

/* When the session of which something has just run is due again. */
static void set_due_locked(struct shmipc_session *session, bool monitored, bool looked, uint32_t idle_ms)
{
	struct session_timer *timer = &session->timer;
	int64_t now = process_now();

	if (timer->ended) {
		timer->idle_due = NEVER;
		timer->monitor_due = timer->finished ? NEVER : 0;
		return;
	}
	if (monitored)
		timer->monitor_due = now + session->options.monitor_ms * MS;
	if (looked)
		timer->idle_due = now + idle_ms * MS;
}

/* What is due of a session, which is not in the heap. The lock is let go meanwhile. */
static void run_locked(struct clockwork *work, struct shmipc_session *session, int64_t now)
{
	struct session_timer *timer = &session->timer;
	bool last = timer->ended, monitor = timer->monitor_due <= now, look = timer->idle_due <= now;
	uint32_t idle_ms = 0;

	session_get(session);
	timer->running = true;
	pthread_mutex_unlock(&work->lock);
	if (look)
		idle_ms = reset_idle_streams(session);
	if (monitor)
		call_monitor(session);
	pthread_mutex_lock(&work->lock);
	timer->running = false;
	timer->finished |= last;
	if (load_relaxed(&timer->home)) {
		set_due_locked(session, monitor, look, idle_ms);
		push_locked(work, session);
	}
	pthread_cond_broadcast(&work->over);
	pthread_mutex_unlock(&work->lock);
	session_put(session); /* may be the last one */
	pthread_mutex_lock(&work->lock);
}

static void sleep_locked(struct clockwork *work, int64_t until)
{
	struct timespec time = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };

	if (until == NEVER)
		pthread_cond_wait(&work->sooner, &work->lock);
	else
		pthread_cond_timedwait(&work->sooner, &work->lock, &time);
}

static void *run_clockwork(void *arg)
{
	struct clockwork *work = arg;
	struct shmipc_session *first;
	uint32_t generation;
	int64_t now;

	pthread_setname_np(pthread_self(), "shmipc-timer");
	pthread_mutex_lock(&work->lock);
	generation = work->generation;
	while (work->generation == generation) {
		first = work->count ? work->heap[0] : NULL;
		now = process_now();
		if (!first || due(first) > now) {
			sleep_locked(work, first ? due(first) : NEVER);
			continue;
		}
		pull_locked(work, first);
		run_locked(work, first, now);
	}
	pthread_mutex_unlock(&work->lock);
	return NULL;
}

/* Signals are for the application's threads. The new thread waits for the lock, which the caller has. */
static int start_thread_locked(struct clockwork *work)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&work->thread, NULL, run_clockwork, work);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static int make_room_locked(struct clockwork *work)
{
	uint32_t room = work->room ? 2 * work->room : 16;
	struct shmipc_session **heap;

	if (work->sessions < work->room)
		return 0;
	heap = realloc(work->heap, room * sizeof(struct shmipc_session *));
	if (!heap)
		return -ENOMEM;
	work->heap = heap;
	work->room = room;
	return 0;
}

int timer_add(struct shmipc_session *session)
{
	const struct shmipc_session_options *options = &session->options;
	int64_t now = process_now();
	struct clockwork *work;
	int r;

	if (!options->monitor && !options->idle_timeout_ms)
		return 0;
	work = find_clockwork();
	if (!work)
		return -ENOMEM;
	pthread_mutex_lock(&work->lock);
	r = make_room_locked(work);
	if (r == 0 && work->sessions == 0)
		r = start_thread_locked(work);
	if (r == 0) {
		work->sessions++;
		session->timer = (struct session_timer){
			.home = work,
			.monitor_due = options->monitor ? now + options->monitor_ms * MS : NEVER,
			.idle_due = options->idle_timeout_ms ? now + options->idle_timeout_ms * MS : NEVER,
			.position = NOWHERE,
		};
		push_locked(work, session);
	}
	pthread_mutex_unlock(&work->lock);
	return r;
}

static void end_locked(struct clockwork *work, struct shmipc_session *session)
{
	struct session_timer *timer = &session->timer;

	if (timer->ended)
		return;
	timer->ended = true;
	timer->finished = !session->options.monitor;
	if (timer->running)
		return; /* whoever runs it sees that */
	pull_locked(work, session);
	timer->idle_due = NEVER;
	timer->monitor_due = timer->finished ? NEVER : 0;
	push_locked(work, session);
}

void timer_end(struct shmipc_session *session)
{
	struct clockwork *work = load_acquire(&session->timer.home);

	if (!is_ours(work))
		return;
	pthread_mutex_lock(&work->lock);
	if (load_relaxed(&session->timer.home))
		end_locked(work, session);
	pthread_mutex_unlock(&work->lock);
}

/* The last one is gone, and so is the thread, soon. */
static bool stop_thread_locked(struct clockwork *work, pthread_t *thread)
{
	if (--work->sessions)
		return false;
	*thread = work->thread;
	work->generation++;
	pthread_cond_signal(&work->sooner);
	return true;
}

void timer_remove(struct shmipc_session *session)
{
	struct session_timer *timer = &session->timer;
	struct clockwork *work = load_acquire(&timer->home);
	pthread_t thread;
	bool stopped, inside;

	if (!is_ours(work))
		return;
	pthread_mutex_lock(&work->lock);
	inside = pthread_equal(work->thread, pthread_self());
	end_locked(work, session);
	if (inside && !timer->running && !timer->finished) { /* from another session's monitor */
		pull_locked(work, session);
		run_locked(work, session, process_now());
	}
	while (!inside && (timer->running || !timer->finished))
		pthread_cond_wait(&work->over, &work->lock);
	pull_locked(work, session);
	store_relaxed(&timer->home, NULL);
	stopped = stop_thread_locked(work, &thread);
	pthread_mutex_unlock(&work->lock);
	if (stopped && inside)
		pthread_detach(thread);
	else if (stopped)
		pthread_join(thread, NULL);
}
