// SPDX-License-Identifier: Apache-2.0
/*
 * proxy.c - stands between the two sides of a handover
 */
#include "proxy.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail.h"

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

void proxy_until_answer(struct proxy *proxy, struct pair *pair, struct packet *packet)
{
	proxy_open(proxy, pair, NULL);
	packet_take(proxy->up[1], packet);
	packet_give(proxy->down[1], packet);
	packet_take(proxy->down[1], packet);
}

void packet_take(int socket, struct packet *packet)
{
	struct pollfd poll_fd = { .fd = socket, .events = POLLIN };
	int fds[MAIL_FDS];

	memset(packet, 0xa5, sizeof(*packet));
	assert_int_equal(poll(&poll_fd, 1, 20000), 1);
	assert_int_equal(mail_receive(socket, &packet->wire, sizeof(packet->wire), fds, &packet->count, 0),
			 (ssize_t)sizeof(packet->wire));
	packet->size = sizeof(packet->wire);
	assert_true(packet->count <= PACKET_FDS);
	memcpy(packet->fds, fds, (size_t)packet->count * sizeof(int));
}

void packet_drop(struct packet *packet)
{
	while (packet->count > 0)
		close(packet->fds[--packet->count]);
}

void packet_give(int socket, struct packet *packet)
{
	assert_int_equal(mail_send(socket, &packet->wire, packet->size, packet->fds, packet->count, MSG_NOSIGNAL),
			 (ssize_t)packet->size);
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
