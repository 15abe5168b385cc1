// SPDX-License-Identifier: Apache-2.0
/*
 * handover.c - brings an endpoint to another process: one offer, one answer, over a Unix socket
 *
 * The offer carries the geometry and the descriptors that the backend needs, the answer the
 * other side's error or its descriptors. Both carry the sender's credentials, checked by the kernel.
 * Nothing that is received is believed further than it can be verified: see accept of the regions.
 */
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "../fdpass.h"
#include "endpoint.h"

#define HANDOVER_MAGIC 0x6f6863706d687377ull
#define HANDOVER_VERSION 1u

struct handover {
	uint64_t magic;
	uint32_t version;
	int32_t status; /* answer: 0 or -errno */
	uint32_t backend;
	uint32_t slots;
	uint32_t slices;
	uint32_t zero;
	uint64_t segment_bytes;
	uint64_t memory_max;
};

/* Wait until the socket can be read or written. 0, -ETIMEDOUT, -errno. */
static int wait_socket(int socket, short events, int64_t deadline)
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

static int send_message(int socket, const struct handover *message, const int *fds, int count, int64_t deadline)
{
	const char *at = (const char *)message;
	size_t left = sizeof(*message);
	ssize_t n;
	int r;

	while (left) {
		n = fdpass_send(socket, at, left, fds, count, true);
		if (n == -EAGAIN) {
			r = wait_socket(socket, POLLOUT, deadline);
			if (r)
				return r;
			continue;
		}
		if (n < 0)
			return n == -ECONNRESET || n == -ENOTCONN ? -EPIPE : (int)n;
		at += n;
		left -= (size_t)n;
		count = 0; /* they went with the first byte */
	}
	return 0;
}

/* One message, with up to REGION_FDS_MAX descriptors, all with its first byte. */
static int receive_message(int socket, struct handover *message, int *fds, int *count, struct ucred *from,
			   int64_t deadline)
{
	size_t got = 0;
	ssize_t n;
	int r, more;

	*count = 0;
	while (got < sizeof(*message)) {
		struct ucred ignored;

		more = got ? 0 : REGION_FDS_MAX;
		n = fdpass_receive(socket, (char *)message + got, sizeof(*message) - got, got ? NULL : fds, &more,
				   got ? &ignored : from);
		if (!got && n > 0)
			*count = more;
		if (n == -EAGAIN)
			r = wait_socket(socket, POLLIN, deadline);
		else if (n < 0)
			r = n == -ECONNRESET ? -EPIPE : (int)n;
		else
			r = n ? 0 : -EPIPE;
		if (r)
			goto err_close;
		if (n > 0)
			got += (size_t)n;
	}
	r = -EPROTO;
	if (message->magic == HANDOVER_MAGIC && message->version == HANDOVER_VERSION && !message->zero &&
	    message->status <= 0 && message->status > -4096)
		return 0;
err_close:
	fdpass_close(fds, *count);
	*count = 0;
	return r;
}

/* Have the kernel say who sent what; the old setting is put back. */
static int ask_credentials(int socket, int *old)
{
	socklen_t size = sizeof(*old);
	int on = 1;

	if (getsockopt(socket, SOL_SOCKET, SO_PASSCRED, old, &size) ||
	    setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return errno == ENOTSOCK || errno == EOPNOTSUPP || errno == ENOPROTOOPT ? -EINVAL : -errno;
	return 0;
}

static void restore_credentials(int socket, int old)
{
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &old, sizeof(old));
}

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

static void fill_message(struct handover *m, const struct shmipc_channel *ch, int status)
{
	*m = (struct handover){
		.magic = HANDOVER_MAGIC,
		.version = HANDOVER_VERSION,
		.status = status,
	};
	if (!ch)
		return;
	m->backend = ch->region.ops->backend;
	m->slots = ch->geometry.slots;
	m->slices = ch->geometry.slices;
	m->segment_bytes = ch->geometry.segment_bytes;
	m->memory_max = ch->geometry.memory_max;
}

/* Whether an answer is to this offer. */
static bool is_same(const struct handover *answer, const struct shmipc_channel *ch)
{
	struct handover offer;

	fill_message(&offer, ch, 0);
	return !memcmp(&offer, answer, sizeof(offer));
}

