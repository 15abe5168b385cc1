// SPDX-License-Identifier: Apache-2.0
/*
 * options.c - checks a session's options, and says which field is wrong
 */
#include <stdio.h>

#include "internal.h"

/* A sentence about the first field that is wrong goes to @message. 0 or -EINVAL. */
static int find_fault(const struct shmipc_session_options *o, char *message, size_t size)
{
	const struct {
		const char *name;
		uint64_t value, min, max;
	} bounds[] = {
		{ "window", o->window, 4096, 1ull << 30 },
		{ "private_max", o->private_max, 65536, 1ull << 40 },
		{ "streams_max", o->streams_max, 1, 1u << 24 },
		{ "backlog", o->backlog, 1, 1u << 20 },
		{ "exhaustion", o->exhaustion, SHMIPC_EXHAUSTION_WAIT, SHMIPC_EXHAUSTION_FALLBACK },
		{ "breaker_ms", o->breaker_ms, 0, 86400000 },
		{ "idle_timeout_ms", o->idle_timeout_ms, 0, 86400000 },
		{ "monitor_ms", o->monitor_ms, 10, 86400000 },
	};
	char fault[160];
	size_t i;

	if (o->size != sizeof(*o)) {
		snprintf(message, size,
			 "size: not that of struct shmipc_session_options; use SHMIPC_SESSION_OPTIONS_INIT");
		return -EINVAL;
	}
	if (shmipc_channel_options_check(&o->channel, fault, sizeof(fault))) {
		snprintf(message, size, "channel.%s", fault);
		return -EINVAL;
	}
	for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (bounds[i].value < bounds[i].min || bounds[i].value > bounds[i].max) {
			snprintf(message, size, "%s: not from %llu to %llu", bounds[i].name,
				 (unsigned long long)bounds[i].min, (unsigned long long)bounds[i].max);
			return -EINVAL;
		}
	}
	snprintf(message, size, "%s", "");
	return 0;
}

int shmipc_session_options_check(const struct shmipc_session_options *options, char *message, size_t size)
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

int session_options_take(const struct shmipc_session_options *from, struct shmipc_session_options *to)
{
	static const struct shmipc_session_options defaults = SHMIPC_SESSION_OPTIONS_INIT;
	int r = from ? shmipc_session_options_check(from, NULL, 0) : 0;

	if (!r)
		*to = from ? *from : defaults;
	return r;
}
