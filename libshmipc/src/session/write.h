/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.h - what copying writes (write.c) and writes in place (reserve.c) have in common
 *
 * By the stream's writer, under no lock. Where a message does not go out now they return -EXFULL: the window has no room
 * for it; -EAGAIN, -ENOMEM, -EDQUOT, -ENOSPC: nor the lane; -ENOBUFS: nor the peer's private memory. write_wait() waits for it.
 */
#ifndef SHMIPC_SESSION_WRITE_H
#define SHMIPC_SESSION_WRITE_H

#include "internal.h"

/* Bytes in several places, and how far they were taken. */
struct source {
	const struct iovec *iov;
	size_t offset; /* in the first of them */
	size_t left;   /* in all of them */
};

/* 0; or why nothing can be written. */
static inline int write_check(const struct shmipc_stream *stream)
{
	int r = session_check(stream->session);

	if (unlikely(r))
		return r;
	if (unlikely(load_relaxed(&stream->flags) & STREAM_SHUT)) {
		uint32_t flags = load_acquire(&stream->flags);

		if (!(flags & (STREAM_RESET | STREAM_CLOSED)))
			return flags & STREAM_PEER_CLOSED ? -EPIPE : -ESHUTDOWN;
		return stream_error(stream);
	}
	return load_acquire(&stream->session->error);
}

/* Whether the window has room for it; what it would need is remembered. */
static inline bool write_fits(struct shmipc_stream *stream, size_t size)
{
	if (likely(stream_fits_window(stream, charge(size))))
		return true;
	stream->need = charge(size);
	return false;
}

static inline bool write_is_exhausted(int r)
{
	return r == -EAGAIN || r == -ENOMEM || r == -EDQUOT || r == -ENOSPC;
}

static inline bool write_may_fall_back(const struct shmipc_stream *stream, int r)
{
	return unlikely(write_is_exhausted(r)) && stream->session->options.exhaustion == SHMIPC_EXHAUSTION_FALLBACK;
}

/* Whether these are flags of a write: it cannot go on and be all that there was. */
static inline bool write_takes_flags(unsigned int flags)
{
	return !(flags & ~(SHMIPC_MORE | SHMIPC_END | SHMIPC_LAZY)) &&
	       (flags & (SHMIPC_MORE | SHMIPC_END)) != (SHMIPC_MORE | SHMIPC_END);
}

/* Wait, after a try that said @r, for what was in its way; @room is session->room before it. 0: try again. */
int write_wait(struct shmipc_stream *stream, int r, uint32_t room, int64_t deadline);

/* A whole message, or the last part of one, that is small. */
int write_small(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind, unsigned int flags);

/* The next piece of a message. @kind is for its last. */
int write_piece(struct shmipc_stream *stream, struct source *source, uint16_t kind, unsigned int flags);

/* What is held back goes. @kind's flags are those of its end. */
int write_held(struct shmipc_stream *stream, uint16_t kind);

/* Memory of the lane; -EMSGSIZE: there can never be so much. To be published, or given up. */
int write_alloc(struct shmipc_stream *stream, size_t size, struct shmipc_buffer *buffer);
int write_publish(struct shmipc_stream *stream, struct shmipc_buffer *buffer, size_t size, uint16_t kind,
		  unsigned int flags);
void write_give_up(struct shmipc_stream *stream, struct shmipc_buffer *buffer);

#endif /* SHMIPC_SESSION_WRITE_H */
