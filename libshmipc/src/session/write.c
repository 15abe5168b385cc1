// SPDX-License-Identifier: Apache-2.0
/*
 * write.c - writing to a stream
 *
 * The writer's thread. A short message takes one lock and one slot. A long one goes in pieces, each published
 * when it is copied, so that the peer copies out while this side copies in. What SHMIPC_MORE holds
 * back gathers in a slice of the lane, which goes out when it is full, or on flush; it starts small, so that many
 * streams which hold back a little do not use up the lane.
 */
#include <limits.h>
#include <string.h>

#include "write.h"

#define IOV_MAX_COUNT 1024
#define HOLD_MIN 4096u

static void copy_from(struct source *source, void *to, size_t n)
{
	unsigned char *at = to;
	size_t step;

	source->left -= n;
	while (n) {
		step = source->iov->iov_len - source->offset;
		if (step > n)
			step = n;
		if (step)
			memcpy(at, (const char *)source->iov->iov_base + source->offset, step);
		at += step;
		n -= step;
		source->offset += step;
		if (source->offset == source->iov->iov_len) {
			source->iov++;
			source->offset = 0;
		}
	}
}

int write_wait(struct shmipc_stream *stream, int r, uint32_t room, int64_t deadline)
{
	struct waiter w = { .stream = stream, .need = stream->need, .room = room };

	switch (r) {
	case -EXFULL: /* the window */
		w.wants = WAIT_WINDOW;
		break;
	case -EAGAIN:
		w.wants = WAIT_ROOM;
		break;
	case -ENOBUFS:
		w.wants = WAIT_CREDIT;
		break;
	default:
		if (r == -EPIPE)
			lead_harvest(stream->session); /* what came before the end comes first, and ends the session */
		else if (r == -EBADMSG)
			session_fail(stream->session, r);
		return r;
	}
	tally(&stream->session->record->writes_waited, 1);
	r = lead_wait(stream->session, &w, deadline);
	if (r == -EAGAIN)
		callback_want_writable(stream, &w);
	return r ? r : write_check(stream);
}

/* A message that is small, but not for a slot. Only where memory is what is missing does it fall back. */
static apart int push_slice_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind,
				   unsigned int flags)
{
	struct shmipc_channel *channel = stream->session->channel;
	struct shmipc_buffer buffer;
	int r = produce_alloc(channel, size, &buffer);

	if (unlikely(write_is_exhausted(r)))
		tally(&stream->session->record->exhaustions, 1);
	if (write_may_fall_back(stream, r))
		return outbox_fall_back_locked(stream, data, size, kind);
	if (r)
		return r;
	memcpy(buffer.data, data, size);
	r = outbox_publish_locked(stream, &buffer, size, kind, flags);
	if (r)
		produce_free(channel, &buffer);
	return r;
}

int write_small(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind, unsigned int flags)
{
	struct shmipc_session *session = stream->session;
	int r;

	if (unlikely(!write_fits(stream, size)))
		return -EXFULL;
	lock_take(&session->out_lock);
	r = likely(size <= SHMIPC_INLINE_MAX) ? outbox_push_locked(stream, data, size, kind, flags)
					      : push_slice_locked(stream, data, size, kind, flags);
	lock_release(&session->out_lock);
	return r;
}

int write_alloc(struct shmipc_stream *stream, size_t size, struct shmipc_buffer *buffer)
{
	struct shmipc_session *session = stream->session;
	int r;

	lock_take(&session->out_lock);
	r = produce_alloc(session->channel, size, buffer);
	lock_release(&session->out_lock);
	if (unlikely(write_is_exhausted(r)))
		tally(&session->record->exhaustions, 1);
	return r;
}

int write_publish(struct shmipc_stream *stream, struct shmipc_buffer *buffer, size_t size, uint16_t kind,
		  unsigned int flags)
{
	struct shmipc_session *session = stream->session;
	int r;

	lock_take(&session->out_lock);
	r = outbox_publish_locked(stream, buffer, size, kind, flags);
	lock_release(&session->out_lock);
	return r;
}

void write_give_up(struct shmipc_stream *stream, struct shmipc_buffer *buffer)
{
	lock_take(&stream->session->out_lock);
	produce_free(stream->session->channel, buffer);
	lock_release(&stream->session->out_lock);
}

