// SPDX-License-Identifier: Apache-2.0
/*
 * read.c - reading from a stream: copied, or where the bytes arrived
 *
 * The reader's thread. Pieces that were harvested for it are taken from the queue all at once, and read from
 * `mine` without a lock. Where nothing is queued and nobody leads, the reader does, and takes a small message of its
 * own straight from the ring.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "piece.h"

#define IOV_MAX_COUNT 1024

/* What was harvested is the reader's own from here on. */
static void take_queue(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	struct piece **end = &stream->mine;

	while (*end)
		end = &(*end)->next;
	lock_take(&session->lock);
	piece_spare_locked(session, stream->spent);
	stream->spent = NULL;
	*end = stream->queue;
	while (*end && (*end)->data)
		end = &(*end)->next;
	stream->queue = *end; /* bytes that are still on their way stay */
	*end = NULL;
	if (!stream->queue) {
		stream->queue_end = &stream->queue;
		stream->gathering = NULL;
	}
	store_relaxed(&stream->queued, false);
	lock_release(&session->lock);
}

/* Nothing is there: 1: the end; or why there is nothing more. 0: there may be. */
static int check_end(struct shmipc_stream *stream)
{
	uint32_t flags = load_acquire(&stream->flags);

	if (unlikely(flags & (STREAM_RESET | STREAM_CLOSED)))
		return stream_error(stream);
	if (unlikely(flags & STREAM_GOT_END || load_acquire(&stream->session->error))) {
		if (load_acquire(&stream->queued))
			return 0;
		return flags & STREAM_GOT_END ? 1 : stream_error(stream);
	}
	return 0;
}

/* Whatever the application looked at before may go. */
static inline int begin_read(struct shmipc_stream *stream)
{
	int r = session_check(stream->session);

	if (unlikely(r))
		return r;
	if (unlikely(stream->joined)) {
		free(stream->joined);
		stream->joined = NULL;
	}
	if (unlikely(load_relaxed(&stream->flags) & (STREAM_RESET | STREAM_CLOSED)))
		return stream_error(stream);
	return 0;
}

/* Wait for bytes. 0: there are some, in `mine` or in @w; 1: the end; or -errno. */
static inline int await(struct shmipc_stream *stream, struct waiter *w, int64_t deadline)
{
	int r;

	for (;;) {
		if (load_acquire(&stream->queued)) {
			take_queue(stream);
			if (stream->mine)
				return 0;
		}
		r = check_end(stream);
		if (unlikely(r))
			return r;
		if (unlikely(!load_relaxed(&stream->announced)))
			outbox_owe(stream, OWED_OPEN); /* the peer is to begin, so it must know the stream */
		r = lead_wait(stream->session, w, deadline);
		if (likely(w->got_any))
			return 0;
		if (unlikely(r))
			return r;
	}
}

/* Charge that was consumed, to be counted at once. */
struct consumed {
	uint64_t of_stream, of_private;
};

/* All of the first piece was read. */
static inline void step_over(struct shmipc_stream *stream, struct consumed *consumed)
{
	struct piece *piece = stream->mine;

	stream->mine = piece->next;
	if (piece->slice != IN_SLOT)
		consume_give_back(stream->session->channel, piece->slice);
	consumed->of_private += piece->small ? piece->charge : 0;
	consumed->of_stream += piece->owed;
	if (piece->spare) {
		piece->next = stream->spent;
		stream->spent = piece;
	} else {
		free(piece);
	}
}

static inline void count_consumed(struct shmipc_stream *stream, const struct consumed *consumed)
{
	if (consumed->of_private)
		tally(&stream->session->private_consumed, consumed->of_private);
	count(&stream->consumed_direct, consumed->of_stream);
}

/* Nothing is left to read: an idle stream is to be small. */
static void spare_spent(struct shmipc_stream *stream)
{
	if (!lock_try(&stream->session->lock))
		return; /* with the next ones, then */
	piece_spare_locked(stream->session, stream->spent);
	stream->spent = NULL;
	lock_release(&stream->session->lock);
}

/* Bytes of the first piece were read. Whether a message ended with them. */
static inline bool advance(struct shmipc_stream *stream, size_t n, bool by_message, struct consumed *consumed)
{
	struct piece *piece = stream->mine;
	bool ended;

	piece->taken += (uint32_t)n;
	if (by_message && piece->passed < piece->marks) {
		ended = piece->mark[piece->passed] == piece->taken;
		if (ended)
			consumed->of_stream += piece_pass(piece);
		return ended;
	}
	if (piece->taken == piece->size) {
		ended = piece->last;
		step_over(stream, consumed);
		return ended;
	}
	consumed->of_stream += piece_pass_read(piece);
	return false;
}

/* Where to stop in @piece. */
static inline uint32_t stop_of(const struct piece *piece, bool by_message)
{
	return by_message && piece->passed < piece->marks ? piece->mark[piece->passed] : piece->size;
}

