// SPDX-License-Identifier: Apache-2.0
/*
 * fdpass.c - SCM_RIGHTS and SCM_CREDENTIALS, with nothing leaked whatever the other side sends
 */
#include "fdpass.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "process.h"
#include "shmipc/channel.h"

/* A descriptor for the sender that comes with every message once the other side of a pair has asked for it. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* Room for more than is ever asked for, so that what a peer sends too much is seen and closed. */
#define FDPASS_ROOM 16

union control {
	char bytes[CMSG_SPACE(FDPASS_ROOM * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static struct cmsghdr *add_control(struct msghdr *message, struct cmsghdr *last, int type, const void *data,
				   size_t size)
{
	struct cmsghdr *c = last ? (struct cmsghdr *)((char *)last + CMSG_ALIGN(last->cmsg_len))
				 : (struct cmsghdr *)message->msg_control;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	message->msg_controllen += CMSG_SPACE(size);
	return c;
}

ssize_t fdpass_send(int socket, const void *data, size_t size, const int *fds, int count, bool credentials)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	union control control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes };
	struct ucred self = { .pid = getpid(), .uid = geteuid(), .gid = getegid() };
	struct cmsghdr *last = NULL;
	ssize_t n;

	if (count)
		last = add_control(&message, last, SCM_RIGHTS, fds, (size_t)count * sizeof(int));
	if (credentials)
		add_control(&message, last, SCM_CREDENTIALS, &self, sizeof(self));
	if (!message.msg_controllen)
		message.msg_control = NULL;
	do
		n = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void fdpass_close(int *fds, int count)
{
	while (count-- > 0)
		if (fds[count] >= 0)
			close(fds[count]);
}

/* Move descriptors of one control message to the caller, close those beyond; false: there were some. */
static bool take_fds(const struct cmsghdr *c, int *fds, int room, int *count)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;
	bool all = true;
	int fd;

	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (*count < room) {
			fds[(*count)++] = fd;
		} else {
			close(fd);
			all = false;
		}
	}
	return all;
}

static void close_all(const struct cmsghdr *c)
{
	int none = 0;

	take_fds(c, NULL, 0, &none);
}

ssize_t fdpass_receive(int socket, void *data, size_t size, int *fds, int *count, struct ucred *credentials)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union control control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	int room = *count;
	struct cmsghdr *c;
	bool all = true;
	ssize_t n;

	*count = 0;
	if (credentials)
		*credentials = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	do
		n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			all &= take_fds(c, fds, room, count);
		else if (c->cmsg_type == SCM_PIDFD)
			close_all(c);
		else if (c->cmsg_type == SCM_CREDENTIALS && credentials)
			memcpy(credentials, CMSG_DATA(c), sizeof(*credentials));
	}
	if (n && all && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	fdpass_close(fds, *count); /* an empty message may carry some, too */
	*count = 0;
	return n ? -EPROTO : 0;
}

int fdpass_wait(int socket, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = socket, .events = events };
	int64_t left;
	int timeout, n;

	for (;;) {
		timeout = -1;
		if (deadline != SHMIPC_FOREVER) {
			left = deadline - process_now();
			if (left <= 0)
				left = 0;
			timeout = left / 1000000 >= INT_MAX ? INT_MAX : (int)((left + 999999) / 1000000);
		}
		n = poll(&poll_fd, 1, timeout);
		if (n > 0)
			return 0;
		if (n == 0 && timeout != INT_MAX)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

int fdpass_ask_credentials(int socket, int *old)
{
	socklen_t size = sizeof(*old);
	int on = 1;

	if (getsockopt(socket, SOL_SOCKET, SO_PASSCRED, old, &size) ||
	    setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return errno == ENOTSOCK || errno == EOPNOTSUPP || errno == ENOPROTOOPT ? -EINVAL : -errno;
	return 0;
}

void fdpass_restore_credentials(int socket, int old)
{
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &old, sizeof(old));
}
