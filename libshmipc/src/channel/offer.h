/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer.h - an endpoint on its way to another process, without the socket it travels over
 *
 *	endpoint 0                              endpoint 1
 *	  offer_make       offer, descriptors ->  offer_accept
 *	  offer_finish     <- descriptors         offer_answered
 *
 * How these come to the other side is the caller's: handover.c blocks for them, wire/handshake.c does not.
 */
#ifndef SHMIPC_OFFER_H
#define SHMIPC_OFFER_H

#include <stdint.h>
#include <sys/socket.h>

#include "shmipc/channel.h"

/* What an offer says. The sender need not be believed: offer_accept() checks all of it. */
struct offer {
	uint32_t backend; /* SHMIPC_BACKEND_KMOD or SHMIPC_BACKEND_MEMFD */
	uint32_t slots;
	uint32_t slices;
	uint32_t zero;
	uint64_t segment_bytes;
	uint64_t memory_max;
};

/**
 * offer_make - endpoint 0: say what endpoint 1 needs
 * @offer: filled
 * @fds: room for REGION_FDS_MAX descriptors, which stay the channel's
 *
 * Once for a channel: whatever comes of it, the endpoint is spent.
 *
 * Returns how many descriptors there are, or -EALREADY.
 */
int offer_make(struct shmipc_channel *ch, struct offer *offer, int *fds);

/**
 * offer_check - whether there may be such a channel
 *
 * Returns 0 or -EPROTO. offer_accept() makes the same check.
 */
int offer_check(const struct offer *offer);

/**
 * offer_accept - endpoint 1: take it
 * @options: checked; how this endpoint waits, and the most memory it agrees to
 * @first_bytes: payload memory that its own lane starts with, if that is less than what the offer says
 * @fds: what came; closed or taken over, also on failure
 * @from: who sent them, by the kernel's word
 * @reply: room for REGION_FDS_MAX descriptors that endpoint 0 is to get; they stay the channel's
 * @channel: where the endpoint goes
 *
 * Returns how many descriptors the reply has. -EPROTO: it makes no sense. -EMSGSIZE: more memory than
 * options->memory_max. -ENOMEM and its kin.
 */
int offer_accept(const struct offer *offer, const struct shmipc_channel_options *options, uint64_t first_bytes,
		 int *fds, int count, const struct ucred *from, int *reply, struct shmipc_channel **channel);

/**
 * offer_answered - endpoint 1: the reply is sent, its descriptors are not needed any more
 */
void offer_answered(struct shmipc_channel *ch);

/**
 * offer_finish - endpoint 0: the other side has accepted; from here on the channel works
 * @fds: what came with the reply; closed, also on failure
 * @from: who sent them
 *
 * Returns 0. -EPROTO: these are not what an honest peer sends.
 */
int offer_finish(struct shmipc_channel *ch, int *fds, int count, const struct ucred *from);

#endif /* SHMIPC_OFFER_H */
