// SPDX-License-Identifier: Apache-2.0
/*
 * liar.c - the process of one round's liar: an honest handshake, some honest messages, and lies in between
 */
#include "liar.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "link.h"
#include "side.h"

static const struct lie *const tables[] = { lies_in_messages, lies_in_frames };

static const struct lie *find_lie(uint32_t number)
{
	const struct lie *l;
	unsigned int i;

	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (l = tables[i]; l->name; l++)
			if (number-- == 0)
				return l;
	return NULL;
}

const char *attack_name(uint32_t number)
{
	const struct lie *l = find_lie(number);

	return l ? l->name : NULL;
}

uint64_t round_seed(uint64_t seed, uint64_t round)
{
	uint64_t state = seed * 0x10003 + round;

	return rng_next(&state);
}

void round_options(const struct order *order, struct shmipc_channel_options *options)
{
	const struct shmipc_channel_options defaults = SHMIPC_CHANNEL_OPTIONS_INIT;
	uint64_t rng = order->seed;

	*options = defaults;
	options->backend = order->backend;
	options->slots = rng_below(&rng, 2) ? 16 : 256;
	options->slices = 64;
	options->segment_bytes = rng_below(&rng, 2) ? 16384 : 65536;
	options->memory_max = rng_below(&rng, 2) ? 65536 : 1 << 20;
	options->sync = rng_below(&rng, 2) ? SHMIPC_SYNC_DEMAND : SHMIPC_SYNC_ADAPTIVE;
}

bool liar_say(struct liar *liar, uint32_t tag, uint16_t kind, const void *data, size_t size)
{
	return !shmipc_channel_push(liar->channel, data, size, tag, kind, draw(liar, 4) ? 0 : SHMIPC_KEPT);
}

uint32_t liar_open(struct liar *liar)
{
	uint32_t id = liar->next_id;

	liar->next_id += 2;
	liar->mine[liar->mine_count++ % LIAR_IDS] = id;
	liar_say(liar, id, MSG_DATA | MSG_OPEN | MSG_LAST, "opening", draw(liar, 8));
	return id;
}

uint32_t liar_id(struct liar *liar)
{
	switch (draw(liar, 5)) {
	case 0:
		return draw(liar, 2) ? draw(liar, 2000) : (uint32_t)rng_next(&liar->rng);
	case 1:
		return liar_open(liar);
	case 2:
		if (liar->theirs_count)
			return liar->theirs[draw(liar, liar->theirs_count < LIAR_IDS ? liar->theirs_count : LIAR_IDS)];
		return 0;
	default:
		if (liar->mine_count)
			return liar->mine[draw(liar, liar->mine_count < LIAR_IDS ? liar->mine_count : LIAR_IDS)];
		return liar_open(liar);
	}
}

uint64_t liar_value(struct liar *liar)
{
	static const uint64_t edges[] = { 0,	      1,	  127,	     128,	 4096,	    65536,
					  UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX };

	switch (draw(liar, 4)) {
	case 0:
		return rng_next(&liar->rng);
	case 1:
		return liar->heard + draw(liar, 1000);
	case 2:
		return liar->heard > 1000 ? liar->heard - draw(liar, 1000) : 0;
	default:
		return edges[draw(liar, sizeof(edges) / sizeof(*edges))];
	}
}

/* What the victim sent is read, and given back, or kept for good. */
static void listen(struct liar *liar)
{
	struct shmipc_message m;
	uint32_t i;

	for (i = draw(liar, 20); i > 0 && !shmipc_channel_peek(liar->channel, &m); i--) {
		if (m.tag)
			liar->theirs[liar->theirs_count++ % LIAR_IDS] = m.tag;
		liar->heard += charge(m.size);
		if (draw(liar, 50) || shmipc_channel_keep(liar->channel, &m))
			shmipc_channel_release(liar->channel, &m);
	}
	if (draw(liar, 8) == 0)
		shmipc_channel_wait(liar->channel, SHMIPC_READABLE | SHMIPC_WRITABLE, clock_now() + draw(liar, 200000));
}

static void talk_honestly(struct liar *liar)
{
	static const unsigned char bytes[20000];
	uint32_t i, id, size;

	for (i = draw(liar, 6); i > 0; i--) {
		id = liar->mine_count && draw(liar, 3) ? liar->mine[(liar->mine_count - 1) % LIAR_IDS]
						       : liar_open(liar);
		size = draw(liar, 3) ? draw(liar, 300) : draw(liar, sizeof(bytes));
		liar_say(liar, id, MSG_DATA | (draw(liar, 2) ? MSG_LAST : 0), bytes, size);
	}
}

static bool is_over(struct liar *liar)
{
	return clock_now() >= liar->until || load_acquire(&liar->channel->bell.dead);
}

void attacker_run(const struct order *order, int socket)
{
	const struct lie *lie = find_lie(order->attack), *other;
	struct liar liar = { .order = order, .rng = order->seed ^ 0x11a5, .next_id = order->creator ? 1 : 2 };
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;
	uint32_t count = 0;

	while (attack_name(count))
		count++;
	other = draw(&liar, 3) ? lie : find_lie(draw(&liar, count));
	round_options(order, &options.channel);
	if (link_open(socket, !order->creator, &options, &liar.session))
		return;
	liar.channel = liar.session->channel;
	liar.socket = liar.session->socket;
	liar.until = clock_now() + order->ms * 1000000ll;
	while (!is_over(&liar)) {
		if (!lie->deaf)
			listen(&liar);
		if (draw(&liar, 3) == 0)
			talk_honestly(&liar);
		else
			(draw(&liar, 3) ? lie : other)->run(&liar);
	}
	/* It goes with a word, or without. */
	if (draw(&liar, 2))
		shmipc_session_close(liar.session);
}
