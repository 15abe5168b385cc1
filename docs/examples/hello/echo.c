// SPDX-License-Identifier: Apache-2.0
/*
 * echo.c - echoes on a stream whenever it can be read or written
 */
#include "echo.h"

/*
 * What cannot be written yet stays in the stream, unread: the window fills up, and the peer has to wait. Nothing is
 * stored here, however much is sent. When room comes back, on_writable goes on.
 */
static void echo(struct shmipc_stream *stream, void *arg)
{
	const void *data;
	ssize_t n, written;

	(void)arg;
	while ((n = shmipc_stream_peek(stream, 1, &data, 0)) > 0) {
		written = shmipc_stream_write(stream, data, (size_t)n, 0, 0);
		if (written <= 0)
			return;
		shmipc_stream_discard(stream, (size_t)written, 0);
	}
	if (n == 0) /* the peer writes no more, and all of it went back */
		shmipc_stream_end(stream);
}

static void close_stream(struct shmipc_stream *stream, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	shmipc_stream_close(stream);
}

void echo_on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = {
		.on_readable = echo,
		.on_writable = echo,
		.on_end = close_stream,
	};

	(void)session;
	(void)arg;
	shmipc_stream_set_callbacks(stream, &callbacks, NULL);
}