/* Bytes that the lane has no memory for. */
static int fall_back(struct shmipc_stream *stream, struct source *source, size_t size, uint16_t kind)
{
	struct source at = *source;
	unsigned char bytes[FALLBACK_BYTES];
	int r;

	if (size > sizeof(bytes)) {
		size = sizeof(bytes);
		kind &= ~(MSG_LAST | MSG_END);
	}
	copy_from(&at, bytes, size);
	lock_take(&stream->session->out_lock);
	r = outbox_fall_back_locked(stream, bytes, size, kind);
	lock_release(&stream->session->out_lock);
	if (!r)
		*source = at;
	return r;
}

int write_piece(struct shmipc_stream *stream, struct source *source, uint16_t kind, unsigned int flags)
{
	struct shmipc_session *session = stream->session;
	size_t size = source->left < session->piece_bytes ? source->left : session->piece_bytes;
	unsigned char bytes[SMALL_MAX];
	struct shmipc_buffer buffer;
	struct source at = *source;
	int r;

	if (size < source->left)
		kind &= ~(MSG_LAST | MSG_END);
	if (size <= SMALL_MAX) {
		copy_from(&at, bytes, size);
		r = write_small(stream, bytes, size, kind, flags);
		if (!r)
			*source = at;
		return r;
	}
	if (!write_fits(stream, size))
		return -EXFULL;
	r = write_alloc(stream, size, &buffer);
	if (write_may_fall_back(stream, r))
		return fall_back(stream, source, size, kind);
	if (r)
		return r;
	copy_from(&at, buffer.data, size);
	r = write_publish(stream, &buffer, size, kind, flags);
	if (r)
		write_give_up(stream, &buffer);
	else
		*source = at;
	return r;
}

int write_held(struct shmipc_stream *stream, uint16_t kind)
{
	int r;

	if (!stream->held_room) {
		/* All of the message went before, but for its end. */
		return kind & (MSG_LAST | MSG_END) ? write_small(stream, NULL, 0, kind, 0) : 0;
	}
	if (!write_fits(stream, stream->held_size))
		return -EXFULL;
	r = write_publish(stream, &stream->held, stream->held_size, kind, 0);
	if (!r)
		stream->held_room = 0;
	return r;
}

/* Gather bytes; a full slice goes. 0: all are taken. */
static int hold_back(struct shmipc_stream *stream, struct source *source)
{
	size_t n;
	int r;

	while (source->left) {
		if (!stream->held_room) {
			n = (size_t)HOLD_MIN << stream->held_growth;
			if (n > stream->session->piece_bytes)
				n = stream->session->piece_bytes;
			r = write_alloc(stream, n, &stream->held);
			if (r)
				return r;
			stream->held_size = 0;
			stream->held_room = (uint32_t)n;
		}
		n = stream->held_room - stream->held_size;
		if (n > source->left)
			n = source->left;
		copy_from(source, (unsigned char *)stream->held.data + stream->held_size, n);
		stream->held_size += (uint32_t)n;
		if (stream->held_size < stream->held_room)
			return 0;
		r = write_held(stream, MSG_DATA);
		if (r)
			return r;
		if (HOLD_MIN << stream->held_growth < stream->session->piece_bytes)
			stream->held_growth++;
	}
	return 0;
}

/* More of the message follows. */
static int write_more(struct shmipc_stream *stream, struct source *source)
{
	size_t left = source->left;
	int r = 0;

	if (stream->held_room && stream->held_size == stream->held_room)
		r = write_held(stream, MSG_DATA);
	if (!r)
		r = hold_back(stream, source);
	if (write_may_fall_back(stream, r) && !stream->held_room)
		r = write_piece(stream, source, MSG_DATA, 0);
	stream->message_open |= source->left != left;
	return r;
}

/* The message's end, behind what is held back: with it where there is room, all or nothing. */
static int join_held(struct shmipc_stream *stream, struct source *source, uint16_t kind)
{
	struct source was = *source;
	uint32_t size = stream->held_size;
	int r;

	if (source->left > stream->held_room - size)
		return write_held(stream, MSG_DATA);
	copy_from(source, (unsigned char *)stream->held.data + size, source->left);
	stream->held_size += (uint32_t)was.left;
	r = write_held(stream, kind);
	if (r) {
		stream->held_size = size;
		*source = was;
	}
	return r;
}

