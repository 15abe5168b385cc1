/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driven.h - a session whose server's side a dispatcher drives, and what its callbacks did and saw
 */
#ifndef TESTS_UNIT_DRIVEN_H
#define TESTS_UNIT_DRIVEN_H

#include "server.h"

struct sides {
	struct shmipc_dispatcher *dispatcher;
	struct shmipc_session *client, *server;
};

/* The server's side is driven, with these callbacks. */
void sides_open(struct sides *sides, const struct pair *pair, unsigned int threads,
		const struct shmipc_session_callbacks *callbacks, void *arg);
void sides_close(struct sides *sides);

/* What the stream callbacks of a test do and saw. */
struct seen {
	struct shmipc_stream_callbacks callbacks;
	struct shmipc_session_callbacks session_callbacks;
	_Atomic int streams, readable, ended, session_ended;
	_Atomic int running, most_running;
	_Atomic long bytes;
	_Atomic bool go_on;
	struct shmipc_stream *_Atomic last, *_Atomic first;
	_Atomic int last_reason;
	void *more;
};

/* This on_readable, and an on_end that closes the stream; each stream that arrives gets both. */
struct seen seen_new(void (*on_readable)(struct shmipc_stream *stream, void *arg));
void seen_open(struct sides *sides, const struct pair *pair, unsigned int threads, struct seen *seen);

/* An on_readable that reads until nothing is left. */
void seen_read_all(struct shmipc_stream *stream, void *arg);

/* A stream of the client's; text on it. */
struct shmipc_stream *sides_stream(struct sides *sides);
void text_write(struct shmipc_stream *stream, const char *text);

#endif /* TESTS_UNIT_DRIVEN_H */
