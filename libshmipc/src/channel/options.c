// SPDX-License-Identifier: Apache-2.0
/*
 * options.c - checks what an application asks for, and says which field is wrong
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"

static const char *find_fault(const struct shmipc_channel_options *o)
{
	struct geometry g;
	const char *field;

	if (o->size != sizeof(*o))
		return "size: not that of struct shmipc_channel_options; use SHMIPC_CHANNEL_OPTIONS_INIT";
	if (o->backend < SHMIPC_BACKEND_AUTO || o->backend > SHMIPC_BACKEND_MEMFD)
		return "backend: not one of enum shmipc_backend";
	if (o->sync < SHMIPC_SYNC_ADAPTIVE || o->sync > SHMIPC_SYNC_TIMED)
		return "sync: not one of enum shmipc_sync";
	if (o->spin_ns > 1000000)
		return "spin_ns: over 1,000,000";
	if (o->timed_ns < 1000 || o->timed_ns > 10000000000ull)
		return "timed_ns: not from 1,000 to 10,000,000,000";
	g = (struct geometry){
		.slots = o->slots,
		.slices = o->slices,
		.segment_bytes = o->segment_bytes,
		.memory_max = o->memory_max,
	};
	field = geometry_init(&g);
	if (!field)
		return NULL;
	switch (field[2]) {
	case 'o':
		return "slots: not a power of two from 16 to 65536";
	case 'i':
		return "slices: not a power of two from 64 to 65536";
	case 'm':
		return "memory_max: not from 4096 to 64 GiB";
	default:
		return "segment_bytes: not from 4096 to memory_max";
	}
}

int shmipc_channel_options_check(const struct shmipc_channel_options *options, char *message, size_t size)
{
	const char *fault = options ? find_fault(options) : "options: NULL";

	if (message && size)
		snprintf(message, size, "%s", fault ? fault : "");
	return fault ? -EINVAL : 0;
}

int options_take(const struct shmipc_channel_options *from, struct shmipc_channel_options *to)
{
	const struct shmipc_channel_options defaults = SHMIPC_CHANNEL_OPTIONS_INIT;

	*to = defaults;
	if (!from)
		return 0;
	if (find_fault(from))
		return -EINVAL;
	*to = *from;
	return 0;
}

int options_backend(const struct shmipc_channel_options *options, enum shmipc_backend *backend)
{
	const char *name = getenv("SHMIPC_BACKEND");

	*backend = options->backend;
	if (*backend != SHMIPC_BACKEND_AUTO || !name || !*name)
		return 0;
	if (!strcmp(name, "kmod"))
		*backend = SHMIPC_BACKEND_KMOD;
	else if (!strcmp(name, "memfd"))
		*backend = SHMIPC_BACKEND_MEMFD;
	else
		return -EINVAL;
	return 0;
}
