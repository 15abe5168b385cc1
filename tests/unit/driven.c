// SPDX-License-Identifier: Apache-2.0
/*
 * driven.c - a session that a dispatcher drives
 */
#include "driven.h"

#include <string.h>

void sides_open(struct sides *sides, const struct pair *pair, unsigned int threads,
		const struct shmipc_session_callbacks *callbacks, void *arg)
{
	assert_code(shmipc_dispatcher_create(threads, &sides->dispatcher), 0);
	server_sessions(pair, &sides->client, &sides->server);
	assert_code(shmipc_session_set_callbacks(sides->server, callbacks, arg), 0);
	assert_code(shmipc_dispatcher_add_session(sides->dispatcher, sides->server), 0);
}

void sides_close(struct sides *sides)
{
	shmipc_session_close(sides->client);
	shmipc_session_close(sides->server);
	shmipc_dispatcher_close(sides->dispatcher);
}

static void take_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;

	(void)session;
	if (!seen->first)
		seen->first = stream;
	seen->last = stream;
	seen->streams++;
	shmipc_stream_set_callbacks(stream, &seen->callbacks, seen);
}

static void note_session_end(struct shmipc_session *session, int reason, void *arg)
{
	struct seen *seen = arg;

	(void)session;
	(void)reason;
	seen->session_ended++;
}

void seen_read_all(struct shmipc_stream *stream, void *arg)
{
	struct seen *seen = arg;
	char bytes[256];
	ssize_t n;

	seen->readable++;
	while ((n = shmipc_stream_read(stream, bytes, sizeof(bytes), 0)) > 0)
		seen->bytes += n;
}

static void close_stream(struct shmipc_stream *stream, int reason, void *arg)
{
	struct seen *seen = arg;

	seen->last_reason = reason;
	seen->ended++;
	shmipc_stream_close(stream);
}

struct seen seen_new(void (*on_readable)(struct shmipc_stream *stream, void *arg))
{
	return (struct seen){
		.callbacks = { .on_readable = on_readable, .on_end = close_stream },
		.session_callbacks = { .on_stream = take_stream, .on_end = note_session_end },
	};
}

void seen_open(struct sides *sides, const struct pair *pair, unsigned int threads, struct seen *seen)
{
	sides_open(sides, pair, threads, &seen->session_callbacks, seen);
}

struct shmipc_stream *sides_stream(struct sides *sides)
{
	struct shmipc_stream *stream = NULL;

	assert_code(shmipc_stream_open(sides->client, &stream), 0);
	return stream;
}

void text_write(struct shmipc_stream *stream, const char *text)
{
	assert_code(shmipc_stream_write(stream, text, strlen(text), 0, FAR), (long long)strlen(text));
}
