// SPDX-License-Identifier: Apache-2.0
/*
 * callback.c - callbacks: what is due, and running it; the one descriptor of an event loop
 *
 * Whoever harvests notes what is due; shmipc_session_process(), or a dispatcher's threads, run it, with no
 * lock held. A stream is run by one thread at a time, and so is the session itself. The stream's end is
 * reported when there is nothing left that on_readable would still read.
 *
 * The descriptor is an epoll of two: the channel's, which speaks up when the peer rings, and an eventfd, for
 * callbacks that became due while a thread other than the loop's harvested.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define DUE_EVENTS (DUE_READABLE | DUE_WRITABLE | DUE_END)
/* Callbacks that one call of process runs before it lets the loop look at its other descriptors. */
#define PROCESS_MAX 1024

/* This thread runs process on it: what becomes due is run anyway. */
static _Thread_local const struct shmipc_session *processing;

void callback_wake(struct shmipc_session *session)
{
	const uint64_t one = 1;
	ssize_t n;

	if (atomic_exchange(&session->signalled, true))
		return;
	n = write(session->wake_fd, &one, sizeof(one));
	(void)n; /* full is as good */
}

void callback_signal(struct shmipc_session *session)
{
	if (load_acquire(&session->loop_fd) >= 0 && processing != session)
		callback_wake(session);
}

static void take_signal(struct shmipc_session *session)
{
	uint64_t value;
	ssize_t n;

	if (!load_relaxed(&session->signalled))
		return;
	n = read(session->wake_fd, &value, sizeof(value));
	(void)n;
	atomic_store(&session->signalled, false);
}

/* Somebody is there to run callbacks: the handle's owner, or who does not need it. */
static bool is_run_locked(const struct shmipc_session *session)
{
	return !session->closed || session->processing || load_relaxed(&session->driver);
}

void callback_due_locked(struct shmipc_stream *stream, uint32_t due)
{
	struct shmipc_session *session = stream->session;

	if (!stream->has_callbacks || !(due & DUE_EVENTS) || !is_run_locked(session))
		return;
	stream->due |= due;
	if (stream->due & (DUE_QUEUED | DUE_RUNNING))
		return;
	stream->due |= DUE_QUEUED;
	stream_get(stream);
	stream->ready_next = NULL;
	*session->ready_end = stream;
	session->ready_end = &stream->ready_next;
	callback_signal(session);
}

void callback_writable_locked(struct shmipc_stream *stream)
{
	if (!stream->want_writable)
		return;
	stream->want_writable = false;
	stream->session->want_writable--;
	callback_due_locked(stream, DUE_WRITABLE);
}

static void see_writable(struct shmipc_stream *stream, void *arg)
{
	(void)arg;
	callback_writable_locked(stream);
}

void callback_room(struct shmipc_session *session)
{
	lock_take(&session->lock);
	if (session->want_writable)
		table_for_each(&session->table, see_writable, NULL);
	lock_release(&session->lock);
}

void callback_want_writable(struct shmipc_stream *stream, const struct waiter *w)
{
	struct shmipc_session *session = stream->session;

	lock_take(&session->lock);
	if (!stream->want_writable && load_relaxed(&stream->flags) & STREAM_IN_TABLE) {
		stream->want_writable = true;
		session->want_writable++;
	}
	if (lead_is_fulfilled(session, w))
		callback_writable_locked(stream);
	lock_release(&session->lock);
	if (!(w->wants & WAIT_ROOM) || load_acquire(&session->loop_fd) < 0)
		return;
	store_relaxed(&session->room_wanted, 1);
	lead_watch(session);
}

void callback_accept_locked(struct shmipc_session *session)
{
	if (session->callbacks.on_stream)
		callback_signal(session);
}

void callback_restart(struct shmipc_session *session, uint64_t epoch)
{
	lock_take(&session->lock);
	session->restart_epoch = epoch;
	session->restart_due = true;
	lock_release(&session->lock);
	callback_signal(session);
}