/* As much as is in `mine`; to NULL: nowhere. Stops behind a message if @last, and says so there. */
static size_t copy_mine(struct shmipc_stream *stream, unsigned char *to, size_t size, int *last)
{
	struct consumed consumed = { 0 };
	struct piece *piece;
	size_t done = 0, n;

	while ((piece = stream->mine) && (done < size || piece->taken == piece->size)) {
		n = stop_of(piece, last) - piece->taken;
		if (n > size - done)
			n = size - done;
		if (to && n)
			memcpy(to + done, piece->data + piece->taken, n);
		done += n;
		if (advance(stream, n, last, &consumed) && last) {
			*last = 1;
			break;
		}
	}
	count(&stream->bytes_read, done);
	count_consumed(stream, &consumed);
	if (!stream->mine && stream->spent)
		spare_spent(stream);
	return done;
}

/* Bytes of the first piece, and not its last. */
static inline bool read_quickly(struct shmipc_stream *stream, void *data, size_t size)
{
	struct piece *piece = stream->mine;

	if (size >= piece->size - piece->taken)
		return false;
	memcpy(data, piece->data + piece->taken, size);
	piece->taken += (uint32_t)size;
	count(&stream->bytes_read, size);
	if (piece->marks) {
		count(&stream->consumed_direct, piece_pass_read(piece));
		piece_tell(stream);
	} else {
		stream_touch(stream);
	}
	return true;
}

static apart ssize_t read_slowly(struct shmipc_stream *stream, void *data, size_t size, int64_t deadline)
{
	struct waiter w = { .stream = stream, .wants = WAIT_READ, .direct = data, .direct_room = size, .gather = true };
	size_t n = 0;
	int r;

	do {
		if (!stream->mine) {
			r = await(stream, &w, deadline);
			if (unlikely(r))
				return r > 0 ? 0 : r;
		}
		if (likely(w.got_any)) {
			n = w.got;
			count(&stream->bytes_read, n);
			w.got_any = false;
		} else {
			n = copy_mine(stream, data, size, NULL);
		}
	} while (unlikely(!n)); /* messages without bytes are nothing to a byte stream */
	piece_tell(stream);
	return (ssize_t)n;
}

ssize_t shmipc_stream_read(struct shmipc_stream *stream, void *data, size_t size, int64_t deadline)
{
	int r = begin_read(stream);

	if (unlikely(r || !size))
		return r;
	if (unlikely(stream->mine) && read_quickly(stream, data, size))
		return (ssize_t)size;
	return read_slowly(stream, data, size, deadline);
}

ssize_t shmipc_stream_readv(struct shmipc_stream *stream, const struct iovec *iov, int count, int64_t deadline)
{
	ssize_t done = 0, n;
	int i;

	if (count < 0 || count > IOV_MAX_COUNT)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (!iov[i].iov_len)
			continue;
		if (iov[i].iov_len > (size_t)(SSIZE_MAX - done))
			return done ? done : -EINVAL;
		n = shmipc_stream_read(stream, iov[i].iov_base, iov[i].iov_len, done ? 0 : deadline);
		if (n <= 0)
			return done ? done : n;
		done += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	return done;
}

ssize_t shmipc_stream_read_message(struct shmipc_stream *stream, void *data, size_t size, int *last, int64_t deadline)
{
	struct waiter w = { .stream = stream, .wants = WAIT_READ };
	size_t done = 0;
	int ends = 0, r = begin_read(stream);

	if (last)
		*last = 0;
	while (likely(!r) && !ends) {
		if (!stream->mine) {
			w.direct = (unsigned char *)data + done;
			w.direct_room = size - done;
			r = await(stream, &w, deadline);
			if (unlikely(r))
				break;
		}
		if (likely(w.got_any)) {
			ends = w.got_last;
			done += w.got;
			count(&stream->bytes_read, w.got);
			w.got = 0;
			w.got_any = false;
		} else {
			done += copy_mine(stream, (unsigned char *)data + done, size - done, &ends);
		}
		piece_tell(stream);
		if (done == size && !ends)
			break;
	}
	if (last)
		*last = ends;
	if (likely(ends || done))
		return (ssize_t)done;
	return r > 0 ? 0 : r;
}

ssize_t shmipc_stream_discard(struct shmipc_stream *stream, size_t size, int64_t deadline)
{
	struct waiter w = { .stream = stream, .wants = WAIT_READ };
	size_t done = 0;
	int r = begin_read(stream);

	if (size > SSIZE_MAX)
		size = SSIZE_MAX;
	while (!r && done < size) {
		if (!stream->mine)
			r = await(stream, &w, deadline);
		if (!r)
			done += copy_mine(stream, NULL, size - done, NULL);
		piece_tell(stream);
	}
	return done || r > 0 ? (ssize_t)done : r;
}

