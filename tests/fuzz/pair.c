// SPDX-License-Identifier: Apache-2.0
/*
 * pair.c - the two halves of a handover wait for each other, so one runs in a thread
 */
#include "pair.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "input.h"

struct shmipc_channel_options pair_options(void)
{
	struct shmipc_channel_options o = SHMIPC_CHANNEL_OPTIONS_INIT;

	o.backend = SHMIPC_BACKEND_MEMFD;
	o.sync = SHMIPC_SYNC_DEMAND;
	o.slots = 16;
	o.slices = 64;
	o.segment_bytes = 4096;
	o.memory_max = 65536;
	return o;
}

struct receiver {
	int socket;
	struct shmipc_channel *channel;
};

static void *receive(void *argument)
{
	struct shmipc_channel_options o = pair_options();
	struct receiver *r = argument;

	check(!shmipc_channel_receive(r->socket, &o, SHMIPC_FOREVER, &r->channel));
	return NULL;
}

void pair_open(struct pair *pair)
{
	struct shmipc_channel_options o = pair_options();
	struct receiver receiver;
	pthread_t thread;
	int sockets[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	receiver.socket = sockets[1];
	check(!pthread_create(&thread, NULL, receive, &receiver));
	check(!shmipc_channel_create(&o, &pair->end[0]));
	check(!shmipc_channel_send(pair->end[0], sockets[0], SHMIPC_FOREVER));
	pthread_join(thread, NULL);
	pair->end[1] = receiver.channel;
	close(sockets[0]);
	close(sockets[1]);
}

void pair_close(struct pair *pair)
{
	shmipc_channel_destroy(pair->end[0]);
	shmipc_channel_destroy(pair->end[1]);
}
