/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callback_record.h - callbacks that write down that they were called
 */
#ifndef TESTS_UNIT_CALLBACK_RECORD_H
#define TESTS_UNIT_CALLBACK_RECORD_H

#include <stdatomic.h>

#include "session_pair.h"

/* What was called, a letter each: r, w, e; s: a stream, E: the session's end. */
struct record {
	_Atomic char calls[10000];
	_Atomic size_t count;
	_Atomic int running, most_running;
	int reason, session_reason;
	size_t bytes;
	size_t most; /* a callback reads at most so much; 0: nothing */
	bool close;  /* on_readable closes its stream */
	bool slow;
	struct shmipc_stream *stream;
	struct shmipc_session *session;
};

/* Callbacks whose argument is a record; a new stream gets those of streams. */
extern const struct shmipc_stream_callbacks record_callbacks;
extern const struct shmipc_session_callbacks record_session_callbacks;

/* Write down a call; how often it came; that these came, and no others. */
void record_note(struct record *record, char call);
size_t record_count(const struct record *record, char call);
void record_expect(struct record *record, const char *calls);

/* Process until nothing is to be done any more. */
void record_process(struct shmipc_session *session);

/* Both sides; the server's with these callbacks. A stream of the client's. */
void record_open(struct pair *pair, struct record *record);
struct shmipc_stream *record_stream(struct pair *pair);

#endif /* TESTS_UNIT_CALLBACK_RECORD_H */
