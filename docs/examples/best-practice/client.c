// SPDX-License-Identifier: Apache-2.0
/*
 * client.c - sends records of samples, and checks that each sum is right
 *
 *	client ADDRESS RECORDS SAMPLES
 */
#include <errno.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"

static int64_t in_seconds(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
}

/* Written once, in the memory that the server reads it from. */
static int send_record(struct shmipc_stream *stream, const struct record *record, int64_t deadline)
{
	struct shmipc_buffer buffer;
	ssize_t size;
	int r = shmipc_stream_reserve(stream, record_size_max(record), &buffer, deadline);

	if (r)
		return r;
	size = record_pack(record, buffer.data, buffer.size);
	r = size < 0 ? (int)size : shmipc_stream_submit(stream, &buffer, (size_t)size, 0, deadline);
	if (r)
		shmipc_stream_cancel(stream, &buffer);
	return r;
}

static int check_answer(const struct shmipc_piece *piece, const struct record *sent, uint64_t sum)
{
	msgpack_unpacked unpacked;
	struct record answer;
	int r;

	msgpack_unpacked_init(&unpacked);
	r = record_unpack(&answer, &unpacked, piece->data, piece->size);
	if (r == 0 && (answer.id != sent->id || answer.name_size != sent->name_size ||
		       memcmp(answer.name, sent->name, sent->name_size) || answer.samples_size != sizeof(sum) ||
		       memcmp(answer.samples, &sum, sizeof(sum))))
		r = -EBADMSG;
	msgpack_unpacked_destroy(&unpacked);
	return r;
}

static int exchange(struct shmipc_stream *stream, const struct record *record, uint64_t sum)
{
	int64_t deadline = in_seconds(5);
	struct shmipc_piece piece;
	int r = send_record(stream, record, deadline);

	if (r)
		return r;
	r = shmipc_stream_receive(stream, &piece, deadline);
	if (r <= 0)
		return r ? r : -EPIPE;
	r = check_answer(&piece, record, sum);
	shmipc_stream_release(stream, &piece);
	return r;
}

static int exchange_all(struct shmipc_stream *stream, uint64_t records, size_t size)
{
	unsigned char *samples = malloc(size + 1);
	struct record record = { .name = "sine", .name_size = 4, .samples = samples, .samples_size = size };
	uint64_t sum = 0;
	size_t i;
	int r = samples ? 0 : -ENOMEM;

	for (i = 0; samples && i < size; i++)
		sum += samples[i] = (unsigned char)(i * 7);
	for (; r == 0 && record.id < records; record.id++)
		r = exchange(stream, &record, sum);
	free(samples);
	return r;
}

int main(int argc, char **argv)
{
	uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
	size_t size = argc > 3 ? strtoull(argv[3], NULL, 10) : 65536;
	struct shmipc_session *session = NULL;
	struct shmipc_stream *stream = NULL;
	int r = shmipc_session_connect(argc > 1 ? argv[1] : "@best-practice", NULL, in_seconds(5), &session);

	if (r == 0)
		r = shmipc_stream_open(session, &stream);
	if (r == 0)
		r = exchange_all(stream, records, size);
	if (r)
		fprintf(stderr, "client: %s\n", shmipc_strerror(r));
	else
		printf("%llu records of %zu samples: every sum is right\n", (unsigned long long)records, size);
	shmipc_stream_close(stream);
	shmipc_session_close(session);
	return r != 0;
}
