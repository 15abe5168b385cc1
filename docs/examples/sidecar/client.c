// SPDX-License-Identifier: Apache-2.0
/*
 * client.c - sends messages, and checks that each comes back as it went
 *
 *	client ADDRESS MESSAGES [SIZE]
 *
 * Without a size they have all sizes up to 20,000. It knows nothing of the proxy.
 */
#include <errno.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (1 << 20)

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

/* So that no two clients, and no two messages, are alike. */
static void fill(unsigned char *message, size_t size, unsigned int number)
{
	size_t first = number * 7 + (size_t)getpid(), i;

	for (i = 0; i < size; i++)
		message[i] = (unsigned char)(i * 13 + first);
}

static int exchange(struct shmipc_stream *stream, unsigned int messages, size_t size, unsigned char *message,
		    unsigned char *reply)
{
	unsigned int i;
	size_t length;
	ssize_t n;

	for (i = 0; i < messages; i++) {
		length = size ? size : i * 37 % 20000 + 1;
		fill(message, length, i);
		n = shmipc_stream_call(stream, message, length, reply, MESSAGE_MAX, in_seconds(10));
		if (n < 0)
			return (int)n;
		if ((size_t)n != length || memcmp(message, reply, length))
			return -EBADMSG;
	}
	return 0;
}

/* The end goes through the proxy, and comes back. */
static int end(struct shmipc_stream *stream)
{
	char byte;
	ssize_t n = shmipc_stream_end(stream);

	if (n == 0)
		n = shmipc_stream_read(stream, &byte, 1, in_seconds(10));
	return n > 0 ? -EBADMSG : (int)n;
}

int main(int argc, char **argv)
{
	unsigned int messages = argc > 2 ? (unsigned int)atoi(argv[2]) : 1000;
	size_t size = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	unsigned char *message = malloc(MESSAGE_MAX), *reply = malloc(MESSAGE_MAX);
	struct shmipc_session *session = NULL;
	struct shmipc_stream *stream = NULL;
	int r = message && reply && size <= MESSAGE_MAX ? 0 : -ENOMEM;

	if (r == 0)
		r = shmipc_session_connect(argc > 1 ? argv[1] : "@sidecar", NULL, in_seconds(5), &session);
	if (r == 0)
		r = shmipc_stream_open(session, &stream);
	if (r == 0)
		r = exchange(stream, messages, size, message, reply);
	if (r == 0)
		r = end(stream);
	if (r)
		fprintf(stderr, "client: %s\n", shmipc_strerror(r));
	else
		printf("%u messages came back\n", messages);
	shmipc_stream_close(stream);
	shmipc_session_close(session);
	free(message);
	free(reply);
	return r != 0;
}
