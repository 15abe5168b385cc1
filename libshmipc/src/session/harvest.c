// SPDX-License-Identifier: Apache-2.0
/*
 * harvest.c - what arrives: each channel message goes to its stream, or is the session's own
 *
 * With the lead. Everything here was written by the peer: a number, a kind, a size or a value that cannot be is
 * -EBADMSG, and the end of the session. What can be, but names a stream that is gone, is dropped: it crossed
 * a close on its way.
 *
 * The bytes of a small message are copied to private memory, so that its slot or slice is free for
 * other streams at once; what the peer may have there at a time is bounded by private_max. The slice of a larger
 * one is kept, and stays the sender's burden.
 */
#include <string.h>

#include "../channel/ready.h"
#include "../observe/log.h"
#include "piece.h"

/* Charge of the small messages that lie in private memory, unread. */
static inline uint64_t held_charge(const struct shmipc_session *session)
{
	return load_relaxed(&session->private_received) - load_relaxed(&session->private_consumed) -
	       load_relaxed(&session->private_direct);
}

/* A message that is the session's private memory's, or would have been. -EBADMSG: more than was allowed. */
static inline int receive_small(struct shmipc_session *session, size_t size)
{
	/* An honest peer stays within private_max, but for ends and what it was told late. */
	if (held_charge(session) + charge(size) > 2 * session->options.private_max)
		return -EBADMSG;
	count(&session->private_received, charge(size));
	return 0;
}

/* It never came to lie in private memory, or does not any more. */
static void drop_small(struct shmipc_session *session, size_t size)
{
	count(&session->private_direct, charge(size));
}

/* There is something to read, unless the first of it is still on its way. */
static void show_locked(struct shmipc_stream *stream, struct waiter **roused)
{
	if (!stream->queue || !stream->queue->data)
		return;
	store_release(&stream->queued, true);
	if (stream->reader)
		lead_rouse_locked(stream->session, stream->reader, roused);
	callback_due_locked(stream, DUE_READABLE);
}

static void append_locked(struct shmipc_stream *stream, struct piece *piece, struct waiter **roused)
{
	piece->next = NULL;
	*stream->queue_end = piece;
	stream->queue_end = &piece->next;
	stream->gathering = piece->spare && piece->small && !load_relaxed(&stream->in_place) ? piece : NULL;
	count(&stream->bytes_received, piece->size);
	count(&stream->messages_received, 1);
	show_locked(stream, roused);
}

/* A small message, behind others that its reader did not get to. */
static bool gather_locked(struct shmipc_stream *stream, const struct shmipc_message *m, struct waiter **roused)
{
	if (!stream->gathering || !piece_append_locked(stream->gathering, m))
		return false;
	count(&stream->bytes_received, m->size);
	count(&stream->messages_received, 1);
	show_locked(stream, roused);
	return true;
}

/* The peer's direction has ended, or everything has. */
static void note_end_locked(struct shmipc_stream *stream, uint32_t flags, struct waiter **roused)
{
	uint32_t all;

	if (stream->parked && !(flags & STREAM_RESET)) {
		stream->end_later |= flags; /* behind bytes that are still on their way */
		return;
	}
	all = atomic_fetch_or(&stream->flags, flags) | flags;
	if (stream->reader)
		lead_rouse_locked(stream->session, stream->reader, roused);
	if (flags & (STREAM_PEER_CLOSED | STREAM_RESET) && stream->writer)
		lead_rouse_locked(stream->session, stream->writer, roused);
	stream_ended_locked(stream, all);
}

void stream_unparked_locked(struct shmipc_stream *stream, struct waiter **roused)
{
	show_locked(stream, roused);
	if (!--stream->parked && stream->end_later)
		note_end_locked(stream, stream->end_later, roused);
}

static int take_data_locked(struct shmipc_stream *stream, struct shmipc_message *m, bool small)
{
	struct shmipc_session *session = stream->session;
	struct piece *piece;

	piece = piece_create_locked(session, small ? m->size : 0);
	if (!piece)
		return -ENOMEM;
	piece->size = (uint32_t)m->size;
	piece->charge = piece->owed = (uint32_t)charge(m->size);
	piece->last = m->kind & MSG_LAST;
	piece->small = small;
	if (small) {
		memcpy(piece->bytes, m->data, m->size);
		piece->data = piece->bytes;
		piece->slice = IN_SLOT;
	} else {
		piece->data = m->data;
		piece->slice = m->slice;
	}
	session->fresh = piece;
	return 0;
}

