/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h - what client and server say: one message each way
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

struct request {
	uint64_t number;
};

struct reply {
	uint64_t number;     /* the request's */
	uint64_t generation; /* of the server that answered */
};

#endif
