/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - what a lane's words mean: queues, what is lent, for how long, to whom
 *
 * Pure: an image in, facts out.
 */
#ifndef SHMIPCCTL_DECODE_H
#define SHMIPCCTL_DECODE_H

#include "image.h"

/* A bit for each slice number. */
struct slice_set {
	uint64_t bits[LAYOUT_SLICES_MAX / 64];
};

static inline bool slice_set_has(const struct slice_set *set, uint32_t n)
{
	return set->bits[n / 64] >> (n % 64) & 1;
}

/* What one side has sent and lent, as both lanes say. */
struct lane_facts {
	struct control control;
	struct counters counters;
	uint32_t queue;	     /* messages published and not received; 0 without the other lane */
	uint32_t returned;   /* slices given back and not collected */
	uint32_t lent;	     /* slices lent and not given back */
	uint64_t lent_bytes; /* bytes of their messages */
	uint64_t oldest_ms;  /* age of the oldest of them; 0 without */
	uint32_t writing;    /* reserved, not submitted */
	uint64_t free_bytes;
};

/* How a lane's owner waits. */
enum waiting { WAITING_NOT, WAITING_ASLEEP, WAITING_FOR_ROOM, WAITING_ARMED };

enum waiting decode_waiting(uint32_t seq);
const char *waiting_name(enum waiting waiting);
const char *slice_state_name(uint32_t state);
const char *carry_name(uint32_t carry);
const char *sync_name(uint32_t sync);

/*
 * What a lane has published and its peer not said that it consumed. The peer says so a sixteenth of the ring at a time; what
 * it has read beyond that the two lanes' counters tell, where they can be believed.
 */
struct queue {
	uint32_t cons;	   /* the first slot */
	uint32_t slots;	   /* at most a ring full */
	uint32_t read;	   /* of these, the first so many were read */
	uint32_t messages; /* in the others */
	bool adds_up;	   /* the counters agree */
};

struct queue decode_queue(const struct image *lane, const struct image *peer);

/* Which of the lane's slices its peer has given back, and the lane not yet collected. Returns how many. */
uint32_t decode_returned(const struct image *lane, const struct image *peer, struct slice_set *set);

/* Which of the lane's slices stand in slots that were not consumed yet. */
void decode_queued(const struct image *lane, const struct image *peer, struct slice_set *set);

/* Milliseconds since a slice was lent, by a clock that may run a little ahead of ours. */
uint64_t decode_age(uint32_t lent_ms, uint32_t now_ms);

/**
 * decode_lane - everything about one direction
 * @lane: the sender's; without a fault
 * @peer: the other one; what wants it is 0 where it has a fault
 * @now_ms: CLOCK_MONOTONIC of the moment that the image is of
 */
void decode_lane(const struct image *lane, const struct image *peer, uint32_t now_ms, struct lane_facts *facts);

#define MAP_WIDTH 64

/* A segment drawn: one letter for each 64th: '.' free, '#' lent, 'w' being written, '+' both, '?' in no slice. */
void decode_map(const struct image *lane, uint32_t segment, char map[MAP_WIDTH + 1]);

#endif /* SHMIPCCTL_DECODE_H */
