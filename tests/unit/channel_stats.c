// SPDX-License-Identifier: Apache-2.0
/*
 * channel_stats.c - tests of counters and gauges, of what an idle channel costs, and of the copy of them that
 * stands in the lane for tools
 */
#include "channel/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

static void everything_sent_is_received_and_nothing_stays_lent(struct pair *pair)
{
	struct shmipc_channel_stats a, b;
	uint64_t bytes = 0;
	uint32_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 2000; i++) {
		size_t size = i * 37 % 5000;

		assert_code(pattern_push(pair->a, size, i, 0), 0);
		bytes += size;
		if (i % 16 != 15)
			continue;
		assert_int_equal(stats_of(pair->a).depth_out, 16);
		assert_int_equal(stats_of(pair->b).depth_in, 16);
		for (uint32_t j = i - 15; j <= i; j++)
			pattern_take(pair->b, j * 37 % 5000, j);
	}
	a = stats_of(pair->a);
	b = stats_of(pair->b);
	assert_int_equal(a.messages_sent, 2000);
	assert_int_equal(a.bytes_sent, bytes);
	assert_int_equal(b.messages_received, 2000);
	assert_int_equal(b.bytes_received, bytes);
	assert_int_equal(a.messages_received, 0);
	assert_int_equal(b.messages_sent, 0);
	assert_int_equal(a.slices_lent, 0);
	assert_int_equal(a.bytes_lent, 0);
	assert_int_equal(a.depth_out, 0);
	assert_int_equal(b.depth_in, 0);
}

static void what_is_lent_is_counted_until_it_comes_back(struct pair *pair)
{
	struct shmipc_message kept;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 64, 1, 0), 0);
	assert_int_equal(stats_of(pair->a).slices_lent, 0); /* it rides in its slot */
	pattern_take(pair->b, 64, 1);
	assert_code(pattern_push(pair->a, 3000, 1, 0), 0);
	assert_int_equal(stats_of(pair->a).slices_lent, 1);
	assert_int_equal(stats_of(pair->a).bytes_lent, 3000);
	assert_code(shmipc_channel_peek(pair->b, &kept), 0);
	assert_int_equal(stats_of(pair->b).messages_received, 1);
	assert_code(shmipc_channel_keep(pair->b, &kept), 0);
	assert_int_equal(stats_of(pair->b).messages_received, 2);
	assert_int_equal(stats_of(pair->a).slices_lent, 1);
	assert_code(shmipc_channel_release(pair->b, &kept), 0);
	assert_int_equal(stats_of(pair->b).messages_received, 2);
	assert_int_equal(stats_of(pair->a).slices_lent, 0);
	assert_int_equal(stats_of(pair->a).bytes_lent, 0);
}

static void a_reserved_buffer_is_not_lent_yet(struct pair *pair)
{
	struct shmipc_buffer buffer;

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_reserve(pair->a, 3000, 0, &buffer), 0);
	assert_int_equal(stats_of(pair->a).slices_lent, 0);
	assert_int_equal(stats_of(pair->a).messages_sent, 0);
	assert_int_equal(stats_of(pair->a).depth_out, 0);
	assert_code(shmipc_channel_cancel(pair->a, &buffer), 0);
}

static void stats_fill_what_the_caller_knows_of_and_no_more(struct pair *pair)
{
	struct shmipc_channel_stats stats;
	unsigned char *bytes = (unsigned char *)&stats;
	size_t known = offsetof(struct shmipc_channel_stats, rings), i;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 64, 1, 0), 0);
	memset(&stats, 0xa5, sizeof(stats));
	stats.size = known;
	assert_code(shmipc_channel_stats(pair->a, &stats), 0);
	assert_int_equal(stats.messages_sent, 1);
	for (i = known; i < sizeof(stats); i++)
		assert_int_equal(bytes[i], 0xa5);
}

static void stats_of_an_unknown_size_are_einval(struct pair *pair)
{
	struct shmipc_channel_stats stats;

	pair_open(pair, NULL, NULL);
	memset(&stats, 0xa5, sizeof(stats));
	stats.size = 0;
	assert_code(shmipc_channel_stats(pair->a, &stats), -EINVAL);
	stats.size = 4;
	assert_code(shmipc_channel_stats(pair->a, &stats), -EINVAL);
	stats.size = sizeof(stats) + 1;
	assert_code(shmipc_channel_stats(pair->a, &stats), -EINVAL);
	stats.size = SIZE_MAX;
	assert_code(shmipc_channel_stats(pair->a, &stats), -EINVAL);
	assert_int_equal(((unsigned char *)&stats)[sizeof(stats) - 1], 0xa5);
}

static void the_backend_is_told(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_int_equal(stats_of(pair->a).backend, pair->backend);
	assert_int_equal(stats_of(pair->b).backend, pair->backend);
}

static void an_idle_channel_costs_at_most_256_kb(struct pair *pair)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;
	struct shmipc_channel_stats a, b;

	options.backend = pair->backend;
	pair_open(pair, &options, &options);
	a = stats_of(pair->a);
	b = stats_of(pair->b);
	print_message("# %llu + %llu bytes shared, %llu + %llu private\n", (unsigned long long)a.memory_bytes,
		      (unsigned long long)b.memory_bytes, (unsigned long long)a.private_bytes,
		      (unsigned long long)b.private_bytes);
	assert_true(a.memory_bytes + a.private_bytes + b.memory_bytes + b.private_bytes <= 256 << 10);
}

