/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector.h - what stands in a producer's memory and who writes it: the protocol of the vector
 *
 * A producer and the consumer are the two ends of a channel; the producer made it. The channel gives
 * memory, growth, read-only mappings, doorbells and the news of a death; its slots carry rare control
 * messages alone. The messages of the vector are records in chunks.
 *
 *	chunk	a slice of the producer's lane, lent to the consumer for as long as the lane uses it.
 *		Control message ANNOUNCE carries it and gives it an id; RETIRE takes the id back
 *	record	an aligned word, which says what it is and how long, then its bytes. Records follow each other from
 *		RECORD_AT on. A word of 0 is the end of what is published so far
 *	END	the last record of a chunk: which chunk is next. Chunks have consecutive sequence numbers
 *
 * The consumer watches the word where the next record will be, and no index: the lines that move between
 * the processors are those with messages, and a line holds many. When it has released all of a chunk
 * the producer may use it again, the latest such chunk first: as long as the consumer keeps up, a few chunks go to
 * and fro in the caches, however large the limit is. Room is given back once a batch, by one word.
 *
 *	word (lane_words)	written by	says
 *	a record's word		producer	stored last, with release: the record is published
 *	floor			producer	chunks before this one are dropped
 *	dropped			producer	how many messages were dropped so far, for the consumer's statistics
 *	freed			consumer	all records before this place are released
 *	claim			consumer	the latest chunk that it may be reading
 *	pace			consumer	how many bytes of chunks are enough while it is busy, or rests; an advice
 *	cpu			consumer	the processor of its last batch: no producer spins there; likewise
 *
 * Publishing and giving back
 *
 * producer                                     consumer
 *   LOAD.acq freed                (A)            LOAD.acq word            (D)
 *     STORE head, record, the                      LOAD head, record
 *       next record's word = 0      (B)            ...
 *   STORE.rel word                (C)            STORE.rel freed          (E)
 *
 * (C) pairs with (D): who sees the word sees the record, and a 0, or a later word, behind it. Without the 0 of (B)
 * an old payload would be taken for a record. (E) pairs with (A): who sees freed may write the chunks before it again,
 * since the consumer's loads of them are over. (C) is doorbell.h's publication, (E) the one of room.
 *
 * Dropping the oldest
 *
 * A chunk that was neither released nor claimed is taken back by its producer:
 *
 * producer, of chunk v                         consumer, on the way into chunk n
 *   STORE floor = the one after v (F)            STORE claim = n          (I)
 *   full barrier                  (G)            full barrier             (J)
 *   LOAD.acq claim: before v? v is mine (H)      LOAD.acq floor: behind n? n = floor, again (K)
 *
 * Either (H) sees the claim, or (K) sees the floor, or both see: then neither reads nor writes v. The consumer goes on
 * at the floor, and the producer gets v back when freed has passed it. Without one of the barriers v is written while
 * it is read. floor only grows, and never beyond the chunk that is being written. A stopped consumer holds the
 * chunks from freed to claim, and no others: they stay, all behind them is droppable.
 * tests/model/vector_drop.pml is this table.
 *
 * A chunk's head has the number of its first message. Where that is not what the consumer expects, as many
 * were dropped in between. What is dropped before it was written is said by a DROPS record in front of the next message.
 *
 * Nothing of this is believed. Ids, places, lengths and numbers are loaded once and checked against private
 * copies of what was announced; a lie ends the producer's lane with EBADMSG.
 *
 * Threads: a vector is one thread's, and so is a producer; see shmipc/vector.h.
 */
#ifndef SHMIPC_VECTOR_INTERNAL_H
#define SHMIPC_VECTOR_INTERNAL_H

#include <string.h>

#include "../channel/endpoint.h"
#include "../channel/offer.h"
#include "../fdpass.h"
#include "shmipc/vector.h"

/* Chunk ids are below this: the bound of every table and walk. Slices of the channel. */
#define CHUNKS_MAX 256u
/* Control messages on their way. */
#define CONTROL_SLOTS 64u
/* A lane's usual chunk, and the least one. A lane with many has larger ones: see outlet.c. */
#define CHUNK_BYTES 65536u
#define CHUNK_BYTES_MIN 4096u
/* Memory that all lanes together had better go round in, and each of them at least; see reception.c and outlet.c. */
#define PACE_BYTES 4194304u
#define PACE_BYTES_EACH (4 * CHUNK_BYTES)
/* Each producer's share of a batch; in timed sync all that its pace allows. Never more than a quarter of its limit. */
#define BATCH_BYTES_EACH 131072u
#define BATCH_BYTES_TIMED PACE_BYTES
/* How far ahead of a message in memory the next ones are asked for: some cache lines. */
#define AHEAD 1024u

