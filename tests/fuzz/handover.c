// SPDX-License-Identifier: Apache-2.0
/*
 * handover.c - offers and answers that the fuzzer changed, in any number of pieces, with any descriptors
 *
 * An honest message is recorded from the library first; the input says what is different.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../left.h"
#include "fdpass.h"
#include "input.h"
#include "pair.h"

struct recorded {
	unsigned char bytes[128];
	size_t size;
	int fds[FDPASS_MAX], count;
};

static void record_offer(struct recorded *r)
{
	struct shmipc_channel_options o = pair_options();
	struct shmipc_channel *channel;
	int pair[2];
	ssize_t n;

	check(!shmipc_channel_create(&o, &channel));
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	shmipc_channel_send(channel, pair[0], 1);
	r->count = FDPASS_MAX;
	n = fdpass_receive(pair[1], r->bytes, sizeof(r->bytes), r->fds, &r->count, NULL);
	check(n > 0);
	r->size = (size_t)n;
	shmipc_channel_destroy(channel);
	close(pair[0]);
	close(pair[1]);
}

static int make_fd(struct input *in)
{
	int fd, pair[2];

	switch (input_below(in, 7)) {
	case 0: return open("/dev/null", O_RDWR);
	case 1: return eventfd(0, 0);
	case 2: return open("/", O_PATH);
	case 3: return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) ? -1 : (close(pair[1]), pair[0]);
	case 4: return socket(AF_UNIX, SOCK_SEQPACKET, 0);
	case 5: return socket(AF_UNIX, SOCK_DGRAM, 0);
	default:
		fd = memfd_create("fuzz", MFD_ALLOW_SEALING);
		check(!ftruncate(fd, 4096 * (off_t)input_below(in, 32)));
		fcntl(fd, F_ADD_SEALS, (int)input_below(in, 32));
		return fd;
	}
}

static void change(struct recorded *r, struct input *in)
{
	uint32_t n = input_below(in, 5), i;

	while (n--)
		r->bytes[input_below(in, (uint32_t)r->size)] = (unsigned char)input_take(in, 1);
	if (input_below(in, 4) == 0)
		r->size = input_below(in, sizeof(r->bytes));
	for (i = 0; i < FDPASS_MAX; i++) {
		if (input_below(in, 3))
			continue;
		if ((int)i < r->count)
			close(r->fds[i]);
		else
			r->count = (int)i + 1;
		r->fds[i] = make_fd(in);
	}
	if (input_below(in, 8) == 0 && r->count > 1)
		close(r->fds[--r->count]);
}

static void send_changed(int socket, const struct recorded *r, struct input *in)
{
	uint32_t pieces = input_below(in, 3);
	size_t at = 0, n;
	int count = r->count;

	while (at < r->size) {
		n = pieces ? 1 + input_below(in, 30) : r->size;
		if (n > r->size - at)
			n = r->size - at;
		if (fdpass_send(socket, r->bytes + at, n, r->fds, count, input_below(in, 4) != 0) < 0)
			break;
		at += n;
		count = input_below(in, 4) ? 0 : r->count;
	}
}

static void receive_changed(int socket)
{
	struct shmipc_channel_options o = pair_options();
	struct shmipc_channel *channel;
	int r = shmipc_channel_receive(socket, &o, 1, &channel);

	if (r && r != -EPROTO && r != -EPIPE && r != -ETIMEDOUT && r != -EMSGSIZE) {
		fprintf(stderr, "receive: %d\n", r);
		abort();
	}
	check(!r == !!channel);
	shmipc_channel_destroy(channel);
}

/* The answer may carry any error of the other side's; only success is looked at. */
static void send_and_be_answered(int socket)
{
	struct shmipc_channel_options o = pair_options();
	struct shmipc_channel *channel;
	struct shmipc_buffer b;
	int r;

	check(!shmipc_channel_create(&o, &channel));
	r = shmipc_channel_send(channel, socket, 1);
	check(r <= 0 && r > -4096);
	if (r)
		check(shmipc_channel_reserve(channel, 1, 0, &b) != 0);
	shmipc_channel_destroy(channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fds = -1, runs;
	struct input in = { data, size };
	struct recorded r = { .size = 0 };
	int pair[2], type = input_below(&in, 2) ? SOCK_STREAM : SOCK_SEQPACKET;

	record_offer(&r);
	if (input_below(&in, 2)) { /* an answer has the own head's descriptor only */
		close(r.fds[0]);
		r.fds[0] = r.fds[1];
		r.count = 1;
	}
	change(&r, &in);
	check(!socketpair(AF_UNIX, type, 0, pair));
	send_changed(pair[1], &r, &in);
	fdpass_close(r.fds, r.count);
	if (input_below(&in, 2))
		shutdown(pair[1], SHUT_WR);
	if (input_below(&in, 2))
		receive_changed(pair[0]);
	else
		send_and_be_answered(pair[0]);
	close(pair[0]);
	close(pair[1]);
	if (++runs % 64 == 0) {
		if (fds < 0)
			fds = count_fds();
		check(count_fds() <= fds + 1);
	}
	return 0;
}
