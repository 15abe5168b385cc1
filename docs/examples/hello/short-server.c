// SPDX-License-Identifier: Apache-2.0
/* short-server.c - echoes, one stream after the other: the least that works */
#include <shmipc/shmipc.h>

int main(int argc, char **argv)
{
	struct shmipc_listener *listener;
	struct shmipc_stream *stream;
	char data[4096];
	ssize_t n;

	if (argc < 2 || shmipc_listener_create(argv[1], NULL, &listener))
		return 1;
	while (!shmipc_listener_accept_stream(listener, &stream, SHMIPC_FOREVER)) {
		while ((n = shmipc_stream_read(stream, data, sizeof(data), SHMIPC_FOREVER)) > 0)
			shmipc_stream_write(stream, data, (size_t)n, 0, SHMIPC_FOREVER);
		shmipc_stream_close(stream);
	}
	return 1;
}
