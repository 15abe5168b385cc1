// SPDX-License-Identifier: Apache-2.0
/*
 * invariants.c - what must hold in a channel's two lanes
 *
 * Each check is a function of the lane and its peer that writes the first thing it finds wrong.
 */
#include "invariants.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"

struct check {
	const char *name;
	const char *meaning;
	bool both;     /* wants both lanes */
	bool still;    /* wants a moment of rest */
	bool segments; /* wants the sizes of all segments */
	enum verdict bad;
	/* Writes what is wrong and returns false. */
	bool (*holds)(const struct image *lane, const struct image *peer, char *text);
};

__attribute__((format(printf, 2, 3))) static bool wrong(char *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, INVARIANT_TEXT, format, arguments);
	va_end(arguments);
	return false;
}

static bool lanes_agree(const struct image *lane, const struct image *peer, char *text)
{
	if (memcmp(&lane->geometry, &peer->geometry, sizeof(lane->geometry)))
		return wrong(text, "the two lanes have different geometries");
	if (lane->record.endpoint == peer->record.endpoint)
		return wrong(text, "both lanes say that they are endpoint %u's", lane->record.endpoint);
	if (lane->record.channel != peer->record.channel)
		return wrong(text, "the lanes name channels %016" PRIx64 " and %016" PRIx64, lane->record.channel,
			     peer->record.channel);
	return true;
}

/* A lap is 1 + an index that belongs to its slot. True at any moment. */
static bool laps_fit_slots(const struct image *lane, const struct image *peer, char *text)
{
	uint32_t i, lap, mask = lane->geometry.slots - 1;

	(void)peer;
	for (i = 0; i <= mask; i++) {
		lap = image_lap(lane, i);
		if (lap && ((lap - 1) & mask) != i)
			return wrong(text, "slot %u has lap %u, which is slot %u's", i, lap, (lap - 1) & mask);
	}
	return true;
}

/* Behind the queue's end stand the laps of one round before. */
static bool queue_is_one_run(const struct image *lane, const struct image *peer, char *text)
{
	struct queue q = decode_queue(lane, peer);
	uint32_t cons = q.cons, queue = q.slots, i, lap, expected;

	for (i = queue; i < lane->geometry.slots; i++) {
		expected = cons + i + 1 - lane->geometry.slots;
		lap = image_lap(lane, cons + i);
		if (lap != expected && (lap || (int32_t)expected > 0))
			return wrong(text, "slot %u has lap %u and not %u; the reader is at %u, the queue %u long",
				     (cons + i) & (lane->geometry.slots - 1), lap, expected, cons, queue);
	}
	return true;
}

static bool check_slice_slot(const struct image *lane, uint32_t index, const struct slot_view *slot, char *text)
{
	struct slice_view slice;

	if (slot->slice >= lane->geometry.slices || slot->segment >= SHMIPC_SEGMENTS)
		return wrong(text, "message %u names slice %u of segment %u", index, slot->slice, slot->segment);
	slice = image_slice(lane, slot->slice);
	if (slice.state != SLICE_LENT)
		return wrong(text, "message %u is in slice %u, which is %s", index, slot->slice,
			     slice_state_name(slice.state));
	if (slice.segment != slot->segment || slice.offset != slot->offset || slice.size != slot->size ||
	    slice.tag != slot->tag)
		return wrong(text, "message %u and the slice table differ about slice %u", index, slot->slice);
	return true;
}

static bool queued_messages_make_sense(const struct image *lane, const struct image *peer, char *text)
{
	struct queue q = decode_queue(lane, peer);
	uint32_t i;

	/* What was read may have been given back, and its slice lent anew. */
	for (i = q.cons + q.read; i != q.cons + q.slots; i++) {
		struct slot_view slot = image_slot(lane, i);

		if (slot.carry > SLOT_SLICE)
			return wrong(text, "message %u carries %u, which is unknown", i, slot.carry);
		if (slot.carry == SLOT_INLINE && slot.size > SHMIPC_INLINE_MAX)
			return wrong(text, "message %u has %u bytes in a slot", i, slot.size);
		if (slot.carry == SLOT_SLICE && !check_slice_slot(lane, i, &slot, text))
			return false;
	}
	return true;
}

/* The lane's return ring names slices of the peer's. True at any moment. */
static bool returns_fit(const struct image *lane, const struct image *peer, char *text)
{
	uint32_t i, mask = lane->geometry.slices - 1;

	(void)peer;
	for (i = 0; i <= mask; i++) {
		uint64_t entry = image_return(lane, i);
		uint32_t lap = (uint32_t)(entry >> 32), slice = (uint32_t)entry;

		if (!entry)
			continue;
		if (((lap - 1) & mask) != i)
			return wrong(text, "return %u has lap %u, which is return %u's", i, lap, (lap - 1) & mask);
		if (slice > mask)
			return wrong(text, "return %u names slice %u of %u", i, slice, mask + 1);
	}
	return true;
}

