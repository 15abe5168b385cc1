// SPDX-License-Identifier: Apache-2.0
/*
 * listener_streams.c - accept_stream: a listener that takes its sessions itself, and hands out their streams
 *
 * A dispatcher with one thread accepts sessions, drives them, and puts what their peers open in a queue. A session is
 * closed when it has ended, or with the listener.
 */
#include <stdlib.h>

#include "../futex.h"
#include "copy.h"
#include "listener_internal.h"
#include "shmipc/dispatcher.h"

/* A session that is driven here. */
struct driven {
	struct listener_streams *streams;
	struct shmipc_session *session;
	struct driven *next, **link;
};

struct listener_streams {
	struct shmipc_dispatcher *dispatcher;
	uint32_t backlog;
	_Atomic uint32_t news; /* a futex: changes with each stream that arrives, and with shutdown */

	struct lock lock; /* protects the rest */
	struct shmipc_stream **queue;
	uint32_t head, count;
	struct driven *sessions;
};

static void wake_waiters(struct listener_streams *s, int count)
{
	atomic_fetch_add(&s->news, 1);
	futex_wake(&s->news, count, FUTEX_IN_PROCESS);
}

static void take_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	struct listener_streams *s = ((struct driven *)arg)->streams;
	bool room;

	lock_take(&s->lock);
	room = s->count < s->backlog;
	if (room)
		s->queue[(s->head + s->count++) % s->backlog] = stream;
	lock_release(&s->lock);
	if (room) {
		wake_waiters(s, 1);
		return;
	}
	/* As a session does that has its backlog full; where it cannot be said the session is at its end. */
	outbox_refuse(session, shmipc_stream_id(stream));
	shmipc_stream_close(stream);
}

static void end_session(struct driven *driven)
{
	struct listener_streams *s = driven->streams;

	lock_take(&s->lock);
	*driven->link = driven->next;
	if (driven->next)
		driven->next->link = driven->link;
	lock_release(&s->lock);
	shmipc_session_close(driven->session);
	free(driven);
}

static void see_end(struct shmipc_session *session, int reason, void *arg)
{
	(void)session;
	(void)reason;
	end_session(arg);
}

static void take_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = take_stream, .on_end = see_end };
	struct driven *driven = calloc(1, sizeof(*driven));
	struct listener_streams *s = arg;

	(void)listener;
	if (!driven) {
		shmipc_session_close(session);
		return;
	}
	driven->streams = s;
	driven->session = session;
	lock_take(&s->lock);
	driven->next = s->sessions;
	driven->link = &s->sessions;
	if (driven->next)
		driven->next->link = &driven->next;
	s->sessions = driven;
	lock_release(&s->lock);
	shmipc_session_set_callbacks(session, &callbacks, driven);
	if (shmipc_dispatcher_add_session(s->dispatcher, session))
		end_session(driven); /* nobody runs its callbacks */
}

static int make_streams(struct shmipc_listener *l)
{
	struct listener_streams *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return r;
	s->backlog = l->options.session.backlog;
	s->queue = calloc(s->backlog, sizeof(struct shmipc_stream *));
	if (s->queue)
		r = shmipc_dispatcher_create(1, &s->dispatcher);
	if (!r)
		r = shmipc_dispatcher_add_listener(s->dispatcher, l, take_session, s);
	if (r) {
		shmipc_dispatcher_close(s->dispatcher);
		free(s->queue);
		free(s);
	} else {
		store_release(&l->streams, s);
	}
	return r;
}

/* The first call begins. */
static int begin_streams(struct shmipc_listener *l)
{
	int r = 0;

	lock_take(&l->making);
	lock_take(&l->lock);
	if (l->use == LISTENER_SESSIONS)
		r = -EBUSY;
	else
		l->use = LISTENER_STREAMS;
	lock_release(&l->lock);
	if (!r && !load_relaxed(&l->streams))
		r = make_streams(l);
	lock_release(&l->making);
	return r;
}

/* The next stream, or NULL. */
static struct shmipc_stream *dequeue(struct listener_streams *s)
{
	struct shmipc_stream *stream = NULL;

	lock_take(&s->lock);
	if (s->count) {
		stream = s->queue[s->head];
		s->head = (s->head + 1) % s->backlog;
		s->count--;
	}
	lock_release(&s->lock);
	return stream;
}

int shmipc_listener_accept_stream(struct shmipc_listener *l, struct shmipc_stream **stream, int64_t deadline)
{
	struct listener_streams *s;
	uint32_t seen;
	int r;

	*stream = NULL;
	r = listener_check(l);
	if (!r && !load_acquire(&l->streams))
		r = begin_streams(l);
	if (r)
		return r;
	s = load_acquire(&l->streams);
	for (;;) {
		seen = load_acquire(&s->news);
		*stream = dequeue(s);
		if (*stream)
			return 0;
		if (load_acquire(&l->stopped))
			return -ESHUTDOWN;
		if (deadline != SHMIPC_FOREVER && process_now() >= deadline)
			return deadline ? -ETIMEDOUT : -EAGAIN;
		if (futex_sleep(&s->news, seen, FUTEX_IN_PROCESS, deadline) == -EINTR)
			return -EINTR;
	}
}

void streams_stop(struct shmipc_listener *l)
{
	struct listener_streams *s = load_acquire(&l->streams);

	if (s)
		wake_waiters(s, INT32_MAX);
}

void streams_fini(struct shmipc_listener *l)
{
	struct listener_streams *s = load_acquire(&l->streams);
	struct shmipc_stream *stream;

	if (!s)
		return;
	shmipc_dispatcher_close(s->dispatcher);
	while ((stream = dequeue(s)))
		shmipc_stream_close(stream);
	while (s->sessions)
		end_session(s->sessions);
	free(s->queue);
	free(s);
}

void streams_close_copy(struct shmipc_listener *l)
{
	struct listener_streams *s = l->streams;
	struct driven *driven;
	uint32_t i;

	if (!s || !lock_try(&s->lock))
		return;
	for (i = 0; i < s->count; i++)
		copy_put_stream(s->queue[(s->head + i) % s->backlog]);
	while ((driven = s->sessions)) {
		s->sessions = driven->next;
		shmipc_session_close(driven->session);
		free(driven);
	}
	shmipc_dispatcher_close(s->dispatcher);
	free(s->queue);
	free(s);
}
