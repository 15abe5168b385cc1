// SPDX-License-Identifier: Apache-2.0
/*
 * victim.c - an endpoint whose peer may do anything: uses every call, in every mode, and holds each to
 * the errors that it may return and to the time it may take
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel/endpoint.h"
#include "message.h"
#include "plan.h"
#include "round.h"
#include "side.h"
#include "words.h"

#define HELD_MAX 8

struct victim {
	const struct order *order;
	struct shmipc_channel *channel;
	int64_t until;
	int64_t slack; /* longest that a call may take beyond its deadline */
	_Atomic bool over;
	uint64_t rng_out, rng_in;
	struct shmipc_message held[HELD_MAX];
	unsigned int held_count;
	bool starved;
	bool alone; /* one thread works on the channel */
	_Atomic uint64_t sum; /* of all bytes read, so that they are */
};

static void __attribute__((noreturn)) fail(const struct victim *v, const char *what, long value)
{
	fprintf(stderr, "# attack '%s', seed %#llx, creator %u: %s: %ld\n", attack_name(v->order->attack),
		(unsigned long long)v->order->seed, v->order->creator, what, value);
	words_dump_all();
	_exit(RUN_FAILED);
}

/* Whether an error is one that a lying peer may cause, or the system's want of memory. */
static bool is_allowed(int r, bool memory)
{
	return r == -EBADMSG || r == -EPIPE || (memory && (r == -ENOMEM || r == -EDQUOT || r == -ENOSPC));
}

static int64_t begin_call(void)
{
	return clock_now();
}

/* `r` came of a call that was to return by `latest`. Also notes the end of the channel. */
static int check_call(struct victim *v, const char *what, int r, int64_t latest, int other, bool memory)
{
	int64_t late = clock_now() - latest;

	if (late > v->slack)
		fail(v, "too late, in milliseconds", (long)(late / 1000000));
	if (r < 0 && r != other && !is_allowed(r, memory))
		fail(v, what, r);
	if (r == -EBADMSG || r == -EPIPE)
		atomic_store(&v->over, true);
	return r;
}

static bool is_inside(const void *base, uint64_t bytes, const struct shmipc_message *m)
{
	uintptr_t from = (uintptr_t)base, at = (uintptr_t)m->data;

	return base && at >= from && m->size <= bytes && at - from <= bytes - m->size;
}

/* Every byte of a message must be in the peer's lane as it is mapped here. */
static void read_message(struct victim *v, const struct shmipc_message *m)
{
	const struct shmipc_channel *ch = v->channel;
	bool inside = is_inside(ch->peer.ring, ch->geometry.slots * sizeof(struct slot), m);
	const volatile unsigned char *bytes = m->data;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < SHMIPC_SEGMENTS && !inside; i++)
		inside = is_inside(ch->peer.segment[i].base, ch->peer.segment[i].bytes, m);
	if (!inside)
		fail(v, "a message outside the peer's lane, size", (long)m->size);
	for (i = 0; i < m->size; i += i < 4096 ? 1 : 509)
		sum += bytes[i];
	if (m->size)
		sum += bytes[m->size - 1];
	atomic_fetch_add_explicit(&v->sum, sum, memory_order_relaxed);
}

static void release_held(struct victim *v)
{
	struct shmipc_message m = v->held[--v->held_count];

	read_message(v, &m);
	check_call(v, "release of a kept message", shmipc_channel_release(v->channel, &m), begin_call(), 0, false);
}

/* Between peek and release anything may be called; the message stays where it is. */
static void call_in_between(struct victim *v)
{
	int64_t begin;

	usleep(rng_below(&v->rng_in, 2) ? 0 : 50); /* the peer is to have the time to take it away */
	begin = begin_call();
	check_call(v, "wait", shmipc_channel_wait(v->channel, SHMIPC_READABLE, 1), begin, -ETIMEDOUT, false);
	if (!v->alone)
		return;
	begin = begin_call();
	check_call(v, "arm", shmipc_channel_arm(v->channel, SHMIPC_READABLE), begin, 0, false);
	check_call(v, "disarm", shmipc_channel_disarm(v->channel), begin, 0, false);
}

