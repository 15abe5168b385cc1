// SPDX-License-Identifier: Apache-2.0
/*
 * dump_json.c - everything about two lanes, decoded, for machines
 */
#include "decode.h"
#include "dump_show.h"

static json_t *control_json(const struct image *lane)
{
	struct control w = image_control(lane);

	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "seq", (json_int_t)w.seq, "rung",
			 (json_int_t)w.rung, "cons", (json_int_t)w.cons, "ret_cons", (json_int_t)w.ret_cons, "skip",
			 (json_int_t)w.skip, "pays", (json_int_t)w.pays, "cpu", (json_int_t)w.cpu, "retired",
			 (json_int_t)w.retired, "unmapped", (json_int_t)w.unmapped, "waiting",
			 waiting_name(decode_waiting(w.seq)));
}

static json_t *slots_json(const struct image *lane, const struct image *peer)
{
	struct queue q = decode_queue(lane, peer);
	uint32_t cons = q.cons, i;
	json_t *array = json_array(), *entry;

	for (i = 0; i < lane->geometry.slots; i++) {
		struct slot_view slot = image_slot(lane, cons + i);

		if (!slot.lap)
			continue;
		entry = json_pack("{s:i,s:I,s:b,s:I,s:i,s:I,s:s}", "slot",
				  (int)((cons + i) & (lane->geometry.slots - 1)), "lap", (json_int_t)slot.lap, "queued",
				  i >= q.read && i < q.slots, "stream", (json_int_t)slot.tag, "kind", (int)slot.kind,
				  "size", (json_int_t)slot.size, "carry", carry_name(slot.carry));
		if (slot.carry == SLOT_SLICE) {
			json_object_set_new(entry, "slice", json_integer(slot.slice));
			json_object_set_new(entry, "segment", json_integer(slot.segment));
			json_object_set_new(entry, "offset", json_integer((json_int_t)(slot.offset & INT64_MAX)));
		}
		json_array_append_new(array, entry);
	}
	return array;
}

static json_t *slices_json(const struct image *lane, uint32_t now_ms)
{
	json_t *array = json_array(), *entry;
	uint32_t i;

	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);

		if (slice.state == SLICE_UNUSED)
			continue;
		entry = json_pack("{s:i,s:s,s:I,s:I,s:I}", "slice", (int)i, "state", slice_state_name(slice.state),
				  "segment", (json_int_t)slice.segment, "offset",
				  (json_int_t)(slice.offset & INT64_MAX), "bytes", (json_int_t)slice.bytes);
		if (slice.state == SLICE_LENT) {
			json_object_set_new(entry, "size", json_integer(slice.size));
			json_object_set_new(entry, "stream", json_integer(slice.tag));
			json_object_set_new(entry, "age_ms",
					    json_integer((json_int_t)decode_age(slice.lent_ms, now_ms)));
		}
		json_array_append_new(array, entry);
	}
	return array;
}

static json_t *returned_json(const struct image *lane, const struct image *peer)
{
	json_t *array = json_array();
	struct slice_set returned;
	uint32_t i;

	decode_returned(lane, peer, &returned);
	for (i = 0; i < lane->geometry.slices; i++)
		if (slice_set_has(&returned, i))
			json_array_append_new(array, json_integer(i));
	return array;
}

static json_t *segments_json(const struct image *lane)
{
	json_t *array = json_array();
	char map[MAP_WIDTH + 1];
	uint32_t i;

	for (i = 0; i < SHMIPC_SEGMENTS; i++) {
		if (!lane->segment[i].bytes)
			continue;
		decode_map(lane, i, map);
		json_array_append_new(array, json_pack("{s:i,s:I,s:b,s:s}", "segment", (int)i, "bytes",
						       (json_int_t)lane->segment[i].bytes, "content",
						       lane->segment[i].base != NULL, "map", map));
	}
	return array;
}

static json_t *lane_json(const struct dump *dump, int e)
{
	const struct image *lane = &dump->pair.lane[e], *peer = &dump->pair.lane[!e];

	if (lane->fault)
		return json_pack("{s:i,s:s}", "endpoint", e, "fault", lane->fault);
	return json_pack("{s:i,s:n,s:o,s:o,s:o,s:o,s:o}", "endpoint", e, "fault", "control", control_json(lane),
			 "slots", slots_json(lane, peer), "slices", slices_json(lane, dump->now_ms), "returned",
			 returned_json(lane, peer), "segments", segments_json(lane));
}

static json_t *findings_json(const struct findings *findings)
{
	json_t *array = json_array();
	int i;

	for (i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		json_array_append_new(array, json_pack("{s:s,s:i,s:s,s:s,s:s}", "name", f->name, "endpoint",
						       f->endpoint, "verdict", verdict_name(f->verdict), "text",
						       f->text, "meaning", invariant_meaning(f->name)));
	}
	return array;
}

json_t *dump_json(const struct dump *dump, const struct findings *findings)
{
	return json_pack("{s:i,s:s,s:b,s:O,s:[o,o],s:o}", "version", 1, "command", "dump", "still", dump->still,
			 "description", dump->meta, "lanes", lane_json(dump, 0), lane_json(dump, 1), "invariants",
			 findings_json(findings));
}
