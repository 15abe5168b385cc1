// SPDX-License-Identifier: Apache-2.0
/*
 * produce.c - the sending half of a side
 *
 * Messages are reserved in groups and submitted in an order of their own, so that a reservation in
 * the ring is displaced by others, and some are cancelled. A message's number follows from the
 * order of submit; its bytes are written as soon as it is reserved.
 */
#include <errno.h>
#include <string.h>

#include "side.h"

static void shuffle(uint64_t *rng, unsigned int *order, unsigned int n)
{
	unsigned int i, j, t;

	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n; i > 1; i--) {
		j = (unsigned int)rng_below(rng, i);
		t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
}

static unsigned int choose_flags(struct side *s, bool last)
{
	if (!s->plan->batch)
		return 0;
	switch (rng_below(&s->rng_out, last ? 8 : 3)) {
	case 0: return SHMIPC_MORE;
	case 1: return SHMIPC_LAZY;
	default: return 0;
	}
}

static void submit(struct side *s, struct shmipc_buffer *buffer, uint64_t sequence, bool last)
{
	unsigned int flags = choose_flags(s, last);
	int r;

	buffer->tag = (uint32_t)sequence;
	buffer->kind = message_kind(&s->out, sequence);
	r = shmipc_channel_submit(s->channel, buffer, message_size(&s->out, sequence), flags);
	if (r)
		side_fail(s, "submit of %llu: %d", (unsigned long long)sequence, r);
	s->owes = flags;
	atomic_store(&s->sent, sequence + 1);
	atomic_store_explicit(&s->board->sent, sequence + 1, memory_order_relaxed);
}

static void cancel(struct side *s, struct shmipc_buffer *buffer)
{
	int r = shmipc_channel_cancel(s->channel, buffer);

	if (r)
		side_fail(s, "cancel: %d", r);
}

static int reserve(struct side *s, size_t size, struct shmipc_buffer *buffer)
{
	int r;

	memset(buffer, 0x5a, sizeof(*buffer));
	r = shmipc_channel_reserve(s->channel, size, 0, buffer);
	if (!r && (buffer->size < size || (uintptr_t)buffer->data % 16))
		side_fail(s, "reserve of %zu gave %zu bytes at %p", size, buffer->size, buffer->data);
	if (r && r != -EAGAIN && r != -EPIPE)
		side_fail(s, "reserve of %zu: %d", size, r);
	return r;
}

/* One more than is needed, which is given back. */
static void reserve_in_vain(struct side *s)
{
	struct shmipc_buffer buffer;

	if (!reserve(s, message_size(&s->out, rng_next(&s->rng_out)), &buffer))
		cancel(s, &buffer);
}

static int send_group(struct side *s, unsigned int n)
{
	struct shmipc_buffer buffers[GROUP_MAX];
	bool have[GROUP_MAX] = { false };
	uint64_t first = atomic_load(&s->sent);
	unsigned int order[GROUP_MAX], i, k;
	int r = 0;

	shuffle(&s->rng_out, order, n);
	for (i = 0; i < n && !r; i++) {
		size_t size = message_size(&s->out, first + order[i]), more = 0;

		if (rng_below(&s->rng_out, 8) == 0 && !s->single)
			more = rng_below(&s->rng_out, 100);
		r = reserve(s, size + more, &buffers[order[i]]);
		if (r)
			break;
		have[order[i]] = true;
		message_fill(&s->out, first + order[i], buffers[order[i]].data, size);
	}
	if (!r && rng_below(&s->rng_out, 16) == 0)
		reserve_in_vain(s);
	for (k = 0; k < n && have[k] && r != -EPIPE; k++)
		submit(s, &buffers[k], first + k, k + 1 == n);
	for (i = k; i < n; i++)
		if (have[i])
			cancel(s, &buffers[i]);
	s->single = r == -EAGAIN;
	return r == -EAGAIN ? k ? STEP_ON : STEP_FULL : r ? r : STEP_ON;
}

