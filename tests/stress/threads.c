// SPDX-License-Identifier: Apache-2.0
/*
 * threads.c - a side of which one thread sends and another receives, each waiting for itself, while a
 * third kicks them and reads the counters
 *
 * A kick makes up for a wake-up that was lost. So the third one stops after a part of the time.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "side.h"

static void tell_producer(struct side *s)
{
	pthread_mutex_lock(&s->lock);
	pthread_cond_signal(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

static bool may_go_on(struct side *s, uint64_t received)
{
	return atomic_load(&s->received) != received || atomic_load(&s->in_done) || atomic_load(&s->broken);
}

static void wait_for_consumer(struct side *s, uint64_t received)
{
	produce_flush(s);
	if (s->plan->round) {
		usleep(20); /* the other side's progress is not told */
		return;
	}
	pthread_mutex_lock(&s->lock);
	while (!may_go_on(s, received))
		pthread_cond_wait(&s->moved, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void wait_for(struct side *s, uint64_t *rng, unsigned int events, bool short_one)
{
	int64_t deadline = SHMIPC_FOREVER;
	int r;

	if (short_one || (!s->plan->steady && rng_below(rng, 16) == 0))
		deadline = clock_now() + (int64_t)rng_below(rng, 1000000);
	r = shmipc_channel_wait(s->channel, events, deadline);
	if (r == -ETIMEDOUT && deadline != SHMIPC_FOREVER)
		return;
	if (r < 0 && r != -EPIPE)
		side_fail(s, "wait for %u: %d", events, r);
	if (r > 0 && (unsigned int)r & ~events)
		side_fail(s, "wait for %u: %d", events, r);
}

static void *produce(void *argument)
{
	struct side *s = argument;
	uint64_t received;
	int r;

	for (;;) {
		received = atomic_load(&s->received);
		r = atomic_load(&s->broken) ? -EPIPE : produce_step(s);
		if (r == STEP_DONE || r == -EPIPE)
			break;
		if (r == STEP_AHEAD)
			wait_for_consumer(s, received);
		else if (r == STEP_FULL) {
			if (s->owes && rng_below(&s->rng_out, 2) == 0)
				produce_flush(s);
			else if (s->owes)
				shmipc_channel_ring(s->channel);
			s->owes = false;
			wait_for(s, &s->rng_out, SHMIPC_WRITABLE, false);
		}
	}
	produce_flush(s);
	return NULL;
}

static void consume(struct side *s)
{
	int r;

	for (;;) {
		r = consume_step(s);
		if (r == STEP_DONE || r == -EPIPE)
			break;
		if (r == STEP_ON) {
			tell_producer(s);
			continue;
		}
		if (s->stalled)
			consume_release_all(s);
		s->stalled = s->kept_count;
		wait_for(s, &s->rng_in, SHMIPC_READABLE, s->kept_count);
	}
	if (r == -EPIPE)
		atomic_store(&s->broken, true);
	tell_producer(s);
}

struct disturber {
	struct side *side;
	_Atomic bool over;
};

static void *disturb(void *argument)
{
	struct disturber *d = argument;
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };
	uint64_t rng = d->side->plan->seed;
	int64_t until = clock_now() + (d->side->until - clock_now()) / 4;

	while (!atomic_load(&d->over) && clock_now() < until && !d->side->plan->steady) {
		struct timespec pause = { .tv_nsec = (long)(100000 + rng_below(&rng, 3000000)) };

		nanosleep(&pause, NULL);
		if (rng_below(&rng, 2))
			shmipc_channel_kick(d->side->channel);
		else if (shmipc_channel_stats(d->side->channel, &stats))
			side_fail(d->side, "stats");
	}
	return NULL;
}

int threads_run(struct side *s)
{
	struct disturber disturber = { .side = s };
	pthread_t producer, other;

	if (pthread_create(&producer, NULL, produce, s) || pthread_create(&other, NULL, disturb, &disturber))
		side_fail(s, "no threads");
	consume(s);
	pthread_join(producer, NULL);
	atomic_store(&disturber.over, true);
	pthread_join(other, NULL);
	return atomic_load(&s->broken) ? -EPIPE : 0;
}
