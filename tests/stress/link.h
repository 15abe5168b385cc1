/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - a session over a socket
 */
#ifndef STRESS_LINK_H
#define STRESS_LINK_H

#include <stdbool.h>

#include "shmipc/session.h"

/**
 * link_open - be the client or the server on a connected socket, which is the session's from now on
 */
int link_open(int socket, bool server, const struct shmipc_session_options *options, struct shmipc_session **session);

#endif /* STRESS_LINK_H */
