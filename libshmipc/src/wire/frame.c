// SPDX-License-Identifier: Apache-2.0
/*
 * frame.c - what precedes bytes that fell back to the control socket
 */
#include "frame.h"

#include <errno.h>

#include "codec.h"

void frame_encode(unsigned char out[FRAME_HEADER], uint32_t id, uint32_t n)
{
	const struct wire_header header = { FRAME_HEADER + n, WIRE_VERSION, WIRE_FALLBACK };

	header_encode(out, &header);
	put32(out + WIRE_HEADER, id);
	put32(out + WIRE_HEADER + 4, 0);
}

int frame_decode(const unsigned char in[FRAME_HEADER], uint32_t *id, uint32_t *n)
{
	struct wire_header header;

	if (header_decode(in, &header) || header.version != WIRE_VERSION || header.type != WIRE_FALLBACK ||
	    header.length < FRAME_HEADER || get32(in + WIRE_HEADER + 4))
		return -EBADMSG;
	*id = get32(in + WIRE_HEADER);
	*n = header.length - FRAME_HEADER;
	return 0;
}