static bool returned_were_lent(const struct image *lane, const struct image *peer, char *text)
{
	struct slice_set returned;
	uint32_t i;

	decode_returned(lane, peer, &returned);
	for (i = 0; i < lane->geometry.slices; i++)
		if (slice_set_has(&returned, i) && image_slice(lane, i).state != SLICE_LENT)
			return wrong(text, "slice %u was given back, but is %s", i,
				     slice_state_name(image_slice(lane, i).state));
	return true;
}

static bool table_is_sound(const struct image *lane, const struct image *peer, char *text)
{
	uint32_t i;

	(void)peer;
	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);

		if (slice.state > SLICE_LENT)
			return wrong(text, "slice %u has state %u", i, slice.state);
		if (slice.state == SLICE_UNUSED)
			continue;
		if (slice.segment >= SHMIPC_SEGMENTS || slice.offset % 64 || !slice.bytes)
			return wrong(text, "slice %u is said to be at %" PRIu64 " of segment %u, %" PRIu64 " bytes", i,
				     slice.offset, slice.segment, slice.bytes);
		if (slice.state == SLICE_LENT && slice.size > slice.bytes)
			return wrong(text, "slice %u has %u bytes of message in %" PRIu64, i, slice.size, slice.bytes);
	}
	return true;
}

struct piece {
	uint64_t offset, bytes;
	uint32_t segment, number, state;
};

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *p = a, *q = b;

	if (p->segment != q->segment)
		return p->segment < q->segment ? -1 : 1;
	return p->offset < q->offset ? -1 : p->offset > q->offset;
}

static bool check_neighbours(const struct piece *pieces, uint32_t count, const struct image *lane, char *text)
{
	uint64_t at[SHMIPC_SEGMENTS] = { 0 };
	uint32_t i;

	for (i = 0; i < count; i++) {
		const struct piece *p = &pieces[i];

		if (!image_has(lane, p->segment, p->offset, p->bytes))
			return wrong(text, "slice %u lies outside segment %u", p->number, p->segment);
		if (p->offset != at[p->segment])
			return wrong(text, "%s at %" PRIu64 " of segment %u, in front of slice %u",
				     p->offset > at[p->segment] ? "a gap" : "two slices overlap", at[p->segment],
				     p->segment, p->number);
		at[p->segment] += p->bytes;
	}
	for (i = 0; i < SHMIPC_SEGMENTS; i++)
		if (at[i] != lane->segment[i].bytes)
			return wrong(text, "segment %u has %" PRIu64 " bytes, its slices %" PRIu64, i,
				     lane->segment[i].bytes, at[i]);
	return true;
}

static bool slices_tile_segments(const struct image *lane, const struct image *peer, char *text)
{
	struct piece *pieces = calloc(lane->geometry.slices, sizeof(*pieces));
	uint32_t i, count = 0;
	bool ok;

	(void)peer;
	if (!pieces)
		return wrong(text, "no memory for this check");
	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);

		if (slice.state == SLICE_UNUSED || slice.segment >= SHMIPC_SEGMENTS)
			continue;
		pieces[count++] = (struct piece){ slice.offset, slice.bytes, slice.segment, i, slice.state };
	}
	qsort(pieces, count, sizeof(*pieces), compare_pieces);
	ok = check_neighbours(pieces, count, lane, text);
	free(pieces);
	return ok;
}

static bool lent_is_counted(const struct image *lane, const struct image *peer, char *text)
{
	struct counters counters = image_counters(lane);
	uint64_t lent = 0, bytes = 0;
	uint32_t i;

	(void)peer;
	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);

		if (slice.state == SLICE_LENT) {
			lent++;
			bytes += slice.size;
		}
	}
	if (lent != counters.slices_lent || bytes != counters.bytes_lent)
		return wrong(text,
			     "%" PRIu64 " slices with %" PRIu64 " bytes are lent, %" PRIu64 " with %" PRIu64 " counted",
			     lent, bytes, counters.slices_lent, counters.bytes_lent);
	return true;
}

static bool memory_is_counted(const struct image *lane, const struct image *peer, char *text)
{
	uint64_t segments = 0, counted = image_counters(lane).memory_bytes;
	uint32_t i;

	(void)peer;
	for (i = 0; i < SHMIPC_SEGMENTS; i++)
		segments += lane->segment[i].bytes;
	if (segments > lane->geometry.memory_max)
		return wrong(text, "%" PRIu64 " bytes of segments, of %" PRIu64 " allowed", segments,
			     lane->geometry.memory_max);
	if (counted != lane->geometry.head_bytes + segments)
		return wrong(text, "the lane has %" PRIu64 " bytes and counts %" PRIu64,
			     lane->geometry.head_bytes + segments, counted);
	return true;
}

static bool rung_is_for_a_sleep(const struct image *lane, const struct image *peer, char *text)
{
	uint32_t rung = image_control(lane).rung;

	(void)peer;
	if (rung && !(rung & SEQ_ASLEEP))
		return wrong(text, "it has rung for %u, and no sleep has that number", rung);
	return true;
}

