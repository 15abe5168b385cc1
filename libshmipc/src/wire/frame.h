/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - what precedes bytes that fell back to the control socket
 *
 *	0	header: version 16, type WIRE_FALLBACK, length FRAME_HEADER + n
 *	8	u32	the stream's id
 *	12	u32	0
 *	16	n bytes
 */
#ifndef SHMIPC_WIRE_FRAME_H
#define SHMIPC_WIRE_FRAME_H

#include <stdint.h>

#define FRAME_HEADER 16u
/* The length in the header counts the header too. */
#define FRAME_BYTES_MAX (UINT32_MAX - FRAME_HEADER)

/**
 * frame_encode - the first 16 bytes of a frame
 * @id: the stream's
 * @n: bytes that follow, at most FRAME_BYTES_MAX
 */
void frame_encode(unsigned char out[FRAME_HEADER], uint32_t id, uint32_t n);

/**
 * frame_decode - take them apart
 * @id: filled
 * @n: filled; whether there may be so many, and of that stream, is the caller's to say
 *
 * Returns 0. -EBADMSG: it is no such frame.
 */
int frame_decode(const unsigned char in[FRAME_HEADER], uint32_t *id, uint32_t *n);

#endif /* SHMIPC_WIRE_FRAME_H */
