// SPDX-License-Identifier: Apache-2.0
/*
 * server-dispatcher.c - the same server on a dispatcher: the library's threads run the callbacks
 */
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdio.h>

#include "echo.h"

static void close_session(struct shmipc_session *session, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	shmipc_session_close(session);
}

static void take_session(struct shmipc_listener *listener, struct shmipc_session *session, void *dispatcher)
{
	static const struct shmipc_session_callbacks callbacks = {
		.on_stream = echo_on_stream,
		.on_end = close_session,
	};

	(void)listener;
	shmipc_session_set_callbacks(session, &callbacks, NULL);
	if (shmipc_dispatcher_add_session(dispatcher, session))
		shmipc_session_close(session);
}

int main(int argc, char **argv)
{
	struct shmipc_dispatcher *dispatcher = NULL;
	struct shmipc_listener *listener = NULL;
	sigset_t stop;
	int r, signal;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	r = shmipc_listener_create(argc > 1 ? argv[1] : "@hello", NULL, &listener);
	if (r == 0)
		r = shmipc_dispatcher_create(0, &dispatcher);
	if (r == 0)
		r = shmipc_dispatcher_add_listener(dispatcher, listener, take_session, dispatcher);
	if (r == 0)
		sigwait(&stop, &signal);
	else
		fprintf(stderr, "server-dispatcher: %s\n", shmipc_strerror(r));
	/* Sessions that still live end with the process; async-server shows how to end them first. */
	shmipc_dispatcher_close(dispatcher);
	shmipc_listener_close(listener);
	return r < 0;
}
