// SPDX-License-Identifier: Apache-2.0
/*
 * handover.c - brings an endpoint to another process: one offer, one answer, over a Unix socket
 *
 * The offer carries the geometry and the descriptors that the backend needs, the answer the
 * other side's error or its descriptors. Both carry the sender's credentials, checked by the kernel.
 * What an offer is and how it is taken is offer.c's; here it is sent, and waited for.
 */
#include <poll.h>
#include <string.h>

#include "../fdpass.h"
#include "endpoint.h"
#include "offer.h"

#define HANDOVER_MAGIC 0x6f6863706d687377ull
#define HANDOVER_VERSION 1u

struct handover {
	uint64_t magic;
	uint32_t version;
	int32_t status; /* answer: 0 or -errno */
	struct offer offer;
};

static int send_message(int socket, const struct handover *message, const int *fds, int count, int64_t deadline)
{
	const char *at = (const char *)message;
	size_t left = sizeof(*message);
	ssize_t n;
	int r;

	while (left) {
		n = fdpass_send(socket, at, left, fds, count, true);
		if (n == -EAGAIN) {
			r = fdpass_wait(socket, POLLOUT, deadline);
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
			r = fdpass_wait(socket, POLLIN, deadline);
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
	if (message->magic == HANDOVER_MAGIC && message->version == HANDOVER_VERSION && !message->offer.zero &&
	    message->status <= 0 && message->status > -4096)
		return 0;
err_close:
	fdpass_close(fds, *count);
	*count = 0;
	return r;
}

static void fill_message(struct handover *m, const struct offer *offer, int status)
{
	*m = (struct handover){
		.magic = HANDOVER_MAGIC,
		.version = HANDOVER_VERSION,
		.status = status,
	};
	if (offer)
		m->offer = *offer;
}

static int offer_endpoint(struct shmipc_channel *ch, int socket, int64_t deadline)
{
	int fds[REGION_FDS_MAX], count, r;
	struct handover message, expected;
	struct ucred from;
	struct offer offer;

	count = offer_make(ch, &offer, fds);
	if (count < 0)
		return count;
	fill_message(&message, &offer, 0);
	expected = message;
	r = send_message(socket, &message, fds, count, deadline);
	if (!r)
		r = receive_message(socket, &message, fds, &count, &from, deadline);
	if (r)
		return r;
	r = message.status;
	if (!r && memcmp(&message, &expected, sizeof(message)))
		r = -EPROTO; /* the answer is to another offer */
	if (r) {
		fdpass_close(fds, count);
		return r;
	}
	return offer_finish(ch, fds, count, &from);
}

int shmipc_channel_send(struct shmipc_channel *ch, int socket, int64_t deadline)
{
	int old, r;

	if (!load_relaxed(ch->guard))
		return -EPERM;
	if (ch->handed_over || ch->endpoint != 0)
		return -EALREADY;
	r = fdpass_ask_credentials(socket, &old);
	if (r)
		return r;
	r = offer_endpoint(ch, socket, deadline);
	fdpass_restore_credentials(socket, old);
	return r;
}

int shmipc_channel_receive(int socket, const struct shmipc_channel_options *options, int64_t deadline,
			   struct shmipc_channel **channel)
{
	int fds[REGION_FDS_MAX], reply[REGION_FDS_MAX], count, replies, old, r;
	struct shmipc_channel_options taken;
	struct handover message, answer;
	struct ucred from;

	*channel = NULL;
	r = options_take(options, &taken);
	if (!r)
		r = fdpass_ask_credentials(socket, &old);
	if (r)
		return r;
	r = receive_message(socket, &message, fds, &count, &from, deadline);
	if (r)
		goto out;
	if (message.status) {
		fdpass_close(fds, count);
		replies = -EPROTO;
	} else {
		replies = offer_accept(&message.offer, &taken, UINT64_MAX, fds, count, &from, reply, channel);
	}
	fill_message(&answer, replies < 0 ? NULL : &message.offer, replies < 0 ? replies : 0);
	r = send_message(socket, &answer, reply, replies > 0 ? replies : 0, deadline);
	if (replies < 0) {
		r = replies;
	} else if (r) {
		shmipc_channel_destroy(*channel);
		*channel = NULL;
	} else {
		offer_answered(*channel);
	}
out:
	fdpass_restore_credentials(socket, old);
	return r;
}
