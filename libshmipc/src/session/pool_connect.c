// SPDX-License-Identifier: Apache-2.0
/*
 * pool_connect.c - tries to connect, that the pool's thread makes: one for each slot that needs it, none of them blocks
 *
 * connect(2) fails at once where a listener's backlog is full, and no descriptor says when there is room again: then it
 * is tried again a little later, under the same deadline.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../process.h"
#include "../wire/address.h"
#include "../wire/handshake.h"
#include "pool.h"

#define MS 1000000ll
#define BACKLOG_STEP_NS (5 * MS)

struct attempt {
	struct watched watched;
	struct pool_slot *slot;
	struct address address;
	int socket;
	int64_t deadline;
	bool connected;
	short events; /* that the epoll waits for; 0: it is not in there */
	struct handshake handshake;
};

void attempt_end(struct pool_slot *slot)
{
	bool ours = load_relaxed(slot->pool->guard);
	struct attempt *attempt = slot->attempt;

	slot->attempt = NULL;
	if (!attempt)
		return;
	if (attempt->events && ours)
		epoll_ctl(slot->pool->epoll, EPOLL_CTL_DEL, attempt->socket, NULL);
	if (attempt->connected && ours)
		handshake_fini(&attempt->handshake);
	else if (attempt->connected)
		handshake_fini_copy(&attempt->handshake);
	if (attempt->socket >= 0)
		close(attempt->socket);
	free(attempt);
}

static void note_ready(struct watched *watched, uint32_t events)
{
	struct attempt *attempt = (struct attempt *)watched;

	(void)events;
	store_relaxed(&attempt->slot->pool->news, true);
}

static int begin(struct pool_slot *slot, int64_t deadline)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	int r;

	if (!attempt)
		return -ENOMEM;
	slot->attempt = attempt;
	attempt->watched.ready = note_ready;
	attempt->slot = slot;
	attempt->deadline = deadline;
	attempt->socket = -1;
	r = address_parse(slot->pool->address, &attempt->address);
	if (r)
		return r;
	attempt->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return attempt->socket < 0 ? -errno : 0;
}

/* 0: the handshake goes on; -EAGAIN: the backlog is full. */
static int reach_server(struct attempt *attempt)
{
	const struct shmipc_session_options *options = &attempt->slot->pool->options.session;
	int r;

	if (connect(attempt->socket, (struct sockaddr *)&attempt->address.name, attempt->address.size)) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		return process_now() >= attempt->deadline ? -ETIMEDOUT : -EAGAIN;
	}
	r = handshake_init(&attempt->handshake, attempt->socket, false, options, attempt->deadline);
	attempt->connected = !r;
	return r;
}

static int watch(struct attempt *attempt)
{
	short events = handshake_events(&attempt->handshake);
	struct epoll_event event = {
		.events = events & POLLOUT ? EPOLLOUT : EPOLLIN,
		.data.ptr = &attempt->watched,
	};

	if (events == attempt->events)
		return 0;
	if (epoll_ctl(attempt->slot->pool->epoll, attempt->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, attempt->socket,
		      &event))
		return -errno;
	attempt->events = events;
	return 0;
}

static int make_session(struct attempt *attempt, struct shmipc_session **session)
{
	struct shmipc_pool *pool = attempt->slot->pool;
	struct shmipc_channel *channel;
	struct session_limits limits;
	int socket = attempt->socket, r;

	handshake_take(&attempt->handshake, &channel, &limits);
	handshake_fini(&attempt->handshake);
	attempt->connected = false;
	if (attempt->events)
		epoll_ctl(pool->epoll, EPOLL_CTL_DEL, socket, NULL);
	attempt->events = 0;
	attempt->socket = -1;
	r = session_start(channel, socket, false, &pool->options.session, &limits, session);
	if (!r)
		session_set_address(*session, pool->address);
	return r;
}

static int step(struct attempt *attempt, struct shmipc_session **session, int64_t *due)
{
	int r = attempt->connected ? 0 : reach_server(attempt);

	*due = earlier(attempt->deadline, process_now() + BACKLOG_STEP_NS);
	if (r)
		return r;
	*due = attempt->deadline;
	r = handshake_step(&attempt->handshake);
	if (!r)
		return make_session(attempt, session);
	if (r == -EAGAIN)
		return watch(attempt) ? -ENOMEM : -EAGAIN;
	return r;
}

int attempt_go_on(struct pool_slot *slot, int64_t deadline, struct shmipc_session **session, int64_t *due)
{
	int r = slot->attempt ? 0 : begin(slot, deadline);

	if (!r)
		r = step(slot->attempt, session, due);
	if (r != -EAGAIN)
		attempt_end(slot);
	return r;
}
