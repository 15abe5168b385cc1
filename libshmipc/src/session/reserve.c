// SPDX-License-Identifier: Apache-2.0
/*
 * reserve.c - writing to a stream in place
 *
 * The writer's thread. A buffer is memory of the lane, published on submit. Short messages, which travel in a slot, and those
 * that will fall back are written in private memory first.
 */
#include <stdlib.h>
#include <string.h>

#include "write.h"

static int reserve_private(struct shmipc_stream *stream, size_t size, struct shmipc_buffer *buffer)
{
	void *bytes = malloc(size ? size : 1);

	if (!bytes)
		return -ENOMEM;
	stream->private_buffer = bytes;
	buffer->data = bytes;
	buffer->size = size;
	buffer->slice = IN_SLOT;
	return 0;
}

static int reserve_once(struct shmipc_stream *stream, size_t size, struct shmipc_buffer *buffer)
{
	int r;

	if (stream->held_room) {
		r = write_held(stream, MSG_DATA);
		if (r)
			return r;
	}
	if (!write_fits(stream, size))
		return -EXFULL;
	if (size <= SHMIPC_INLINE_MAX)
		return reserve_private(stream, size, buffer);
	r = write_alloc(stream, size, buffer);
	if (write_may_fall_back(stream, r))
		r = reserve_private(stream, size, buffer);
	return r;
}

int shmipc_stream_reserve(struct shmipc_stream *stream, size_t size, struct shmipc_buffer *buffer, int64_t deadline)
{
	int r = write_check(stream);
	uint32_t room;

	if (!r && stream->buffer_open)
		r = -EALREADY;
	while (!r) {
		room = load_acquire(&stream->session->room);
		r = reserve_once(stream, size, buffer);
		if (!r || r == -EMSGSIZE || r == -ENOMEM || r == -EDQUOT || r == -ENOSPC)
			break;
		r = write_wait(stream, r, room, deadline);
	}
	if (r)
		return r;
	stream->buffer_open = true;
	stream->buffer_slice = buffer->slice;
	stream->buffer_size = buffer->size;
	return 0;
}

static bool is_open_buffer(const struct shmipc_stream *stream, const struct shmipc_buffer *buffer)
{
	return stream->buffer_open && stream->buffer_slice == buffer->slice;
}

static void forget_buffer(struct shmipc_stream *stream)
{
	stream->buffer_open = false;
	free(stream->private_buffer);
	stream->private_buffer = NULL;
}

/* A buffer in private memory goes as a whole: its first piece now, or it is still open; the rest when there is room. */
static int submit_private(struct shmipc_stream *stream, size_t size, uint16_t kind, unsigned int flags)
{
	struct iovec iov = { stream->private_buffer, size };
	struct source source = { .iov = &iov, .left = size };
	int r = size ? write_piece(stream, &source, kind, flags) : write_small(stream, NULL, 0, kind, flags);

	if (r || !source.left)
		return r;
	lock_take(&stream->session->out_lock);
	stream->tail = stream->private_buffer;
	stream->tail_size = (uint32_t)size;
	stream->tail_done = (uint32_t)(size - source.left);
	stream->tail_kind = kind;
	lock_release(&stream->session->out_lock);
	stream->private_buffer = NULL;
	outbox_owe(stream, OWED_TAIL);
	return 0;
}

int shmipc_stream_submit(struct shmipc_stream *stream, struct shmipc_buffer *buffer, size_t size, unsigned int flags,
			 int64_t deadline)
{
	uint16_t kind = MSG_DATA | (flags & SHMIPC_MORE ? 0 : MSG_LAST) | (flags & SHMIPC_END ? MSG_END : 0);
	int r = session_check(stream->session);
	uint32_t room;

	if (r)
		return r;
	if (!is_open_buffer(stream, buffer) || size > stream->buffer_size || !write_takes_flags(flags))
		return -EINVAL;
	stream_touch(stream);
	r = write_check(stream);
	while (!r) {
		room = load_acquire(&stream->session->room);
		r = stream->private_buffer ? submit_private(stream, size, kind, flags & SHMIPC_LAZY)
					   : write_publish(stream, buffer, size, kind, flags & SHMIPC_LAZY);
		if (!r)
			break;
		r = write_wait(stream, r, room, deadline);
	}
	if (r == -EAGAIN || r == -ETIMEDOUT || r == -EINTR)
		return r;
	if (r) {
		write_cancel(stream);
		return r;
	}
	forget_buffer(stream);
	count(&stream->bytes_written, size);
	stream->message_open = flags & SHMIPC_MORE;
	if (flags & SHMIPC_END)
		stream_sent_end(stream);
	return 0;
}

void write_cancel(struct shmipc_stream *stream)
{
	struct shmipc_buffer buffer = { .slice = stream->buffer_slice };

	if (!stream->buffer_open)
		return;
	if (!stream->private_buffer)
		write_give_up(stream, &buffer);
	forget_buffer(stream);
}

int shmipc_stream_cancel(struct shmipc_stream *stream, struct shmipc_buffer *buffer)
{
	int r = session_check(stream->session);

	if (r)
		return r;
	if (!is_open_buffer(stream, buffer))
		return -EINVAL;
	write_cancel(stream);
	return 0;
}

int shmipc_stream_reuse(struct shmipc_stream *stream, struct shmipc_piece *piece, size_t size,
			struct shmipc_buffer *buffer, int64_t deadline)
{
	int r = session_check(stream->session);

	if (r)
		return r;
	if (!piece->handle || size < piece->size)
		return -EINVAL;
	r = shmipc_stream_reserve(stream, size, buffer, deadline);
	if (r)
		return r;
	memcpy(buffer->data, piece->data, piece->size);
	return shmipc_stream_release(stream, piece);
}
