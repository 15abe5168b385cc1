// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - reads records where they lie, and answers each with a record that is written where it is read
 *
 * The answer to a record of samples is one with their sum. A thread for each stream.
 */
#include <errno.h>
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <time.h>

#include "record.h"

/* A client that takes no answer for so long is given up. */
#define PATIENCE 5

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

static uint64_t add_up(const void *samples, size_t size)
{
	const unsigned char *sample = samples;
	uint64_t sum = 0;

	while (size--)
		sum += *sample++;
	return sum;
}

/* The answer is made in the lane: what cannot be sent is cancelled, not leaked. */
static int send_answer(struct shmipc_stream *stream, const struct record *answer)
{
	int64_t deadline = in_seconds(PATIENCE);
	struct shmipc_buffer buffer;
	ssize_t size;
	int r = shmipc_stream_reserve(stream, record_size_max(answer), &buffer, deadline);

	if (r)
		return r;
	size = record_pack(answer, buffer.data, buffer.size);
	r = size < 0 ? (int)size : shmipc_stream_submit(stream, &buffer, (size_t)size, 0, deadline);
	if (r)
		shmipc_stream_cancel(stream, &buffer); /* no harm where submit has given it up */
	return r;
}

/* @record, and the name in the answer, point into @piece until it is released. */
static int answer_piece(struct shmipc_stream *stream, const struct shmipc_piece *piece)
{
	struct record record, answer;
	msgpack_unpacked unpacked;
	uint64_t sum;
	int r;

	if (!piece->last) /* a message that was submitted comes in one piece */
		return -EBADMSG;
	msgpack_unpacked_init(&unpacked);
	r = record_unpack(&record, &unpacked, piece->data, piece->size);
	if (r == 0) {
		sum = add_up(record.samples, record.samples_size);
		answer = record;
		answer.samples = &sum;
		answer.samples_size = sizeof(sum);
		r = send_answer(stream, &answer);
	}
	msgpack_unpacked_destroy(&unpacked);
	return r;
}

static void *serve(void *arg)
{
	struct shmipc_stream *stream = arg;
	struct shmipc_piece piece;
	int r;

	while ((r = shmipc_stream_receive(stream, &piece, SHMIPC_FOREVER)) > 0) {
		r = answer_piece(stream, &piece);
		shmipc_stream_release(stream, &piece);
		if (r)
			break;
	}
	if (r) {
		fprintf(stderr, "server: stream %u: %s\n", shmipc_stream_id(stream), shmipc_strerror(r));
		shmipc_stream_reset(stream, (uint32_t)-r);
	}
	shmipc_stream_close(stream);
	return NULL;
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener;
	struct shmipc_stream *stream;
	pthread_t thread;
	int r = shmipc_listener_create(argc > 1 ? argv[1] : "@best-practice", NULL, &listener);

	while (r == 0 && (r = shmipc_listener_accept_stream(listener, &stream, SHMIPC_FOREVER)) == 0) {
		if (pthread_create(&thread, NULL, serve, stream) == 0)
			pthread_detach(thread);
		else
			shmipc_stream_close(stream);
	}
	fprintf(stderr, "server: %s\n", shmipc_strerror(r));
	return 1;
}
