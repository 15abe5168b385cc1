// SPDX-License-Identifier: Apache-2.0
/*
 * offer.c - what the two sides of a handover do, apart from sending it
 *
 * Nothing that is received is believed further than it can be verified: see accept of the regions.
 */
#include "offer.h"

#include "../fdpass.h"
#include "endpoint.h"

static void note_peer(struct shmipc_channel *ch, const struct ucred *from)
{
	ch->peer_id = (struct shmipc_peer){ .pid = from->pid, .uid = from->uid, .gid = from->gid };
}

/* Where the backend itself knows who is bound to the peer's endpoint, that is better than who sent a message. */
static int attach_endpoint(struct shmipc_channel *ch, void *peer_head)
{
	int r = 0;

	if (ch->region.ops->identify)
		r = ch->region.ops->identify(&ch->region, &ch->peer_id);
	if (!r)
		return endpoint_attach(ch, peer_head);
	region_unmap(peer_head, ch->geometry.head_bytes);
	return r;
}

int offer_make(struct shmipc_channel *ch, struct offer *offer, int *fds)
{
	if (ch->handed_over || ch->endpoint != 0)
		return -EALREADY;
	ch->handed_over = true;
	*offer = (struct offer){
		.backend = ch->region.ops->backend,
		.slots = ch->geometry.slots,
		.slices = ch->geometry.slices,
		.segment_bytes = ch->geometry.segment_bytes,
		.memory_max = ch->geometry.memory_max,
	};
	return ch->region.ops->offer(&ch->region, fds);
}

/* With the offer's geometry. */
static struct shmipc_channel_options offered_options(const struct offer *offer,
						     const struct shmipc_channel_options *options)
{
	struct shmipc_channel_options taken = *options;

	taken.slots = offer->slots;
	taken.slices = offer->slices;
	taken.segment_bytes = offer->segment_bytes;
	taken.memory_max = offer->memory_max;
	return taken;
}

int offer_check(const struct offer *offer)
{
	static const struct shmipc_channel_options defaults = SHMIPC_CHANNEL_OPTIONS_INIT;
	struct shmipc_channel_options taken = offered_options(offer, &defaults);

	if (offer->zero || shmipc_channel_options_check(&taken, NULL, 0) ||
	    (offer->backend != SHMIPC_BACKEND_KMOD && offer->backend != SHMIPC_BACKEND_MEMFD))
		return -EPROTO;
	return 0;
}

/* An endpoint with the offer's geometry, in the receiver's manner of waiting. */
static int alloc_offered(const struct offer *offer, const struct shmipc_channel_options *options,
			 struct shmipc_channel **channel)
{
	struct shmipc_channel_options taken = offered_options(offer, options);
	struct geometry most = {
		.slots = options->slots,
		.slices = options->slices,
		.segment_bytes = options->segment_bytes,
		.memory_max = options->memory_max,
	};
	int r = offer_check(offer);

	if (r)
		return r;
	geometry_init(&most);
	if (offer->memory_max > most.memory_max)
		return -EMSGSIZE;
	return endpoint_alloc(&taken, 1, channel);
}

/* Map both lanes. Returns how many descriptors the reply has. */
static int map_offered(struct shmipc_channel *ch, int *fds, int count, int *reply)
{
	void *own = NULL, *peer = NULL;
	int replies = ch->region.ops->accept(&ch->region, &ch->geometry, fds, count, &own, &peer, reply);
	int r = replies < 0 ? replies : 0;

	if (own) {
		int lane = endpoint_own_lane(ch, own);

		if (lane == -EAGAIN)
			lane = -EPROTO; /* a socket that was handed over full */
		r = r ? r : lane;
	}
	if (r)
		region_unmap(peer, ch->geometry.head_bytes);
	else
		r = attach_endpoint(ch, peer);
	return r ? r : replies;
}

int offer_accept(const struct offer *offer, const struct shmipc_channel_options *options, uint64_t first_bytes,
		 int *fds, int count, const struct ucred *from, int *reply, struct shmipc_channel **channel)
{
	struct shmipc_channel *ch;
	int r;

	*channel = NULL;
	r = alloc_offered(offer, options, &ch);
	if (r)
		goto out;
	if (first_bytes < ch->first_bytes)
		ch->first_bytes = first_bytes;
	note_peer(ch, from);
	region_init(&ch->region, offer->backend == SHMIPC_BACKEND_KMOD ? &region_kmod_ops : &region_memfd_ops);
	r = map_offered(ch, fds, count, reply);
	if (r < 0)
		shmipc_channel_destroy(ch);
	else
		*channel = ch;
out:
	fdpass_close(fds, count);
	return r;
}

void offer_answered(struct shmipc_channel *ch)
{
	fdpass_close(&ch->region.head_fd, 1);
	ch->region.head_fd = -1;
}

int offer_finish(struct shmipc_channel *ch, int *fds, int count, const struct ucred *from)
{
	void *head = NULL;
	int r;

	note_peer(ch, from);
	r = ch->region.ops->complete(&ch->region, &ch->geometry, fds, count, &head);
	fdpass_close(fds, count);
	if (!r)
		return attach_endpoint(ch, head);
	region_unmap(head, ch->geometry.head_bytes);
	return r;
}