/* The first message, or part of one, that arrived. Where many gathered it is taken from among them, and no more gather. */
static struct piece *take_first(struct shmipc_stream *stream)
{
	struct piece *piece = stream->mine;

	store_relaxed(&stream->in_place, true);
	if (piece->passed < piece->marks)
		return piece_split(piece);
	stream->mine = piece->next;
	return piece;
}

int shmipc_stream_receive(struct shmipc_stream *stream, struct shmipc_piece *piece, int64_t deadline)
{
	struct waiter w = { .stream = stream, .wants = WAIT_READ };
	struct shmipc_session *session = stream->session;
	struct piece *p;
	int r = begin_read(stream);

	while (!r && !stream->mine)
		r = await(stream, &w, deadline);
	if (r)
		return r > 0 ? 0 : r;
	p = take_first(stream);
	if (!p)
		return -ENOMEM;
	piece->data = p->data + p->taken;
	piece->size = p->size - p->taken;
	piece->last = p->last;
	piece->handle = p;
	count(&stream->bytes_read, piece->size);
	stream_touch(stream);
	lock_take(&session->lock);
	p->next = stream->pinned;
	p->link = &stream->pinned;
	if (p->next)
		p->next->link = &p->next;
	stream->pinned = p;
	stream->pinned_count++;
	lock_release(&session->lock);
	return 1;
}

int shmipc_stream_release(struct shmipc_stream *stream, struct shmipc_piece *piece)
{
	struct shmipc_session *session = stream->session;
	struct piece *p = piece->handle;
	int r = session_check(session);

	if (r || !p)
		return r ? r : -EINVAL;
	piece->handle = NULL;
	lock_take(&session->lock);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	stream->pinned_count--;
	lock_release(&session->lock);
	piece_consume(stream, p);
	piece_tell(stream);
	return 0;
}

/* All that is in `mine`, up to @size, in one place. The pieces are to be read still, but the window need not wait for it. */
static int join(struct shmipc_stream *stream, size_t size)
{
	unsigned char *bytes = malloc(size), *at = bytes;
	struct piece *piece;
	size_t n;

	if (!bytes)
		return -ENOMEM;
	for (piece = stream->mine; piece && size; piece = piece->next) {
		n = piece->size - piece->taken;
		if (n > size)
			n = size;
		memcpy(at, piece->data + piece->taken, n);
		at += n;
		size -= n;
	}
	free(stream->joined);
	stream->joined = bytes;
	return 0;
}

static void credit(struct shmipc_stream *stream)
{
	struct piece *piece;

	for (piece = stream->mine; piece; piece = piece->next) {
		if (!piece->owed)
			continue;
		tally(&stream->consumed, piece->owed);
		piece->owed = 0;
	}
	piece_tell(stream);
}

static size_t count_mine(const struct shmipc_stream *stream)
{
	const struct piece *piece;
	size_t n = 0;

	for (piece = stream->mine; piece; piece = piece->next)
		n += piece->size - piece->taken;
	return n;
}

ssize_t shmipc_stream_peek(struct shmipc_stream *stream, size_t min, const void **data, int64_t deadline)
{
	struct waiter w = { .stream = stream, .wants = WAIT_READ };
	struct piece *piece;
	size_t have;
	int r = begin_read(stream);

	*data = NULL;
	if (r)
		return r;
	if (!min || min > stream->session->options.window / 2)
		return -EINVAL;
	while ((have = count_mine(stream)) < min) {
		if (have)
			credit(stream); /* many small messages may fill the window before so many bytes came */
		r = await(stream, &w, deadline);
		if (r > 0)
			break;
		if (r)
			return r;
	}
	while ((piece = stream->mine) && piece->taken == piece->size)
		copy_mine(stream, NULL, 0, NULL);
	if (!have)
		return 0;
	*data = piece->data + piece->taken;
	if (piece->size - piece->taken >= (have < min ? have : min))
		return (ssize_t)(piece->size - piece->taken);
	if (min > have)
		min = have;
	r = join(stream, min);
	if (r)
		return r;
	*data = stream->joined;
	return (ssize_t)min;
}

ssize_t shmipc_stream_call(struct shmipc_stream *stream, const void *request, size_t request_size, void *reply,
			   size_t reply_size, int64_t deadline)
{
	ssize_t n;
	int last;

	if (unlikely(!request_size))
		return -EINVAL;
	n = write_bytes(stream, request, request_size, SHMIPC_LAZY, deadline);
	if (unlikely(n != (ssize_t)request_size)) {
		outbox_settle(stream->session);
		return n < 0 ? n : -ETIMEDOUT;
	}
	n = shmipc_stream_read_message(stream, reply, reply_size, &last, deadline);
	outbox_settle(stream->session);
	if (unlikely(n >= 0 && !last))
		return (size_t)n == reply_size			       ? -EMSGSIZE
		       : load_acquire(&stream->flags) & STREAM_GOT_END ? -EPIPE
								       : -ETIMEDOUT;
	return n;
}