/* One of the session's own, if one is due. */
static int run_own(struct shmipc_session *session)
{
	struct shmipc_session_callbacks callbacks = session->callbacks;
	struct shmipc_stream *stream = NULL;
	void *arg = session->callbacks_arg;
	bool restart, end = false;
	int error;

	if (session->running)
		return 0;
	restart = session->restart_due && callbacks.on_restart;
	if (restart)
		session->restart_due = false;
	else if (callbacks.on_stream)
		stream = stream_take_accepted_locked(session);
	error = load_acquire(&session->error);
	if (!restart && !stream) {
		end = error && callbacks.on_end && !session->end_reported && !session->ready &&
		      !session->streams_running;
		if (!end)
			return 0;
		session->end_reported = true;
	}
	session->running = true;
	lock_release(&session->lock);
	if (restart)
		callbacks.on_restart(session, session->restart_epoch, arg);
	else if (stream)
		callbacks.on_stream(session, stream, arg);
	else
		callbacks.on_end(session, error, arg);
	lock_take(&session->lock);
	session->running = false;
	return 1;
}

static struct shmipc_stream *take_ready_locked(struct shmipc_session *session)
{
	struct shmipc_stream *stream = session->ready;

	if (!stream)
		return NULL;
	session->ready = stream->ready_next;
	if (!session->ready)
		session->ready_end = &session->ready;
	return stream;
}

/* Why a stream has ended: 0: as it should. */
static int end_reason(const struct shmipc_stream *stream)
{
	uint32_t flags = load_acquire(&stream->flags);

	if (flags & STREAM_RESET)
		return stream_error(stream);
	if (flags & STREAM_GOT_END)
		return 0;
	return load_acquire(&stream->session->error);
}

static bool is_closed(const struct shmipc_stream *stream)
{
	return load_acquire(&stream->flags) & STREAM_CLOSED;
}

/* Run what is due. What is due again: on_readable read something, and left something. */
static uint32_t run_due(struct shmipc_stream *stream, const struct shmipc_stream_callbacks *callbacks, void *arg,
			uint32_t due)
{
	uint64_t before = load_relaxed(&stream->bytes_read);

	if (due & DUE_READABLE && callbacks->on_readable) {
		callbacks->on_readable(stream, arg);
		if (is_closed(stream))
			return 0;
		if (load_relaxed(&stream->bytes_read) != before && (stream->mine || load_acquire(&stream->queued)))
			return due;
	}
	if (due & DUE_WRITABLE && callbacks->on_writable) {
		callbacks->on_writable(stream, arg);
		if (is_closed(stream))
			return 0;
	}
	if (due & DUE_END && callbacks->on_end)
		callbacks->on_end(stream, end_reason(stream), arg);
	return 0;
}

void callback_drop(struct shmipc_session *session)
{
	struct shmipc_stream *stream = NULL, *next;

	lock_take(&session->lock);
	if (!is_run_locked(session)) {
		stream = session->ready;
		session->ready = NULL;
		session->ready_end = &session->ready;
	}
	lock_release(&session->lock);
	for (; stream; stream = next) {
		next = stream->ready_next;
		stream_put(stream);
	}
}

void callback_close(struct shmipc_session *session)
{
	lock_take(&session->lock);
	session->closed = true;
	lock_release(&session->lock);
	callback_drop(session);
}

int session_run_one(struct shmipc_session *session)
{
	struct shmipc_stream_callbacks callbacks;
	struct shmipc_stream *stream;
	uint32_t due, again = 0;
	void *arg;
	int ran;

	lock_take(&session->lock);
	ran = run_own(session);
	stream = ran ? NULL : take_ready_locked(session);
	if (stream) {
		ran = 1;
		due = stream->due & DUE_EVENTS;
		if (stream->due & DUE_ENDED)
			due = 0;
		stream->due = DUE_RUNNING | (stream->due & DUE_ENDED) | (due & DUE_END ? DUE_ENDED : 0);
		callbacks = stream->callbacks;
		arg = stream->callbacks_arg;
		if (!stream->has_callbacks)
			due = 0;
		session->streams_running++;
		lock_release(&session->lock);
		if (due)
			again = run_due(stream, &callbacks, arg, due);
		lock_take(&session->lock);
		session->streams_running--;
		due = (stream->due & DUE_EVENTS) | again;
		stream->due &= again & DUE_END ? 0 : DUE_ENDED;
		callback_due_locked(stream, due);
	}
	lock_release(&session->lock);
	if (stream)
		stream_put(stream);
	return ran;
}

