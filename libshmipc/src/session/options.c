// SPDX-License-Identifier: Apache-2.0
/*
 * options.c - checks a session's options, and says which field is wrong
 */
#include "../bounds.h"
#include "internal.h"

int shmipc_session_options_check(const struct shmipc_session_options *o, char *message, size_t size)
{
	char fault[160];

	if (!o)
		return bounds_say(message, size, "", "options: NULL");
	if (o->size != sizeof(*o))
		return bounds_say(message, size, "",
				  "size: not that of struct shmipc_session_options; use SHMIPC_SESSION_OPTIONS_INIT");
	if (shmipc_channel_options_check(&o->channel, fault, sizeof(fault)))
		return bounds_say(message, size, "channel.", fault);
	return bounds_check(
		(const struct bound[]){
			{ "window", o->window, 4096, 1ull << 30 },
			{ "private_max", o->private_max, 65536, 1ull << 40 },
			{ "streams_max", o->streams_max, 1, 1u << 24 },
			{ "backlog", o->backlog, 1, 1u << 20 },
			{ "slots_max", o->slots_max, LAYOUT_SLOTS_MIN, LAYOUT_SLOTS_MAX },
			{ "slices_max", o->slices_max, LAYOUT_SLICES_MIN, LAYOUT_SLICES_MAX },
			{ "exhaustion", o->exhaustion, SHMIPC_EXHAUSTION_WAIT, SHMIPC_EXHAUSTION_FALLBACK },
			{ "breaker_ms", o->breaker_ms, 0, 86400000 },
			{ "idle_timeout_ms", o->idle_timeout_ms, 0, 86400000 },
			{ "monitor_ms", o->monitor_ms, 10, 86400000 },
		},
		10, message, size);
}

int session_options_take(const struct shmipc_session_options *from, struct shmipc_session_options *to)
{
	static const struct shmipc_session_options defaults = SHMIPC_SESSION_OPTIONS_INIT;
	int r = from ? shmipc_session_options_check(from, NULL, 0) : 0;

	if (!r)
		*to = from ? *from : defaults;
	return r;
}
