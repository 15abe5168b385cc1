// SPDX-License-Identifier: Apache-2.0
/*
 * listener_work.c - takes connections and moves their handshakes on, many at once
 *
 * Handshakes in progress and sessions that nobody has accepted yet are together at most options.handshakes; beyond
 * that connections stay in the socket's backlog, unless the oldest handshake has taken a tenth of its time: then it
 * makes way for the next connection, so that a crowd that says nothing does not keep others out for long.
 *
 * All handshakes have the same time, so the oldest is always the first to be late: one timer does for all. It is set
 * only to an earlier time; when it goes off for a handshake that has ended since, it is set anew, so that it costs
 * nothing per connection.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../observe/log.h"
#include "listener_internal.h"

/* Of one call, so that it does not go on for ever where connections come without end. */
#define EVENTS_MAX 64
#define CONNECTIONS_MAX 64
/* How long no connection is taken after descriptors or memory ran out. */
#define SHORTAGE_NS 10000000

static int watch(struct shmipc_listener *l, int operation, int fd, short events, void *what)
{
	struct epoll_event event = {
		.events = (events & POLLIN ? EPOLLIN : 0u) | (events & POLLOUT ? EPOLLOUT : 0u),
		.data.ptr = what,
	};

	return epoll_ctl(l->epoll_fd, operation, fd, &event) ? -errno : 0;
}

int work_init(struct shmipc_listener *l, int socket)
{
	int r = 0;

	l->newest = &l->oldest;
	l->timer_at = SHMIPC_FOREVER;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->timer_fd < 0 || l->wake_fd < 0)
		r = -errno;
	if (!r)
		r = watch(l, EPOLL_CTL_ADD, l->timer_fd, POLLIN, &l->timer_fd);
	if (!r)
		r = watch(l, EPOLL_CTL_ADD, l->wake_fd, POLLIN, &l->wake_fd);
	if (!r)
		r = watch(l, EPOLL_CTL_ADD, socket, POLLIN, &l->socket);
	if (!r)
		l->socket = socket;
	return r;
}

static bool has_room(const struct shmipc_listener *l)
{
	return load_relaxed(&l->handshakes) + load_relaxed(&l->queued) < l->options.handshakes;
}

/* When the oldest handshake has to make way. */
static int64_t makes_way_at(const struct shmipc_listener *l)
{
	return l->oldest ? l->oldest->handshake.deadline - l->options.handshake_ms * 900000ll : SHMIPC_FOREVER;
}

static bool wants_connections(const struct shmipc_listener *l)
{
	return !l->masked_until && !load_relaxed(&l->resting) && (has_room(l) || process_now() >= makes_way_at(l));
}

/* Set the timer, unless it goes off early enough. */
static void set_timer(struct shmipc_listener *l)
{
	int64_t at = load_relaxed(&l->restart_deadline);
	struct itimerspec time = { .it_value = { 0 } };

	if (l->masked && !has_room(l) && makes_way_at(l) < at)
		at = makes_way_at(l);
	if (l->oldest && l->oldest->handshake.deadline < at)
		at = l->oldest->handshake.deadline;
	if (l->masked_until && l->masked_until < at)
		at = l->masked_until;
	if (at >= l->timer_at)
		return;
	l->timer_at = at;
	time.it_value.tv_sec = at > 0 ? at / 1000000000 : 0;
	time.it_value.tv_nsec = at > 0 ? at % 1000000000 : 1; /* all zero means never */
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &time, NULL);
}

static void adjust_locked(struct shmipc_listener *l)
{
	bool masked;

	if (l->socket < 0)
		return;
	if (l->masked_until && process_now() >= l->masked_until)
		l->masked_until = 0;
	masked = !wants_connections(l);
	if (masked != l->masked && !watch(l, EPOLL_CTL_MOD, l->socket, masked ? 0 : POLLIN, &l->socket))
		l->masked = masked;
	set_timer(l);
}

void work_adjust(struct shmipc_listener *l)
{
	lock_take(&l->work);
	adjust_locked(l);
	lock_release(&l->work);
}

/* The handshake is over: neither the list nor epoll knows it any more. */
static void remove_connection(struct shmipc_listener *l, struct connection *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	else
		l->newest = c->link;
	/* By name: a forked child may hold a copy of the socket, which would keep it in there. */
	if (c->events)
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, c->handshake.socket, NULL);
}

static void drop_connection(struct shmipc_listener *l, struct connection *c, int error)
{
	remove_connection(l, c);
	handshake_fini(&c->handshake);
	shutdown(c->handshake.socket, SHUT_RDWR); /* a copy would put that off too */
	close(c->handshake.socket);
	free(c);
	atomic_fetch_sub(&l->handshakes, 1);
	l->refused++;
	l->refused_for = error;
}

/* It succeeded: make a session of it when the lock is let go. */
static void finish_connection(struct shmipc_listener *l, struct connection *c)
{
	remove_connection(l, c);
	handshake_take(&c->handshake, &c->channel, &c->limits);
	handshake_fini(&c->handshake);
	c->next = l->finished;
	l->finished = c;
}

static void make_session(struct shmipc_listener *l, struct connection *c)
{
	struct shmipc_session *session;

	if (session_start(c->channel, c->handshake.socket, true, &l->options.session, &c->limits, &session))
		return;
	session_set_address(session, l->address);
	if (member_add(l, session))
		shmipc_session_close(session);
	else
		listener_queue(l, session);
}

