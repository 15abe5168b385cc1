/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - a lane's bytes, wherever they are: a live mapping, a copy, a file
 *
 * Pure: reads the bytes that it was given and nothing else. All of them may have been written by a
 * program that is broken or lies, and may change while they are read. So nothing is read before
 * image_open() found the geometry sound and inside the object's real size, each word is loaded once,
 * and every index that comes out of the lane is checked here or by the caller, who may rely on:
 * loops are bounded by image->geometry, a private copy within the library's limits.
 */
#ifndef SHMIPCCTL_IMAGE_H
#define SHMIPCCTL_IMAGE_H

#include "shm/layout.h"

struct image_part {
	const unsigned char *base; /* NULL: the bytes are not at hand */
	uint64_t bytes;		   /* 0: there is no such part, or its size is not known */
};

struct image {
	struct image_part head;
	struct image_part segment[SHMIPC_SEGMENTS];
	bool segments_known; /* segment[].bytes says all that there is */
	const char *fault;   /* why nothing can be decoded; NULL: it can */
	/* Private copies, valid without a fault: */
	struct lane_record record;
	struct geometry geometry;
};

/* The two lanes of a channel: lane[e] is endpoint e's. */
struct image_pair {
	struct image lane[2];
};

/* A lane's hot words, each loaded once. */
struct control {
	uint32_t seq, rung, cons, skip, cpu, pays, retired, unmapped, ret_cons;
};

/* What the owner counts. */
struct counters {
	uint64_t messages_sent, bytes_sent, messages_received, bytes_received;
	uint64_t rings, sleeps, growths, retires;
	uint64_t slices_lent, bytes_lent, memory_bytes;
};

struct slot_view {
	uint32_t lap, size, tag;
	uint16_t kind, carry; /* carry: enum slot_carry, if it is one */
	uint32_t slice, segment;
	uint64_t offset;
};

struct slice_view {
	uint32_t state; /* enum slice_state, if it is one */
	uint32_t segment, size, tag, lent_ms;
	uint64_t offset, bytes;
};

/**
 * image_open - decide whether a head can be decoded
 * @image: its segments zeroed or set by the caller before or after
 * @head: @bytes of it; NULL: there is none
 *
 * Returns whether; else image->fault says why not.
 */
bool image_open(struct image *image, const void *head, uint64_t bytes);

/* All of these want an image without a fault. Numbers are taken modulo the table's size. */
struct control image_control(const struct image *image);
struct counters image_counters(const struct image *image);
struct slot_view image_slot(const struct image *image, uint32_t index);
uint64_t image_return(const struct image *image, uint32_t index);
struct slice_view image_slice(const struct image *image, uint32_t number);

/* The lap of a slot alone, with acquire. */
uint32_t image_lap(const struct image *image, uint32_t index);

/* The bytes of the tool page from an offset on, for what is kept there beside the counters. */
const void *image_tool_page(const struct image *image, uint32_t offset);

/* Bytes in a slot itself; SHMIPC_INLINE_MAX of them. */
const unsigned char *image_slot_bytes(const struct image *image, uint32_t index);

/* Whether a run of bytes lies in a segment whose size is known. */
bool image_has(const struct image *image, uint32_t segment, uint64_t offset, uint64_t bytes);

#endif /* SHMIPCCTL_IMAGE_H */
