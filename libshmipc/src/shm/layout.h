/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - what stands where in a lane's head
 *
 *	0		struct lane_words	the words that the other side watches
 *	LAYOUT_RECORD	struct lane_record	the geometry, for tools
 *	4096		struct lane_tool	counters, for tools
 *	8192		struct slot[slots]	the slot ring
 *	...		returns[slices]		the return ring
 *	...		struct slice_entry[slices]	the slice table, for tools
 *
 * Every word has one writer: the lane's owner. A peer never takes a size or an offset from here:
 * both sides compute the layout from the geometry that was agreed at the handover, and keep it in
 * private memory. Payload memory is not in the head; it comes in segments.
 */
#ifndef SHMIPC_LAYOUT_H
#define SHMIPC_LAYOUT_H

#include <assert.h>
#include <inttypes.h>
#include <linux/shmipc.h>
#include <stddef.h>
#include <stdint.h>

#include "atomics.h"
#include "shmipc/channel.h"

#define LAYOUT_PAGE 4096u
#define LAYOUT_LINE 64u
#define LAYOUT_VERSION 2u
#define LAYOUT_MAGIC 0x3163706d68732077ull
#define LAYOUT_RECORD 1024u

/* What a lane's memfds are called: the channel, the endpoint that made them, the part. */
#define LAYOUT_NAME_HEAD "shmipc-%016" PRIx64 "-%" PRIu32 "-head"
#define LAYOUT_NAME_SEGMENT "shmipc-%016" PRIx64 "-%" PRIu32 "-%" PRIu32
#define LAYOUT_NAME_MAX 48

/* Bits of seq; the rest counts. */
#define SEQ_ASLEEP 1u /* the owner sleeps, or is armed */
#define SEQ_SPACE 2u  /* and is to be woken for room too */
#define SEQ_FD 4u     /* and sleeps on its file descriptor */
#define SEQ_BITS 7u
#define SEQ_STEP 8u

/* The hot words, each where its writer disturbs nobody else's line. */
struct lane_words {
	_Alignas(LAYOUT_LINE) _Atomic uint32_t seq; /* with rung: struct shmipc_words */
	_Atomic uint32_t rung;
	_Alignas(LAYOUT_LINE) _Atomic uint32_t cons; /* slots of the peer's ring consumed */
	/* Seldom written: */
	_Alignas(LAYOUT_LINE) _Atomic uint32_t skip; /* 1: the owner publishes without a barrier */
	_Atomic uint32_t cpu;			     /* 1 + processor the owner last waited or read on; 0: unknown */
	_Atomic uint32_t pays;			     /* 1: the owner, going to sleep, can pay for the peer's barriers */
	_Atomic uint32_t retired;		     /* own segments given up: one bit each */
	_Atomic uint32_t unmapped;		     /* the peer's retired segments that were unmapped here */
	_Alignas(LAYOUT_LINE) _Atomic uint32_t ret_cons; /* give-backs collected */
	/* A vector's: vector/vector.h. 0 in other channels. */
	_Alignas(LAYOUT_LINE) _Atomic uint64_t freed; /* the owner reads no more before this place in the peer's lane */
	_Atomic uint32_t claim;			      /* the latest chunk of the peer's that it may be reading */
	_Atomic uint32_t pace; /* bytes that the peer's chunks had better not exceed; 0: no matter */
	_Alignas(LAYOUT_LINE) _Atomic uint64_t floor; /* own chunks before this one were taken back unread */
	_Atomic uint64_t dropped;		      /* own messages that were dropped */
};

/* The geometry of a channel: the same for both lanes. */
struct geometry {
	uint32_t slots;
	uint32_t slices;
	uint64_t segment_bytes;
	uint64_t memory_max;
	/* computed from these: */
	uint64_t ring_at;
	uint64_t returns_at;
	uint64_t table_at;
	uint64_t head_bytes;
};

/* For a tool that meets a lane: where things are. Written once. */
struct lane_record {
	uint64_t magic;
	uint32_t version;
	uint32_t endpoint;
	int32_t pid;
	uint32_t sync;
	uint64_t channel; /* the same in both lanes: see process_random() */
	struct geometry geometry;
};