int session_harvest(struct shmipc_session *session)
{
	const struct shmipc_session *outer = processing;

	processing = session;
	take_signal(session);
	lead_harvest(session);
	processing = outer;
	return load_acquire(&session->error);
}

static bool has_more(struct shmipc_session *session)
{
	bool more;

	lock_take(&session->lock);
	more = session->ready || (session->callbacks.on_stream && session->accepted);
	lock_release(&session->lock);
	return more;
}

int shmipc_session_process(struct shmipc_session *session)
{
	int r = session_check(session), n = 0, error;

	if (r)
		return r;
	session_get(session);
	lock_take(&session->lock);
	session->processing++;
	lock_release(&session->lock);
	error = session_harvest(session);
	while (n < PROCESS_MAX && session_run_one(session))
		n++;
	if (n == PROCESS_MAX && has_more(session))
		callback_signal(session);
	lock_take(&session->lock);
	session->processing--;
	lock_release(&session->lock);
	callback_drop(session);
	session_put(session);
	return n ? n : error;
}

int shmipc_session_set_callbacks(struct shmipc_session *session, const struct shmipc_session_callbacks *callbacks,
				 void *arg)
{
	int r = session_check(session);

	if (r)
		return r;
	lock_take(&session->lock);
	session->has_callbacks = callbacks;
	memset(&session->callbacks, 0, sizeof(session->callbacks));
	if (callbacks)
		session->callbacks = *callbacks;
	session->callbacks_arg = arg;
	lock_release(&session->lock);
	callback_signal(session);
	return 0;
}

int shmipc_stream_set_callbacks(struct shmipc_stream *stream, const struct shmipc_stream_callbacks *callbacks,
				void *arg)
{
	struct shmipc_session *session = stream->session;
	int r = session_check(session);
	uint32_t due = 0, flags;

	if (r)
		return r;
	lock_take(&session->lock);
	if (callbacks && stream->has_callbacks)
		r = -EALREADY;
	if (!r) {
		stream->has_callbacks = callbacks;
		memset(&stream->callbacks, 0, sizeof(stream->callbacks));
		stream->callbacks_arg = arg;
		stream->due &= DUE_QUEUED | DUE_RUNNING;
	}
	if (!r && callbacks) {
		stream->callbacks = *callbacks;
		flags = load_acquire(&stream->flags);
		if (stream->mine || load_acquire(&stream->queued) || flags & STREAM_GOT_END)
			due |= DUE_READABLE;
		if (!(flags & STREAM_IN_TABLE) || load_acquire(&session->error))
			due |= DUE_READABLE | DUE_END;
		callback_due_locked(stream, due);
	}
	lock_release(&session->lock);
	return r;
}

/* Both descriptors and the epoll, or none. */
static int make_loop(struct shmipc_session *session)
{
	struct epoll_event event = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC), wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), r = -errno;

	if (loop >= 0 && wake >= 0 && !epoll_ctl(loop, EPOLL_CTL_ADD, wake, &event) &&
	    !epoll_ctl(loop, EPOLL_CTL_ADD, shmipc_channel_fd(session->channel), &event)) {
		session->wake_fd = wake;
		store_release(&session->loop_fd, loop);
		return 0;
	}
	r = loop < 0 || wake < 0 ? r : -errno;
	if (loop >= 0)
		close(loop);
	if (wake >= 0)
		close(wake);
	return r;
}

int shmipc_session_fd(struct shmipc_session *session)
{
	int r = session_check(session);
	bool made = false;

	if (r)
		return r;
	lock_take(&session->lock);
	if (session->loop_fd < 0) {
		r = make_loop(session);
		made = !r;
	}
	lock_release(&session->lock);
	if (r)
		return r;
	if (made) {
		lead_watch(session);
		callback_signal(session); /* what became due before */
	}
	return session->loop_fd;
}
