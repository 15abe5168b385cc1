/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piece.h - bytes that arrived for a stream and were not read: memory of the peer's lane, or private
 */
#ifndef SHMIPC_SESSION_PIECE_H
#define SHMIPC_SESSION_PIECE_H

#include <string.h>

#include "internal.h"

/* Bytes of pieces that are used again, and messages that can gather in one; and how many pieces are kept for that. */
#define PIECE_SPARE 1024u
#define PIECE_MARKS 32u
#define SPARES_MAX 128u

/*
 * Bytes that arrived: of one message; or of several small ones of a stream, one behind the other, so that a reader who is
 * behind takes many at a time.
 */
struct piece {
	struct piece *next;
	struct piece **link;	   /* in stream->pinned */
	const unsigned char *data; /* in bytes[], or in the peer's lane; NULL: on its way through the socket */
	uint32_t size, taken;	   /* bytes, and how many of them were read */
	uint32_t charge, owed;	   /* of all in it; and of that, what the window was not credited with yet */
	uint32_t slice;		   /* kept in the channel; IN_SLOT: private */
	uint16_t marks, passed;	   /* of mark[], and how many of them were read past */
	bool last;		   /* a message ends with the last byte */
	bool small;		   /* counts as private memory */
	bool spare;		   /* of PIECE_SPARE bytes, to be used again */
	/* On its way through the socket: */
	uint32_t id;
	struct shmipc_stream *stream; /* NULL: gone */
	struct piece *parked_next;
	uint16_t mark[PIECE_MARKS]; /* where messages end, but for the one that ends with the last byte */
	unsigned char bytes[];
};

struct piece *piece_create(size_t room);
/* For a message that is harvested: one that was used before, where there is one. Under session->lock. */
struct piece *piece_create_locked(struct shmipc_session *session, size_t room);
/* The reader's: the first of several messages in @piece, in a piece of its own. */
struct piece *piece_split(struct piece *piece);
/* Pieces to be used again, linked by next; as many as are worth keeping. Under session->lock. */
void piece_spare_locked(struct shmipc_session *session, struct piece *pieces);
void piece_free(struct piece *pieces);
/* All of it was read: give everything back. By any thread, not under out_lock. */
void piece_consume(struct shmipc_stream *stream, struct piece *piece);
void piece_tell_slowly(struct shmipc_stream *stream);

/* A small message behind those in @piece, if it fits. Under session->lock. */
static inline bool piece_append_locked(struct piece *piece, const struct shmipc_message *m)
{
	if (m->size > PIECE_SPARE - piece->size || piece->marks == PIECE_MARKS)
		return false;
	if (piece->last)
		piece->mark[piece->marks++] = (uint16_t)piece->size;
	memcpy(piece->bytes + piece->size, m->data, m->size);
	piece->size += (uint32_t)m->size;
	piece->charge += (uint32_t)charge(m->size);
	piece->owed += (uint32_t)charge(m->size);
	piece->last = m->kind & MSG_LAST;
	return true;
}

/* What the message that ends at the next mark costs. */
static inline uint32_t piece_cost_of_next(const struct piece *piece)
{
	uint32_t start = piece->passed ? piece->mark[piece->passed - 1] : 0;

	return (uint32_t)charge(piece->mark[piece->passed] - start);
}

/* The reader's: one more message was read, and others of @piece were not. What the window is to be credited with. */
static inline uint32_t piece_pass(struct piece *piece)
{
	uint32_t owed = piece_cost_of_next(piece);

	if (unlikely(owed > piece->owed))
		owed = piece->owed;
	piece->owed -= owed;
	piece->passed++;
	return owed;
}

/* Likewise, all messages that end where the reader is. */
static inline uint32_t piece_pass_read(struct piece *piece)
{
	uint32_t owed = 0;

	while (piece->passed < piece->marks && piece->mark[piece->passed] <= piece->taken)
		owed += piece_pass(piece);
	return owed;
}

/* Tell the peer what was consumed, if that is enough to be worth a message. */
static inline void piece_tell(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	uint64_t consumed = load_relaxed(&stream->consumed_direct) + load_relaxed(&stream->consumed);
	uint64_t of_all = load_relaxed(&session->private_direct) + load_relaxed(&session->private_consumed);

	stream_touch(stream);
	if (unlikely(consumed - load_relaxed(&stream->told) >= session->tell_window ||
		     of_all - load_relaxed(&session->private_told) >= session->tell_private))
		piece_tell_slowly(stream);
}

#endif /* SHMIPC_SESSION_PIECE_H */
