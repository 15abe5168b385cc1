// SPDX-License-Identifier: Apache-2.0
/*
 * codec.c - the messages of a handshake, as bytes
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

static uint32_t begin(unsigned char *out, uint8_t type, uint32_t size)
{
	const struct wire_header header = { size, WIRE_VERSION, type };

	header_encode(out, &header);
	return size;
}

uint32_t hello_encode(unsigned char out[WIRE_HELLO_SIZE], uint8_t type, const struct wire_hello *hello)
{
	put32(out + 8, hello->revision);
	put32(out + 12, hello->required);
	put32(out + 16, hello->optional);
	put32(out + 20, hello->backends);
	put32(out + 24, hello->choice);
	put32(out + 28, hello->streams_max);
	put64(out + 32, hello->window);
	put64(out + 40, hello->private_max);
	put64(out + 48, hello->memory_max);
	return begin(out, type, WIRE_HELLO_SIZE);
}

void hello_decode(const unsigned char in[WIRE_HELLO_SIZE], struct wire_hello *hello)
{
	*hello = (struct wire_hello){
		.revision = get32(in + 8),
		.required = get32(in + 12),
		.optional = get32(in + 16),
		.backends = get32(in + 20),
		.choice = get32(in + 24),
		.streams_max = get32(in + 28),
		.window = get64(in + 32),
		.private_max = get64(in + 40),
		.memory_max = get64(in + 48),
	};
}

uint32_t offer_encode(unsigned char out[WIRE_OFFER_SIZE], const struct offer *offer)
{
	put32(out + 8, offer->backend);
	put32(out + 12, offer->slots);
	put32(out + 16, offer->slices);
	put32(out + 20, offer->zero);
	put64(out + 24, offer->segment_bytes);
	put64(out + 32, offer->memory_max);
	return begin(out, WIRE_OFFER, WIRE_OFFER_SIZE);
}

void offer_decode(const unsigned char in[WIRE_OFFER_SIZE], struct offer *offer)
{
	*offer = (struct offer){
		.backend = get32(in + 8),
		.slots = get32(in + 12),
		.slices = get32(in + 16),
		.zero = get32(in + 20),
		.segment_bytes = get64(in + 24),
		.memory_max = get64(in + 32),
	};
}

uint32_t error_encode(unsigned char out[WIRE_ERROR_SIZE], int error)
{
	put32(out + WIRE_HEADER, (uint32_t)-error);
	return begin(out, WIRE_ERROR, WIRE_ERROR_SIZE);
}

int error_decode(const unsigned char in[WIRE_ERROR_SIZE])
{
	uint32_t error = get32(in + WIRE_HEADER);

	return error && error < 4096 && error != EAGAIN && error != EINTR ? -(int)error : -EPROTO;
}
