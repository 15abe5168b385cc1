// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - sends back what it gets; a thread for each stream
 */
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <stdio.h>

static void *echo(void *arg)
{
	struct shmipc_stream *stream = arg;
	char data[4096];
	ssize_t n;

	while ((n = shmipc_stream_read(stream, data, sizeof(data), SHMIPC_FOREVER)) > 0)
		if (shmipc_stream_write(stream, data, (size_t)n, 0, SHMIPC_FOREVER) < 0)
			break;
	shmipc_stream_close(stream);
	return NULL;
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener;
	struct shmipc_stream *stream;
	pthread_t thread;
	int r = shmipc_listener_create(argc > 1 ? argv[1] : "@hello", NULL, &listener);

	while (r == 0 && (r = shmipc_listener_accept_stream(listener, &stream, SHMIPC_FOREVER)) == 0) {
		if (pthread_create(&thread, NULL, echo, stream) == 0)
			pthread_detach(thread);
		else
			shmipc_stream_close(stream);
	}
	fprintf(stderr, "server: %s\n", shmipc_strerror(r));
	return 1;
}
