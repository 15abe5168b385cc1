// SPDX-License-Identifier: Apache-2.0
/*
 * client.c - sends its argument to the server, and prints what comes back
 */
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "@hello", *text = argc > 2 ? argv[2] : "hello";
	struct shmipc_session *session = NULL;
	struct shmipc_stream *stream = NULL;
	char reply[4096];
	ssize_t n = shmipc_session_connect(address, NULL, in_seconds(5), &session);

	if (n == 0)
		n = shmipc_stream_open(session, &stream);
	if (n == 0)
		n = shmipc_stream_call(stream, text, strlen(text), reply, sizeof(reply), in_seconds(5));
	if (n < 0)
		fprintf(stderr, "client: %s\n", shmipc_strerror((int)n));
	else
		printf("%.*s\n", (int)n, reply);
	shmipc_stream_close(stream);
	shmipc_session_close(session);
	return n < 0;
}
