// SPDX-License-Identifier: Apache-2.0
/*
 * callback_record.c - callbacks that write down that they were called
 */
#include "callback_record.h"

#include <string.h>

void record_note(struct record *record, char call)
{
	size_t at = atomic_fetch_add(&record->count, 1);

	if (at < sizeof(record->calls) - 1)
		record->calls[at] = call;
}

size_t record_count(const struct record *record, char call)
{
	size_t i, n = 0;

	for (i = 0; i < record->count && i < sizeof(record->calls); i++)
		n += record->calls[i] == call;
	return n;
}

static void enter(struct record *record)
{
	int now = atomic_fetch_add(&record->running, 1) + 1;

	if (now > record->most_running)
		record->most_running = now;
	if (record->slow)
		sleep_ms(1);
}

static void leave(struct record *record)
{
	atomic_fetch_sub(&record->running, 1);
}

static void on_readable(struct shmipc_stream *stream, void *arg)
{
	struct record *record = arg;
	static _Thread_local char data[8192];
	size_t most = record->most;
	ssize_t n;

	enter(record);
	record_note(record, 'r');
	while (most) {
		n = shmipc_stream_read(stream, data, most < sizeof(data) ? most : sizeof(data), 0);
		if (n <= 0)
			break;
		record->bytes += (size_t)n;
		most -= (size_t)n;
	}
	leave(record);
	if (record->close) {
		record->stream = NULL;
		shmipc_stream_close(stream);
	}
}

static void on_writable(struct shmipc_stream *stream, void *arg)
{
	(void)stream;
	record_note(arg, 'w');
}

static void on_end(struct shmipc_stream *stream, int reason, void *arg)
{
	struct record *record = arg;

	(void)stream;
	enter(record);
	record->reason = reason;
	record_note(record, 'e');
	leave(record);
}

const struct shmipc_stream_callbacks record_callbacks = { on_readable, on_writable, on_end };

static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	struct record *record = arg;

	assert_ptr_equal(shmipc_stream_session(stream), session);
	record_note(record, 's');
	record->stream = stream;
	assert_code(shmipc_stream_set_callbacks(stream, &record_callbacks, record), 0);
}

static void on_session_end(struct shmipc_session *session, int reason, void *arg)
{
	struct record *record = arg;

	(void)session;
	record->session_reason = reason;
	record_note(record, 'E');
}

const struct shmipc_session_callbacks record_session_callbacks = { on_stream, on_session_end, NULL };

void record_process(struct shmipc_session *session)
{
	int r;

	do
		r = shmipc_session_process(session);
	while (r > 0);
	if (r && r != shmipc_session_error(session))
		fail_msg("process says %d", r);
}

void record_open(struct pair *pair, struct record *record)
{
	memset(record, 0, sizeof(*record));
	record->most = SIZE_MAX;
	session_pair_open(pair, NULL, NULL);
	assert_code(shmipc_session_set_callbacks(pair->server, &record_session_callbacks, record), 0);
}

struct shmipc_stream *record_stream(struct pair *pair)
{
	struct shmipc_stream *near;

	assert_code(shmipc_stream_open(pair->client, &near), 0);
	return near;
}

void record_expect(struct record *record, const char *calls)
{
	record->calls[record->count] = '\0';
	assert_string_equal(record->calls, calls);
}
