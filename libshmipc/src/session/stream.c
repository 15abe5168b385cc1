// SPDX-License-Identifier: Apache-2.0
/*
 * stream.c - a stream's life: opened here or there, accepted, ended, reset, closed, freed
 *
 * Both sides forget a stream's number when each has said its last word: an end by both, a close or a
 * reset by one. What crosses that on its way names a stream that is gone, and is dropped. A number is
 * used again after 2^31 others.
 */
#include <stdlib.h>
#include <string.h>

#include "../channel/ready.h"
#include "copy.h"
#include "piece.h"

struct shmipc_stream *stream_alloc(struct shmipc_session *session, uint32_t id)
{
	struct shmipc_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->session = session;
	stream->id = id;
	stream->refs = 1;
	stream->queue_end = &stream->queue;
	stream_touch(stream);
	session_get(session);
	return stream;
}

void stream_get(struct shmipc_stream *stream)
{
	atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
}

void stream_put(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;

	if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(stream->joined);
	free(stream->private_buffer);
	free(stream->tail);
	free(stream);
	session_put(session);
}

static int add_locked(struct shmipc_session *session, struct shmipc_stream *stream)
{
	int r = table_add(&session->table, stream);

	if (r)
		return r;
	store_relaxed(&session->record->streams, ++session->open);
	atomic_fetch_or(&stream->flags, STREAM_IN_TABLE);
	stream_get(stream);
	return 0;
}

/* Its bytes are the session's from now on. */
static void settle_counts_locked(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	uint64_t written = load_relaxed(&stream->bytes_written), read = load_relaxed(&stream->bytes_read);

	tally(&session->counts.written, written - stream->counted_written);
	tally(&session->counts.read, read - stream->counted_read);
	stream->counted_written = written;
	stream->counted_read = read;
}

/* The number is forgotten. The caller has a reference, or knows that there is one. */
static void remove_locked(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;

	if (!(atomic_fetch_and(&stream->flags, ~STREAM_IN_TABLE) & STREAM_IN_TABLE))
		return;
	table_remove(&session->table, stream);
	settle_counts_locked(stream);
	if (stream->want_writable)
		session->want_writable--;
	stream->want_writable = false;
	stream_put(stream);
}

static bool has_ended(uint32_t flags)
{
	const uint32_t both = STREAM_SENT_END | STREAM_GOT_END;

	return flags & (STREAM_PEER_CLOSED | STREAM_RESET | STREAM_CLOSED) || (flags & both) == both;
}

void stream_ended_locked(struct shmipc_stream *stream, uint32_t flags)
{
	callback_due_locked(stream, DUE_READABLE | (has_ended(flags) ? DUE_END : 0));
	if (has_ended(flags))
		remove_locked(stream);
}

int stream_error(const struct shmipc_stream *stream)
{
	uint32_t flags = load_acquire(&stream->flags);
	int error;

	if (flags & STREAM_RESET)
		return flags & STREAM_REFUSED ? -ECONNREFUSED : -ECONNRESET;
	if (flags & STREAM_CLOSED)
		return -ESHUTDOWN;
	error = load_acquire(&stream->session->error);
	return error ? error : -EPIPE;
}

/* The next number that no stream has. */
static uint32_t find_id_locked(struct shmipc_session *session)
{
	uint32_t id;

	do {
		id = session->next_id;
		session->next_id += 2;
	} while (!id || table_find(&session->table, id));
	return id;
}

int shmipc_stream_open(struct shmipc_session *session, struct shmipc_stream **stream)
{
	int r = shmipc_session_error(session);
	struct shmipc_stream *s;
	uint32_t most;

	*stream = NULL;
	if (r)
		return r;
	if (load_relaxed(&session->unhealthy_until) && !shmipc_session_is_healthy(session))
		return -EBUSY;
	s = stream_alloc(session, 0);
	if (!s)
		return -ENOMEM;
	most = session->options.streams_max < session->peer.streams_max ? session->options.streams_max
									: session->peer.streams_max;
	lock_take(&session->lock);
	if (session->table.count >= most) {
		r = -EMFILE;
	} else {
		s->id = find_id_locked(session);
		r = add_locked(session, s);
	}
	lock_release(&session->lock);
	if (r) {
		stream_put(s);
		return r;
	}
	tally(&session->record->streams_opened, 1);
	*stream = s;
	return 0;
}

int stream_arrive_locked(struct shmipc_session *session, uint32_t id, struct shmipc_stream **stream,
			 struct waiter **roused)
{
	struct waiter *w, *next;
	struct shmipc_stream *s;

