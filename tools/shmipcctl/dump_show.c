// SPDX-License-Identifier: Apache-2.0
/*
 * dump_show.c - everything about two lanes, decoded, for people
 */
#include "dump_show.h"

#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "grid.h"
#include "units.h"

static void show_control(const struct image *lane)
{
	struct control w = image_control(lane);

	printf("  control words\n");
	printf("    seq      %-10u %s\n", w.seq, waiting_name(decode_waiting(w.seq)));
	printf("    rung     %-10u for the peer's sleep of that number\n", w.rung);
	printf("    cons     %-10u messages of the peer consumed\n", w.cons);
	printf("    ret_cons %-10u give-backs collected\n", w.ret_cons);
	printf("    skip     %-10u %s\n", w.skip, w.skip ? "publishes without a barrier" : "publishes with a barrier");
	printf("    pays     %-10u %s\n", w.pays,
	       w.pays ? "pays for the peer's barriers" : "does not pay for barriers");
	if (w.cpu)
		printf("    cpu      %-10u last waited there\n", w.cpu - 1);
	else
		printf("    cpu      -          not known\n");
	printf("    retired  %#-10x own segments given up\n", w.retired);
	printf("    unmapped %#-10x the peer's retired segments unmapped here\n", w.unmapped);
}

static void show_counters(const struct image *lane)
{
	struct counters c = image_counters(lane);
	char sent[UNITS_MAX], received[UNITS_MAX], lent[UNITS_MAX], memory[UNITS_MAX];

	printf("  counters\n    sent %" PRIu64 " messages, %s; received %" PRIu64 " messages, %s\n", c.messages_sent,
	       format_bytes(sent, c.bytes_sent), c.messages_received, format_bytes(received, c.bytes_received));
	printf("    rings %" PRIu64 ", sleeps %" PRIu64 ", growths %" PRIu64 ", retires %" PRIu64 "; lent %" PRIu64
	       " slices, %s; memory %s\n",
	       c.rings, c.sleeps, c.growths, c.retires, c.slices_lent, format_bytes(lent, c.bytes_lent),
	       format_bytes(memory, c.memory_bytes));
}

static const struct grid_column slot_columns[] = {
	{ "    SLOT", true, false, 0 }, { "LAP", true, false, 0 },    { "STATE", false, false, 0 },
	{ "STREAM", true, false, 0 },	{ "KIND", true, false, 0 },   { "SIZE", true, false, 0 },
	{ "CARRY", false, false, 0 },	{ "WHERE", false, false, 0 },
};

/* What the slot is, so many behind the first that the reader has not shown as consumed. */
static const char *name_slot(const struct queue *q, uint32_t i, uint32_t lap)
{
	if (i < q->slots)
		return i < q->read ? "read" : "queued";
	return lap ? "consumed" : "never used";
}

static void show_slots(const struct image *lane, const struct image *peer, bool all)
{
	struct queue q = decode_queue(lane, peer);
	uint32_t cons = q.cons, count = all ? lane->geometry.slots : q.slots, i;
	struct grid table;

	printf("  slot ring: %u of %u slots are queued for the peer\n", q.slots - q.read, lane->geometry.slots);
	grid_init(&table, slot_columns, 8);
	for (i = 0; i < count; i++) {
		struct slot_view slot = image_slot(lane, cons + i);

		grid_add(&table, GRID_PLAIN, "%u", (cons + i) & (lane->geometry.slots - 1));
		grid_add(&table, GRID_PLAIN, "%u", slot.lap);
		grid_add(&table, i >= q.read && i < q.slots ? GRID_YELLOW : GRID_DIM, "%s", name_slot(&q, i, slot.lap));
		grid_add(&table, GRID_PLAIN, "%u", slot.tag);
		grid_add(&table, GRID_PLAIN, "%u", slot.kind);
		grid_add(&table, GRID_PLAIN, "%u", slot.size);
		grid_add(&table, GRID_PLAIN, "%s", carry_name(slot.carry));
		if (slot.carry == SLOT_SLICE)
			grid_add(&table, GRID_PLAIN, "slice %u, segment %u + %" PRIu64, slot.slice, slot.segment,
				 slot.offset);
		else
			grid_add(&table, GRID_PLAIN, "%s", "");
	}
	if (count)
		grid_print(&table, stdout, 0, wants_colour(stdout), 0, count);
	grid_fini(&table);
}

static void show_returns(const struct image *lane, const struct image *peer)
{
	struct slice_set returned;
	uint32_t count = decode_returned(peer, lane, &returned), i;

	printf("  return ring: %u slices of the peer's given back and not collected", count);
	for (i = 0; count && i < peer->geometry.slices; i++)
		if (slice_set_has(&returned, i))
			printf(" %u", i);
	putchar('\n');
}

static const struct grid_column slice_columns[] = {
	{ "   SLICE", true, false, 0 }, { "STATE", false, false, 0 }, { "SEGMENT", true, false, 0 },
	{ "OFFSET", true, false, 0 },	{ "BYTES", true, false, 0 },  { "MESSAGE", true, false, 0 },
	{ "STREAM", true, false, 0 },	{ "AGE", true, false, 0 },
};