static int push_one(struct side *s)
{
	unsigned char bytes[4096];
	uint64_t sequence = atomic_load(&s->sent);
	size_t size = message_size(&s->out, sequence);
	unsigned int flags = choose_flags(s, true);
	int r;

	message_fill(&s->out, sequence, bytes, size);
	r = shmipc_channel_push(s->channel, bytes, size, (uint32_t)sequence, message_kind(&s->out, sequence), flags);
	if (r == -EAGAIN)
		return STEP_FULL;
	if (r == -EPIPE)
		return r;
	if (r)
		side_fail(s, "push of %zu: %d", size, r);
	s->owes = flags;
	atomic_store(&s->sent, sequence + 1);
	atomic_store_explicit(&s->board->sent, sequence + 1, memory_order_relaxed);
	return STEP_ON;
}

static int send_end(struct side *s)
{
	uint64_t sent = atomic_load(&s->sent);
	int r = shmipc_channel_push(s->channel, &sent, sizeof(sent), (uint32_t)sent, KIND_END, SHMIPC_KEPT);

	if (r == -EAGAIN)
		return STEP_FULL;
	if (r && r != -EPIPE)
		side_fail(s, "push of the last message: %d", r);
	s->owes = false;
	if (!r)
		atomic_store(&s->out_done, true);
	return r ? r : STEP_DONE;
}

/* Endpoint 0 begins; each sends its burst when the other's has come. */
static uint64_t take_turn(struct side *s, uint64_t sent)
{
	uint64_t burst = s->plan->burst, turn = sent / burst + s->endpoint;

	return atomic_load(&s->received) >= turn * burst ? burst - sent % burst : 0;
}

/* What is lost at the end of a round nothing that follows makes up for. */
static uint64_t finish_round(struct side *s, uint64_t sent)
{
	uint64_t round = s->plan->round, before = sent - sent % round;

	if (sent == before && (atomic_load(&s->shared->side[0].received) < before ||
			       atomic_load(&s->shared->side[1].received) < before))
		return 0;
	return round - sent % round;
}

/* How many may be sent before something comes back: phases of all kinds, from ping-pong to a flood. */
static uint64_t find_credit(struct side *s, uint64_t sent)
{
	static const uint64_t windows[] = { 1, 2, 8, 100, 10000, UINT64_MAX / 2 };
	uint64_t phase = s->out.seed ^ sent >> 9, window;

	if (atomic_load(&s->in_done))
		return GROUP_MAX;
	if (s->plan->round)
		return finish_round(s, sent);
	if (s->plan->burst)
		return take_turn(s, sent);
	window = s->plan->window ? s->plan->window : windows[rng_below(&phase, 6)];
	window += atomic_load(&s->received);
	return window > sent ? window - sent : 0;
}

int produce_step(struct side *s)
{
	uint64_t sent = atomic_load(&s->sent), credit;
	unsigned int n;

	if (atomic_load(&s->out_done))
		return STEP_DONE;
	if (s->plan->messages ? sent >= s->plan->messages : sent % 16 == 0 && clock_now() >= s->until)
		return send_end(s);
	credit = find_credit(s, sent);
	if (!credit)
		return STEP_AHEAD;
	if (s->plan->exact_size)
		return send_group(s, 1);
	if (message_size(&s->out, sent) <= 4096 && rng_below(&s->rng_out, 4) == 0)
		return push_one(s);
	n = s->single ? 1 : 1 + (unsigned int)rng_below(&s->rng_out, GROUP_MAX);
	if (n > credit)
		n = (unsigned int)credit;
	if (n > 1 && !s->plan->messages)
		n = n < 16 - sent % 16 ? n : (unsigned int)(16 - sent % 16); /* not past a look at the clock */
	if (s->plan->messages && n > s->plan->messages - sent)
		n = (unsigned int)(s->plan->messages - sent);
	return send_group(s, n);
}

/* Before anything but shmipc_channel_wait() is waited for. */
void produce_flush(struct side *s)
{
	int r;

	if (!s->owes)
		return;
	r = shmipc_channel_ring(s->channel);
	if (r && r != -EPIPE)
		side_fail(s, "ring: %d", r);
	s->owes = false;
}
