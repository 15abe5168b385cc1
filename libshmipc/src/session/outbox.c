// SPDX-License-Identifier: Apache-2.0
/*
 * outbox.c - what leaves: one lock for the channel's producing side, credit, and what is owed
 *
 * An end, a reset, or a word on credit is never lost and never waited for: where the ring is full it is owed, and
 * goes out before anything else as soon as there is a slot. Bounded: one bit each of a stream, one message of each
 * kind of the session's own.
 */
#include <stdlib.h>

#include "../observe/log.h"
#include "internal.h"

static inline uint16_t opening(const struct shmipc_stream *stream, uint16_t kind)
{
	return likely(load_relaxed(&stream->announced)) ? kind : kind | MSG_OPEN;
}

static bool has_credit(const struct shmipc_session *session, size_t size)
{
	uint64_t out = session->private_sent - load_acquire(&session->private_acked);

	return out + charge(size) <= session->peer.private_max;
}

/* A message without bytes, or with few: it may take a slot that is kept for such. */
static int push_kept_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind)
{
	int r = shmipc_channel_push(stream->session->channel, data, size, stream->id, opening(stream, kind),
				    SHMIPC_KEPT);

	if (!r)
		store_relaxed(&stream->announced, true);
	return r;
}

static int send_held_locked(struct shmipc_stream *stream)
{
	int r = produce_publish(stream->session->channel, &stream->held, stream->held_size, SHMIPC_KEPT);

	if (r)
		return r;
	outbox_charge_locked(stream, stream->held_size, stream->held_size <= SMALL_MAX);
	stream->held_room = 0;
	return 0;
}

/* Frame by frame. */
static int send_tail_locked(struct shmipc_stream *stream)
{
	uint32_t n;
	int r = 0;

	while (!r && stream->tail_done < stream->tail_size) {
		n = stream->tail_size - stream->tail_done;
		if (n > FALLBACK_BYTES)
			n = FALLBACK_BYTES;
		r = has_credit(stream->session, n) ? 0 : -ENOBUFS;
		if (!r)
			r = fallback_send_locked(stream, stream->tail + stream->tail_done, n,
						 n == stream->tail_size - stream->tail_done ? stream->tail_kind
											    : MSG_DATA);
		if (!r)
			stream->tail_done += n;
	}
	if (r) {
		produce_starve(stream->session->channel);
		return r;
	}
	free(stream->tail);
	stream->tail = NULL;
	return 0;
}

/* One of the things that a stream owes. */
static int send_owed_locked(struct shmipc_stream *stream, uint32_t what)
{
	uint32_t code = load_relaxed(&stream->own_code);
	uint64_t consumed;
	int r;

	switch (what) {
	case OWED_OPEN:
		if (load_relaxed(&stream->announced) || load_relaxed(&stream->flags) & (STREAM_RESET | STREAM_CLOSED))
			return 0;
		r = push_kept_locked(stream, NULL, 0, MSG_DATA);
		if (!r)
			outbox_charge_locked(stream, 0, true);
		return r;
	case OWED_TAIL:
		return send_tail_locked(stream);
	case OWED_HELD:
		if (load_relaxed(&stream->flags) & STREAM_RESET) {
			produce_free(stream->session->channel, &stream->held);
			stream->held_room = 0;
			return 0;
		}
		stream->held.tag = stream->id;
		stream->held.kind = opening(stream, MSG_DATA | MSG_LAST);
		return send_held_locked(stream);
	case OWED_END:
		r = push_kept_locked(stream, NULL, 0, MSG_DATA | MSG_END);
		if (!r)
			outbox_charge_locked(stream, 0, true);
		return r;
	case OWED_CLOSE:
		return load_relaxed(&stream->announced) ? push_kept_locked(stream, NULL, 0, MSG_CLOSE) : 0;
	case OWED_RESET:
		return load_relaxed(&stream->announced) ? push_kept_locked(stream, &code, sizeof(code), MSG_RESET) : 0;
	case OWED_REFUSE:
		return push_kept_locked(stream, NULL, 0, MSG_REFUSE);
	default:
		if (!load_relaxed(&stream->announced))
			return 0;
		consumed = load_relaxed(&stream->consumed_direct) + load_relaxed(&stream->consumed);
		store_relaxed(&stream->told, consumed);
		return push_kept_locked(stream, &consumed, sizeof(consumed), MSG_WINDOW);
	}
}