	*stream = NULL;
	if ((id & 1) != session->server)
		return -EBADMSG; /* the number is not the peer's to give */
	if (load_acquire(&session->error))
		return 0; /* close may have been through those that nobody took: none may come after it */
	if (session->table.count >= session->options.streams_max ||
	    session->accepted_count >= session->options.backlog) {
		tally(&session->record->streams_refused, 1);
		return outbox_refuse(session, id);
	}
	s = stream_alloc(session, id);
	if (!s)
		return -ENOMEM;
	store_relaxed(&s->announced, true);
	if (add_locked(session, s)) {
		stream_put(s);
		return -ENOMEM;
	}
	tally(&session->record->streams_accepted, 1);
	*session->accepted_end = s;
	session->accepted_end = &s->ready_next;
	store_relaxed(&session->accepted_count, session->accepted_count + 1);
	for (w = session->followers; w; w = next) {
		next = w->next;
		if (w->wants & WAIT_ACCEPT) {
			lead_rouse_locked(session, w, roused);
			break;
		}
	}
	callback_accept_locked(session);
	*stream = s;
	return 0;
}

struct shmipc_stream *stream_take_accepted_locked(struct shmipc_session *session)
{
	struct shmipc_stream *s = session->accepted;

	if (!s)
		return NULL;
	session->accepted = s->ready_next;
	if (!session->accepted)
		session->accepted_end = &session->accepted;
	s->ready_next = NULL;
	store_relaxed(&session->accepted_count, session->accepted_count - 1);
	return s;
}

int shmipc_session_accept(struct shmipc_session *session, struct shmipc_stream **stream, int64_t deadline)
{
	struct waiter w = { .wants = WAIT_ACCEPT };
	int r = session_check(session);

	*stream = NULL;
	while (!r) {
		lock_take(&session->lock);
		*stream = stream_take_accepted_locked(session);
		lock_release(&session->lock);
		if (*stream)
			return 0;
		r = load_acquire(&session->error);
		if (!r)
			r = lead_wait(session, &w, deadline);
	}
	return r;
}

/* What could be done now without blocking. */
static unsigned int find_events(const struct shmipc_stream *stream, const struct waiter *w, unsigned int events)
{
	struct waiter read = { .stream = w->stream, .wants = WAIT_READ };
	struct waiter write = { .stream = w->stream, .wants = WAIT_WINDOW, .need = w->need };
	unsigned int found = 0;

	if (events & SHMIPC_READABLE && (stream->mine || lead_is_fulfilled(stream->session, &read)))
		found |= SHMIPC_READABLE;
	if (events & SHMIPC_WRITABLE && lead_is_fulfilled(stream->session, &write))
		found |= SHMIPC_WRITABLE;
	return found;
}

int shmipc_stream_wait(struct shmipc_stream *stream, unsigned int events, int64_t deadline)
{
	struct waiter w = { .stream = stream, .need = charge(1) };
	int r = session_check(stream->session);
	unsigned int found;

	if (r)
		return r;
	if (!events || events & ~(SHMIPC_READABLE | SHMIPC_WRITABLE))
		return -EINVAL;
	if (events & SHMIPC_READABLE)
		w.wants |= WAIT_READ;
	if (events & SHMIPC_WRITABLE)
		w.wants |= WAIT_WINDOW;
	/* What is in the ring is there, too. */
	if (events & SHMIPC_READABLE && !find_events(stream, &w, SHMIPC_READABLE))
		lead_harvest(stream->session);
	for (;;) {
		found = find_events(stream, &w, events);
		if (found)
			return (int)found;
		r = lead_wait(stream->session, &w, deadline);
		if (r)
			return r;
	}
}

int shmipc_stream_end(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	int r = session_check(session);
	uint32_t flags;

	if (r)
		return r;
	flags = load_acquire(&stream->flags);
	if (flags & STREAM_SENT_END)
		return 0;
	if (flags & STREAM_RESET || load_acquire(&session->error))
		return stream_error(stream);
	outbox_owe(stream, (stream->held_room ? OWED_HELD : 0) | (flags & STREAM_PEER_CLOSED ? 0 : OWED_END));
	stream_sent_end(stream);
	return 0;
}

void stream_sent_end(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;

	lock_take(&session->lock);
	if (has_ended(atomic_fetch_or(&stream->flags, STREAM_SENT_END) | STREAM_SENT_END)) {
		callback_due_locked(stream, DUE_END);
		remove_locked(stream);
	}
	lock_release(&session->lock);
}

