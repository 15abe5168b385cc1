// SPDX-License-Identifier: Apache-2.0
/*
 * link.c - moves pieces from one stream to another
 *
 * A link has two flows, one for each direction. A flow holds one piece at most: what the other side has no room for stays where it
 * is, until the sender's window is full and the sender waits. When both flows are over, so is the link.
 *
 * All callbacks of a link run in one thread, so that nothing here has a lock.
 */
#include "link.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct flow {
	struct shmipc_stream *from, *to;
	struct shmipc_piece piece; /* being written */
	size_t written;		   /* of it */
	bool has_piece;
	bool over; /* nothing goes this way any more */
};

struct link {
	struct flow flows[2];
};

static void drop_piece(struct flow *flow)
{
	if (flow->has_piece)
		shmipc_stream_release(flow->from, &flow->piece);
	flow->has_piece = false;
}

static void end_flow(struct flow *flow)
{
	drop_piece(flow);
	flow->over = true;
}

/* Returns 1 when the piece is written, else as write. */
static ssize_t write_piece(struct flow *flow)
{
	unsigned int flags = flow->piece.last ? 0 : SHMIPC_MORE;
	ssize_t n;

	do {
		n = shmipc_stream_write(flow->to, (const char *)flow->piece.data + flow->written,
					flow->piece.size - flow->written, flags, 0);
		if (n < 0)
			return n;
		flow->written += (size_t)n;
	} while (flow->written < flow->piece.size);
	drop_piece(flow);
	return 1;
}

/* Move what can be moved now. */
static void pump(struct flow *flow)
{
	ssize_t n = 1;

	while (!flow->over && n > 0) {
		if (!flow->has_piece) {
			n = shmipc_stream_receive(flow->from, &flow->piece, 0);
			if (n == 0) { /* the half-close, passed on */
				shmipc_stream_end(flow->to);
				end_flow(flow);
			}
			if (n == -EAGAIN) /* what SHMIPC_MORE held back need not wait for the rest */
				shmipc_stream_flush(flow->to, 0);
			if (n <= 0)
				return;
			flow->has_piece = true;
			flow->written = 0;
		}
		n = write_piece(flow);
		if (n == -EPIPE) /* nobody reads there: what still comes is for nobody */
			end_flow(flow);
	}
}

static struct flow *flow_from(struct link *link, const struct shmipc_stream *stream)
{
	return &link->flows[link->flows[0].from == stream ? 0 : 1];
}

static struct flow *flow_to(struct link *link, const struct shmipc_stream *stream)
{
	return &link->flows[link->flows[0].to == stream ? 0 : 1];
}

/* Close both when nothing is left to do. The last thing that a callback does. */
static void settle(struct link *link)
{
	if (!link->flows[0].over || !link->flows[1].over)
		return;
	shmipc_stream_close(link->flows[0].from);
	shmipc_stream_close(link->flows[0].to);
	free(link);
}

static void on_readable(struct shmipc_stream *stream, void *arg)
{
	pump(flow_from(arg, stream));
	settle(arg);
}

static void on_writable(struct shmipc_stream *stream, void *arg)
{
	pump(flow_to(arg, stream));
	settle(arg);
}

static void on_end(struct shmipc_stream *stream, int reason, void *arg)
{
	struct flow *from = flow_from(arg, stream), *to = flow_to(arg, stream);

	end_flow(to); /* this one takes nothing any more */
	if (reason == 0) {
		pump(from); /* what it sent before its end still goes out, now or when there is room */
	} else {
		shmipc_stream_reset(from->to, reason == -ECONNRESET ? shmipc_stream_reset_code(stream) : EPIPE);
		end_flow(from);
	}
	settle(arg);
}

int link_streams(struct shmipc_stream *a, struct shmipc_stream *b)
{
	static const struct shmipc_stream_callbacks callbacks = { on_readable, on_writable, on_end };
	struct link *link = calloc(1, sizeof(*link));

	if (!link) {
		shmipc_stream_reset(a, ENOMEM);
		shmipc_stream_close(a);
		shmipc_stream_close(b);
		return -ENOMEM;
	}
	link->flows[0] = (struct flow){ .from = a, .to = b };
	link->flows[1] = (struct flow){ .from = b, .to = a };
	/* They had none, so this cannot fail; and none runs before the caller, a callback of this thread, returns. */
	shmipc_stream_set_callbacks(a, &callbacks, link);
	shmipc_stream_set_callbacks(b, &callbacks, link);
	return 0;
}