/* In the order of their bits. 0: all went. */
static int send_all_locked(struct shmipc_stream *stream)
{
	uint32_t what;
	int r;

	while (stream->owed) {
		what = stream->owed & -stream->owed;
		r = send_owed_locked(stream, what);
		if (r)
			return r;
		stream->owed &= ~what;
	}
	return 0;
}

static int push_control_locked(struct shmipc_session *session, const struct session_event *event)
{
	struct {
		uint64_t value;
		int32_t status;
	} body = { event->epoch, event->status };
	size_t size = sizeof(body.value);

	if (event->kind == MSG_GOODBYE)
		size = 0;
	else if (event->kind == MSG_RESTART_ANSWER)
		size += sizeof(body.status);
	return shmipc_channel_push(session->channel, &body, size, 0, event->kind, SHMIPC_KEPT);
}

static int flush_control_locked(struct shmipc_session *session)
{
	uint32_t i;
	int r;

	for (i = 0; i < CONTROL_MAX; i++) {
		if (!session->control[i].kind)
			continue;
		r = push_control_locked(session, &session->control[i]);
		if (r)
			return r;
		session->control[i].kind = 0;
	}
	return 0;
}

static void enlist_locked(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;

	store_relaxed(&session->owing, true);
	stream->owed_listed = true;
	stream->owed_next = NULL;
	*session->owed_end = stream;
	session->owed_end = &stream->owed_next;
	stream_get(stream);
}

/* The one at @link. Its last reference may go: that frees memory alone, for the caller is in a call on the session. */
static void delist_locked(struct shmipc_session *session, struct shmipc_stream **link)
{
	struct shmipc_stream *stream = *link;

	*link = stream->owed_next;
	if (!*link)
		session->owed_end = link;
	stream->owed_listed = false;
	session->refusals -= stream->refusal;
	stream_put(stream);
}

/*
 * What is owed goes, as far as there is room. A stream whose bytes fall back may have to wait for the socket: that stops no
 * other. 0: the ring is not full; what is left, if anything, waits for something else.
 */
static int flush_locked(struct shmipc_session *session)
{
	struct shmipc_stream **link = &session->owed;
	int r = flush_control_locked(session);

	while (!r && *link) {
		r = send_all_locked(*link);
		if (!r) {
			delist_locked(session, link);
		} else if ((*link)->owed & OWED_TAIL) {
			link = &(*link)->owed_next;
			r = 0;
		}
	}
	if (!r && !session->owed)
		store_relaxed(&session->owing, false);
	return r;
}

void outbox_flush(struct shmipc_session *session)
{
	if (!load_relaxed(&session->owing))
		return;
	lock_take(&session->out_lock);
	flush_locked(session);
	lock_release(&session->out_lock);
}

/* Something is owed now: whoever sleeps for the session is to ask for room too. */
static void watch_for_room(struct shmipc_session *session)
{
	shmipc_channel_kick(session->channel);
	callback_signal(session);
}

void outbox_owe(struct shmipc_stream *stream, uint32_t what)
{
	struct shmipc_session *session = stream->session;
	bool later = false;
	int r = 0;

	lock_take(&session->out_lock);
	if (!load_relaxed(&session->error)) {
		stream->owed |= what;
		if (load_relaxed(&session->owing))
			r = flush_locked(session);
		if (!stream->owed_listed && stream->owed) {
			if (!r)
				r = send_all_locked(stream);
			if (r == -EAGAIN || r == -ENOBUFS) {
				enlist_locked(stream);
				later = true;
			}
		}
	}
	lock_release(&session->out_lock);
	if (unlikely(later))
		watch_for_room(session);
}

int outbox_refuse(struct shmipc_session *session, uint32_t id)
{
	struct shmipc_stream *refusal;
	bool later = false;
	int r = 0;

	lock_take(&session->out_lock);
	if (!session->owed)
		r = shmipc_channel_push(session->channel, NULL, 0, id, MSG_REFUSE, SHMIPC_KEPT);
	if (session->owed || r == -EAGAIN) {
		/* An honest peer has no more than streams_max under way. */
		r = session->refusals < session->options.streams_max ? 0 : -EBADMSG;
		refusal = r ? NULL : stream_alloc(session, id);
		if (!r && !refusal)
			r = -ENOMEM;
		if (refusal) {
			store_relaxed(&refusal->flags, STREAM_CLOSED);
			store_relaxed(&refusal->announced, true);
			refusal->refusal = true;
			refusal->owed = OWED_REFUSE;
			enlist_locked(refusal);
			stream_put(refusal);
			session->refusals++;
			later = true;
		}
	}
	lock_release(&session->out_lock);
	if (later)
		watch_for_room(session);
	return r;
}

