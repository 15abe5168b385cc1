// SPDX-License-Identifier: Apache-2.0
/*
 * plan.c - the stress program's command line
 */
#include "plan.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: stress [OPTION]...\n"
	"  --backend memfd|kmod            (memfd)\n"
	"  --sync adaptive|demand|polling|timed[,the other side's]   (chosen by the seed)\n"
	"  --seconds N | --messages N      how long (3 seconds)\n"
	"  --seed S                        chooses all that is not said (1)\n"
	"  --sizes small|mixed|large       of the messages (mixed)\n"
	"  --fd level|edge                 an event loop in place of waits\n"
	"  --threads                       two threads an endpoint, and one that disturbs\n"
	"  --in-process                    both endpoints in one process\n"
	"  --batch                         with SHMIPC_MORE and SHMIPC_LAZY\n"
	"  --window N                      at most N messages ahead of what came back\n"
	"  --burst N                       take turns, that many messages each\n"
	"  --exact-size BYTES              all messages are that large\n"
	"  --steady                        nothing is kept, waits have no deadline\n"
	"  --round N                       with --threads: all N must have come before the next is sent\n"
	"  --kill N                        N times: one side is killed at some point\n"
	"  --slots N --slices N --segment BYTES --memory BYTES --shrink MS   the channel's\n"
	"  --patience SECONDS              without progress until it is a hang (20)\n"
	"  --quiet                         say nothing when it passes\n";

static const char *const backends[] = { "auto", "kmod", "memfd", NULL };
static const char *const syncs[] = { "adaptive", "demand", "polling", "timed", NULL };
static const char *const sizes[] = { "small", "mixed", "large", NULL };
static const char *const loops[] = { "block", "level", "edge", NULL };

/* What the seed does not choose any more. */
static struct {
	uint32_t slots, slices, shrink;
	uint64_t segment, memory;
	int sync[2];
	bool has_shrink;
} fixed = { .sync = { -1, -1 } };

static int find_word(const char *const *words, const char *word, size_t length)
{
	int i;

	for (i = 0; words[i]; i++)
		if (strlen(words[i]) == length && !memcmp(words[i], word, length))
			return i;
	fprintf(stderr, "stress: '%s'?\n%s", word, usage);
	return -1;
}

static int parse_sync(const char *text)
{
	const char *comma = strchr(text, ',');

	fixed.sync[0] = find_word(syncs, text, comma ? (size_t)(comma - text) : strlen(text));
	fixed.sync[1] = comma ? find_word(syncs, comma + 1, strlen(comma + 1)) : fixed.sync[0];
	return fixed.sync[0] < 0 || fixed.sync[1] < 0 ? -1 : 0;
}

static int parse_word(const char *const *words, const char *text)
{
	return find_word(words, text, strlen(text));
}

int plan_parse(struct plan *plan, int argc, char **argv)
{
	static const struct option options[] = {
		{ "backend", 1, NULL, 'b' },  { "sync", 1, NULL, 'y' },	    { "seconds", 1, NULL, 's' },
		{ "messages", 1, NULL, 'm' }, { "seed", 1, NULL, 'S' },	    { "sizes", 1, NULL, 'z' },
		{ "fd", 1, NULL, 'f' },	      { "threads", 0, NULL, 't' },  { "in-process", 0, NULL, 'i' },
		{ "batch", 0, NULL, 'B' },    { "window", 1, NULL, 'w' },   { "kill", 1, NULL, 'k' },
		{ "slots", 1, NULL, 1 },      { "slices", 1, NULL, 2 },	    { "segment", 1, NULL, 3 },
		{ "memory", 1, NULL, 4 },     { "shrink", 1, NULL, 5 },	    { "patience", 1, NULL, 'p' },
		{ "quiet", 0, NULL, 'q' },    { "exact-size", 1, NULL, 6 },   { "burst", 1, NULL, 7 }, { "steady", 0, NULL, 8 },
		{ "round", 1, NULL, 9 },
		{ 0 },
	};
	const struct shmipc_channel_options defaults = SHMIPC_CHANNEL_OPTIONS_INIT;
	const char *patience = getenv("STRESS_PATIENCE");
	int c, word;

	*plan = (struct plan){
		.channel = defaults,
		.seconds = 3,
		.seed = 1,
		.sizes = SIZES_MIXED,
		.patience = patience ? atof(patience) : 20,
	};
	plan->channel.backend = SHMIPC_BACKEND_MEMFD;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		word = 0;
		switch (c) {
		case 'b': plan->channel.backend = (unsigned int)(word = parse_word(backends, optarg)); break;
		case 'y': word = parse_sync(optarg); break;
		case 's': plan->seconds = atof(optarg); break;
		case 'm': plan->messages = strtoull(optarg, NULL, 0); break;
		case 'S': plan->seed = strtoull(optarg, NULL, 0); break;
		case 'z': plan->sizes = (unsigned int)(word = parse_word(sizes, optarg)); break;
		case 'f': plan->loop = (unsigned int)(word = parse_word(loops, optarg)); break;
		case 't': plan->threads = true; break;
		case 'i': plan->in_process = true; break;
		case 'B': plan->batch = true; break;
		case 'w': plan->window = strtoull(optarg, NULL, 0); break;
		case 'k': plan->kills = (unsigned int)atoi(optarg); break;
		case 1: fixed.slots = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 2: fixed.slices = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 3: fixed.segment = strtoull(optarg, NULL, 0); break;
		case 4: fixed.memory = strtoull(optarg, NULL, 0); break;
		case 5: fixed.shrink = (uint32_t)strtoul(optarg, NULL, 0), fixed.has_shrink = true; break;
		case 6: plan->exact_size = strtoull(optarg, NULL, 0); break;
		case 7: plan->burst = strtoull(optarg, NULL, 0); break;
		case 8: plan->steady = true; break;
		case 9: plan->round = strtoull(optarg, NULL, 0); break;
		case 'p': plan->patience = atof(optarg); break;
		case 'q': plan->quiet = true; break;
		default: fputs(usage, stderr); return -1;
		}
		if (word < 0)
			return -1;
	}
	if (optind != argc || (plan->threads && plan->loop != LOOP_BLOCK)) {
		fputs(usage, stderr);
		return -1;
	}
	plan_seed(plan, plan->seed);
	return 0;
}

