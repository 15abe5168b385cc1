// SPDX-License-Identifier: Apache-2.0
/*
 * listener_options.c - checks a listener's options, and says which field is wrong
 */
#include <stdio.h>

#include "listener_internal.h"

/* A sentence about the first field that is wrong goes to @message. 0 or -EINVAL. */
static int find_fault(const struct shmipc_listener_options *o, char *message, size_t size)
{
	const struct {
		const char *name;
		uint32_t value, min, max;
	} bounds[] = {
		{ "connections", o->connections, 1, 65536 },
		{ "handshakes", o->handshakes, 1, 65536 },
		{ "handshake_ms", o->handshake_ms, 1, 3600000 },
	};
	char fault[200];
	size_t i;

	if (o->size != sizeof(*o)) {
		snprintf(message, size,
			 "size: not that of struct shmipc_listener_options; use SHMIPC_LISTENER_OPTIONS_INIT");
		return -EINVAL;
	}
	if (shmipc_session_options_check(&o->session, fault, sizeof(fault))) {
		snprintf(message, size, "session.%s", fault);
		return -EINVAL;
	}
	if (o->mode > 0777) {
		snprintf(message, size, "mode: not from 0 to 0777");
		return -EINVAL;
	}
	for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (bounds[i].value < bounds[i].min || bounds[i].value > bounds[i].max) {
			snprintf(message, size, "%s: not from %u to %u", bounds[i].name, bounds[i].min, bounds[i].max);
			return -EINVAL;
		}
	}
	if (o->keep_path != 0 && o->keep_path != 1) {
		snprintf(message, size, "keep_path: neither 0 nor 1");
		return -EINVAL;
	}
	snprintf(message, size, "%s", "");
	return 0;
}

int shmipc_listener_options_check(const struct shmipc_listener_options *options, char *message, size_t size)
{
	char unwanted[1];

	if (!message || !size) {
		message = unwanted;
		size = sizeof(unwanted);
	}
	if (options)
		return find_fault(options, message, size);
	snprintf(message, size, "options: NULL");
	return -EINVAL;
}

int listener_options_take(const struct shmipc_listener_options *from, struct shmipc_listener_options *to)
{
	static const struct shmipc_listener_options defaults = SHMIPC_LISTENER_OPTIONS_INIT;
	int r = from ? shmipc_listener_options_check(from, NULL, 0) : 0;

	if (!r)
		*to = from ? *from : defaults;
	return r;
}
