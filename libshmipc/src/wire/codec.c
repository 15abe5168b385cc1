// SPDX-License-Identifier: Apache-2.0
/*
 * codec.c - the header that begins every message on a control socket
 */
#include "codec.h"

#include <errno.h>

void header_encode(unsigned char out[WIRE_HEADER], const struct wire_header *header)
{
	put32(out, header->length);
	put16(out + 4, WIRE_MAGIC);
	out[6] = header->version;
	out[7] = header->type;
}

int header_decode(const unsigned char in[WIRE_HEADER], struct wire_header *header)
{
	*header = (struct wire_header){ .length = get32(in), .version = in[6], .type = in[7] };
	return get16(in + 4) == WIRE_MAGIC && header->length >= WIRE_HEADER ? 0 : -EBADMSG;
}
