/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.h - brings a connected socket to a session's channel, without ever blocking
 *
 *	client                                       server
 *	  EXCHANGE, version 3           ->
 *	                                <-             EXCHANGE, version 16
 *	  HELLO                         ->
 *	                                <-             WELCOME: likewise, and the backend to use
 *	  creates the channel
 *	  OFFER, descriptors            ->
 *	                                               maps it
 *	                                <-             ANSWER, descriptors
 *
 * The first message is the older protocol's, so that either kind of server understands it: an older one
 * answers version 3. A client of the older protocol goes on in it, which the server sees from its second
 * message. Either side may say ERROR instead, and what it then returns the other one returns too.
 *
 * Memory comes late: neither side has any before it knows that the other speaks its protocol. The backend is kmod
 * where both can, which takes a device at the client alone; where it fails the client at the last moment, it offers
 * a memfd channel if both can do that.
 *
 * Nothing is taken from the socket beyond the handshake's own bytes.
 *
 * Threads: a handshake is one thread's at a time.
 */
#ifndef SHMIPC_HANDSHAKE_H
#define SHMIPC_HANDSHAKE_H

#include <stdbool.h>

#include "../session/internal.h"
#include "codec.h"

enum handshake_state {
	HANDSHAKE_EXCHANGE, /* waits for EXCHANGE */
	HANDSHAKE_HELLO,    /* server: for HELLO; client: for WELCOME */
	HANDSHAKE_CHANNEL,  /* server: for OFFER; client: for ANSWER */
	HANDSHAKE_DONE,	    /* for nothing; what is left to send is sent */
};

/* A message for the protocol trace, which may run the application's code: so not in the middle of a step. */
struct handshake_note {
	int socket;
	bool received;
	uint8_t fds;
	struct wire_header header;
};

struct handshake {
	int socket;
	bool server;
	bool native;  /* the peer understands an ERROR */
	bool refused; /* the peer sent one */
	enum handshake_state state;
	int64_t deadline;
	const struct shmipc_session_options *options;
	int credentials; /* the socket's setting before */

	uint32_t backends; /* what this side can; then what both can */
	uint64_t memory_max;
	struct session_limits limits; /* the peer's */
	struct shmipc_channel *channel;

	/* The message that is arriving: so much of it, so large as far as is known, and what came with it. */
	uint32_t got, size;
	int fds[REGION_FDS_MAX], count;
	struct ucred from;
	unsigned char in[WIRE_HELLO_MAX];

	/* The one that is leaving. */
	uint32_t sent, to_send;
	int out_fds[REGION_FDS_MAX], out_count; /* the channel's */
	unsigned char out[WIRE_HELLO_SIZE];

	/* What the last steps received and sent, where it is traced: the caller's to take and trace. */
	uint32_t noted;
	struct handshake_note notes[8];
};

/**
 * handshake_init - begin
 * @socket: stays the caller's; must live until fini
 * @server: which side this is
 * @options: checked; must live until fini
 * @deadline: for all of it
 *
 * Returns 0. -EINVAL: not a connected Unix stream socket, or the environment names no backend. After an error
 * there is nothing to fini.
 */
int handshake_init(struct handshake *handshake, int socket, bool server, const struct shmipc_session_options *options,
		   int64_t deadline);

/**
 * handshake_events - what to wait for before the next step: POLLIN or POLLOUT
 */
short handshake_events(const struct handshake *handshake);

/**
 * handshake_step - go as far as is possible now
 *
 * Returns 0: done, handshake_take() it. -EAGAIN: wait for its events, or its deadline. -ETIMEDOUT, -EPIPE, -EPROTO.
 * -EPROTONOSUPPORT: the other side speaks the older protocol, or needs a feature that is not known here.
 * -EOPNOTSUPP: no backend in common. -E2BIG: the client wants more slots or slices than the server takes. What
 * channel_create says; or what the other side gave up with.
 */
int handshake_step(struct handshake *handshake);

/**
 * handshake_take - what a handshake that is done came to
 * @channel: the caller's from now on
 * @limits: the peer's, within the bounds of the options
 */
void handshake_take(struct handshake *handshake, struct shmipc_channel **channel, struct session_limits *limits);

/**
 * handshake_trace - report messages; with no lock held
 */
void handshake_trace(const struct handshake_note *notes, uint32_t count);

/**
 * handshake_fini - at any time: drop what was not taken, and leave the socket as it was
 */
void handshake_fini(struct handshake *handshake);

/**
 * handshake_fini_copy - in a forked child: likewise, and leave the socket as it is, which is the parent's too
 */
void handshake_fini_copy(struct handshake *handshake);

#endif /* SHMIPC_HANDSHAKE_H */