/* 0: there was one. */
static int receive_one(struct victim *v)
{
	struct shmipc_message m, again;
	int64_t begin = begin_call();
	int r = check_call(v, "peek", shmipc_channel_peek(v->channel, &m), begin, -EAGAIN, true);

	if (r)
		return r;
	read_message(v, &m);
	if (rng_below(&v->rng_in, 4) == 0 && !shmipc_channel_peek(v->channel, &again))
		read_message(v, &again);
	if (rng_below(&v->rng_in, 4) == 0) {
		call_in_between(v);
		read_message(v, &m);
	}
	if (v->held_count < HELD_MAX && rng_below(&v->rng_in, 3) == 0) {
		r = check_call(v, "keep", shmipc_channel_keep(v->channel, &m), begin_call(), -EOPNOTSUPP, false);
		if (!r)
			v->held[v->held_count++] = m;
		if (r != -EOPNOTSUPP)
			return r;
	}
	r = check_call(v, "release", shmipc_channel_release(v->channel, &m), begin_call(), 0, false);
	if (v->held_count && rng_below(&v->rng_in, 3) == 0)
		release_held(v);
	return r;
}

static int send_one(struct victim *v)
{
	size_t size = rng_below(&v->rng_out, 4) ? rng_below(&v->rng_out, 300) : rng_below(&v->rng_out, 100000);
	struct shmipc_buffer b;
	int64_t begin = begin_call();
	int r = check_call(v, "reserve", shmipc_channel_reserve(v->channel, size, 0, &b), begin, -EAGAIN, true);

	v->starved = r == -EAGAIN;
	if (r)
		return r;
	memset(b.data, 0x11, size);
	if (rng_below(&v->rng_out, 8) == 0)
		return check_call(v, "cancel", shmipc_channel_cancel(v->channel, &b), begin_call(), 0, false);
	begin = begin_call();
	return check_call(v, "submit",
			  shmipc_channel_submit(v->channel, &b, size, rng_below(&v->rng_out, 4) ? 0 : SHMIPC_LAZY), begin, 0,
			  false);
}

static void do_seldom(struct victim *v)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };
	struct shmipc_peer peer;
	int64_t begin = begin_call();

	switch (rng_below(&v->rng_out, 6)) {
	case 0: check_call(v, "stats", shmipc_channel_stats(v->channel, &stats), begin, 0, false); break;
	case 1: check_call(v, "shrink", shmipc_channel_shrink(v->channel), begin, 0, false); break;
	case 2: check_call(v, "grow", shmipc_channel_grow(v->channel, 50000), begin, -EAGAIN, true); break;
	case 3: check_call(v, "ring", shmipc_channel_ring(v->channel), begin, 0, false); break;
	case 4: check_call(v, "peer", shmipc_channel_peer(v->channel, &peer), begin, 0, false); break;
	default: check_call(v, "kick", shmipc_channel_kick(v->channel), begin, 0, false); break;
	}
}

static void wait_shortly(struct victim *v, uint64_t *rng, unsigned int events)
{
	int64_t deadline = clock_now() + (int64_t)rng_below(rng, 2000000);

	check_call(v, "wait", shmipc_channel_wait(v->channel, events, deadline), deadline, -ETIMEDOUT, false);
}

static bool goes_on(struct victim *v)
{
	return !atomic_load(&v->over) && clock_now() < v->until;
}

static void work(struct victim *v)
{
	uint64_t i;

	for (i = rng_below(&v->rng_out, 10); i > 0; i--)
		if (send_one(v))
			break;
	for (i = rng_below(&v->rng_out, 30); i > 0; i--)
		if (receive_one(v))
			break;
	if (rng_below(&v->rng_out, 4) == 0)
		do_seldom(v);
}

static void work_blocked(struct victim *v)
{
	while (goes_on(v)) {
		work(v);
		wait_shortly(v, &v->rng_out, SHMIPC_READABLE | (v->starved ? SHMIPC_WRITABLE : 0));
	}
}

static void work_without_waiting(struct victim *v)
{
	while (goes_on(v))
		work(v);
}

