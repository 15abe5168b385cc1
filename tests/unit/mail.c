// SPDX-License-Identifier: Apache-2.0
/*
 * mail.c - bytes with descriptors over a Unix socket
 */
#include "mail.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

ssize_t mail_send(int socket, const void *data, size_t size, const int *fds, int count, int flags)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	union {
		char bytes[CMSG_SPACE(MAIL_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t bytes = (size_t)count * sizeof(int);
	struct cmsghdr *c;

	if (count) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(bytes);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), fds, bytes);
	}
	return sendmsg(socket, &message, flags);
}

ssize_t mail_receive(int socket, void *data, size_t size, int *fds, int *count, int flags)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union {
		char bytes[CMSG_SPACE(MAIL_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	ssize_t n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*count = 0;
	if (n < 0)
		return n;
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)*count * sizeof(int));
	}
	return n;
}