static bool messages_add_up(const struct image *lane, const struct image *peer, char *text)
{
	uint64_t sent = image_counters(lane).messages_sent, received = image_counters(peer).messages_received;
	struct queue q = decode_queue(lane, peer);

	if (!q.adds_up)
		return wrong(text, "%" PRIu64 " sent, %" PRIu64 " received, %u in the queue", sent, received,
			     q.messages);
	return true;
}

static bool sleeper_is_rung(const struct image *lane, const struct image *peer, char *text)
{
	struct control reader = image_control(peer);
	uint32_t queue = decode_queue(lane, peer).messages;

	if (queue && reader.seq & SEQ_ASLEEP && image_control(lane).rung != reader.seq)
		return wrong(text, "%u messages wait for a reader that sleeps (seq %u) and was not rung for", queue,
			     reader.seq);
	return true;
}

static const struct check checks[] = {
	{ "lanes-agree", "both lanes have one geometry, one channel, and different endpoints", true, false, false,
	  VERDICT_FAILS, lanes_agree },
	{ "laps", "a slot's lap number is one that this slot can have", false, false, false, VERDICT_FAILS,
	  laps_fit_slots },
	{ "queue", "what is published and not consumed is one run of slots", true, true, false, VERDICT_FAILS,
	  queue_is_one_run },
	{ "messages", "a queued message fits in its slot, or is in a slice that is lent, where both say", true, true,
	  false, VERDICT_FAILS, queued_messages_make_sense },
	{ "return-ring", "a give-back has a lap that its place can have, and names a slice", false, false, false,
	  VERDICT_FAILS, returns_fit },
	{ "returned", "what the reader gave back was lent", true, true, false, VERDICT_FAILS, returned_were_lent },
	{ "slice-table", "every slice has a state, a place and a size that are possible", false, true, false,
	  VERDICT_FAILS, table_is_sound },
	{ "space", "the slices fill every segment, without a gap or an overlap", false, true, true, VERDICT_FAILS,
	  slices_tile_segments },
	{ "lent", "the gauges of what is lent agree with the slice table", false, true, false, VERDICT_FAILS,
	  lent_is_counted },
	{ "memory", "the gauge of memory agrees with the segments, and is within the limit", false, true, true,
	  VERDICT_FAILS, memory_is_counted },
	{ "rung", "rung is the number of a sleep", false, false, false, VERDICT_FAILS, rung_is_for_a_sleep },
	{ "counters", "messages sent are received, or in the queue but for what the reader has not shown yet", true,
	  true, false, VERDICT_FAILS, messages_add_up },
	{ "wake-up",
	  "a reader with messages does not sleep unrung (but until a batch is complete, or if the writer "
	  "was stopped there)",
	  true, true, false, VERDICT_STRANGE, sleeper_is_rung },
};

const char *invariant_meaning(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		if (!strcmp(checks[i].name, name))
			return checks[i].meaning;
	return "the lane's record can be believed";
}

static struct finding *add(struct findings *findings, const char *name, int endpoint, enum verdict verdict)
{
	struct finding *f = &findings->list[findings->count++];

	*f = (struct finding){ .name = name, .endpoint = endpoint, .verdict = verdict };
	return f;
}

static void check_one(const struct check *check, const struct image_pair *pair, int endpoint, bool still,
		      struct findings *findings)
{
	const struct image *lane = &pair->lane[endpoint], *peer = &pair->lane[!endpoint];
	struct finding *f = add(findings, check->name, endpoint, VERDICT_OPEN);

	if (lane->fault)
		wrong(f->text, "the lane cannot be decoded");
	else if (check->both && peer->fault)
		wrong(f->text, "the other lane is not there");
	else if (check->segments && !lane->segments_known)
		wrong(f->text, "not all segments could be seen");
	else if (check->still && !still)
		wrong(f->text, "the channel did not rest while it was looked at");
	else
		f->verdict = check->holds(lane, peer, f->text) ? VERDICT_HOLDS : check->bad;
}

void invariants_check(const struct image_pair *pair, bool still, struct findings *findings)
{
	size_t i;
	int e;

	findings->count = 0;
	for (e = 0; e < 2; e++) {
		const struct image *lane = &pair->lane[e];
		struct finding *f = add(findings, "record", e, VERDICT_HOLDS);

		if (!lane->fault)
			continue;
		f->verdict = lane->head.base ? VERDICT_FAILS : VERDICT_OPEN;
		wrong(f->text, "%s", lane->fault);
	}
	for (i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		for (e = 0; e < 2 && findings->count < FINDINGS_MAX; e++)
			check_one(&checks[i], pair, e, still, findings);
}

int findings_count(const struct findings *findings, enum verdict verdict)
{
	int i, n = 0;

	for (i = 0; i < findings->count; i++)
		n += findings->list[i].verdict == verdict;
	return n;
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = { "holds", "fails", "strange", "open" };

	return names[verdict];
}
