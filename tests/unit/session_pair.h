/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_pair.h - both sides of a session in this process, and streams between them
 *
 * A test opens them in its pair (pair.h), whose scenario closes what is left of them and looks for what they forgot.
 * What one thread writes at one side it may read at the other: no call here waits for another thread.
 */
#ifndef TESTS_UNIT_SESSION_PAIR_H
#define TESTS_UNIT_SESSION_PAIR_H

#include "shmipc/stream.h"
#include "worker.h"

/* Options with the pair's backend, and sync mode demand. */
struct shmipc_session_options session_options(const struct pair *pair);

/* Make pair->client and pair->server, with these options (NULL: session_options()). */
void session_pair_open(struct pair *pair, const struct shmipc_session_options *client,
		       const struct shmipc_session_options *server);

/* Likewise, and say what both sides said. A failed side is NULL. */
void session_pair_try(struct pair *pair, const struct shmipc_session_options *client,
		      const struct shmipc_session_options *server, int *client_result, int *server_result);

/* Close both, as the scenario would. */
void session_pair_close(struct pair *pair);

/* A stream that the client opened and the server accepted: one byte has been sent and read. */
struct ends {
	struct shmipc_stream *near, *far; /* the client's, the server's */
};

struct ends ends_open(struct pair *pair);
/* The same, opened by that side; `near` is the opener's. */
struct ends ends_open_by(struct shmipc_session *opener, struct shmipc_session *accepter);
/* Close both handles, and wait until neither side has any stream. */
void ends_close(struct pair *pair, struct ends *ends);

/* Handle what came to a session without blocking. Nobody may have opened a stream. */
void session_look(struct shmipc_session *session);
/* Open streams, as stats have it. */
uint64_t session_streams(struct shmipc_session *session);
/* Wait until neither side has any stream, nor bytes of one. */
void session_pair_await_empty(struct pair *pair);

struct shmipc_session_stats session_stats_of(struct shmipc_session *session);
struct shmipc_stream_stats stream_stats_of(struct shmipc_stream *stream);

/* Write that pattern (pair.h) as one message; all of it is taken. Read it at the other side, whole. */
void pattern_write(struct shmipc_stream *stream, size_t size, uint32_t tag);
void pattern_read(struct shmipc_stream *stream, size_t size, uint32_t tag);
/* Write messages of this size with deadline 0 until that says -EAGAIN. Returns the bytes taken. */
size_t fill_up(struct shmipc_stream *stream, size_t size);

/* A call on a stream or session in a thread of its own; worker.h. */
struct call {
	struct worker worker;
	struct shmipc_session *session;
	struct shmipc_stream *stream; /* or the accepted one */
	void *data;
	size_t size;
	unsigned int flags;
	int64_t deadline;
	struct shmipc_piece piece;
};

void call_read(struct call *call, struct shmipc_stream *stream, void *data, size_t size, int64_t deadline);
void call_write(struct call *call, struct shmipc_stream *stream, const void *data, size_t size, int64_t deadline);
void call_receive(struct call *call, struct shmipc_stream *stream, int64_t deadline);
void call_wait(struct call *call, struct shmipc_stream *stream, unsigned int events, int64_t deadline);
void call_accept(struct call *call, struct shmipc_session *session, int64_t deadline);

/* Install a handler for SIGUSR1 that counts, with these flags of sigaction(2). */
extern _Atomic int signals_seen;
void signals_count(int flags);

#endif /* TESTS_UNIT_SESSION_PAIR_H */
