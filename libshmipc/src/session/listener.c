// SPDX-License-Identifier: Apache-2.0
/*
 * listener.c - a listener from its address to its end, and the sessions that wait to be accepted
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../observe/log.h"
#include "listener_internal.h"

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void free_listener(struct shmipc_listener *l)
{
	close_fd(l->socket);
	close_fd(l->epoll_fd);
	close_fd(l->timer_fd);
	close_fd(l->wake_fd);
	free(l->queue);
	free(l);
}

/* A listener that has no socket yet. */
static int alloc_listener(const struct shmipc_listener_options *options, struct shmipc_listener **listener)
{
	struct shmipc_listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->socket = l->epoll_fd = l->timer_fd = l->wake_fd = -1;
	l->binding.directory = -1;
	l->restart_deadline = SHMIPC_FOREVER;
	r = listener_options_take(options, &l->options);
	if (!r)
		r = process_guard(&l->guard);
	if (!r) {
		l->queue = calloc(l->options.handshakes, sizeof(struct shmipc_session *));
		if (!l->queue)
			r = -ENOMEM;
	}
	if (r)
		free_listener(l);
	else
		*listener = l;
	return r;
}

int shmipc_listener_create(const char *address, const struct shmipc_listener_options *options,
			   struct shmipc_listener **listener)
{
	struct shmipc_listener *l;
	struct address where;
	int r, socket;

	*listener = NULL;
	log_environment();
	r = address_parse(address, &where);
	if (!r)
		r = alloc_listener(options, &l);
	if (r)
		return r;
	socket = binding_listen(&where, l->options.mode, (int)l->options.connections, &l->binding);
	r = socket < 0 ? socket : work_init(l, socket);
	if (r) {
		binding_fini(&l->binding, true);
		close_fd(socket);
		free_listener(l);
		return r;
	}
	address_of(socket, false, l->address);
	log_info("listener", "%s: listens", l->address);
	*listener = l;
	return 0;
}

/* Whether it is a Unix stream socket that listens; and make it one that never blocks accept(2). */
static int check_listening(int socket)
{
	int type = 0, domain = 0, listening = 0, flags = fcntl(socket, F_GETFL);
	socklen_t size = sizeof(int);

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM ||
	    getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_UNIX ||
	    getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) || !listening ||
	    fcntl(socket, F_SETFL, flags | O_NONBLOCK) || fcntl(socket, F_SETFD, FD_CLOEXEC))
		return -EINVAL;
	return 0;
}

int shmipc_listener_create_fd(int socket, const struct shmipc_listener_options *options,
			      struct shmipc_listener **listener)
{
	struct shmipc_listener *l = NULL;
	int r;

	*listener = NULL;
	log_environment();
	r = check_listening(socket);
	if (!r)
		r = alloc_listener(options, &l);
	if (!r)
		r = work_init(l, socket);
	if (r) {
		close_fd(socket);
		if (l)
			free_listener(l);
		return r;
	}
	address_of(socket, false, l->address);
	log_info("listener", "%s: listens", l->address);
	*listener = l;
	return 0;
}

/* Make wake_fd readable, or not; where it is so already, nothing changes. */
static void signal_queue(struct shmipc_listener *l, bool readable)
{
	uint64_t value = 1;
	ssize_t n;

	if (readable)
		n = write(l->wake_fd, &value, sizeof(value));
	else
		n = read(l->wake_fd, &value, sizeof(value));
	(void)n;
}

void listener_queue(struct shmipc_listener *l, struct shmipc_session *session)
{
	uint32_t queued;

	lock_take(&l->lock);
	queued = load_relaxed(&l->queued);
	l->queue[(l->queue_head + queued) % l->options.handshakes] = session;
	store_relaxed(&l->queued, queued + 1);
	if (!queued)
		signal_queue(l, true);
	lock_release(&l->lock);
}

/* The next session, or NULL. */
static struct shmipc_session *dequeue(struct shmipc_listener *l)
{
	struct shmipc_session *session = NULL;
	uint32_t queued;