/* So many bytes come through the socket, for a stream, or NULL: it is gone. */
static int take_fallback_locked(struct shmipc_session *session, struct shmipc_stream *stream,
				const struct shmipc_message *m, struct waiter **roused)
{
	struct piece *piece;
	uint32_t n;
	int r;

	if (m->size != sizeof(n))
		return -EBADMSG;
	memcpy(&n, m->data, sizeof(n));
	r = receive_small(session, n);
	if (!r)
		r = fallback_expect(session, m->tag, n, m->kind & MSG_LAST, &piece);
	if (r)
		return r;
	session_fell_back(session);
	tally(&session->record->fallback_received, 1);
	tally(&session->record->fallback_received_bytes, n);
	if (!stream) {
		fallback_forget(session, piece);
		return 0;
	}
	if (!piece->data) {
		piece->stream = stream;
		stream->parked++;
	}
	append_locked(stream, piece, roused);
	return 0;
}

/* Likewise, bytes that are here. */
static int take_bytes_locked(struct shmipc_session *session, struct shmipc_stream *stream, struct shmipc_message *m,
			     struct waiter **roused)
{
	bool small = m->size <= SMALL_MAX;
	int r = small ? receive_small(session, m->size) : 0;

	if (r)
		return r;
	if (!stream) {
		if (small)
			drop_small(session, m->size);
		return 0;
	}
	if (!m->size && !(m->kind & MSG_LAST)) {
		/* It opened the stream, or ended it: there is nothing to read, and nobody to give the charge back. */
		drop_small(session, 0);
		atomic_fetch_add_explicit(&stream->consumed, charge(0), memory_order_relaxed);
		return 0;
	}
	if (small && gather_locked(stream, m, roused))
		return 0;
	r = take_data_locked(stream, m, small);
	if (!r)
		append_locked(stream, session->fresh, roused);
	return r;
}

/* What is left of a stream that nobody reads any more is dropped. */
static struct shmipc_stream *reader_of(struct shmipc_stream *stream)
{
	return stream && !(load_relaxed(&stream->flags) & (STREAM_RESET | STREAM_CLOSED)) ? stream : NULL;
}

static int take_window_locked(struct shmipc_session *session, struct shmipc_stream *stream,
			      const struct shmipc_message *m, struct waiter **roused, bool *credit)
{
	uint64_t value;

	if (m->size != sizeof(value))
		return -EBADMSG;
	memcpy(&value, m->data, sizeof(value));
	if (!m->tag) {
		store_release(&session->private_acked, value);
		*credit = true;
		return 0;
	}
	if (!stream)
		return 0;
	/* More than was sent: stream_fits_window() is fooled for this stream alone, the sender's own loss. */
	store_release(&stream->acked, value);
	if (stream->writer)
		lead_rouse_locked(session, stream->writer, roused);
	callback_writable_locked(stream);
	return 0;
}

/* A message of the session's own. */
static int take_control_locked(struct shmipc_session *session, const struct shmipc_message *m, bool *credit)
{
	struct session_event *event = &session->event;

	switch (m->kind) {
	case MSG_WINDOW:
		return take_window_locked(session, NULL, m, NULL, credit);
	case MSG_GOODBYE:
		if (m->size)
			return -EBADMSG;
		session->goodbye = true;
		return -EPIPE;
	case MSG_RESTART:
		if (m->size != sizeof(event->epoch) || event->kind)
			return -EBADMSG;
		break;
	case MSG_RESTART_ANSWER:
		if (m->size != sizeof(event->epoch) + sizeof(event->status) || event->kind)
			return -EBADMSG;
		memcpy(&event->status, (const char *)m->data + sizeof(event->epoch), sizeof(event->status));
		break;
	default:
		return -EBADMSG;
	}
	memcpy(&event->epoch, m->data, sizeof(event->epoch));
	event->kind = m->kind;
	return 0;
}