/* One step of a write, in whichever way. 0: go on, or *@done. */
static int write_step(struct shmipc_stream *stream, struct source *source, uint16_t kind, unsigned int flags,
		      bool *done)
{
	int r;

	if (flags & SHMIPC_MORE) {
		r = write_more(stream, source);
		*done = !r && !source->left;
		return r;
	}
	if (stream->held_room) {
		r = join_held(stream, source, kind);
		*done = !r && !source->left && !stream->held_room;
	} else if (source->left) {
		r = write_piece(stream, source, kind, flags);
		*done = !r && !source->left;
	} else {
		r = write_held(stream, kind); /* its end alone */
		*done = !r;
	}
	if (!r)
		stream->message_open = !*done;
	return r;
}

static apart ssize_t write_slowly(struct shmipc_stream *stream, struct source *source, unsigned int flags,
				  int64_t deadline)
{
	uint16_t kind = MSG_DATA | (flags & SHMIPC_MORE ? 0 : MSG_LAST) | (flags & SHMIPC_END ? MSG_END : 0);
	size_t size = source->left, was;
	bool done = false;
	uint32_t room;
	int r;

	if (!size && !(flags & SHMIPC_END) && !stream->held_room && !stream->message_open)
		return 0;
	while (!done) {
		was = source->left;
		room = load_acquire(&stream->session->room);
		r = write_step(stream, source, kind, flags & (SHMIPC_MORE | SHMIPC_LAZY), &done);
		count(&stream->bytes_written, was - source->left);
		if (!r)
			continue;
		r = write_wait(stream, r, room, deadline);
		if (r)
			return source->left < size ? (ssize_t)(size - source->left) : r;
	}
	if (flags & SHMIPC_END)
		stream_sent_end(stream);
	return (ssize_t)size;
}

/* For call: @flags may be SHMIPC_LAZY. */
ssize_t write_bytes(struct shmipc_stream *stream, const void *data, size_t size, unsigned int flags, int64_t deadline)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct source source = { .iov = &iov, .left = size };
	int r = write_check(stream);

	if (unlikely(r))
		return r;
	stream_touch(stream);
	if (unlikely(stream->buffer_open))
		return -EALREADY;
	if (likely(!(flags & ~SHMIPC_LAZY) && size && size <= SHMIPC_INLINE_MAX && !stream->held_room)) {
		r = write_small(stream, data, size, MSG_DATA | MSG_LAST, flags);
		if (likely(!r)) {
			count(&stream->bytes_written, size);
			stream->message_open = false;
			return (ssize_t)size;
		}
	}
	return write_slowly(stream, &source, flags, deadline);
}

/* Bytes that fit in what is held back already, and leave room there. */
static inline bool hold_quickly(struct shmipc_stream *stream, const void *data, size_t size)
{
	if (unlikely(size >= stream->held_room - stream->held_size || !stream->held_room ||
		     load_relaxed(&stream->flags) & STREAM_SHUT || stream->buffer_open ||
		     load_relaxed(&stream->session->error)))
		return false;
	memcpy((unsigned char *)stream->held.data + stream->held_size, data, size);
	stream->held_size += (uint32_t)size;
	stream->message_open = true;
	count(&stream->bytes_written, size);
	stream_touch(stream);
	return true;
}

ssize_t shmipc_stream_write(struct shmipc_stream *stream, const void *data, size_t size, unsigned int flags,
			    int64_t deadline)
{
	int r = session_check(stream->session);

	if (unlikely(r))
		return r;
	if (unlikely(flags == SHMIPC_MORE) && hold_quickly(stream, data, size))
		return (ssize_t)size;
	if (unlikely(!write_takes_flags(flags) || size > SSIZE_MAX))
		return -EINVAL;
	return write_bytes(stream, data, size, flags, deadline);
}

ssize_t shmipc_stream_writev(struct shmipc_stream *stream, const struct iovec *iov, int count, unsigned int flags,
			     int64_t deadline)
{
	struct source source = { .iov = iov };
	int r, i;

	if (count < 0 || count > IOV_MAX_COUNT || !write_takes_flags(flags))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (iov[i].iov_len > SSIZE_MAX - source.left)
			return -EINVAL;
		source.left += iov[i].iov_len;
	}
	r = write_check(stream);
	if (!r && stream->buffer_open)
		r = -EALREADY;
	if (r)
		return r;
	stream_touch(stream);
	return write_slowly(stream, &source, flags, deadline);
}

int shmipc_stream_flush(struct shmipc_stream *stream, int64_t deadline)
{
	int r = write_check(stream);
	uint32_t room;

	while (!r && stream->held_room) {
		room = load_acquire(&stream->session->room);
		r = write_held(stream, MSG_DATA);
		if (r)
			r = write_wait(stream, r, room, deadline);
	}
	return r;
}