static uint64_t mapped_bytes(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	uint64_t sum = 0;
	char line[512];

	while (fgets(line, sizeof(line), maps))
		if ((strstr(line, "memfd:shmipc") || strstr(line, "[shmipc]") || strstr(line, "/dev/shmipc")) &&
		    sscanf(line, "%llx-%llx", &from, &to) == 2)
			sum += to - from;
	fclose(maps);
	return sum;
}

static void memory_bytes_is_what_is_mapped(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	uint64_t before = mapped_bytes();

	options.segment_bytes = 32768;
	pair_open(pair, &options, NULL);
	/* Both lanes' heads are mapped by both, in this process; segments by the reader once it meets them. */
	assert_code(pattern_push(pair->a, 1 << 20, 1, 0), 0);
	assert_code(pattern_push(pair->a, 1000, 2, 0), 0);
	assert_code(pattern_push(pair->b, 1000, 3, 0), 0);
	pattern_take(pair->b, 1 << 20, 1);
	pattern_take(pair->b, 1000, 2);
	pattern_take(pair->a, 1000, 3);
	assert_int_equal(mapped_bytes() - before,
			 2 * (stats_of(pair->a).memory_bytes + stats_of(pair->b).memory_bytes));
}

static void the_tool_page_says_the_same(struct pair *pair)
{
	const struct lane_tool *tool;
	struct shmipc_channel_stats stats;
	struct worker reader;

	pair_open(pair, NULL, NULL);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	worker_await_sleep(&reader);
	assert_code(pattern_push(pair->a, 1 << 20, 1, 0), 0);
	assert_code(pattern_push(pair->a, 100, 2, 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	stats = stats_of(pair->a);
	/* As a tool, or the peer, sees it. */
	tool = pair->b->peer.tool;
	assert_int_equal(load_relaxed(&tool->messages_sent), stats.messages_sent);
	assert_int_equal(load_relaxed(&tool->bytes_sent), stats.bytes_sent);
	assert_int_equal(load_relaxed(&tool->rings), stats.rings);
	assert_int_equal(load_relaxed(&tool->growths), stats.growths);
	assert_int_equal(load_relaxed(&tool->slices_lent), stats.slices_lent);
	assert_int_equal(load_relaxed(&tool->bytes_lent), stats.bytes_lent);
	assert_int_equal(load_relaxed(&tool->memory_bytes), stats.memory_bytes);
	assert_int_equal(load_relaxed(&pair->a->peer.tool->sleeps), stats_of(pair->b).sleeps);
	pattern_take(pair->b, 1 << 20, 1);
	pattern_take(pair->b, 100, 2);
	assert_int_equal(load_relaxed(&pair->a->peer.tool->messages_received), 2);
}

static void the_record_tells_a_tool_where_things_are(struct pair *pair)
{
	const struct lane_record *record;

	pair_open(pair, NULL, NULL);
	record = pair->b->peer.record;
	assert_true(record->magic == LAYOUT_MAGIC);
	assert_int_equal(record->version, LAYOUT_VERSION);
	assert_int_equal(record->endpoint, 0);
	assert_int_equal(record->pid, getpid());
	assert_int_equal(record->sync, SHMIPC_SYNC_DEMAND);
	assert_memory_equal(&record->geometry, &pair->a->geometry, sizeof(record->geometry));
	assert_int_equal(pair->a->peer.record->endpoint, 1);
	assert_true(record->channel != 0);
	assert_true(pair->a->peer.record->channel == record->channel);
}

static void the_slice_table_shows_who_has_what(struct pair *pair)
{
	const struct slice_entry *entry;
	struct shmipc_message message;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 3000, 0xabcd, 0), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), 0);
	entry = &pair->b->peer.table[message.slice & 0xffffff];
	assert_int_equal(load_relaxed(&entry->state), SLICE_LENT);
	assert_int_equal(load_relaxed(&entry->size), 3000);
	assert_int_equal(load_relaxed(&entry->tag), 0xabcd);
	assert_int_equal(load_relaxed(&entry->granules), 47);
	assert_true((uint32_t)(now_ns() / 1000000) - load_relaxed(&entry->lent_ms) < 60000);
	assert_code(shmipc_channel_release(pair->b, &message), 0);
	stats_of(pair->a);
	assert_int_not_equal(load_relaxed(&entry->state), SLICE_LENT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(everything_sent_is_received_and_nothing_stays_lent),
		ON_BOTH(what_is_lent_is_counted_until_it_comes_back),
		ON_BOTH(a_reserved_buffer_is_not_lent_yet),
		ON_BOTH(stats_fill_what_the_caller_knows_of_and_no_more),
		ON_BOTH(stats_of_an_unknown_size_are_einval),
		ON_BOTH(the_backend_is_told),
		ON_BOTH(an_idle_channel_costs_at_most_256_kb),
		ON_BOTH(memory_bytes_is_what_is_mapped),
		ON_BOTH(the_tool_page_says_the_same),
		ON_BOTH(the_record_tells_a_tool_where_things_are),
		ON_BOTH(the_slice_table_shows_who_has_what),
	};

	return RUN_TESTS(tests, argc, argv);
}