static int take_message_locked(struct shmipc_session *session, struct shmipc_message *m, struct waiter **roused,
			       bool *credit)
{
	struct shmipc_stream *stream = table_find(&session->table, m->tag);
	uint32_t code;
	int r = 0;

	if ((m->kind & MSG_WHAT) < MSG_DATA || (m->kind & MSG_WHAT) > MSG_WINDOW)
		return -EBADMSG;
	if (m->kind & MSG_OPEN) {
		r = stream ? -EBADMSG : stream_arrive_locked(session, m->tag, &stream, roused);
		if (r)
			return r;
	}
	if (stream && (load_relaxed(&stream->flags) | stream->end_later) & STREAM_GOT_END &&
	    (m->kind & MSG_WHAT) <= MSG_FALLBACK)
		return -EBADMSG;
	switch (m->kind & MSG_WHAT) {
	case MSG_DATA:
	case MSG_FALLBACK:
		if ((m->kind & MSG_WHAT) == MSG_DATA)
			r = take_bytes_locked(session, reader_of(stream), m, roused);
		else
			r = take_fallback_locked(session, reader_of(stream), m, roused);
		if (!r && stream && m->kind & MSG_END)
			note_end_locked(stream, STREAM_GOT_END, roused);
		return r;
	case MSG_CLOSE:
		if (stream)
			note_end_locked(stream, STREAM_GOT_END | STREAM_PEER_CLOSED, roused);
		return 0;
	case MSG_RESET:
		if (m->size != sizeof(code))
			return -EBADMSG;
		if (!stream)
			return 0;
		memcpy(&code, m->data, sizeof(code));
		store_relaxed(&stream->reset_code, code);
		tally(&session->record->streams_reset, 1);
		note_end_locked(stream, STREAM_RESET, roused);
		return 0;
	case MSG_REFUSE:
		if (stream)
			note_end_locked(stream, STREAM_RESET | STREAM_REFUSED, roused);
		return 0;
	case MSG_WINDOW:
		return take_window_locked(session, stream, m, roused, credit);
	default:
		return -EBADMSG;
	}
}

/* What a message asks for beyond the lock. */
static void tell_hooks(struct shmipc_session *session)
{
	struct session_event event = session->event;

	session->event.kind = 0;
	if (event.kind == MSG_RESTART)
		trace_session(TRACE_RECEIVED, session, "restart", "epoch=%llu", (unsigned long long)event.epoch);
	else
		trace_session(TRACE_RECEIVED, session, "restart-answer", "epoch=%llu status=%d",
			      (unsigned long long)event.epoch, (int)event.status);
	lock_take(&session->hooks_lock);
	if (event.kind == MSG_RESTART && session->hooks.on_restart)
		session->hooks.on_restart(session, event.epoch, session->hooks.arg);
	if (event.kind == MSG_RESTART_ANSWER && session->hooks.on_restart_answer)
		session->hooks.on_restart_answer(session, event.epoch, event.status, session->hooks.arg);
	lock_release(&session->hooks_lock);
	if (event.kind == MSG_RESTART)
		callback_restart(session, event.epoch);
}

/* Take one message, which was peeked. */
static int take_one_locked(struct shmipc_session *session, struct shmipc_message *m, struct waiter **roused,
			   bool *credit)
{
	int r;

	session->fresh = NULL;
	r = m->tag ? take_message_locked(session, m, roused, credit) : take_control_locked(session, m, credit);
	if (r)
		return r;
	if (session->fresh && session->fresh->slice != IN_SLOT)
		return shmipc_channel_keep(session->channel, m);
	return shmipc_channel_release(session->channel, m);
}

/*
 * What most messages are for whose reader is behind: small, and nothing but bytes for a stream that has some. If this is
 * one it is taken, and the next one peeked at, as *@r says.
 */
