/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo.h - the callbacks that two of the servers share
 *
 * They do not block, so it does not matter who runs them: a loop of one's own, or a dispatcher's threads.
 */
#ifndef ECHO_H
#define ECHO_H

#include <shmipc/shmipc.h>

/* For shmipc_session_set_callbacks(): echoes on every stream of the session; set on_end beside it. */
void echo_on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg);

#endif /* ECHO_H */
