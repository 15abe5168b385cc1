// SPDX-License-Identifier: Apache-2.0
/*
 * decode.c - what a lane's words mean
 */
#include "decode.h"

#include <string.h>

enum waiting decode_waiting(uint32_t seq)
{
	if (!(seq & SEQ_ASLEEP))
		return WAITING_NOT;
	if (seq & SEQ_FD)
		return WAITING_ARMED;
	return seq & SEQ_SPACE ? WAITING_FOR_ROOM : WAITING_ASLEEP;
}

const char *waiting_name(enum waiting waiting)
{
	static const char *const names[] = { "awake", "asleep", "for-room", "armed" };

	return names[waiting];
}

const char *slice_state_name(uint32_t state)
{
	static const char *const names[] = { "unused", "free", "writing", "lent" };

	return state < sizeof(names) / sizeof(*names) ? names[state] : "invalid";
}

const char *carry_name(uint32_t carry)
{
	static const char *const names[] = { "hole", "inline", "slice" };

	return carry < sizeof(names) / sizeof(*names) ? names[carry] : "invalid";
}

const char *sync_name(uint32_t sync)
{
	static const char *const names[] = { "adaptive", "demand", "polling", "timed" };

	return sync < sizeof(names) / sizeof(*names) ? names[sync] : "invalid";
}

/* A reader shows what it consumed a sixteenth of the ring at a time. */
static uint32_t count_step(const struct image *lane)
{
	return lane->geometry.slots / 16;
}

/* Of the published slots the first were read, if the counters say so: those with the messages that are not missing. */
static void find_read(const struct image *lane, const struct image *peer, struct queue *q)
{
	uint64_t unread = image_counters(lane).messages_sent - image_counters(peer).messages_received;
	uint32_t read;

	q->adds_up = unread <= q->messages && q->messages - unread <= count_step(lane);
	if (!q->adds_up)
		return;
	for (read = q->messages - (uint32_t)unread; read && q->read < q->slots; q->read++)
		read -= image_slot(lane, q->cons + q->read).carry != SLOT_HOLE;
	q->messages = (uint32_t)unread;
}

struct queue decode_queue(const struct image *lane, const struct image *peer)
{
	struct queue q = { .slots = 0 };

	if (lane->fault || peer->fault)
		return q;
	q.cons = image_control(peer).cons;
	for (; q.slots < lane->geometry.slots; q.slots++) {
		if (image_lap(lane, q.cons + q.slots) != q.cons + q.slots + 1)
			break;
		q.messages += image_slot(lane, q.cons + q.slots).carry != SLOT_HOLE;
	}
	find_read(lane, peer, &q);
	return q;
}

uint32_t decode_returned(const struct image *lane, const struct image *peer, struct slice_set *set)
{
	uint32_t from, i, n = 0, most;

	memset(set, 0, sizeof(*set));
	if (lane->fault || peer->fault)
		return 0;
	from = image_control(lane).ret_cons;
	most = peer->geometry.slices;
	for (i = 0; i < most; i++) {
		uint64_t entry = image_return(peer, from + i);
		uint32_t slice = (uint32_t)entry;

		if (entry >> 32 != (uint32_t)(from + i + 1))
			break;
		if (slice >= lane->geometry.slices || slice_set_has(set, slice))
			continue;
		set->bits[slice / 64] |= 1ull << (slice % 64);
		n++;
	}
	return n;
}

void decode_queued(const struct image *lane, const struct image *peer, struct slice_set *set)
{
	struct queue q = decode_queue(lane, peer);
	uint32_t i;

	memset(set, 0, sizeof(*set));
	for (i = q.read; i < q.slots; i++) {
		struct slot_view slot = image_slot(lane, q.cons + i);

		if (slot.carry == SLOT_SLICE && slot.slice < lane->geometry.slices)
			set->bits[slot.slice / 64] |= 1ull << (slot.slice % 64);
	}
}

uint64_t decode_age(uint32_t lent_ms, uint32_t now_ms)
{
	uint32_t age = now_ms - lent_ms;

	/* Lent since we took the time; or a lie. Half of the clock's range, 24 days, is what an age can be. */
	return age > INT32_MAX ? 0 : age;
}

static void decode_table(const struct image *lane, const struct slice_set *returned, uint32_t now_ms,
			 struct lane_facts *facts)
{
	uint32_t i;

	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);
		uint64_t age;

		if (slice.state == SLICE_FREE)
			facts->free_bytes += slice.bytes;
		if (slice.state == SLICE_WRITING)
			facts->writing++;
		if (slice.state != SLICE_LENT || slice_set_has(returned, i))
			continue;
		age = decode_age(slice.lent_ms, now_ms);
		facts->lent++;
		facts->lent_bytes += slice.size;
		if (facts->oldest_ms < age)
			facts->oldest_ms = age;
	}
}

void decode_lane(const struct image *lane, const struct image *peer, uint32_t now_ms, struct lane_facts *facts)
{
	struct slice_set returned;

	*facts = (struct lane_facts){ .control = image_control(lane), .counters = image_counters(lane) };
	facts->returned = decode_returned(lane, peer, &returned);
	decode_table(lane, &returned, now_ms, facts);
	facts->queue = decode_queue(lane, peer).messages;
}

/* Paint the part of the map that a slice covers; bounded by the map. */
static void paint(char *map, uint64_t offset, uint64_t bytes, uint64_t size, char letter)
{
	uint64_t from = offset * MAP_WIDTH / size, to = (offset + bytes - 1) * MAP_WIDTH / size, i;

	for (i = from; i <= to && i < MAP_WIDTH; i++)
		map[i] = map[i] == '?' || map[i] == letter || map[i] == '.' ? letter : letter == '.' ? map[i] : '+';
}

void decode_map(const struct image *lane, uint32_t segment, char map[MAP_WIDTH + 1])
{
	uint32_t i;

	memset(map, '?', MAP_WIDTH);
	map[MAP_WIDTH] = '\0';
	for (i = 0; i < lane->geometry.slices; i++) {
		struct slice_view slice = image_slice(lane, i);
		uint64_t size = lane->segment[segment].bytes;

		if (slice.state == SLICE_UNUSED || slice.state > SLICE_LENT || slice.segment != segment ||
		    !slice.bytes || !image_has(lane, segment, slice.offset, slice.bytes))
			continue;
		paint(map, slice.offset, slice.bytes, size,
		      slice.state == SLICE_FREE	  ? '.'
		      : slice.state == SLICE_LENT ? '#'
						  : 'w');
	}
}