	lock_take(&l->lock);
	queued = load_relaxed(&l->queued);
	if (queued) {
		session = l->queue[l->queue_head];
		l->queue_head = (l->queue_head + 1) % l->options.handshakes;
		store_relaxed(&l->queued, queued - 1);
		if (queued == 1 && !load_relaxed(&l->stopped))
			signal_queue(l, false);
	}
	lock_release(&l->lock);
	/* It may have been the one too many. */
	if (session && load_relaxed(&l->handshakes) + queued >= l->options.handshakes)
		work_adjust(l);
	return session;
}

/* Wait until there is work, or a session. */
static int wait_work(struct shmipc_listener *l, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = l->epoll_fd, .events = POLLIN };
	int timeout = -1;
	int64_t left;

	if (deadline != SHMIPC_FOREVER) {
		left = deadline - process_now();
		if (left <= 0)
			return deadline ? -ETIMEDOUT : -EAGAIN;
		timeout = left / 1000000 >= INT_MAX ? INT_MAX : (int)((left + 999999) / 1000000);
	}
	return poll(&poll_fd, 1, timeout) < 0 ? -errno : 0;
}

/* Sessions are taken by the caller: from now on not by accept_stream. */
static void use_sessions(struct shmipc_listener *l)
{
	lock_take(&l->lock);
	if (l->use == LISTENER_UNUSED)
		l->use = LISTENER_SESSIONS;
	lock_release(&l->lock);
}

int shmipc_listener_accept(struct shmipc_listener *l, struct shmipc_session **session, int64_t deadline)
{
	int r;

	*session = NULL;
	r = listener_check(l);
	if (r)
		return r;
	use_sessions(l);
	for (;;) {
		*session = dequeue(l);
		if (*session)
			return 0;
		work_do(l);
		*session = dequeue(l);
		if (*session)
			return 0;
		if (load_acquire(&l->stopped))
			return -ESHUTDOWN;
		r = wait_work(l, deadline);
		if (r)
			return r;
	}
}

int shmipc_listener_fd(struct shmipc_listener *l)
{
	int r = listener_check(l);

	if (r)
		return r;
	use_sessions(l);
	return l->epoll_fd;
}

int shmipc_listener_process(struct shmipc_listener *l)
{
	int r = listener_check(l);
	uint32_t queued;

	if (r)
		return r;
	work_do(l);
	queued = load_acquire(&l->queued);
	return queued || !load_acquire(&l->stopped) ? (int)queued : -ESHUTDOWN;
}

const char *shmipc_listener_address(const struct shmipc_listener *l)
{
	return l->address;
}

int shmipc_listener_socket(const struct shmipc_listener *l)
{
	int socket = load_acquire(&l->socket);

	return socket >= 0 ? socket : -ESHUTDOWN;
}

int shmipc_listener_shutdown(struct shmipc_listener *l)
{
	int r = listener_check(l);

	if (!r)
		work_stop(l);
	return r;
}

/* Whether the path is for the new process to keep. */
static bool keeps_path(const struct shmipc_listener *l)
{
	return l->options.keep_path || l->restart.state == SHMIPC_RESTART_ACTIVE ||
	       l->restart.state == SHMIPC_RESTART_DONE;
}

/* In a forked child: its copies of what the parent goes on using. A lock that is taken stays so: see copy.h. */
static void close_copy(struct shmipc_listener *l)
{
	uint32_t i;

	if (lock_try(&l->work))
		work_close_copy(l);
	if (lock_try(&l->lock)) {
		for (i = 0; i < l->queued; i++)
			shmipc_session_close(l->queue[(l->queue_head + i) % l->options.handshakes]);
		member_close_copies(l);
	}
	streams_close_copy(l);
	binding_fini(&l->binding, false);
	free_listener(l);
}

void shmipc_listener_close(struct shmipc_listener *l)
{
	struct shmipc_session *session;

	if (!l)
		return;
	if (listener_check(l)) {
		close_copy(l);
		return;
	}
	restart_update(l);
	work_stop(l);
	log_info("listener", "%s: closed", l->address);
	streams_fini(l);
	member_drop_all(l);
	while ((session = dequeue(l)))
		shmipc_session_close(session);
	binding_fini(&l->binding, !keeps_path(l));
	free_listener(l);
}
