// SPDX-License-Identifier: Apache-2.0
/*
 * server-loop.c - the same server as an event loop of one's own: one thread, any number of sessions
 */
#include <errno.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "echo.h"

static int watch(int epoll, int fd, void *who)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = who };

	return fd < 0 ? fd : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* The handshake is done: echo on it. */
static void take_session(int epoll, struct shmipc_session *session)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = echo_on_stream };

	shmipc_session_set_callbacks(session, &callbacks, NULL);
	if (watch(epoll, shmipc_session_fd(session), session))
		shmipc_session_close(session);
}

static int run(int epoll, struct shmipc_listener *listener)
{
	struct shmipc_session *session;
	struct epoll_event event;
	int r;

	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!event.data.ptr)
			return 0; /* the signal */
		if (event.data.ptr != listener) {
			r = shmipc_session_process(event.data.ptr);
			if (r < 0) /* it has ended, and its streams are closed; its descriptor goes with it */
				shmipc_session_close(event.data.ptr);
			continue;
		}
		r = shmipc_listener_process(listener);
		if (r < 0)
			return r;
		while (shmipc_listener_accept(listener, &session, 0) == 0)
			take_session(epoll, session);
	}
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener = NULL;
	int epoll = epoll_create1(EPOLL_CLOEXEC), signals, r;
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	r = epoll < 0 || signals < 0 ? -errno : watch(epoll, signals, NULL);
	if (r == 0)
		r = shmipc_listener_create(argc > 1 ? argv[1] : "@hello", NULL, &listener);
	if (r == 0)
		r = watch(epoll, shmipc_listener_fd(listener), listener);
	if (r == 0)
		r = run(epoll, listener);
	if (r < 0)
		fprintf(stderr, "server-loop: %s\n", shmipc_strerror(r));
	shmipc_listener_close(listener);
	return r < 0;
}