static void work_in_a_loop(struct victim *v)
{
	struct epoll_event event = { .events = EPOLLIN | (rng_below(&v->rng_out, 2) ? EPOLLET : 0) };
	int loop = epoll_create1(EPOLL_CLOEXEC), fd = shmipc_channel_fd(v->channel), r;

	if (fd < 0)
		check_call(v, "fd", fd, begin_call(), 0, false);
	else
		epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
	while (goes_on(v)) {
		int64_t begin = begin_call();

		r = check_call(v, "arm", shmipc_channel_arm(v->channel, SHMIPC_READABLE | (v->starved ? SHMIPC_WRITABLE : 0)),
			       begin, 0, false);
		if (r == 0) {
			epoll_wait(loop, &event, 1, (int)rng_below(&v->rng_in, 3));
			begin = begin_call();
			check_call(v, "disarm", shmipc_channel_disarm(v->channel), begin, 0, false);
		}
		work(v);
	}
	close(loop);
}

static void *produce(void *argument)
{
	struct victim *v = argument;

	while (goes_on(v))
		if (send_one(v))
			wait_shortly(v, &v->rng_out, SHMIPC_WRITABLE);
	return NULL;
}

static void *disturb(void *argument)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };
	struct victim *v = argument;
	int64_t begin;

	while (goes_on(v)) {
		usleep(300);
		begin = begin_call();
		check_call(v, "stats", shmipc_channel_stats(v->channel, &stats), begin, 0, false);
		begin = begin_call();
		check_call(v, "kick", shmipc_channel_kick(v->channel), begin, 0, false);
	}
	return NULL;
}

static void work_in_threads(struct victim *v)
{
	pthread_t producer, other;

	if (pthread_create(&producer, NULL, produce, v) || pthread_create(&other, NULL, disturb, v))
		fail(v, "no threads", errno);
	while (goes_on(v))
		if (receive_one(v))
			wait_shortly(v, &v->rng_in, SHMIPC_READABLE);
	pthread_join(producer, NULL);
	pthread_join(other, NULL);
}

/* Pages that cannot be touched around the peer's head, where the address space has room. */
static void guard_head(const struct shmipc_channel *ch, void *guards[2], bool put)
{
	char *head = (char *)ch->peer.words;
	int i;

	for (i = 0; i < 2; i++) {
		void *at = i ? head + ch->geometry.head_bytes : head - LAYOUT_PAGE;

		if (!put && guards[i] != MAP_FAILED)
			munmap(guards[i], LAYOUT_PAGE);
		if (put)
			guards[i] = mmap(at, LAYOUT_PAGE, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	}
}

static int open_channel(struct victim *v, int socket)
{
	struct shmipc_channel_options options;
	int64_t deadline = clock_now() + 300000000;
	int r;

	round_options(v->order, &options);
	if (v->order->creator) {
		r = shmipc_channel_receive(socket, &options, deadline, &v->channel);
	} else {
		r = shmipc_channel_create(&options, &v->channel);
		if (r)
			fail(v, "create", r);
		r = shmipc_channel_send(v->channel, socket, deadline);
	}
	if (clock_now() - deadline > v->slack)
		fail(v, "the handover took too long, in milliseconds", (clock_now() - deadline) / 1000000);
	return r;
}

/* The answer may carry any error. */
static bool is_handover_error(const struct order *order, int r)
{
	return !order->creator || r == -EPROTO || r == -EPIPE || r == -ETIMEDOUT || r == -EMSGSIZE || r == -ENOMEM ||
	       r == -EDQUOT || r == -ENOSPC;
}

void victim_round(const struct order *order, int socket, double patience)
{
	static void (*const modes[])(struct victim *) = { work_blocked, work_in_a_loop, work_in_threads,
							   work_without_waiting };
	struct victim v = { .order = order, .slack = (int64_t)(patience * 1e9 / 4) };
	void *guards[2];
	unsigned int mode;
	int r;

	v.rng_out = order->seed ^ 0x1c71;
	v.rng_in = order->seed ^ 0x71c1;
	r = open_channel(&v, socket);
	if (r && !is_handover_error(order, r))
		fail(&v, "handover", r);
	if (!r) {
		words_add(v.channel);
		guard_head(v.channel, guards, true);
		v.until = clock_now() + order->ms * 1000000ll;
		mode = (unsigned int)rng_below(&v.rng_out, 4);
		v.alone = modes[mode] != work_in_threads;
		modes[mode](&v);
		while (v.held_count)
			release_held(&v);
		work(&v);
		guard_head(v.channel, guards, false);
		words_remove(v.channel);
	}
	shmipc_channel_destroy(v.channel);
}
