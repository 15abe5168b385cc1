// SPDX-License-Identifier: Apache-2.0
/*
 * proxy.c - stands between many client processes and one server: all their streams share one session to it
 *
 *	proxy LISTEN SERVER
 *
 * One thread, one loop. When the server goes, so does the proxy: whoever watches over it starts it again.
 */
#include <errno.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

static struct shmipc_session *server;
static unsigned long linked;

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

static int watch(int epoll, int fd, void *who)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = who };

	return fd < 0 ? fd : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* A client opened a stream: open one to the server, and join them. */
static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	struct shmipc_stream *onward;
	int r = shmipc_stream_open(server, &onward);

	(void)session;
	(void)arg;
	if (r) { /* the client is told at once, and with the reason */
		shmipc_stream_reset(stream, (uint32_t)-r);
		shmipc_stream_close(stream);
	} else if (link_streams(stream, onward) == 0) {
		linked++;
	}
}

static void take_client(int epoll, struct shmipc_session *session)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = on_stream };

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
			return 0;
		if (event.data.ptr == listener) {
			r = shmipc_listener_process(listener);
			if (r < 0)
				return r;
			while (shmipc_listener_accept(listener, &session, 0) == 0)
				take_client(epoll, session);
			continue;
		}
		r = shmipc_session_process(event.data.ptr);
		if (r < 0 && event.data.ptr == server)
			return r;
		if (r < 0)
			shmipc_session_close(event.data.ptr);
	}
}

static int start(int epoll, const char *listen, const char *to, struct shmipc_listener **listener)
{
	sigset_t stop;
	int r;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	r = watch(epoll, signalfd(-1, &stop, SFD_CLOEXEC), NULL);
	if (r == 0)
		r = shmipc_session_connect(to, NULL, in_seconds(5), &server);
	if (r == 0)
		r = watch(epoll, shmipc_session_fd(server), server);
	if (r == 0)
		r = shmipc_listener_create(listen, NULL, listener);
	if (r == 0)
		r = watch(epoll, shmipc_listener_fd(*listener), *listener);
	return r;
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener = NULL;
	int epoll = epoll_create1(EPOLL_CLOEXEC), r;

	if (argc != 3) {
		fprintf(stderr, "usage: proxy LISTEN SERVER\n");
		return 2;
	}
	r = epoll < 0 ? -errno : start(epoll, argv[1], argv[2], &listener);
	if (r == 0)
		r = run(epoll, listener);
	if (r)
		fprintf(stderr, "proxy: %s\n", shmipc_strerror(r));
	printf("%lu streams were forwarded\n", linked);
	shmipc_listener_close(listener);
	shmipc_session_close(server); /* the clients' sessions end with the process */
	return r != 0;
}
