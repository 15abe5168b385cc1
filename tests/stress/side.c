// SPDX-License-Identifier: Apache-2.0
/*
 * side.c - one thread that sends and receives in turn, and waits blocked or in an event loop
 */
#include "side.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "words.h"

int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

void side_fail(struct side *s, const char *format, ...)
{
	char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	fprintf(stderr, "# endpoint %u: %s\n", s->endpoint, text);
	words_dump_all();
	_exit(RUN_FAILED);
}

/* No message so large that only an empty lane without fragments could hold it. */
static size_t most_bytes(const struct plan *plan)
{
	return (size_t)plan->channel.memory_max / 5;
}

void side_init(struct side *s, const struct plan *plan, unsigned int endpoint, struct board *board)
{
	pthread_condattr_t attributes;

	memset(s, 0, sizeof(*s));
	s->plan = plan;
	s->endpoint = endpoint;
	s->shared = board;
	s->board = &board->side[endpoint];
	s->rng_out = plan->seed * 4 + endpoint;
	s->rng_in = plan->seed * 4 + 2 + endpoint;
	s->out = (struct recipe){ plan->seed * 2 + endpoint, plan->sizes, most_bytes(plan), plan->exact_size };
	s->in = (struct recipe){ plan->seed * 2 + !endpoint, plan->sizes, most_bytes(plan), plan->exact_size };
	atomic_store(&s->until, clock_now() + (int64_t)(plan->seconds * 1e9));
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->moved, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* Do what can be done. Returns the events to wait for, 0: both directions are done; or -EPIPE. */
static int work(struct side *s)
{
	uint64_t rounds = 1 + rng_below(&s->rng_out, 40), i;
	int out, in = STEP_EMPTY;
	uint64_t received;

	for (;;) {
		received = atomic_load(&s->received);
		out = STEP_ON;
		for (i = 0; i < rounds && out == STEP_ON; i++)
			out = produce_step(s);
		if (out < 0 && atomic_load(&s->in_done))
			return out;
		for (i = 0; i < rounds * 2; i++) {
			in = consume_step(s);
			if (in != STEP_ON)
				break;
		}
		if (in < 0)
			return in; /* nothing is left to read: now out matters no more */
		if (out < 0 && in == STEP_EMPTY)
			sched_yield();
		else if (out == STEP_AHEAD && atomic_load(&s->received) != received)
			continue;
		else if (out == STEP_DONE && in == STEP_DONE)
			return 0;
		else if (in == STEP_EMPTY && out != STEP_ON)
			return SHMIPC_READABLE | (out == STEP_FULL ? SHMIPC_WRITABLE : 0);
		else if (in == STEP_DONE && out == STEP_FULL)
			return SHMIPC_READABLE | SHMIPC_WRITABLE;
	}
}

/* Kept messages may be all the room there is: not longer than this. */
static int64_t choose_deadline(struct side *s)
{
	if (s->kept_count)
		return clock_now() + (int64_t)rng_below(&s->rng_in, 1000000);
	if (!s->plan->steady && rng_below(&s->rng_in, 16) == 0)
		return clock_now() + (int64_t)rng_below(&s->rng_in, 3000000);
	return SHMIPC_FOREVER;
}

static int run_blocking(struct side *s)
{
	int events, r;
	int64_t deadline;

	for (;;) {
		events = work(s);
		if (events <= 0)
			return events;
		if (s->owes && (!s->plan->batch || rng_below(&s->rng_out, 2)))
			produce_flush(s);
		else if (s->owes)
			shmipc_channel_ring(s->channel); /* MORE is not for wait to make up for */
		s->owes = false;
		deadline = choose_deadline(s);
		r = shmipc_channel_wait(s->channel, (unsigned int)events, deadline);
		if (r == -ETIMEDOUT && deadline != SHMIPC_FOREVER) {
			if (clock_now() < deadline)
				side_fail(s, "wait timed out %lld ns early", (long long)(deadline - clock_now()));
			consume_release_all(s);
		} else if ((r <= 0 || r & ~events) && r != -EPIPE) {
			side_fail(s, "wait for %d: %d", events, r);
		}
	}
}

static void wait_in_loop(struct side *s, int loop)
{
	struct epoll_event event;
	int n = epoll_wait(loop, &event, 1, s->kept_count ? (int)rng_below(&s->rng_in, 3) : -1);

	if (n < 0 && errno != EINTR)
		side_fail(s, "epoll_wait: %d", -errno);
	if (n > 0 && event.events & ~(uint32_t)(EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		side_fail(s, "the descriptor says %x", event.events);
	if (n == 0)
		consume_release_all(s);
}

static int run_event_loop(struct side *s)
{
	struct epoll_event event = { .events = EPOLLIN | (s->plan->loop == LOOP_EDGE ? EPOLLET : 0) };
	int loop = epoll_create1(EPOLL_CLOEXEC), events = 0, r;

	/* Armed before it is polled for the first time. */
	r = shmipc_channel_arm(s->channel, SHMIPC_READABLE);
	if (r < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, shmipc_channel_fd(s->channel), &event))
		side_fail(s, "arm: %d", r);
	shmipc_channel_disarm(s->channel);
	for (;;) {
		events = work(s);
		if (events <= 0)
			break;
		produce_flush(s);
		r = shmipc_channel_arm(s->channel, (unsigned int)events);
		if (r == 1)
			continue;
		if (r)
			side_fail(s, "arm for %d: %d", events, r);
		wait_in_loop(s, loop);
		r = shmipc_channel_disarm(s->channel);
		if (r)
			side_fail(s, "disarm: %d", r);
	}
	shmipc_channel_disarm(s->channel);
	close(loop);
	return events;
}

int side_run(struct side *s)
{
	int r = s->plan->threads ? threads_run(s) : s->plan->loop == LOOP_BLOCK ? run_blocking(s) : run_event_loop(s);

	produce_flush(s);
	return r;
}

void side_settle(struct side *s)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };

	for (;;) {
		if (shmipc_channel_stats(s->channel, &stats))
			side_fail(s, "stats");
		if (!stats.slices_lent && !stats.bytes_lent)
			return;
		usleep(1000); /* the watchdog bounds it */
	}
}
