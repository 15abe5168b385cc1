// SPDX-License-Identifier: Apache-2.0
/*
 * link.c - makes a session of a channel and the socket that it was handed over on
 */
#include "link.h"

#include <unistd.h>

#include "session/internal.h"
#include "side.h"

int link_open(int socket, bool server, const struct shmipc_session_options *options, struct shmipc_session **session)
{
	struct session_limits limits = { options->window, options->private_max, options->streams_max };
	int64_t deadline = clock_now() + 10000000000;
	struct shmipc_session_options taken;
	struct shmipc_channel *channel = NULL;
	int r = session_options_take(options, &taken);

	if (!r && server)
		r = shmipc_channel_receive(socket, &taken.channel, deadline, &channel);
	else if (!r)
		r = shmipc_channel_create(&taken.channel, &channel);
	if (!r && !server)
		r = shmipc_channel_send(channel, socket, deadline);
	if (!r)
		return session_start(channel, socket, server, &taken, &limits, session);
	shmipc_channel_destroy(channel);
	close(socket);
	return r;
}
