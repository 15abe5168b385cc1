// SPDX-License-Identifier: Apache-2.0
/*
 * piece.c - what arrived and is to be given back: memory, the peer's slice, its window, its credit
 */
#include <stdlib.h>
#include <string.h>

#include "piece.h"

/* But for its bytes, and the marks that it has none of. */
static void init_piece(struct piece *piece, bool spare)
{
	memset(piece, 0, offsetof(struct piece, mark));
	piece->slice = IN_SLOT;
	piece->spare = spare;
}

struct piece *piece_create(size_t room)
{
	struct piece *piece = malloc(sizeof(*piece) + room);

	if (!piece)
		return NULL;
	init_piece(piece, false);
	return piece;
}

struct piece *piece_create_locked(struct shmipc_session *session, size_t room)
{
	struct piece *piece = session->spare;

	if (room > PIECE_SPARE)
		return piece_create(room);
	if (!piece) {
		piece = piece_create(PIECE_SPARE);
		if (piece)
			piece->spare = true;
		return piece;
	}
	session->spare = piece->next;
	session->spares--;
	init_piece(piece, true);
	return piece;
}

struct piece *piece_split(struct piece *piece)
{
	uint32_t size = piece->mark[piece->passed] - piece->taken;
	struct piece *first = piece_create(size);

	if (!first)
		return NULL;
	memcpy(first->bytes, piece->data + piece->taken, size);
	first->data = first->bytes;
	first->size = size;
	first->last = true;
	first->small = true;
	first->charge = piece_cost_of_next(piece);
	first->owed = piece_pass(piece);
	piece->charge -= first->charge;
	piece->taken += size;
	return first;
}

void piece_spare_locked(struct shmipc_session *session, struct piece *pieces)
{
	struct piece *piece;

	while ((piece = pieces)) {
		pieces = piece->next;
		if (session->spares == SPARES_MAX) {
			free(piece);
			continue;
		}
		piece->next = session->spare;
		session->spare = piece;
		session->spares++;
	}
}

void piece_free(struct piece *pieces)
{
	struct piece *piece;

	while ((piece = pieces)) {
		pieces = piece->next;
		free(piece);
	}
}

void piece_consume(struct shmipc_stream *stream, struct piece *piece)
{
	struct shmipc_session *session = stream->session;

	if (piece->slice != IN_SLOT)
		consume_give_back(session->channel, piece->slice);
	if (piece->small)
		tally(&session->private_consumed, piece->charge);
	if (piece->owed)
		tally(&stream->consumed, piece->owed);
	free(piece);
}

void piece_tell_slowly(struct shmipc_stream *stream)
{
	struct shmipc_session *session = stream->session;
	uint64_t consumed = load_relaxed(&stream->consumed_direct) + load_relaxed(&stream->consumed);

	if (consumed - load_relaxed(&stream->told) >= session->tell_window) {
		store_relaxed(&stream->told, consumed); /* also if nobody wants to know */
		if (!(load_relaxed(&stream->flags) & (STREAM_GOT_END | STREAM_RESET | STREAM_CLOSED)))
			outbox_owe(stream, OWED_WINDOW);
	}
	consumed = load_relaxed(&session->private_direct) + load_relaxed(&session->private_consumed);
	if (consumed - load_relaxed(&session->private_told) >= session->tell_private)
		outbox_control(session, MSG_WINDOW, consumed, 0);
}