/* Let the lock go, and do what may run the application's code: its log, for one. */
static void release_work(struct shmipc_listener *l)
{
	struct connection *finished = l->finished, *next;
	struct handshake_note *notes = l->notes;
	uint32_t refused = l->refused, noted = l->noted;
	int error = l->refused_for;

	l->finished = NULL;
	l->refused = 0;
	l->notes = NULL;
	l->noted = 0;
	lock_release(&l->work);
	handshake_trace(notes, noted);
	free(notes);
	for (; finished; finished = next) {
		next = finished->next;
		make_session(l, finished);
		free(finished);
		/* Only now: until it is in the queue it takes a place there. */
		atomic_fetch_sub(&l->handshakes, 1);
	}
	if (refused)
		log_warn("listener", "%s: %u handshakes failed, one of them: %s", l->address, refused,
			 shmipc_strerror(error));
}

/* Keep what a step wants to be traced, until the lock is let go. */
static void keep_notes(struct shmipc_listener *l, struct handshake *h)
{
	struct handshake_note *notes = realloc(l->notes, (l->noted + h->noted) * sizeof(*notes));

	if (notes) {
		memcpy(notes + l->noted, h->notes, h->noted * sizeof(*notes));
		l->notes = notes;
		l->noted += h->noted;
	}
	h->noted = 0;
}

static void step_connection(struct shmipc_listener *l, struct connection *c)
{
	int r = handshake_step(&c->handshake);
	short events;

	if (unlikely(c->handshake.noted))
		keep_notes(l, &c->handshake);

	if (!r) {
		finish_connection(l, c);
		return;
	}
	if (r == -EAGAIN) {
		events = handshake_events(&c->handshake);
		r = events == c->events
			    ? 0
			    : watch(l, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->handshake.socket, events, c);
		if (!r) {
			c->events = events;
			return;
		}
	}
	drop_connection(l, c, r);
}

static int add_connection(struct shmipc_listener *l, int socket)
{
	struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		close(socket);
		return -ENOMEM;
	}
	r = handshake_init(&c->handshake, socket, true, &l->options.session,
			   process_now() + l->options.handshake_ms * 1000000ll);
	if (r) {
		close(socket);
		free(c);
		return 0;
	}
	c->link = l->newest;
	*l->newest = c;
	l->newest = &c->next;
	atomic_fetch_add(&l->handshakes, 1);
	step_connection(l, c);
	return 0;
}

void work_close_copy(struct shmipc_listener *l)
{
	struct connection *c;

	while ((c = l->oldest)) {
		l->oldest = c->next;
		handshake_fini_copy(&c->handshake);
		close(c->handshake.socket);
		free(c);
	}
	free(l->notes);
}

static void stop_locked(struct shmipc_listener *l)
{
	uint64_t one = 1;

	if (l->socket < 0)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->socket, NULL);
	close(l->socket);
	l->socket = -1;
	while (l->oldest)
		drop_connection(l, l->oldest, -ESHUTDOWN);
	lock_take(&l->lock);
	store_release(&l->stopped, true);
	lock_release(&l->lock);
	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

void work_stop(struct shmipc_listener *l)
{
	lock_take(&l->work);
	stop_locked(l);
	release_work(l);
	streams_stop(l);
}

/* Take what waits in the backlog. */
static void take_connections(struct shmipc_listener *l)
{
	int i, fd, r;

	for (i = 0; i < CONNECTIONS_MAX && wants_connections(l); i++) {
		fd = accept4(l->socket, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && !has_room(l))
			drop_connection(l, l->oldest, -ETIMEDOUT);
		r = fd < 0 ? -errno : add_connection(l, fd);
		switch (r) {
		case 0:
		case -EINTR:
		case -ECONNABORTED:
			break;
		case -EAGAIN:
			return;
		case -EMFILE:
		case -ENFILE:
		case -ENOBUFS:
		case -ENOMEM:
			l->masked_until = process_now() + SHORTAGE_NS;
			return;
		default:
			stop_locked(l);
			return;
		}
	}
}

static void end_late(struct shmipc_listener *l)
{
	uint64_t times;
	int64_t now;

	if (read(l->timer_fd, &times, sizeof(times)) == sizeof(times))
		l->timer_at = SHMIPC_FOREVER;
	now = process_now();
	/* A step after its deadline is a handshake's last one. */
	while (l->oldest && l->oldest->handshake.deadline <= now)
		step_connection(l, l->oldest);
}

void work_do(struct shmipc_listener *l)
{
	struct epoll_event events[EVENTS_MAX];
	bool timer = false;
	uint32_t socket = 0;
	int n, i;

	lock_take(&l->work);
	n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, 0);
	for (i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == &l->timer_fd)
			timer = true;
		else if (what == &l->socket)
			socket = events[i].events;
		else if (what != &l->wake_fd)
			step_connection(l, what);
	}
	/* Last, since these may end other connections of which events told. */
	if (socket & (EPOLLHUP | EPOLLERR))
		stop_locked(l); /* somebody shut it down */
	else if (socket)
		take_connections(l);
	if (timer)
		end_late(l);
	adjust_locked(l);
	release_work(l);
	if (load_relaxed(&l->restart_deadline) != SHMIPC_FOREVER)
		restart_update(l);
}