static int offer_endpoint(struct shmipc_channel *ch, int socket, int64_t deadline)
{
	int fds[REGION_FDS_MAX], count, r;
	struct handover message;
	struct ucred from;
	void *head = NULL;

	fill_message(&message, ch, 0);
	count = ch->region.ops->offer(&ch->region, fds);
	r = send_message(socket, &message, fds, count, deadline);
	if (r)
		return r;
	r = receive_message(socket, &message, fds, &count, &from, deadline);
	if (r)
		return r;
	note_peer(ch, &from);
	r = message.status;
	if (!r && !is_same(&message, ch))
		r = -EPROTO;
	if (!r)
		r = ch->region.ops->complete(&ch->region, &ch->geometry, fds, count, &head);
	fdpass_close(fds, count);
	if (!r)
		return attach_endpoint(ch, head);
	region_unmap(head, ch->geometry.head_bytes);
	return r;
}

int shmipc_channel_send(struct shmipc_channel *ch, int socket, int64_t deadline)
{
	int old, r;

	if (!load_relaxed(ch->guard))
		return -EPERM;
	if (ch->handed_over || ch->endpoint != 0)
		return -EALREADY;
	r = ask_credentials(socket, &old);
	if (r)
		return r;
	ch->handed_over = true;
	r = offer_endpoint(ch, socket, deadline);
	restore_credentials(socket, old);
	return r;
}

static int accept_endpoint(const struct shmipc_channel_options *options, const struct handover *offer, int *fds,
			   int count, const struct ucred *from, int *reply, struct shmipc_channel **channel)
{
	struct shmipc_channel_options taken = *options;
	struct geometry most = {
		.slots = options->slots,
		.slices = options->slices,
		.segment_bytes = options->segment_bytes,
		.memory_max = options->memory_max,
	};
	void *own = NULL, *peer = NULL;
	struct shmipc_channel *ch;
	int r, replies;

	taken.slots = offer->slots;
	taken.slices = offer->slices;
	taken.segment_bytes = offer->segment_bytes;
	taken.memory_max = offer->memory_max;
	if (offer->status || shmipc_channel_options_check(&taken, NULL, 0) ||
	    (offer->backend != SHMIPC_BACKEND_KMOD && offer->backend != SHMIPC_BACKEND_MEMFD))
		return -EPROTO;
	geometry_init(&most);
	if (offer->memory_max > most.memory_max)
		return -EMSGSIZE;
	r = endpoint_alloc(&taken, 1, &ch);
	if (r)
		return r;
	note_peer(ch, from);
	region_init(&ch->region, offer->backend == SHMIPC_BACKEND_KMOD ? &region_kmod_ops : &region_memfd_ops);
	replies = ch->region.ops->accept(&ch->region, &ch->geometry, fds, count, &own, &peer, reply);
	r = replies < 0 ? replies : 0;
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
	if (!r) {
		*channel = ch;
		return replies;
	}
	shmipc_channel_destroy(ch);
	return r;
}

int shmipc_channel_receive(int socket, const struct shmipc_channel_options *options, int64_t deadline,
			   struct shmipc_channel **channel)
{
	int fds[REGION_FDS_MAX], reply[REGION_FDS_MAX], count, replies, old, r;
	struct shmipc_channel_options taken;
	struct handover message;
	struct ucred from;

	*channel = NULL;
	r = options_take(options, &taken);
	if (!r)
		r = ask_credentials(socket, &old);
	if (r)
		return r;
	r = receive_message(socket, &message, fds, &count, &from, deadline);
	if (r)
		goto out;
	replies = accept_endpoint(&taken, &message, fds, count, &from, reply, channel);
	fdpass_close(fds, count);
	fill_message(&message, replies < 0 ? NULL : *channel, replies < 0 ? replies : 0);
	r = send_message(socket, &message, reply, replies > 0 ? replies : 0, deadline);
	if (replies < 0) {
		r = replies;
	} else if (r) {
		shmipc_channel_destroy(*channel);
		*channel = NULL;
	} else if ((*channel)->region.head_fd >= 0) {
		fdpass_close(&(*channel)->region.head_fd, 1);
		(*channel)->region.head_fd = -1;
	}
out:
	restore_credentials(socket, old);
	return r;
}