/* Kinds of control messages; tag is the chunk's id. */
enum { CONTROL_ANNOUNCE = 1, CONTROL_RETIRE = 2 };

struct chunk_head {
	_Atomic uint64_t number; /* of the first message: those before it in this lane, dropped ones too */
	_Atomic uint32_t seq;
	_Atomic uint32_t zero;
};

#define RECORD_AT ((uint32_t)sizeof(struct chunk_head))
#define WORD_BYTES 8u

/* A record's word: length, or what else its kind has, in the low half; kind and flags in the high half. */
enum {
	RECORD_MESSAGE = 1,
	RECORD_END = 2,
	RECORD_DROPS = 3,
	RECORD_KINDS = 0xff,
	RECORD_REPEATED = 0x100,
	RECORD_STAMPED = 0x200
};

static inline uint64_t record_word(uint32_t what, uint32_t low)
{
	return (uint64_t)what << 32 | low;
}

static inline uint32_t record_what(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* Bytes that a message takes in a chunk. Lengths have 32 bits: it cannot overflow. */
static inline uint64_t record_bytes(uint64_t size, bool stamped)
{
	return WORD_BYTES + (stamped ? sizeof(int64_t) : 0) + ((size + 7) & ~7ull);
}

/* A place in a lane: freed. And floor: a chunk's sequence number and id. */
static inline uint64_t place_of(uint32_t seq, uint32_t low)
{
	return (uint64_t)seq << 32 | low;
}

/* Sequence numbers go round. */
static inline bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline _Atomic uint64_t *word_at(unsigned char *base, uint32_t at)
{
	return (_Atomic uint64_t *)(void *)(base + at);
}

/* The two lines that a message of usual length moves on by. Behind the last one there is nothing, which does no harm. */
static inline void ask_to_read(const unsigned char *base, uint32_t at)
{
	prefetch_read(base + at + AHEAD);
	prefetch_read(base + at + AHEAD + LAYOUT_LINE);
}

static inline void ask_to_write(unsigned char *base, uint32_t at)
{
	prefetch_write(base + at + AHEAD);
	prefetch_write(base + at + AHEAD + LAYOUT_LINE);
}

/* The conversation before the channel is there, over seqpacket: hello, grant; then the handover. */
#define VECTOR_MAGIC 0x31726f7463657600ull
#define VECTOR_VERSION 1u

struct vector_hello {
	uint64_t magic;
	uint32_t version;
	uint32_t zero;
	uint64_t memory_max; /* wanted */
};

enum { GRANT_STAMP = 1 }; /* the consumer wants the time of each push */

struct vector_grant {
	uint64_t magic;
	uint32_t version;
	int32_t status; /* 0, or -errno: turned away */
	uint64_t memory_max;
	uint32_t flags;
	uint32_t zero;
};

/* The producer's channel, with the descriptors of its endpoint 1; and the consumer's answer, with what that needs. */
struct vector_offer {
	uint64_t magic;
	uint32_t version;
	int32_t status; /* answer: 0, or -errno */
	struct offer offer;
};

static_assert(sizeof(struct chunk_head) == 16, "chunk head");
static_assert(sizeof(struct vector_hello) == 24 && sizeof(struct vector_grant) == 32, "conversation");

/* One of so many parts of a lane's limit, in whole pages, at most `most`. */
static inline uint32_t part_of(uint64_t memory_max, uint32_t parts, uint32_t most)
{
	uint64_t part = memory_max / parts & ~(uint64_t)(CHUNK_BYTES_MIN - 1);

	return part > most ? most : (uint32_t)part;
}

/* How large the usual chunk of a lane is that may have so much, and the memory that it begins with and keeps. */
static inline uint32_t usual_chunk(uint64_t memory_max)
{
	return part_of(memory_max, 16, CHUNK_BYTES);
}

static inline uint32_t first_memory(uint64_t memory_max)
{
	return part_of(memory_max, 8, PACE_BYTES_EACH);
}

#endif /* SHMIPC_VECTOR_INTERNAL_H */
