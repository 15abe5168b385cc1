// SPDX-License-Identifier: Apache-2.0
/*
 * A Unix stream socket pair in an event loop: non-blocking, level-triggered epoll, one epoll_wait(2) before each
 * read(2). Interest in writing is registered only while a write could not finish.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "copying.h"

struct epoll_end {
	struct copying_end copying;
	int epoll;
};

static int prepare_uds_epoll(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wiring->fd) ? -errno : 0;
}

static int control_epoll(struct copying_end *c, int op, uint32_t events)
{
	struct epoll_event event = { .events = events };

	c->end.syscalls++;
	return epoll_ctl(((struct epoll_end *)c)->epoll, op, c->fd_in, &event) ? -errno : 0;
}

static int wait_epoll(struct copying_end *c)
{
	struct epoll_event event;

	c->end.syscalls++;
	if (epoll_wait(((struct epoll_end *)c)->epoll, &event, 1, -1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int wait_writable(struct copying_end *c)
{
	int rc = control_epoll(c, EPOLL_CTL_MOD, EPOLLOUT);

	if (!rc)
		rc = wait_epoll(c);
	return rc ? rc : control_epoll(c, EPOLL_CTL_MOD, EPOLLIN);
}

static int attach_uds_epoll(struct end *end)
{
	struct copying_end *c = (struct copying_end *)end;
	int fd = end->wiring->fd[end->side];
	int rc = copying_init(c, fd, fd);

	if (rc)
		return rc;
	c->wait_in = wait_epoll;
	c->wait_out = wait_writable;
	((struct epoll_end *)end)->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (((struct epoll_end *)end)->epoll < 0)
		return -errno;
	return control_epoll(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void detach_uds_epoll(struct end *end)
{
	close(((struct epoll_end *)end)->epoll);
	copying_detach(end);
}

const struct transport transport_uds_epoll = {
	.name = "uds-epoll",
	.summary = "Unix stream socket, non-blocking, level-triggered epoll",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct epoll_end),
	.prepare = prepare_uds_epoll,
	.attach = attach_uds_epoll,
	.detach = detach_uds_epoll,
	.begin = copying_begin,
	.send = copying_send,
	.receive = copying_receive,
	.done = copying_done,
};
