/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.h - a handover with somebody in the middle, who sees and may change what goes either way
 *
 * send and receive run in threads of this process, each on a socket of its own; the test stands
 * between the two and forwards, forges, swallows or hangs up.
 */
#ifndef TESTS_UNIT_PROXY_H
#define TESTS_UNIT_PROXY_H

#include "worker.h"

/* What goes over the socket, as the handover has it. */
struct wire {
	uint64_t magic;
	uint32_t version;
	int32_t status;
	uint32_t backend;
	uint32_t slots;
	uint32_t slices;
	uint32_t zero;
	uint64_t segment_bytes;
	uint64_t memory_max;
};

#define PACKET_FDS 8
struct packet {
	struct wire wire;
	size_t size;
	int fds[PACKET_FDS];
	int count;
};

struct proxy {
	struct pair *pair;
	int up[2];   /* up[0] is send's, up[1] ours */
	int down[2]; /* down[0] is receive's, down[1] ours */
	struct worker sender, receiver;
};

/* Create pair->a, with these options (NULL: pair_options()), and start both sides. */
void proxy_open(struct proxy *proxy, struct pair *pair, const struct shmipc_channel_options *options);

/* Likewise with the default options; forward the offer, and take the answer, which is the test's to give or to drop. */
void proxy_until_answer(struct proxy *proxy, struct pair *pair, struct packet *packet);

/* Start only a thread that receives from *socket; its worker->channel is what came. */
void proxy_receive(struct worker *receiver, int *socket);

/* Take a packet that send or receive sent; its descriptors are the test's. */
void packet_take(int socket, struct packet *packet);

/* Send a packet on, all of it, and close its descriptors here. */
void packet_give(int socket, struct packet *packet);

/* Replace one descriptor; the old one is closed. Add one. Drop all. */
void packet_replace(struct packet *packet, int index, int fd);
void packet_add(struct packet *packet, int fd);
void packet_drop(struct packet *packet);

/* Hang up on one side, or on both. */
void proxy_hang_up(int *socket);

/* Wait for both sides and close the sockets; pair->b is what was received. */
void proxy_close(struct proxy *proxy, int *sent, int *received);

#endif /* TESTS_UNIT_PROXY_H */
