// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - a server that is replaced while it serves
 *
 *	server ADDRESS [broken | deaf]
 *
 * The first one listens on ADDRESS, a path. One that is started while another serves there takes over from it: gets
 * its listening socket, serves, and the old one has its clients connect anew, waits until they have gone, and exits.
 * Where that fails the old one goes on as if nothing had happened; to show it a new server can be "broken", which dies
 * before it serves, or "deaf", which says that it serves and does not.
 */
#include <errno.h>
#include <poll.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "protocol.h"

/* How long a new server may take to come up, its clients to connect anew, and then to finish what they do here. */
#define READY_MS 10000
#define RESTART_MS 20000
#define DRAIN_MS 20000

struct server {
	const char *address;
	uint64_t generation;
	struct shmipc_listener *listener;
	struct shmipc_dispatcher *dispatcher;
	int control; /* listens; -1: not yet */
	_Atomic int sessions;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void nap(void)
{
	usleep(5000);
}

/* Requests are small, so each is there as a whole; so are replies, and a client that does not read them only waits itself. */
static void on_readable(struct shmipc_stream *stream, void *arg)
{
	struct server *server = arg;
	struct request request;
	struct reply reply;

	while (shmipc_stream_read_message(stream, &request, sizeof(request), NULL, 0) == sizeof(request)) {
		reply = (struct reply){ .number = request.number, .generation = server->generation };
		if (shmipc_stream_write(stream, &reply, sizeof(reply), 0, SHMIPC_FOREVER) < 0)
			return;
	}
}

static void on_stream_end(struct shmipc_stream *stream, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	shmipc_stream_close(stream);
}

static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = on_readable, .on_end = on_stream_end };

	(void)session;
	shmipc_stream_set_callbacks(stream, &callbacks, arg);
}

static void on_session_end(struct shmipc_session *session, int reason, void *arg)
{
	struct server *server = arg;

	(void)reason;
	shmipc_session_close(session);
	server->sessions--;
}

static void on_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = on_stream, .on_end = on_session_end };
	struct server *server = arg;

	(void)listener;
	server->sessions++;
	shmipc_session_set_callbacks(session, &callbacks, server);
	if (shmipc_dispatcher_add_session(server->dispatcher, session)) {
		shmipc_session_close(session);
		server->sessions--;
	}
}

static const char *state_name(enum shmipc_restart state)
{
	switch (state) {
	case SHMIPC_RESTART_ACTIVE:
		return "active";
	case SHMIPC_RESTART_DONE:
		return "done";
	case SHMIPC_RESTART_FAILED:
		return "failed";
	default:
		return "none";
	}
}

/* Have the clients connect anew, and say how far they are. */
static enum shmipc_restart restart_clients(struct server *server)
{
	struct shmipc_restart_progress now, said = { 0 };
	int r = shmipc_listener_restart(server->listener, server->generation + 1, now_ns() + RESTART_MS * 1000000ll);

	if (r) {
		fprintf(stderr, "server %ld: restart: %s\n", (long)getpid(), shmipc_strerror(r));
		return SHMIPC_RESTART_FAILED;
	}
	for (;;) {
		shmipc_listener_restart_progress(server->listener, &now);
		if (memcmp(&now, &said, sizeof(now)))
			printf("restart %s: %u clients asked, %u renewed, %u gone, %u failed\n", state_name(now.state),
			       now.asked, now.renewed, now.gone, now.failed);
		if (now.state != SHMIPC_RESTART_ACTIVE)
			return now.state;
		said = now;
		nap();
	}
}

/* A new server has connected. Returns whether it has taken over. */
static int hand_over(struct server *server, int new)
{
	int64_t until;

	printf("generation %llu hands over\n", (unsigned long long)server->generation);
	if (control_send_socket(new, shmipc_listener_socket(server->listener), server->generation + 1) ||
	    control_hear(new, READY_MS) != CONTROL_READY) {
		printf("the new server did not come up: generation %llu goes on\n",
		       (unsigned long long)server->generation);
		return 0;
	}
	if (restart_clients(server) != SHMIPC_RESTART_DONE) {
		printf("not all clients could connect: generation %llu goes on\n",
		       (unsigned long long)server->generation);
		control_say(new, CONTROL_FAILED);
		return 0;
	}
	/* The next server is to find the new one. */
	control_close(server->address, server->control);
	server->control = -1;
	control_say(new, CONTROL_DONE);
	for (until = now_ns() + DRAIN_MS * 1000000ll; server->sessions && now_ns() < until;)
		nap();
	printf("generation %llu ends, with %d sessions left\n", (unsigned long long)server->generation,
	       server->sessions);
	return 1;
}

/* Wait for a new server, or to be told to stop. Returns whether somebody has taken over. */
static int serve(struct server *server, int signals)
{
	struct pollfd poll_fds[2] = { { .fd = signals, .events = POLLIN },
				      { .fd = server->control, .events = POLLIN } };
	int new, handed_over;

	for (;;) {
		if (poll(poll_fds, 2, -1) < 0 && errno != EINTR)
			return 0;
		if (poll_fds[0].revents)
			return 0;
		if (!poll_fds[1].revents)
			continue;
		new = accept(server->control, NULL, NULL);
		if (new < 0)
			continue;
		handed_over = hand_over(server, new);
		close(new);
		if (handed_over)
			return 1;
	}
}

/* Listen at the address, or where the old server does. */
static int begin(struct server *server, int old, int deaf)
{
	int socket, r;

	if (old < 0) {
		r = shmipc_listener_create(server->address, NULL, &server->listener);
	} else {
		socket = control_receive_socket(old, &server->generation);
		r = socket < 0 ? socket : shmipc_listener_create_fd(socket, NULL, &server->listener);
	}
	if (!r)
		r = shmipc_dispatcher_create(0, &server->dispatcher);
	if (!r && !deaf)
		r = shmipc_dispatcher_add_listener(server->dispatcher, server->listener, on_session, server);
	return r;
}

int main(int argc, char **argv)
{
	const char *fault = argc > 2 ? argv[2] : "";
	struct server server = { .address = argc > 1 ? argv[1] : "/tmp/hot-restart", .generation = 1, .control = -1 };
	int old, r, signals, handed_over = 0;
	sigset_t stop;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	old = control_connect(server.address);
	r = begin(&server, old, !strcmp(fault, "deaf"));
	if (!r && !strcmp(fault, "broken"))
		r = -EIO;
	if (!r && old >= 0) {
		r = control_say(old, CONTROL_READY);
		if (!r && control_hear(old, RESTART_MS + 1000) != CONTROL_DONE)
			r = -ECANCELED;
		close(old);
	}
	if (!r) {
		server.control = control_listen(server.address);
		r = server.control < 0 ? server.control : 0;
	}
	if (!r) {
		printf("generation %llu serves\n", (unsigned long long)server.generation);
		handed_over = serve(&server, signals);
	} else {
		fprintf(stderr, "server %ld: %s\n", (long)getpid(), shmipc_strerror(r));
	}
	shmipc_dispatcher_close(server.dispatcher);
	shmipc_listener_close(server.listener);
	control_close(server.address, server.control);
	/* The path was the first server's to make, and is the last one's to remove. */
	if (!r && !handed_over)
		unlink(server.address);
	return r < 0;
}
