/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h - the header that begins every message on a control socket, and numbers in network order
 *
 * The header is the older shmipc protocol's, versions 2 and 3, so that either side can tell which
 * one it speaks with before it says anything else; our own protocol is version 16:
 *
 *	0	u32	length of the message, these 8 bytes included
 *	4	u16	0x7758
 *	6	u8	version
 *	7	u8	type
 *
 * Pure: no I/O, no allocation. What is decoded is checked here as far as it can be without its context.
 */
#ifndef SHMIPC_WIRE_CODEC_H
#define SHMIPC_WIRE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "../channel/offer.h"

#define WIRE_HEADER 8u
#define WIRE_MAGIC 0x7758u

enum {
	WIRE_VERSION_OLDER = 3, /* the older protocol's newest, which every client opens with */
	WIRE_VERSION = 16,
};

/* Types. Those below 16 mean in version 16 what they mean in the older protocol. */
enum {
	WIRE_FALLBACK = 3, /* frame.h */
	WIRE_EXCHANGE = 4, /* no payload: the version byte is all it says */
	WIRE_HELLO = 16,   /* client: struct wire_hello */
	WIRE_WELCOME = 17, /* server: the same, with its choice */
	WIRE_OFFER = 18,   /* client: struct offer; with descriptors */
	WIRE_ANSWER = 19,  /* server: no payload; with descriptors */
	WIRE_ERROR = 20,   /* either, instead of any of these: u32, the errno that it gives up with */
};

/* The older protocol's, which a server may be sent. */
enum {
	WIRE_OLDER_BY_PATH = 0,
	WIRE_OLDER_BY_MEMFD = 5,
};

#define WIRE_REVISION 1u /* of version 16 */

/* Bits of backends. */
enum { WIRE_KMOD = 1u << 0, WIRE_MEMFD = 1u << 1 };

/*
 * What each side says of itself. A later revision may add fields behind these, which are then ignored here, and
 * features: those in `required` must be known to the receiver, those in `optional` need not.
 */
struct wire_hello {
	uint32_t revision; /* both go on with the lower one; at least 1 */
	uint32_t required;
	uint32_t optional;
	uint32_t backends; /* client: can create; server: can accept */
	uint32_t choice;   /* server: one of those that both have; client: 0 */
	uint32_t streams_max;
	uint64_t window;
	uint64_t private_max;
	uint64_t memory_max; /* of a lane */
};

/* Whole messages, with the header. */
#define WIRE_HELLO_SIZE (WIRE_HEADER + 48u)
#define WIRE_HELLO_MAX (WIRE_HEADER + 504u)
#define WIRE_OFFER_SIZE (WIRE_HEADER + 32u)
#define WIRE_ERROR_SIZE (WIRE_HEADER + 4u)

struct wire_header {
	uint32_t length;
	uint8_t version;
	uint8_t type;
};

static inline void put16(unsigned char *at, uint16_t value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static inline void put32(unsigned char *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static inline void put64(unsigned char *at, uint64_t value)
{
	put32(at, (uint32_t)(value >> 32));
	put32(at + 4, (uint32_t)value);
}

static inline uint16_t get16(const unsigned char *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const unsigned char *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline uint64_t get64(const unsigned char *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

void header_encode(unsigned char out[WIRE_HEADER], const struct wire_header *header);

/**
 * header_decode - take a header apart
 *
 * Returns 0. -EBADMSG: the magic number is wrong, or the length less than a header's.
 */
int header_decode(const unsigned char in[WIRE_HEADER], struct wire_header *header);

/* Whole messages of version 16. Encoders return the size; decoders take messages whose header and size were checked. */
uint32_t hello_encode(unsigned char out[WIRE_HELLO_SIZE], uint8_t type, const struct wire_hello *hello);
void hello_decode(const unsigned char in[WIRE_HELLO_SIZE], struct wire_hello *hello);

uint32_t offer_encode(unsigned char out[WIRE_OFFER_SIZE], const struct offer *offer);
void offer_decode(const unsigned char in[WIRE_OFFER_SIZE], struct offer *offer);

uint32_t error_encode(unsigned char out[WIRE_ERROR_SIZE], int error);

/**
 * error_decode - what the other side gave up with
 *
 * Returns a negative errno; -EPROTO where it is none, or one that does not end a handshake.
 */
int error_decode(const unsigned char in[WIRE_ERROR_SIZE]);

#endif /* SHMIPC_WIRE_CODEC_H */
