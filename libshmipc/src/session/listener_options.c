// SPDX-License-Identifier: Apache-2.0
/*
 * listener_options.c - checks a listener's options, and says which field is wrong
 */
#include "../bounds.h"
#include "listener_internal.h"

int shmipc_listener_options_check(const struct shmipc_listener_options *o, char *message, size_t size)
{
	char fault[200];

	if (!o)
		return bounds_say(message, size, "", "options: NULL");
	if (o->size != sizeof(*o))
		return bounds_say(message, size, "",
				  "size: not that of struct shmipc_listener_options; use SHMIPC_LISTENER_OPTIONS_INIT");
	if (shmipc_session_options_check(&o->session, fault, sizeof(fault)))
		return bounds_say(message, size, "session.", fault);
	if (o->mode > 0777)
		return bounds_say(message, size, "", "mode: not from 0 to 0777");
	if (o->keep_path != 0 && o->keep_path != 1)
		return bounds_say(message, size, "", "keep_path: neither 0 nor 1");
	return bounds_check(
		(const struct bound[]){
			{ "connections", o->connections, 1, 65536 },
			{ "handshakes", o->handshakes, 1, 65536 },
			{ "handshake_ms", o->handshake_ms, 1, 3600000 },
		},
		3, message, size);
}

int listener_options_take(const struct shmipc_listener_options *from, struct shmipc_listener_options *to)
{
	static const struct shmipc_listener_options defaults = SHMIPC_LISTENER_OPTIONS_INIT;
	int r = from ? shmipc_listener_options_check(from, NULL, 0) : 0;

	if (!r)
		*to = from ? *from : defaults;
	return r;
}