/* Rings and memory that are too small most of the time, and now and then ample. */
void plan_seed(struct plan *plan, uint64_t seed)
{
	static const uint32_t slots[] = { 16, 16, 64, 256, 4096 }, slices[] = { 64, 64, 512, 4096 };
	static const uint32_t shrinks[] = { 0, 1, 50, 1000 }, spins[] = { 0, 1000, 20000 };
	static const uint64_t segments[] = { 4096, 32768, 1 << 20 };
	static const uint64_t memories[][3] = {
		{ 65536, 262144, 1 << 20 }, { 1500000, 4 << 20, 16 << 20 }, { 24 << 20, 32 << 20, 64 << 20 } };
	struct shmipc_channel_options *o = &plan->channel;
	uint64_t rng = seed;
	int i;

	plan->seed = seed;
	o->slots = fixed.slots ? fixed.slots : slots[rng_below(&rng, 5)];
	o->slices = fixed.slices ? fixed.slices : slices[rng_below(&rng, 4)];
	o->memory_max = memories[plan->sizes][rng_below(&rng, 3)];
	o->segment_bytes = segments[rng_below(&rng, 3)];
	o->shrink_after_ms = shrinks[rng_below(&rng, 4)];
	o->spin_ns = spins[rng_below(&rng, 3)];
	o->timed_ns = 20000 + rng_below(&rng, 200000);
	for (i = 0; i < 2; i++) {
		static const int often[] = { SHMIPC_SYNC_ADAPTIVE, SHMIPC_SYNC_ADAPTIVE, SHMIPC_SYNC_DEMAND,
					     SHMIPC_SYNC_DEMAND, SHMIPC_SYNC_TIMED };

		plan->sync[i] = fixed.sync[i] >= 0 ? fixed.sync[i] : often[rng_below(&rng, 5)];
	}
	if (fixed.memory)
		o->memory_max = fixed.memory;
	if (fixed.segment)
		o->segment_bytes = fixed.segment;
	if (o->segment_bytes > o->memory_max)
		o->segment_bytes = o->memory_max;
	if (fixed.has_shrink)
		o->shrink_after_ms = fixed.shrink;
}

void plan_describe(const struct plan *p, char *text, size_t size)
{
	const struct shmipc_channel_options *o = &p->channel;

	snprintf(text, size,
		 "--backend %s --sync %s,%s --sizes %s --seed %llu%s%s%s%s%s --slots %u --slices %u --segment %llu "
		 "--memory %llu --shrink %u",
		 backends[o->backend], syncs[p->sync[0]], syncs[p->sync[1]], sizes[p->sizes],
		 (unsigned long long)p->seed, p->loop ? " --fd " : "", p->loop ? loops[p->loop] : "",
		 p->threads ? " --threads" : "", p->batch ? " --batch" : "", p->in_process ? " --in-process" : "",
		 o->slots, o->slices, (unsigned long long)o->segment_bytes, (unsigned long long)o->memory_max,
		 o->shrink_after_ms);
}
