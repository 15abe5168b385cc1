// SPDX-License-Identifier: Apache-2.0
/*
 * attacks_on_handover.c - offers and answers that are not what they should be, and random calls on the
 * module's descriptors
 *
 * An honest message is had from the library itself, over a private socket, then changed.
 */
#include "attacker.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdpass.h"
#include "side.h"

struct recorded {
	unsigned char bytes[256];
	size_t size;
	int fds[FDPASS_MAX], count;
};

static bool record_offer(struct attacker *a, struct recorded *r)
{
	struct shmipc_channel_options options;
	struct shmipc_channel *channel;
	int pair[2];
	ssize_t n;

	round_options(a->order, &options);
	if (shmipc_channel_create(&options, &channel) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return false;
	shmipc_channel_send(channel, pair[0], 1);
	r->count = FDPASS_MAX;
	n = fdpass_receive(pair[1], r->bytes, sizeof(r->bytes), r->fds, &r->count, NULL);
	r->size = n > 0 ? (size_t)n : 0;
	close(pair[0]);
	close(pair[1]);
	return n > 0;
}

static void spoil(struct attacker *a, struct recorded *r)
{
	uint32_t i;

	switch (pick(a, 8)) {
	case 0: r->size = pick(a, (uint32_t)r->size + 1); break;
	case 1: r->count = (int)pick(a, (uint32_t)r->count + 1); break;
	case 2:
		if (r->count > 1)
			r->fds[pick(a, 2)] = (int)pick(a, 3);
		break;
	case 3: r->size = sizeof(r->bytes); break;
	case 4: /* any byte of the numbers, so that memory may be asked for that the victim need not have */
		r->bytes[16 + pick(a, 40)] = (unsigned char)rng_next(&a->rng);
		break;
	default:
		for (i = pick(a, 4); i > 0; i--)
			r->bytes[pick(a, (uint32_t)r->size)] ^= (unsigned char)(1u << pick(a, 8));
	}
}

/* In one piece, or in many. */
static void send_spoilt(struct attacker *a, struct recorded *r)
{
	size_t at = 0, n;
	int count = r->count;

	while (at < r->size) {
		n = pick(a, 2) ? r->size - at : 1 + pick(a, 20);
		if (n > r->size - at)
			n = r->size - at;
		if (fdpass_send(a->socket, r->bytes + at, n, r->fds, count, pick(a, 4) != 0) < 0)
			return;
		at += n;
		count = pick(a, 8) ? 0 : r->count;
	}
}

static void wait_for_answer(struct attacker *a, struct recorded *r)
{
	struct pollfd poll_fd = { .fd = a->socket, .events = POLLIN };

	r->count = FDPASS_MAX;
	if (poll(&poll_fd, 1, (int)a->order->ms + 20) <= 0 ||
	    fdpass_receive(a->socket, r->bytes, sizeof(r->bytes), r->fds, &r->count, NULL) <= 0)
		r->count = 0;
}

static void spoil_handover(struct attacker *a)
{
	struct recorded r = { .size = 0 }, answer;

	if (a->order->creator) {
		if (!record_offer(a, &r))
			return;
		spoil(a, &r);
		send_spoilt(a, &r);
		wait_for_answer(a, &answer);
		return;
	}
	wait_for_answer(a, &answer); /* the victim's offer: as good as any to begin an answer with */
	if (!record_offer(a, &r))
		return;
	if (pick(a, 2))
		r.fds[0] = r.fds[r.count - 1], r.count = 1;
	spoil(a, &r);
	send_spoilt(a, &r);
	usleep(a->order->ms * 500);
}

static void send_garbage_for_handover(struct attacker *a)
{
	struct recorded r = { .size = 1 + pick(a, 200), .fds = { 0, 1 }, .count = (int)pick(a, 3) };
	size_t i;

	for (i = 0; i < r.size; i++)
		r.bytes[i] = (unsigned char)rng_next(&a->rng);
	send_spoilt(a, &r);
	usleep(a->order->ms * 500);
}

static void say_nothing(struct attacker *a)
{
	usleep(pick(a, a->order->ms * 1000));
}

const struct attack attacks_on_handover[] = {
	{ .name = "spoil the handover", .instead = spoil_handover },
	{ .name = "spoil the handover in another way", .instead = spoil_handover },
	{ .name = "send garbage for the handover", .instead = send_garbage_for_handover },
	{ .name = "say nothing in the handover", .instead = say_nothing },
	{ 0 },
};

static void call_at_random(struct attacker *a)
{
	unsigned char argument[256];
	uint32_t i, number;

	if (a->order->backend != SHMIPC_BACKEND_KMOD)
		return;
	for (i = 0; i < sizeof(argument); i++)
		argument[i] = pick(a, 4) ? 0 : (unsigned char)rng_next(&a->rng);
	number = pick(a, 2) ? pick(a, 6) : 0x10 + pick(a, 6);
	switch (number) {
	case 0x10: /* these would sleep: only with a seq that is not the own one */
	case 0x12:
		ioctl(a->channel->region.fd, _IO(SHMIPC_IOC_MAGIC, number), (unsigned long)nasty_number(a, 0));
		break;
	case 0x11:
	case 0x14:
	case 0x04:
		ioctl(a->channel->region.fd, _IO(SHMIPC_IOC_MAGIC, number), (unsigned long)pick(a, 40));
		break;
	default:
		ioctl(a->channel->region.fd, _IOC(pick(a, 4), SHMIPC_IOC_MAGIC, number, pick(a, 128)), argument);
	}
}

static void call_rightly(struct attacker *a)
{
	struct shmipc_ioc_grow grow = { .size = 4096ull << pick(a, 12), .segment = pick(a, 34) };
	struct shmipc_ioc_segment query = { .lane = pick(a, 3), .segment = pick(a, 34) };
	struct shmipc_ioc_wait wait = { .deadline_ns = (uint64_t)clock_now() + pick(a, 100000),
					.seq = load_relaxed(&a->channel->own.words->seq) | 1, .flags = pick(a, 3) };

	if (a->order->backend != SHMIPC_BACKEND_KMOD)
		return;
	ioctl(a->channel->region.fd, SHMIPC_IOC_GROW, &grow);
	ioctl(a->channel->region.fd, SHMIPC_IOC_SEGMENT, &query);
	ioctl(a->channel->region.fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
	ioctl(a->channel->region.fd, SHMIPC_IOC_RETIRE, (unsigned long)pick(a, 34));
	ioctl(a->channel->region.fd, SHMIPC_IOC_RING, 0);
	ioctl(a->channel->region.fd, SHMIPC_IOC_KICK, 0);
}

static void map_at_random(struct attacker *a)
{
	void *p;

	if (a->order->backend != SHMIPC_BACKEND_KMOD)
		return;
	p = mmap(NULL, 4096ull << pick(a, 8), PROT_READ | (pick(a, 2) ? PROT_WRITE : 0), MAP_SHARED, a->channel->region.fd,
		 (off_t)SHMIPC_MMAP(pick(a, 2), pick(a, 34)));
	if (p != MAP_FAILED)
		(void)*(volatile char *)p; /* kept mapped */
}

const struct attack attacks_on_module[] = {
	{ .name = "call the module at random", .run = call_at_random },
	{ .name = "grow, retire, ring and kick", .run = call_rightly },
	{ .name = "map at random", .run = map_at_random },
	{ 0 },
};
