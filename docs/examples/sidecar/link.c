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
#include <string.h>

struct flow {
	struct shmipc_stream *from, *to;
	struct shmipc_piece piece; /* being written */
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

/* All of the piece or nothing, from lane to lane. Returns 0, or as reserve and submit. */
static int write_piece(struct flow *flow)
{
	struct shmipc_buffer buffer;
	int r = shmipc_stream_reserve(flow->to, flow->piece.size, &buffer, 0);

	if (r)
		return r;
	memcpy(buffer.data, flow->piece.data, flow->piece.size);
	r = shmipc_stream_submit(flow->to, &buffer, flow->piece.size, flow->piece.last ? 0 : SHMIPC_MORE, 0);
	if (r)
		shmipc_stream_cancel(flow->to, &buffer);
	return r;
}

/* Move what can be moved now. */
static void pump(struct flow *flow)
{
	int r = 0;

	while (!flow->over && r == 0) {
		if (!flow->has_piece) {
			r = shmipc_stream_receive(flow->from, &flow->piece, 0);
			if (r == 0) { /* the half-close, passed on */
				shmipc_stream_end(flow->to);
				end_flow(flow);
			}
			if (r <= 0)
				return;
			flow->has_piece = true;
		}
		r = write_piece(flow);
		if (r == 0)
			drop_piece(flow);
		else if (r == -EPIPE) /* nobody reads there: what still comes is for nobody */
			end_flow(flow);
		else if (r == -EMSGSIZE) /* the other side's lane is smaller */
			shmipc_stream_reset(flow->from, EMSGSIZE);
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
