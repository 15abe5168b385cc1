// SPDX-License-Identifier: Apache-2.0
/*
 * What goes through the kernel, for `shmipc-bench vector`: a Unix stream socket, as the workload of 2007 used
 * it, without message boundaries; Unix datagrams, which have them; a pipe, whose messages say how long they are.
 * All producers share one descriptor, which is the cheapest way for the reader.
 */
#include "vector.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOM 65536
#define DATAGRAMS 64

static unsigned char room[ROOM];
static size_t left_over; /* pipe: bytes of a message that is not all there */
static uint64_t calls;

static int open_stream(struct vector_run *run)
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, run->fd) ? -errno : 0;
}

static int open_datagram(struct vector_run *run)
{
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, run->fd) ? -errno : 0;
}

static int open_pipe(struct vector_run *run)
{
	return pipe2(run->fd, 0) ? -errno : 0;
}

static int open_nothing(struct vector_run *run)
{
	(void)run;
	return 0;
}

static uint64_t count_calls(struct vector_run *run)
{
	(void)run;
	return calls;
}

static int write_whole(struct vector_run *run, const void *data, size_t size)
{
	ssize_t n = write(run->fd[1], data, size);

	calls++;
	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO; /* so short a message goes whole or not at all */
}

static int read_stream(struct vector_run *run, struct vector_tally *tally)
{
	ssize_t n = read(run->fd[0], room, sizeof(room));

	if (n <= 0)
		return n ? -errno : -EPIPE;
	tally->bytes += (size_t)n;
	tally->sum += room[0] + room[n - 1];
	return 0;
}

static int read_datagrams(struct vector_run *run, struct vector_tally *tally)
{
	static unsigned char one[DATAGRAMS][VECTOR_LONGEST + 1];
	struct mmsghdr message[DATAGRAMS];
	struct iovec piece[DATAGRAMS];
	int i, n;

	memset(message, 0, sizeof(message));
	for (i = 0; i < DATAGRAMS; i++) {
		piece[i] = (struct iovec){ .iov_base = one[i], .iov_len = sizeof(one[i]) };
		message[i].msg_hdr.msg_iov = &piece[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(run->fd[0], message, DATAGRAMS, MSG_WAITFORONE, NULL);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	for (i = 0; i < n; i++)
		vector_see(tally, one[i], message[i].msg_len);
	return 0;
}

static int write_framed(struct vector_run *run, const void *data, size_t size)
{
	unsigned char length = (unsigned char)size;
	const struct iovec pieces[2] = { { &length, 1 }, { (void *)(uintptr_t)data, size } };
	ssize_t n = writev(run->fd[1], pieces, 2);

	calls++;
	return n == (ssize_t)size + 1 ? 0 : n < 0 ? -errno : -EIO;
}

static int read_framed(struct vector_run *run, struct vector_tally *tally)
{
	ssize_t n = read(run->fd[0], room + left_over, sizeof(room) - left_over);
	size_t at = 0, end;

	if (n <= 0)
		return n ? -errno : -EPIPE;
	end = left_over + (size_t)n;
	while (at < end && end - at > room[at]) {
		vector_see(tally, room + at + 1, room[at]);
		at += 1 + (size_t)room[at];
	}
	left_over = end - at;
	memmove(room, room + at, left_over);
	return 0;
}

const struct carrier carrier_stream = {
	.name = "uds",
	.summary = "Unix stream socket, a write each message, no boundaries (as in 2007)",
	.prepare = open_stream,
	.reader_open = open_nothing,
	.read = read_stream,
	.writer_open = open_nothing,
	.write = write_whole,
	.writer_calls = count_calls,
};

const struct carrier carrier_datagram = {
	.name = "uds-dgram",
	.summary = "Unix datagram socket, read 64 at a time",
	.prepare = open_datagram,
	.reader_open = open_nothing,
	.read = read_datagrams,
	.writer_open = open_nothing,
	.write = write_whole,
	.writer_calls = count_calls,
};

const struct carrier carrier_pipe = {
	.name = "pipe",
	.summary = "a pipe, a length in front of each message",
	.prepare = open_pipe,
	.reader_open = open_nothing,
	.read = read_framed,
	.writer_open = open_nothing,
	.write = write_framed,
	.writer_calls = count_calls,
};