/* The lane's owner counts here, for itself and for tools: with each message one thread what it sent, one what it received. */
struct lane_tool {
	_Alignas(LAYOUT_LINE) _Atomic uint64_t messages_sent;
	_Atomic uint64_t bytes_sent;
	_Alignas(LAYOUT_LINE) _Atomic uint64_t messages_received;
	_Atomic uint64_t bytes_received;
	_Alignas(LAYOUT_LINE) _Atomic uint64_t rings;
	_Atomic uint64_t sleeps;
	_Atomic uint64_t growths;
	_Atomic uint64_t retires;
	_Atomic uint64_t slices_lent;
	_Atomic uint64_t bytes_lent;
	_Atomic uint64_t memory_bytes;
};

/* What a slot carries: bits 16 to 23 of its `what`; below them is the message's kind. */
enum slot_carry {
	SLOT_HOLE,   /* nothing: the consumer steps over it */
	SLOT_INLINE, /* the payload itself */
	SLOT_SLICE,  /* where the payload is */
};

struct slot_ref {
	_Atomic uint32_t slice;
	_Atomic uint32_t segment;
	_Atomic uint64_t offset;
};

/* One ring entry. lap is 1 + the slot's free-running index, stored last: the slot is published. */
struct slot {
	_Alignas(LAYOUT_LINE) _Atomic uint32_t lap;
	_Atomic uint32_t size;
	_Atomic uint32_t tag;
	_Atomic uint32_t what;
	union {
		unsigned char bytes[SHMIPC_INLINE_MAX];
		struct slot_ref ref;
	};
};

/* A return ring entry: slice number in the low half, 1 + its free-running index in the high. */
#define RETURN_ENTRY(index, slice) ((uint64_t)((uint32_t)(index) + 1) << 32 | (slice))

enum slice_state {
	SLICE_UNUSED, /* this number names no piece of memory now */
	SLICE_FREE,
	SLICE_WRITING,
	SLICE_LENT,
};

/* The slice table: what each number is. Written by the owner, for tools; nobody trusts it. */
struct slice_entry {
	_Atomic uint32_t state;
	_Atomic uint32_t segment;
	_Atomic uint64_t offset;
	_Atomic uint32_t granules; /* of 64 bytes */
	_Atomic uint32_t size;	   /* of the message in it */
	_Atomic uint32_t tag;
	_Atomic uint32_t lent_ms; /* coarse CLOCK_MONOTONIC milliseconds, modulo 2^32 */
};

static_assert(offsetof(struct lane_words, seq) == offsetof(struct shmipc_words, seq), "uapi");
static_assert(offsetof(struct lane_words, rung) == offsetof(struct shmipc_words, rung), "uapi");
static_assert(sizeof(struct lane_words) <= LAYOUT_RECORD, "words");
static_assert(LAYOUT_RECORD + sizeof(struct lane_record) <= LAYOUT_PAGE, "record");
static_assert(sizeof(struct lane_tool) <= LAYOUT_PAGE, "tool page");
static_assert(sizeof(struct slot) == 128, "slot");
static_assert(offsetof(struct slot, bytes) == 16, "payload alignment");
static_assert(sizeof(struct slice_entry) == 32, "slice entry");

/* Limits of the geometry; the bounds of every table and loop. */
#define LAYOUT_SLOTS_MIN 16u
#define LAYOUT_SLOTS_MAX 65536u
#define LAYOUT_SLICES_MIN 64u
#define LAYOUT_SLICES_MAX 65536u
#define LAYOUT_MEMORY_MAX (1ull << 36)

/**
 * geometry_init - check the four numbers that make a geometry and compute the rest
 * @geometry: its slots, slices, segment_bytes, memory_max set; the last two are rounded up to pages
 *
 * Returns NULL, or the name of the number that is out of bounds.
 */
const char *geometry_init(struct geometry *geometry);

/* A lane as one process has it mapped. */
struct lane {
	struct lane_words *words;
	struct lane_record *record;
	struct lane_tool *tool;
	struct slot *ring;
	_Atomic uint64_t *returns;
	struct slice_entry *table;
	struct {
		unsigned char *base; /* NULL: not mapped */
		uint64_t bytes;
	} segment[SHMIPC_SEGMENTS];
};

/**
 * lane_channel - the channel that a mapped head says it is of; its writer may say anything
 */
static inline uint64_t lane_channel(const void *head)
{
	const volatile struct lane_record *record = (const void *)((const unsigned char *)head + LAYOUT_RECORD);

	return record->channel;
}

/**
 * lane_set - point a lane's members into its mapped head
 */
void lane_set(struct lane *lane, void *head, const struct geometry *geometry);

#endif /* SHMIPC_LAYOUT_H */