/* What is true of a lent slice only: its message's size, stream and age. */
static void add_lent(struct grid *table, const struct slice_view *slice, uint32_t now_ms)
{
	char text[UNITS_MAX];

	if (slice->state != SLICE_LENT) {
		grid_add(table, GRID_PLAIN, "-");
		grid_add(table, GRID_PLAIN, "-");
		grid_add(table, GRID_PLAIN, "-");
		return;
	}
	grid_add(table, GRID_PLAIN, "%u", slice->size);
	grid_add(table, GRID_PLAIN, "%u", slice->tag);
	grid_add(table, GRID_PLAIN, "%s", format_age(text, decode_age(slice->lent_ms, now_ms)));
}

static void show_slices(const struct image *lane, uint32_t now_ms, bool all)
{
	struct grid table;
	uint32_t i;

	grid_init(&table, slice_columns, 8);
	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);
		bool lent = slice.state == SLICE_LENT;

		if (slice.state == SLICE_UNUSED || (slice.state == SLICE_FREE && !all))
			continue;
		grid_add(&table, GRID_PLAIN, "%u", i);
		grid_add(&table, lent ? GRID_YELLOW : GRID_PLAIN, "%s", slice_state_name(slice.state));
		grid_add(&table, GRID_PLAIN, "%u", slice.segment);
		grid_add(&table, GRID_PLAIN, "%" PRIu64, slice.offset);
		grid_add(&table, GRID_PLAIN, "%" PRIu64, slice.bytes);
		add_lent(&table, &slice, now_ms);
	}
	printf("  slice table: %zu of %u numbers%s\n", grid_rows(&table), lane->geometry.slices,
	       all ? " in use" : " lent or being written");
	if (grid_rows(&table))
		grid_print(&table, stdout, 0, wants_colour(stdout), 0, grid_rows(&table));
	grid_fini(&table);
}

static void show_space(const struct image *lane)
{
	char map[MAP_WIDTH + 1], text[UNITS_MAX];
	uint32_t i;

	printf("  space ('.' free, '#' lent, 'w' being written, '+' both, '?' unknown)\n");
	for (i = 0; i < SHMIPC_SEGMENTS; i++) {
		if (!lane->segment[i].bytes)
			continue;
		decode_map(lane, i, map);
		printf("    segment %-2u %5s |%s|\n", i, format_bytes(text, lane->segment[i].bytes), map);
	}
}

static void show_lane(const struct dump *dump, int e, bool all)
{
	const struct image *lane = &dump->pair.lane[e], *peer = &dump->pair.lane[!e];
	char segment[UNITS_MAX], most[UNITS_MAX];

	printf("\nlane of endpoint %d\n", e);
	if (lane->fault) {
		printf("  cannot be decoded: %s\n", lane->fault);
		return;
	}
	printf("  pid %d, sync %s, %u slots, %u slices, segments from %s, at most %s\n", lane->record.pid,
	       sync_name(lane->record.sync), lane->geometry.slots, lane->geometry.slices,
	       format_bytes(segment, lane->geometry.segment_bytes), format_bytes(most, lane->geometry.memory_max));
	show_control(lane);
	show_counters(lane);
	show_slots(lane, peer, all);
	if (!peer->fault)
		show_returns(lane, peer);
	show_slices(lane, dump->now_ms, all);
	show_space(lane);
}

void findings_show(const struct findings *findings, bool all)
{
	static const enum grid_colour colours[] = { GRID_GREEN, GRID_RED, GRID_YELLOW, GRID_DIM };
	bool colour = wants_colour(stdout);
	int i;

	for (i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		if (!all && (f->verdict == VERDICT_HOLDS || f->verdict == VERDICT_OPEN))
			continue;
		printf("  %s%-8s%s %-12s endpoint %d: %s\n", colour ? colour_code(colours[f->verdict]) : "",
		       verdict_name(f->verdict), colour ? "\033[0m" : "", f->name, f->endpoint,
		       *f->text ? f->text : invariant_meaning(f->name));
	}
}

/* A string of the description, fit for a terminal. */
static const char *meta_text(const struct dump *dump, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(dump->meta, key));

	sanitize_text(text, size, value ? value : "?", value ? strlen(value) : 1);
	return text;
}

void dump_show(const struct dump *dump, const struct findings *findings, bool all)
{
	char name[64], host[64], kernel[64], taken[64];

	printf("channel %s of host %s, kernel %s, taken %s%s\n", meta_text(dump, "name", name, sizeof(name)),
	       meta_text(dump, "host", host, sizeof(host)), meta_text(dump, "kernel", kernel, sizeof(kernel)),
	       meta_text(dump, "taken", taken, sizeof(taken)),
	       dump->still ? "" : " while it was in use: what belongs together may not agree");
	show_lane(dump, 0, all);
	show_lane(dump, 1, all);
	printf("\ninvariants: %d hold, %d fail, %d strange, %d open\n", findings_count(findings, VERDICT_HOLDS),
	       findings_count(findings, VERDICT_FAILS), findings_count(findings, VERDICT_STRANGE),
	       findings_count(findings, VERDICT_OPEN));
	findings_show(findings, all);
}
