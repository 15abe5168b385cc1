// SPDX-License-Identifier: Apache-2.0
/*
 * link.c - makes a session over a socket, as either side
 */
#include "link.h"

#include "side.h"

int link_open(int socket, bool server, const struct shmipc_session_options *options, struct shmipc_session **session)
{
	int64_t deadline = clock_now() + 10000000000;

	if (server)
		return shmipc_session_accept_fd(socket, options, deadline, session);
	return shmipc_session_connect_fd(socket, options, deadline, session);
}