static inline bool gather_quickly_locked(struct shmipc_session *session, struct shmipc_message *m, int *r)
{
	struct shmipc_stream *stream;

	if (m->slice != IN_SLOT || (m->kind & ~MSG_LAST) != MSG_DATA || !m->size || !m->tag)
		return false;
	stream = table_find(&session->table, m->tag);
	if (!stream || !stream->gathering || !load_relaxed(&stream->queued) || stream->has_callbacks ||
	    stream->end_later || load_relaxed(&stream->flags) & (STREAM_GOT_END | STREAM_RESET | STREAM_CLOSED))
		return false;
	if (!piece_append_locked(stream->gathering, m))
		return false;
	count(&stream->bytes_received, m->size);
	count(&stream->messages_received, 1);
	*r = receive_small(session, m->size);
	if (likely(!*r))
		*r = consume_next(session->channel, m);
	return true;
}

/* Several messages under one lock. Returns how many, or -errno; *@r: the session's end behind them. */
static apart int take_batch(struct shmipc_session *session, struct shmipc_message *m, struct waiter **roused, int *r)
{
	bool credit = false;
	int n = 0;

	lock_take(&session->lock);
	do {
		if (likely(gather_quickly_locked(session, m, r))) {
			n++;
			continue;
		}
		*r = take_one_locked(session, m, roused, &credit);
		if (*r)
			break;
		n++;
		if (session->event.kind)
			break;
		*r = shmipc_channel_peek(session->channel, m);
	} while (!*r && n < HARVEST_BATCH);
	lock_release(&session->lock);
	session->crowded = session->crowded || *roused;
	if (credit) {
		outbox_flush(session);
		atomic_fetch_add(&session->room, 1);
		lead_rouse(session, WAIT_CREDIT | WAIT_ROOM);
		callback_room(session);
	}
	if (session->event.kind)
		tell_hooks(session);
	return n;
}

/* The next message, if it is a small one for the waiting reader. */
static inline bool take_direct(struct shmipc_session *session, struct waiter *w)
{
	struct shmipc_stream *stream = w->stream;
	struct shmipc_message m;

	if (unlikely(shmipc_channel_peek(session->channel, &m)))
		return false;
	if (unlikely(m.tag != stream->id || (m.kind & ~MSG_LAST) != MSG_DATA || m.size > w->direct_room ||
		     m.size > SMALL_MAX || load_relaxed(&stream->flags) & (STREAM_GOT_END | STREAM_RESET)))
		return false;
	memcpy(w->direct, m.data, m.size);
	if (unlikely(shmipc_channel_release(session->channel, &m)))
		return false;
	w->direct += m.size;
	w->direct_room -= m.size;
	w->got += m.size;
	w->got_any = w->got_any || m.size || m.kind & MSG_LAST;
	w->got_last = m.kind & MSG_LAST;
	count(&session->private_received, charge(m.size));
	drop_small(session, m.size);
	count(&stream->consumed_direct, charge(m.size));
	count(&stream->bytes_received, m.size);
	count(&stream->messages_received, 1);
	return true;
}

bool harvest_direct(struct shmipc_session *session, struct waiter *w)
{
	if (unlikely(!w->direct || session->parked || !take_direct(session, w)))
		return false;
	while (unlikely(w->gather && w->direct_room) && is_readable(session->channel) && take_direct(session, w))
		;
	return true;
}

/*
 * On a processor that they share with a leader who goes on, others fall ever more behind, and what they are to read out of
 * the cache. Said again whenever as much came on top: one chance may not have been enough.
 */
bool harvest_is_ahead(struct shmipc_session *session)
{
	uint64_t held;

	if (likely(!session->crowded))
		return false;
	held = held_charge(session);
	if (held < HELD_MANY)
		session->held_mark = 0;
	if (held < session->held_mark + HELD_MANY)
		return false;
	session->held_mark = held;
	return true;
}

int harvest(struct shmipc_session *session, struct waiter **roused)
{
	struct shmipc_message m;
	int n = 0, r = load_acquire(&session->error);

	if (unlikely(r))
		return r; /* what is still in the ring is nobody's any more */
	if (unlikely(session->parked)) {
		r = fallback_continue(session);
		if (r < 0)
			return session_fail(session, r);
		n = r;
	}
	r = shmipc_channel_peek(session->channel, &m);
	if (!r)
		n += take_batch(session, &m, roused, &r);
	if (likely(!r || r == -EAGAIN))
		return n;
	if (session->goodbye)
		trace_session(TRACE_RECEIVED, session, "goodbye", "-");
	return session_fail(session, r);
}
