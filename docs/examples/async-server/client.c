// SPDX-License-Identifier: Apache-2.0
/*
 * client.c - downloads over several streams of one session at once, and checks every byte
 *
 *	client ADDRESS STREAMS BYTES [PAUSE_MS]
 *
 * With a pause it reads slowly: PAUSE_MS after every 64 KB.
 */
#include <errno.h>
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PATTERN 251
#define STREAMS_MAX 1000

static uint64_t size;
static unsigned int pause_ms;

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

static int download(struct shmipc_stream *stream)
{
	unsigned char data[65536];
	uint64_t got = 0;
	ssize_t n, i;

	n = shmipc_stream_write(stream, &size, sizeof(size), SHMIPC_END, in_seconds(5));
	if (n < 0)
		return (int)n;
	while ((n = shmipc_stream_read(stream, data, sizeof(data), in_seconds(20))) > 0) {
		for (i = 0; i < n; i++)
			if (data[i] != (got + (uint64_t)i) % PATTERN)
				return -EBADMSG;
		got += (uint64_t)n;
		if (pause_ms)
			usleep(pause_ms * 1000);
	}
	return n < 0 ? (int)n : got == size ? 0 : -EPIPE;
}

static void *run(void *arg)
{
	struct shmipc_stream *stream;
	int r = shmipc_stream_open(arg, &stream);

	if (r == 0) {
		r = download(stream);
		shmipc_stream_close(stream);
	}
	return (void *)(intptr_t)r;
}

int main(int argc, char **argv)
{
	unsigned int streams = argc > 2 ? (unsigned int)atoi(argv[2]) : 4, started, i;
	pthread_t threads[STREAMS_MAX];
	struct shmipc_session *session;
	void *result;
	int r = shmipc_session_connect(argc > 1 ? argv[1] : "@async-server", NULL, in_seconds(5), &session);

	size = argc > 3 ? strtoull(argv[3], NULL, 10) : 1 << 20;
	pause_ms = argc > 4 ? (unsigned int)atoi(argv[4]) : 0;
	if (r) {
		fprintf(stderr, "client: %s\n", shmipc_strerror(r));
		return 1;
	}
	for (started = 0; started < streams && started < STREAMS_MAX; started++)
		if (pthread_create(&threads[started], NULL, run, session))
			break;
	if (started < streams)
		r = -EAGAIN;
	for (i = 0; i < started; i++) {
		pthread_join(threads[i], &result);
		if (r == 0)
			r = (int)(intptr_t)result;
	}
	shmipc_session_close(session);
	if (r)
		fprintf(stderr, "client: %s\n", shmipc_strerror(r));
	else
		printf("%u streams of %llu bytes: every byte is right\n", streams, (unsigned long long)size);
	return r != 0;
}
