// SPDX-License-Identifier: Apache-2.0
/*
 * connect.c - sessions from an address or a connected socket, for callers that wait
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../fdpass.h"
#include "../observe/log.h"
#include "address.h"
#include "handshake.h"

/*
 * connect(2) on a Unix socket waits while the listener's backlog is full, and poll(2) cannot wait for that; but the
 * wait ends after the send timeout. A passed deadline waits for a clock tick at most.
 */
static int connect_until(int fd, const struct address *address, int64_t deadline)
{
	struct timeval left = { 0 };
	int64_t ns;

	for (;;) {
		if (deadline != SHMIPC_FOREVER) {
			ns = deadline - process_now();
			left.tv_sec = ns > 0 ? ns / 1000000000 : 0;
			left.tv_usec = ns > 1000 ? ns % 1000000000 / 1000 : 1;
			if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)))
				return -errno;
		}
		if (!connect(fd, (const struct sockaddr *)&address->name, address->size))
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		if (process_now() >= deadline)
			return -ETIMEDOUT;
	}
}

/* Wait for a handshake to end; the socket is the session's, or closed. */
static int shake_hands(int socket, bool server, const struct shmipc_session_options *options, const char *address,
		       int64_t deadline, struct shmipc_session **session)
{
	struct session_limits limits = { 0 };
	struct shmipc_channel *channel = NULL;
	struct handshake handshake;
	int r, wait;

	r = handshake_init(&handshake, socket, server, options, deadline);
	if (r)
		goto err_close;
	for (;;) {
		r = handshake_step(&handshake);
		handshake_trace(handshake.notes, handshake.noted);
		handshake.noted = 0;
		if (r != -EAGAIN)
			break;
		/* When time is up the last step says so, unless the message is just there. */
		wait = fdpass_wait(socket, handshake_events(&handshake), deadline);
		if (wait && wait != -ETIMEDOUT) {
			r = wait;
			break;
		}
	}
	if (!r)
		handshake_take(&handshake, &channel, &limits);
	handshake_fini(&handshake);
	if (r)
		goto err_close;
	r = session_start(channel, socket, server, options, &limits, session);
	if (!r)
		session_set_address(*session, address);
	return r;
err_close:
	close(socket);
	return r;
}

/* With a socket that the caller has given away. */
static int use_socket(int socket, bool server, const struct shmipc_session_options *options, int64_t deadline,
		      struct shmipc_session **session)
{
	struct shmipc_session_options taken;
	char address[ADDRESS_TEXT];
	int r;

	*session = NULL;
	log_environment();
	if (fcntl(socket, F_SETFD, FD_CLOEXEC))
		return -EINVAL;
	r = session_options_take(options, &taken);
	if (r) {
		close(socket);
		return r;
	}
	address_of(socket, !server, address);
	return shake_hands(socket, server, &taken, address, deadline, session);
}

int shmipc_session_connect(const char *address, const struct shmipc_session_options *options, int64_t deadline,
			   struct shmipc_session **session)
{
	struct shmipc_session_options taken;
	struct address to;
	int fd, r;

	*session = NULL;
	log_environment();
	r = session_options_take(options, &taken);
	if (!r)
		r = address_parse(address, &to);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = connect_until(fd, &to, deadline);
	if (r) {
		close(fd);
		return r;
	}
	return shake_hands(fd, false, &taken, address, deadline, session);
}

int shmipc_session_connect_fd(int socket, const struct shmipc_session_options *options, int64_t deadline,
			      struct shmipc_session **session)
{
	return use_socket(socket, false, options, deadline, session);
}

int shmipc_session_accept_fd(int socket, const struct shmipc_session_options *options, int64_t deadline,
			     struct shmipc_session **session)
{
	return use_socket(socket, true, options, deadline, session);
}
