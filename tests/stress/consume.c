// SPDX-License-Identifier: Apache-2.0
/*
 * consume.c - the receiving half of a side: checks every message when it comes, and those that are
 * kept once more when they are released, in any order
 */
#include <errno.h>
#include <string.h>

#include "side.h"

static void check_bytes(struct side *s, const struct shmipc_message *m, uint64_t sequence, const char *when)
{
	ptrdiff_t at = message_check(&s->in, sequence, m->data, m->size);

	if (at >= 0)
		side_fail(s, "message %llu, %zu bytes: byte %td is wrong %s", (unsigned long long)sequence, m->size, at,
			  when);
}

static void check_message(struct side *s, const struct shmipc_message *m, uint64_t sequence)
{
	if (m->tag != (uint32_t)sequence || m->kind != message_kind(&s->in, sequence) ||
	    m->size != message_size(&s->in, sequence))
		side_fail(s, "expected %llu (tag %u, kind %u, %zu bytes), got tag %u, kind %u, %zu bytes",
			  (unsigned long long)sequence, (uint32_t)sequence, message_kind(&s->in, sequence),
			  message_size(&s->in, sequence), m->tag, m->kind, m->size);
	check_bytes(s, m, sequence, "when it came");
}

static void release(struct side *s, struct shmipc_message *m, const char *what)
{
	int r = shmipc_channel_release(s->channel, m);

	if (r)
		side_fail(s, "release of a %s message: %d", what, r);
}

static void release_kept(struct side *s, unsigned int i)
{
	struct shmipc_message copy = s->kept[i].message;
	int r;

	check_bytes(s, &copy, s->kept[i].sequence, "when it was released, having been kept");
	release(s, &copy, "kept");
	s->kept[i] = s->kept[--s->kept_count];
	if (rng_below(&s->rng_in, 16))
		return;
	r = shmipc_channel_release(s->channel, &copy);
	if (r != -EINVAL)
		side_fail(s, "release of a message that was released before: %d", r);
}

void consume_release_all(struct side *s)
{
	while (s->kept_count)
		release_kept(s, (unsigned int)rng_below(&s->rng_in, s->kept_count));
}

static void take_end(struct side *s, struct shmipc_message *m)
{
	uint64_t count, received = atomic_load(&s->received);

	if (m->size != sizeof(count))
		side_fail(s, "the last message has %zu bytes", m->size);
	memcpy(&count, m->data, sizeof(count));
	if (count != received || m->tag != (uint32_t)received)
		side_fail(s, "%llu messages came of %llu", (unsigned long long)received, (unsigned long long)count);
	release(s, m, "last");
	atomic_store(&s->in_done, true);
}

static void release_or_keep(struct side *s, struct shmipc_message *m, uint64_t sequence)
{
	int r;

	if (s->kept_count == KEPT_MAX || s->plan->steady || rng_below(&s->rng_in, 4)) {
		release(s, m, "peeked");
		return;
	}
	r = shmipc_channel_keep(s->channel, m);
	if (r == -EOPNOTSUPP && m->size <= SHMIPC_INLINE_MAX) {
		release(s, m, "peeked");
		return;
	}
	if (r)
		side_fail(s, "keep of %zu bytes: %d", m->size, r);
	s->kept[s->kept_count++] = (struct kept){ .message = *m, .sequence = sequence };
	atomic_fetch_add_explicit(&s->board->kept, 1, memory_order_relaxed);
}

int consume_step(struct side *s)
{
	uint64_t sequence = atomic_load(&s->received);
	struct shmipc_message m, again;
	int r;

	if (atomic_load(&s->in_done)) {
		consume_release_all(s);
		return STEP_DONE;
	}
	memset(&m, 0x5a, sizeof(m));
	r = shmipc_channel_peek(s->channel, &m);
	if (r == -EAGAIN)
		return STEP_EMPTY;
	if (r == -EPIPE)
		return r;
	if (r)
		side_fail(s, "peek after %llu: %d", (unsigned long long)sequence, r);
	if (rng_below(&s->rng_in, 32) == 0 && (shmipc_channel_peek(s->channel, &again) || again.data != m.data))
		side_fail(s, "a second peek differs from the first");
	if (m.kind == KIND_END) {
		take_end(s, &m);
		return STEP_ON;
	}
	check_message(s, &m, sequence);
	release_or_keep(s, &m, sequence);
	atomic_store(&s->received, sequence + 1);
	atomic_store_explicit(&s->board->received, sequence + 1, memory_order_relaxed);
	if (s->kept_count && rng_below(&s->rng_in, 5) == 0)
		release_kept(s, (unsigned int)rng_below(&s->rng_in, s->kept_count));
	return STEP_ON;
}