void outbox_control(struct shmipc_session *session, uint16_t kind, uint64_t value, int32_t status)
{
	struct session_event event = { .epoch = value, .status = status, .kind = kind };
	bool later = false;
	uint32_t i;
	int r;

	lock_take(&session->out_lock);
	if (kind == MSG_WINDOW)
		store_relaxed(&session->private_told, value);
	/* The newest of its kind is what counts. */
	for (i = 0; i < CONTROL_MAX && session->control[i].kind && session->control[i].kind != kind; i++)
		;
	session->control[i] = event;
	r = flush_control_locked(session);
	if (kind == MSG_RESTART)
		fallback_nudge(session);
	later = r == -EAGAIN;
	if (later)
		store_relaxed(&session->owing, true);
	lock_release(&session->out_lock);
	if (later)
		watch_for_room(session);
	if (kind == MSG_RESTART)
		trace_session(TRACE_SENT, session, "restart", "epoch=%llu", (unsigned long long)value);
	else if (kind == MSG_RESTART_ANSWER)
		trace_session(TRACE_SENT, session, "restart-answer", "epoch=%llu status=%d", (unsigned long long)value,
			      (int)status);
}

void outbox_end(struct shmipc_session *session, bool goodbye)
{
	const struct session_event event = { .kind = MSG_GOODBYE };
	bool said = false;

	lock_take(&session->out_lock);
	if (goodbye && !flush_locked(session))
		said = !push_control_locked(session, &event);
	while (session->owed)
		delist_locked(session, &session->owed);
	store_relaxed(&session->owing, false);
	lock_release(&session->out_lock);
	if (said)
		trace_session(TRACE_SENT, session, "goodbye", "-");
}

void outbox_settle(struct shmipc_session *session)
{
	if (likely(!load_relaxed(&session->channel->bell.owed)))
		return;
	lock_take(&session->out_lock);
	shmipc_channel_ring(session->channel);
	lock_release(&session->out_lock);
}

/* Out of line: what is owed goes first. */
static cold int admit_behind_owed_locked(struct shmipc_stream *stream)
{
	int r = flush_locked(stream->session);

	return r ? r : stream->owed & OWED_TAIL ? -EAGAIN : 0;
}

/* Whether a message may go out now: what is owed goes first; the peer has room for it if it is small. */
static int admit_locked(struct shmipc_stream *stream, size_t size, bool small)
{
	struct shmipc_session *session = stream->session;
	int r;

	if (unlikely(load_relaxed(&session->owing))) {
		r = admit_behind_owed_locked(stream);
		if (r)
			return r;
	}
	return likely(!small || has_credit(session, size)) ? 0 : -ENOBUFS;
}

void outbox_charge_locked(struct shmipc_stream *stream, size_t size, bool small)
{
	store_relaxed(&stream->sent, load_relaxed(&stream->sent) + charge(size));
	stream->messages_sent++;
	store_relaxed(&stream->announced, true);
	if (small)
		stream->session->private_sent += charge(size);
}

int outbox_push_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind, unsigned int flags)
{
	bool small = size <= SMALL_MAX;
	int r = admit_locked(stream, size, small);

	if (unlikely(r))
		return r;
	r = shmipc_channel_push(stream->session->channel, data, size, stream->id, opening(stream, kind), flags);
	if (likely(!r))
		outbox_charge_locked(stream, size, small);
	return r;
}

int outbox_publish_locked(struct shmipc_stream *stream, struct shmipc_buffer *buffer, size_t size, uint16_t kind,
			  unsigned int flags)
{
	bool small = size <= SMALL_MAX;
	int r = admit_locked(stream, size, small);

	if (unlikely(r))
		return r;
	buffer->tag = stream->id;
	buffer->kind = opening(stream, kind);
	r = produce_publish(stream->session->channel, buffer, size, flags);
	if (likely(!r))
		outbox_charge_locked(stream, size, small);
	return r;
}

int outbox_fall_back_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind)
{
	int r = admit_locked(stream, size, true);

	return r ? r : fallback_send_locked(stream, data, size, kind);
}
