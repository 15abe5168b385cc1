// SPDX-License-Identifier: Apache-2.0
/*
 * attacker.c - the process of one round's attacker: an honest handover, some honest work, and one or
 * two attacks in between
 */
#include "attacker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "side.h"

/* How long the victim may be kept when its round should be over. */
#define RELENTLESS_NS 15000000000

static const struct attack *const tables[] = { attacks_on_words, attacks_on_sockets, attacks_on_segments,
					       attacks_on_handover, attacks_on_module };

static const struct attack *find_attack(uint32_t number)
{
	const struct attack *a;
	unsigned int i;

	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (a = tables[i]; a->name; a++)
			if (number-- == 0)
				return a;
	return NULL;
}

const char *attack_name(uint32_t number)
{
	const struct attack *a = find_attack(number);

	return a ? a->name : NULL;
}

uint64_t round_seed(uint64_t seed, uint64_t round)
{
	uint64_t state = seed * 0x10001 + round;

	return rng_next(&state);
}

void round_options(const struct order *order, struct shmipc_channel_options *options)
{
	static const uint32_t slots[] = { 16, 64, 256 };
	const struct shmipc_channel_options defaults = SHMIPC_CHANNEL_OPTIONS_INIT;
	uint64_t rng = order->seed;

	*options = defaults;
	options->backend = order->backend;
	options->slots = slots[rng_below(&rng, 3)];
	options->slices = rng_below(&rng, 2) ? 64 : 256;
	options->segment_bytes = rng_below(&rng, 2) ? 4096 : 65536;
	options->memory_max = 1 << 20;
	options->shrink_after_ms = (uint32_t)rng_below(&rng, 3);
	options->sync = (unsigned int)rng_below(&rng, 4);
	options->timed_ns = 100000;
}

uint32_t nasty_number(struct attacker *a, uint32_t now)
{
	switch (pick(a, 8)) {
	case 0: return 0;
	case 1: return UINT32_MAX;
	case 2: return now + 1;
	case 3: return now - 1;
	case 4: return now ^ 1u << pick(a, 32);
	case 5: return now + 0x80000000u;
	case 6: return now + pick(a, 600) - 300;
	default: return (uint32_t)rng_next(&a->rng);
	}
}

bool attack_is_over(const struct attacker *a)
{
	return clock_now() >= a->until || (a->channel && load_acquire(&a->channel->bell.dead));
}

/* Some messages of all sizes, and what came is read. */
static void work_honestly(struct attacker *a)
{
	struct shmipc_message m;
	struct shmipc_buffer b;
	size_t size;
	uint32_t i;

	for (i = pick(a, 12); i > 0; i--) {
		size = pick(a, 4) ? pick(a, 300) : pick(a, 200000);
		if (shmipc_channel_reserve(a->channel, size, 0, &b))
			break;
		memset(b.data, (int)i, size < 64 ? size : 64);
		shmipc_channel_submit(a->channel, &b, size, 0);
	}
	for (i = pick(a, 12); i > 0; i--) {
		if (shmipc_channel_peek(a->channel, &m))
			break;
		if (pick(a, 3) || shmipc_channel_keep(a->channel, &m))
			shmipc_channel_release(a->channel, &m);
	}
	if (pick(a, 4) == 0)
		shmipc_channel_wait(a->channel, SHMIPC_READABLE | SHMIPC_WRITABLE, clock_now() + pick(a, 300000));
}

static int open_channel(struct attacker *a, const struct attack *attack)
{
	struct shmipc_channel_options options;
	int64_t deadline = clock_now() + 5000000000;

	round_options(a->order, &options);
	options.sync = SHMIPC_SYNC_DEMAND;
	if (!a->order->creator)
		return shmipc_channel_receive(a->socket, &options, deadline, &a->channel);
	if (shmipc_channel_create(&options, &a->channel))
		return -1;
	if (attack->before)
		attack->before(a);
	return shmipc_channel_send(a->channel, a->socket, deadline);
}

void attacker_run(const struct order *order, int socket)
{
	const struct attack *attack = find_attack(order->attack), *other;
	struct attacker a = { .order = order, .socket = socket, .rng = order->seed ^ 0xa77ac4 };
	uint32_t count = 0;

	while (attack_name(count))
		count++;
	other = pick(&a, 2) ? find_attack(pick(&a, count)) : attack;
	if (attack->instead) {
		a.until = clock_now() + order->ms * 1000000ll;
		attack->instead(&a);
		return;
	}
	if (open_channel(&a, attack))
		return;
	a.until = clock_now() + order->ms * 1000000ll;
	while (!attack_is_over(&a)) {
		if (pick(&a, 3))
			work_honestly(&a);
		else if (attack->run && pick(&a, 4))
			attack->run(&a);
		else if (other->run)
			other->run(&a);
	}
	/* A call that ends when the attack does would hardly be seen to take too long. */
	a.until += attack->relentless ? RELENTLESS_NS : 0;
	while (attack->relentless && !a.channel->bell.ops->is_dead(&a.channel->bell) && !attack_is_over(&a))
		attack->run(&a);
	if (pick(&a, 2))
		shmipc_channel_destroy(a.channel);
}
