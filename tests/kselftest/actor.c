// SPDX-License-Identifier: GPL-2.0
#include "actor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct message {
	actor_function *function;
	long result;
	size_t size;
	unsigned char argument[ACTOR_ARGUMENT];
};

int descriptor_send(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int descriptor_receive(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static long receive_descriptor(void *argument)
{
	return descriptor_receive(*(int *)argument);
}

static void obey(int socket)
{
	struct message message;

	while (recv(socket, &message, sizeof(message), 0) == sizeof(message)) {
		/* The actor's end of the socket is known here only. */
		if (message.function == receive_descriptor)
			memcpy(message.argument, &socket, sizeof(socket));
		message.result = message.function(message.argument);
		if (send(socket, &message, sizeof(message), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

int actor_start(struct actor *actor)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	actor->socket = sockets[0];
	actor->pid = fork();
	if (actor->pid < 0)
		return -errno;
	if (!actor->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(sockets[0]);
		obey(sockets[1]);
	}
	close(sockets[1]);
	return 0;
}

int actor_post(struct actor *actor, actor_function *function, const void *argument, size_t size)
{
	struct message message = { .function = function, .size = size };

	if (size)
		memcpy(message.argument, argument, size);
	return send(actor->socket, &message, sizeof(message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

long actor_result(struct actor *actor, void *argument, size_t size)
{
	struct message message;

	if (recv(actor->socket, &message, sizeof(message), 0) != sizeof(message))
		return -EPIPE;
	if (size)
		memcpy(argument, message.argument, size);
	return message.result;
}

long actor_call(struct actor *actor, actor_function *function, void *argument, size_t size)
{
	int result = actor_post(actor, function, argument, size);

	return result ? result : actor_result(actor, argument, size);
}

int actor_give(struct actor *actor, int fd)
{
	int result = actor_post(actor, receive_descriptor, NULL, 0);

	if (!result)
		result = descriptor_send(actor->socket, fd);
	return result ? result : (int)actor_result(actor, NULL, 0);
}

int actor_reap(struct actor *actor)
{
	int status = -1;

	if (!actor->pid)
		return status;
	while (waitpid(actor->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(actor->socket);
	actor->pid = 0;
	return status;
}

int actor_exit(struct actor *actor)
{
	if (actor->pid)
		shutdown(actor->socket, SHUT_RDWR);
	return actor_reap(actor);
}

int actor_kill(struct actor *actor)
{
	if (actor->pid)
		kill(actor->pid, SIGKILL);
	return actor_reap(actor);
}
