// SPDX-License-Identifier: Apache-2.0
/*
 * piece.c - what arrived and is to be given back: memory, the peer's slice, its window, its credit
 */
#include <stdlib.h>

#include "internal.h"

struct piece *piece_create(size_t room)
{
	struct piece *piece = malloc(sizeof(*piece) + room);

	if (!piece)
		return NULL;
	*piece = (struct piece){ .slice = IN_SLOT };
	return piece;
}

void piece_consume(struct shmipc_stream *stream, struct piece *piece)
{
	struct shmipc_session *session = stream->session;

	if (piece->slice != IN_SLOT)
		consume_give_back(session->channel, piece->slice);
	if (piece->small)
		tally(&session->private_consumed, charge(piece->size));
	if (!piece->credited)
		tally(&stream->consumed, charge(piece->size));
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
