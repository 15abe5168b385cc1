// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - answers each message with the same one, and a stream's end with its own
 *
 * It knows nothing of the proxy.
 */
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX (1 << 20)

static void *serve(void *arg)
{
	struct shmipc_stream *stream = arg;
	char *message = malloc(MESSAGE_MAX);
	ssize_t n;
	int last;

	while (message) {
		n = shmipc_stream_read_message(stream, message, MESSAGE_MAX, &last, SHMIPC_FOREVER);
		if (n < 0 || (n == 0 && !last))
			break;
		if (shmipc_stream_write(stream, message, (size_t)n, last ? 0 : SHMIPC_MORE, SHMIPC_FOREVER) < 0)
			break;
	}
	shmipc_stream_close(stream);
	free(message);
	return NULL;
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener;
	struct shmipc_stream *stream;
	pthread_t thread;
	int r = shmipc_listener_create(argc > 1 ? argv[1] : "@sidecar-server", NULL, &listener);

	while (r == 0 && (r = shmipc_listener_accept_stream(listener, &stream, SHMIPC_FOREVER)) == 0) {
		if (pthread_create(&thread, NULL, serve, stream) == 0)
			pthread_detach(thread);
		else
			shmipc_stream_close(stream);
	}
	fprintf(stderr, "server: %s\n", shmipc_strerror(r));
	return 1;
}
