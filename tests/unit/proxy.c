// SPDX-License-Identifier: Apache-2.0
/*
 * proxy.c - stands between the two sides of a handover
 */
#include "proxy.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int call_send(struct worker *worker)
{
	return shmipc_channel_send(worker->channel, *(int *)worker->argument, worker->deadline);
}

static int call_receive(struct worker *worker)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;

	options.sync = SHMIPC_SYNC_DEMAND;
	worker->channel = (void *)1;
	return shmipc_channel_receive(*(int *)worker->argument, &options, worker->deadline, &worker->channel);
}

void proxy_receive(struct worker *receiver, int *socket)
{
	*receiver = (struct worker){ .call = call_receive, .argument = socket, .deadline = FAR };
	worker_start(receiver);
}

void proxy_open(struct proxy *proxy, struct pair *pair, const struct shmipc_channel_options *options)
{
	struct shmipc_channel_options defaults = pair_options(pair);

	proxy->pair = pair;
	assert_code(shmipc_channel_create(options ? options : &defaults, &pair->a), 0);
	pair_sockets(proxy->up);
	pair_sockets(proxy->down);
	proxy->sender =
		(struct worker){ .call = call_send, .channel = pair->a, .argument = &proxy->up[0], .deadline = FAR };
	worker_start(&proxy->sender);
	proxy_receive(&proxy->receiver, &proxy->down[0]);
}

void packet_take(int socket, struct packet *packet)
{
	struct iovec iov = { .iov_base = &packet->wire, .iov_len = sizeof(packet->wire) };
	union {
		char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	struct pollfd poll_fd = { .fd = socket, .events = POLLIN };
	struct cmsghdr *c;

	memset(packet, 0xa5, sizeof(*packet));
	packet->count = 0;
	assert_int_equal(poll(&poll_fd, 1, 20000), 1);
	assert_int_equal(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(packet->wire));
	packet->size = sizeof(packet->wire);
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		packet->count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(packet->fds, CMSG_DATA(c), (size_t)packet->count * sizeof(int));
	}
}

void packet_drop(struct packet *packet)
{
	while (packet->count > 0)
		close(packet->fds[--packet->count]);
}

void packet_give(int socket, struct packet *packet)
{
	struct iovec iov = { .iov_base = &packet->wire, .iov_len = packet->size };
	union {
		char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t bytes = (size_t)packet->count * sizeof(int);
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	if (packet->count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(bytes);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), packet->fds, bytes);
	}
	assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), (ssize_t)packet->size);
	packet_drop(packet);
}

void packet_replace(struct packet *packet, int index, int fd)
{
	assert_true(index < packet->count);
	assert_true(fd >= 0);
	close(packet->fds[index]);
	packet->fds[index] = fd;
}

void packet_add(struct packet *packet, int fd)
{
	assert_true(fd >= 0);
	packet->fds[packet->count++] = fd;
}

void proxy_hang_up(int *socket)
{
	if (*socket >= 0)
		close(*socket);
	*socket = -1;
}

void proxy_close(struct proxy *proxy, int *sent, int *received)
{
	*sent = worker_join(&proxy->sender);
	*received = worker_join(&proxy->receiver);
	proxy->pair->b = proxy->receiver.channel;
	proxy_hang_up(&proxy->up[0]);
	proxy_hang_up(&proxy->up[1]);
	proxy_hang_up(&proxy->down[0]);
	proxy_hang_up(&proxy->down[1]);
}
