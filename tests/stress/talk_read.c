// SPDX-License-Identifier: Apache-2.0
/*
 * talk_read.c - the reader's part of a talk, by every way to read
 */
#include <errno.h>
#include <string.h>

#include "talk.h"

static void release_one(struct talk *talk)
{
	unsigned int which = (unsigned int)rng_below(&talk->rng_in, talk->held_count);
	struct shmipc_piece *piece = &talk->held[which];
	int r;

	/* It is what it was when it came. */
	talk_check(talk, talk->held_at[which], piece->data, piece->size);
	r = shmipc_stream_release(talk->stream, piece);
	if (r)
		talk_fail(talk, "release", r);
	talk->held_count--;
	talk->held[which] = talk->held[talk->held_count];
	talk->held_at[which] = talk->held_at[talk->held_count];
}

static enum talk_step stop(struct talk *talk, enum talk_step step)
{
	while (talk->held_count)
		release_one(talk);
	talk->read = true;
	return step;
}

/* All that the peer wrote has come, or was not to. */
static enum talk_step see_end(struct talk *talk)
{
	bool cut = talk->opener ? talk->ending == ENDING_LEAVE : false;

	if (talk->in.at != talk->in.total && !cut)
		talk_fail(talk, "the end came too soon, at", (long long)talk->in.at);
	return stop(talk, TALK_OVER);
}

static enum talk_step judge(struct talk *talk, const char *what, long long r, int64_t deadline)
{
	if ((r == -EAGAIN && !deadline) || (r == -ETIMEDOUT && deadline) || (r == -EINTR && deadline)) {
		if (!talk->held_count)
			return TALK_STUCK;
		release_one(talk);
		return TALK_ON;
	}
	if (talk_is_dead(talk, r))
		return stop(talk, TALK_DEAD);
	if (r == -ECONNRESET && talk->ending == ENDING_RESET)
		return stop(talk, TALK_OVER);
	talk_fail(talk, what, r);
}

/* `n` bytes came, to `data`, or nowhere if NULL; 0: none will. */
static enum talk_step take(struct talk *talk, const char *what, ssize_t n, size_t most, const void *data,
			   int64_t deadline)
{
	if (n < 0)
		return judge(talk, what, n, deadline);
	if (n == 0)
		return see_end(talk);
	if ((size_t)n > most)
		talk_fail(talk, "more was read than asked for", n);
	if (data)
		talk_check(talk, talk->in.at, data, (size_t)n);
	else if (talk->in.at + (uint64_t)n > talk->in.total)
		talk_fail(talk, "more was dropped than there is", n);
	talk->in.at += (uint64_t)n;
	return TALK_ON;
}

static enum talk_step read_message(struct talk *talk, void *room, size_t most, int64_t deadline)
{
	int last = 0;
	ssize_t n;

	if (most > talk->limits->message)
		most = talk->limits->message;
	n = shmipc_stream_read_message(talk->stream, room, most, &last, deadline);
	if (n == 0 && last)
		return TALK_ON; /* an empty message, or the end of one that came apart */
	return take(talk, "read_message", n, most, room, deadline);
}

static enum talk_step peek(struct talk *talk, int64_t deadline)
{
	const void *data;
	size_t min = rng_below(&talk->rng_in, talk->limits->peek) + 1;
	ssize_t n = shmipc_stream_peek(talk->stream, min, &data, deadline);

	if (n < 0)
		return judge(talk, "peek", n, deadline);
	if (n == 0)
		return see_end(talk);
	talk_check(talk, talk->in.at, data, (size_t)n);
	if ((size_t)n < min && talk->in.at + (uint64_t)n != talk->in.total && talk->ending != ENDING_LEAVE)
		talk_fail(talk, "peek returned fewer, and not at the end", n);
	/* Else nothing would be done. */
	return take(talk, "discard", shmipc_stream_discard(talk->stream, min, deadline), min, NULL, deadline);
}

static enum talk_step receive(struct talk *talk, int64_t deadline)
{
	struct shmipc_piece *piece = &talk->held[talk->held_count];
	int r = shmipc_stream_receive(talk->stream, piece, deadline);

	if (r < 0)
		return judge(talk, "receive", r, deadline);
	if (r == 0)
		return see_end(talk);
	talk_check(talk, talk->in.at, piece->data, piece->size);
	talk->held_at[talk->held_count++] = talk->in.at;
	talk->in.at += piece->size;
	/* Who blocks must not keep what the writer waits for. */
	while (talk->held_count == TALK_HELD || (deadline && talk->held_count))
		release_one(talk);
	return TALK_ON;
}

enum talk_step talk_read(struct talk *talk, int64_t deadline)
{
	unsigned char *room = talk->in_room;
	size_t most, half;
	struct iovec iov[2];

	if (talk->read)
		return TALK_OVER;
	if (talk->opener && talk->ending == ENDING_CLOSE && talk->written)
		return stop(talk, TALK_OVER);
	if (!talk->opener && talk->ending == ENDING_LEAVE && talk->in.at >= talk->stop_at)
		return stop(talk, TALK_OVER);
	most = rng_below(&talk->rng_in, 3) ? rng_below(&talk->rng_in, 5000) + 1
					   : rng_below(&talk->rng_in, TALK_ROOM) + 1;
	half = most / 2;
	if (talk->held_count && rng_below(&talk->rng_in, 3) == 0)
		release_one(talk);
	switch (rng_below(&talk->rng_in, 8)) {
	case 0:
		return receive(talk, deadline);
	case 1:
		return peek(talk, deadline);
	case 2:
		return read_message(talk, room, most, deadline);
	case 3:
		return take(talk, "discard", shmipc_stream_discard(talk->stream, most, 0), most, NULL, 0);
	case 4:
		iov[0] = (struct iovec){ room, half };
		iov[1] = (struct iovec){ room + half, most - half };
		return take(talk, "readv", shmipc_stream_readv(talk->stream, iov, 2, deadline), most, room, deadline);
	case 5:
		return receive(talk, deadline);
	default:
		return take(talk, "read", shmipc_stream_read(talk->stream, room, most, deadline), most, room, deadline);
	}
}