int shmipc_stream_reset(struct shmipc_stream *stream, uint32_t code)
{
	struct shmipc_session *session = stream->session;
	struct waiter *roused = NULL;
	int r = session_check(session);
	uint32_t flags;

	if (!r)
		r = load_acquire(&session->error);
	if (r)
		return r;
	lock_take(&session->lock);
	flags = atomic_fetch_or(&stream->flags, STREAM_RESET);
	if (stream->reader)
		lead_rouse_locked(session, stream->reader, &roused);
	if (stream->writer)
		lead_rouse_locked(session, stream->writer, &roused);
	callback_due_locked(stream, DUE_READABLE | DUE_END);
	remove_locked(stream);
	lock_release(&session->lock);
	lead_wake(roused);
	if (flags & STREAM_RESET)
		return 0;
	tally(&session->record->streams_reset, 1);
	shmipc_channel_kick(session->channel); /* its reader or writer may be the one that leads */
	if (flags & STREAM_IN_TABLE) {
		store_relaxed(&stream->own_code, code);
		outbox_owe(stream, OWED_RESET);
	}
	return 0;
}

/* All that arrived and was not given back. */
static void drop_pieces(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	struct piece *lists[3], *piece, *next;
	int i;

	lock_take(&session->lock);
	lists[0] = stream->mine;
	lists[1] = stream->queue;
	lists[2] = stream->pinned;
	stream->mine = stream->queue = stream->pinned = stream->gathering = NULL;
	for (piece = lists[1]; piece; piece = piece->next)
		piece->stream = NULL;
	lock_release(&session->lock);
	for (i = 0; i < 3; i++) {
		for (piece = lists[i]; piece; piece = next) {
			next = piece->next;
			if (piece->data) /* else it is still parked, and freed when its bytes came */
				piece_consume(stream, piece);
		}
	}
	piece_tell(stream);
	piece_free(stream->spent);
	stream->spent = NULL;
}

/* If the peer's last word is in the ring already, none need be said to it, and nobody rung for. */
static void learn_of_end(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	struct waiter *roused = NULL;

	if (!(load_relaxed(&stream->flags) & STREAM_IN_TABLE) || load_relaxed(&session->loop_fd) >= 0 ||
	    !is_readable(session->channel) || !lead_try(session))
		return;
	harvest(session, &roused);
	lead_leave(session);
	lead_wake(roused);
}

void shmipc_stream_close(struct shmipc_stream *stream)
{
	struct shmipc_session *session;
	struct stream_owner *owner;
	uint32_t flags;

	if (!stream)
		return;
	session = stream->session;
	owner = stream->owner;
	if (session_check(session)) {
		copy_put_stream(stream);
		return;
	}
	write_cancel(stream);
	if (stream->held_room)
		outbox_owe(stream, OWED_HELD);
	learn_of_end(stream);
	lock_take(&session->lock);
	flags = atomic_fetch_or(&stream->flags, STREAM_CLOSED);
	memset(&stream->callbacks, 0, sizeof(stream->callbacks));
	stream->has_callbacks = false;
	remove_locked(stream);
	settle_counts_locked(stream);
	store_relaxed(&session->record->streams, --session->open);
	lock_release(&session->lock);
	if (flags & STREAM_IN_TABLE)
		outbox_owe(stream, OWED_CLOSE);
	drop_pieces(stream);
	stream_put(stream);
	if (unlikely(owner))
		owner->closed(owner);
}

bool stream_is_clean(struct shmipc_stream *stream)
{
	const uint32_t spoilt = STREAM_SENT_END | STREAM_GOT_END | STREAM_PEER_CLOSED | STREAM_RESET;
	bool clean;

	if (session_check(stream->session) || load_acquire(&stream->session->error) ||
	    load_acquire(&stream->flags) & spoilt)
		return false;
	if (stream->mine || stream->held_room || stream->message_open || stream->buffer_open)
		return false;
	lock_take(&stream->session->lock);
	clean = !stream->queue && !stream->pinned && !stream->has_callbacks;
	lock_release(&stream->session->lock);
	return clean;
}

uint32_t shmipc_stream_id(const struct shmipc_stream *stream)
{
	return stream->id;
}

struct shmipc_session *shmipc_stream_session(const struct shmipc_stream *stream)
{
	return stream->session;
}

uint32_t shmipc_stream_reset_code(const struct shmipc_stream *stream)
{
	return load_relaxed(&stream->reset_code);
}

void *shmipc_stream_user(const struct shmipc_stream *stream)
{
	return stream->user;
}

void shmipc_stream_set_user(struct shmipc_stream *stream, void *user)
{
	stream->user = user;
}
