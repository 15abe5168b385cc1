// SPDX-License-Identifier: Apache-2.0
/*
 * stats.c - reads an endpoint's counters, most of which stand in its lane's tool page
 */
#include <string.h>

#include "endpoint.h"

static uint64_t count_private_bytes(const struct shmipc_channel *ch)
{
	return sizeof(*ch) + ch->geometry.slices * sizeof(struct arena_piece) + ch->geometry.slices / 8;
}

/* Messages published and not consumed: the slots from cons on that have the right lap. At most a ring full. */
static uint64_t count_depth(const struct lane *producer, const struct lane *consumer, uint32_t slots)
{
	uint32_t cons = load_relaxed(&consumer->words->cons), i;

	for (i = 0; i < slots; i++)
		if (load_relaxed(&producer->ring[(cons + i) & (slots - 1)].lap) != cons + i + 1)
			break;
	return i;
}

int shmipc_channel_stats(struct shmipc_channel *ch, struct shmipc_channel_stats *stats)
{
	struct shmipc_channel_stats s;
	const struct lane_tool *tool = ch->own.tool;
	size_t size = stats->size;
	int r = check_usable(ch);

	if (r == -EPERM)
		return r;
	if (size < offsetof(struct shmipc_channel_stats, messages_sent) || size > sizeof(s))
		return -EINVAL;
	memory_lock(ch);
	r = is_attached(ch) ? memory_collect_locked(ch) : 0; /* a gauge of what is lent is to be true */
	s = (struct shmipc_channel_stats){
		.size = size,
		.backend = ch->region.ops->backend,
		.messages_sent = load_relaxed(&tool->messages_sent),
		.bytes_sent = load_relaxed(&tool->bytes_sent),
		.messages_received = load_relaxed(&tool->messages_received),
		.bytes_received = load_relaxed(&tool->bytes_received),
		.rings = load_relaxed(&tool->rings),
		.sleeps = load_relaxed(&tool->sleeps),
		.waits = load_relaxed(&ch->bell.waits),
		.spins_won = load_relaxed(&ch->reading.won) + load_relaxed(&ch->writing.won),
		.spins_lost = load_relaxed(&ch->reading.lost) + load_relaxed(&ch->writing.lost),
		.barriers_paid = load_relaxed(&ch->bell.barriers_paid),
		.system_calls = load_relaxed(&ch->bell.system_calls) + load_relaxed(&ch->region.system_calls),
		.growths = load_relaxed(&tool->growths),
		.retires = load_relaxed(&tool->retires),
		.slices_lent = ch->out.arena.lent,
		.bytes_lent = ch->out.arena.lent_bytes,
		.memory_bytes = ch->geometry.head_bytes + ch->out.arena.bytes,
		.private_bytes = count_private_bytes(ch),
	};
	memory_unlock(ch);
	if (is_attached(ch)) {
		s.depth_in = count_depth(&ch->peer, &ch->own, ch->geometry.slots);
		s.depth_out = count_depth(&ch->own, &ch->peer, ch->geometry.slots);
	}
	memcpy(stats, &s, size);
	return 0;
}

int shmipc_channel_peer(struct shmipc_channel *ch, struct shmipc_peer *peer)
{
	int r = check_usable(ch);

	if (r && r != -EBADMSG)
		return r;
	*peer = ch->peer_id;
	return 0;
}
