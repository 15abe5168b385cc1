// SPDX-License-Identifier: Apache-2.0
/*
 * control.c - a listening socket from one process to another, and a byte now and then
 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int name_control(const char *address, struct sockaddr_un *name)
{
	int n;

	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(name->sun_path, sizeof(name->sun_path), "%s.control", address);
	return n < 0 || (size_t)n >= sizeof(name->sun_path) ? -EINVAL : 0;
}

int control_listen(const char *address)
{
	struct sockaddr_un name;
	int fd = name_control(address, &name) ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	mode_t mask;

	if (fd < 0)
		return -EINVAL;
	unlink(name.sun_path); /* a killed server's: nobody answers there */
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&name, sizeof(name));
	umask(mask);
	if (r || listen(fd, 8)) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

void control_close(const char *address, int listening)
{
	struct sockaddr_un name;

	if (listening < 0)
		return;
	close(listening);
	if (!name_control(address, &name))
		unlink(name.sun_path);
}

int control_connect(const char *address)
{
	struct sockaddr_un name;
	int fd = name_control(address, &name) ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -EINVAL;
	if (connect(fd, (struct sockaddr *)&name, sizeof(name))) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int control_send_socket(int connection, int socket, uint64_t generation)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { &generation, sizeof(generation) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &socket, sizeof(int));
	return sendmsg(connection, &message, MSG_NOSIGNAL) == sizeof(generation) ? 0 : -errno;
}

int control_receive_socket(int connection, uint64_t *generation)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { generation, sizeof(*generation) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;
	int socket;

	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof(*generation))
		return -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&socket, CMSG_DATA(header), sizeof(int));
	return socket;
}

int control_say(int connection, char what)
{
	return send(connection, &what, 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

char control_hear(int connection, int milliseconds)
{
	struct pollfd poll_fd = { .fd = connection, .events = POLLIN };
	char what = 0;

	if (poll(&poll_fd, 1, milliseconds) == 1 && recv(connection, &what, 1, MSG_DONTWAIT) == 1)
		return what;
	return 0;
}
