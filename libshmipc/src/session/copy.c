// SPDX-License-Identifier: Apache-2.0
/*
 * copy.c - frees a forked child's copy of a session
 */
#include "copy.h"

#include <stdlib.h>

#include "piece.h"

/* Those that are on their way through the socket are the session's. */
static void free_arrived(struct piece *pieces)
{
	struct piece *piece, *next;

	for (piece = pieces; piece; piece = next) {
		next = piece->next;
		if (piece->data)
			free(piece);
	}
}

void copy_put_stream(struct shmipc_stream *stream)
{
	if (load_relaxed(&stream->refs) == 1) {
		free_arrived(stream->mine);
		free_arrived(stream->queue);
		free_arrived(stream->pinned);
		piece_free(stream->spent);
	}
	stream_put(stream);
}

static void put_owed(struct shmipc_session *session)
{
	struct shmipc_stream *stream, *next;

	for (stream = session->owed; stream; stream = next) {
		next = stream->owed_next;
		copy_put_stream(stream);
	}
}

/* Of streams that wait to be accepted, or for a callback. */
static void put_waiting(struct shmipc_stream *streams)
{
	struct shmipc_stream *stream, *next;

	for (stream = streams; stream; stream = next) {
		next = stream->ready_next;
		copy_put_stream(stream);
	}
}

static void put_one(struct shmipc_stream *stream, void *arg)
{
	(void)arg;
	copy_put_stream(stream);
}

void copy_close(struct shmipc_session *session)
{
	if (lock_try(&session->out_lock))
		put_owed(session);
	if (!lock_try(&session->lock))
		return;
	put_waiting(session->accepted);
	put_waiting(session->ready);
	table_for_each(&session->table, put_one, NULL);
}
