// SPDX-License-Identifier: Apache-2.0
/*
 * talk_write.c - the writer's part of a talk, by every way to write
 */
#include <errno.h>
#include <stdlib.h>

#include "talk.h"

static size_t draw_size(struct talk *talk, size_t most)
{
	static const size_t edges[] = { 1, 112, 113, 4096, 4097, 32768, 32769, 65536 };
	uint64_t *rng = &talk->rng_out, left = talk->out.total - talk->out.at;
	size_t size;

	switch (rng_below(rng, 6)) {
	case 0:
		size = edges[rng_below(rng, sizeof(edges) / sizeof(*edges))];
		break;
	case 1:
		size = rng_below(rng, TALK_ROOM) + 1;
		break;
	case 2:
		size = rng_below(rng, 20000) + 1;
		break;
	default:
		size = rng_below(rng, 300) + 1;
	}
	if (size > most)
		size = most;
	return size < left ? size : left;
}

/* What an error means: the peer may have gone, where the talk says so. */
static enum talk_step judge(struct talk *talk, const char *what, long long r, int64_t deadline)
{
	if (r >= 0)
		return TALK_ON;
	if ((r == -EAGAIN && !deadline) || (r == -ETIMEDOUT && deadline) || (r == -EINTR && deadline))
		return TALK_STUCK;
	if (talk_is_dead(talk, r) || (r == -EPIPE && talk->limits->may_break)) {
		talk->written = true;
		return TALK_DEAD;
	}
	if ((r == -EPIPE && (talk->ending == (talk->opener ? ENDING_LEAVE : ENDING_CLOSE))) ||
	    (r == -ECONNRESET && talk->ending == ENDING_RESET)) {
		talk->written = true;
		return TALK_OVER;
	}
	talk_fail(talk, what, r);
}

static enum talk_step write_copied(struct talk *talk, int64_t deadline)
{
	unsigned char *room = talk->out_room;
	size_t size = draw_size(talk, talk->limits->write), part;
	bool all = talk->out.at + size == talk->out.total;
	unsigned int flags = all			    ? (rng_below(&talk->rng_out, 2) ? SHMIPC_END : 0)
			     : rng_below(&talk->rng_out, 3) ? 0
							    : SHMIPC_MORE;
	struct iovec iov[3];
	ssize_t n;

	if (talk->opener && talk->ending == ENDING_CLOSE)
		flags &= ~SHMIPC_END;
	flow_fill(&talk->out, room, size);
	if (rng_below(&talk->rng_out, 2)) {
		n = shmipc_stream_write(talk->stream, room, size, flags, deadline);
	} else {
		part = rng_below(&talk->rng_out, size + 1);
		iov[0] = (struct iovec){ room, part };
		iov[1] = (struct iovec){ NULL, 0 };
		iov[2] = (struct iovec){ room + part, size - part };
		n = shmipc_stream_writev(talk->stream, iov, 3, flags, deadline);
	}
	if (n > (ssize_t)size)
		talk_fail(talk, "write took more than there was", n);
	if (n > 0)
		talk->out.at += (uint64_t)n;
	return judge(talk, "write", n, deadline);
}

static enum talk_step write_in_place(struct talk *talk, int64_t deadline)
{
	size_t size = draw_size(talk, talk->limits->reserve);
	struct shmipc_buffer buffer;
	int r = shmipc_stream_reserve(talk->stream, size, &buffer, deadline);

	if (r)
		return judge(talk, "reserve", r, deadline);
	flow_fill(&talk->out, buffer.data, size);
	if (rng_below(&talk->rng_out, 8) == 0) {
		r = shmipc_stream_cancel(talk->stream, &buffer);
		return judge(talk, "cancel", r, deadline);
	}
	r = shmipc_stream_submit(talk->stream, &buffer, size, rng_below(&talk->rng_out, 4) ? 0 : SHMIPC_MORE, deadline);
	if (r == -EAGAIN || r == -ETIMEDOUT || r == -EINTR)
		shmipc_stream_cancel(talk->stream, &buffer);
	else if (!r)
		talk->out.at += size;
	return judge(talk, "submit", r, deadline);
}

static enum talk_step finish(struct talk *talk)
{
	int r = 0;

	/* Close does it, with what is held back; the other side is to get all of it. */
	if (!talk->opener || talk->ending != ENDING_CLOSE)
		r = shmipc_stream_end(talk->stream);
	else if ((r = shmipc_stream_flush(talk->stream, 0)) == -EAGAIN)
		return TALK_STUCK;
	if (r && judge(talk, "end", r, 0) == TALK_DEAD)
		return TALK_DEAD;
	talk->written = true;
	return TALK_OVER;
}

enum talk_step talk_write(struct talk *talk, int64_t deadline)
{
	int r;

	if (!talk->opener && talk->ending == ENDING_LEAVE && talk->read)
		talk->written = true; /* it leaves, and has no more to say */
	if (talk->written)
		return TALK_OVER;
	if (talk->opener && talk->ending == ENDING_RESET && talk->out.at >= talk->stop_at) {
		r = shmipc_stream_reset(talk->stream, shmipc_stream_id(talk->stream));
		if (r && !talk_is_dead(talk, r))
			talk_fail(talk, "reset", r);
		talk->written = true;
		return TALK_OVER;
	}
	if (talk->out.at == talk->out.total)
		return finish(talk);
	switch (rng_below(&talk->rng_out, 8)) {
	case 0:
	case 1:
	case 2:
		return write_in_place(talk, deadline);
	case 3:
		return judge(talk, "flush", shmipc_stream_flush(talk->stream, deadline), deadline);
	default:
		return write_copied(talk, deadline);
	}
}
