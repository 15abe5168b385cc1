// SPDX-License-Identifier: Apache-2.0
/*
 * consumer.c - the vector's public functions, but those of attaching: open, receive, next, release
 */
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer.h"

/* While it waits for more to come, it looks so often in the time that it may wait. */
#define GATHER_LOOKS 8

static bool is_good(const struct shmipc_vector_options *o)
{
	return o->size == sizeof(*o) && o->sync >= SHMIPC_SYNC_ADAPTIVE && o->sync <= SHMIPC_SYNC_TIMED &&
	       !(o->mode & ~(mode_t)07777) && o->producers_max >= 1 && o->producers_max <= 4096 &&
	       o->producer_memory >= SHMIPC_PRODUCER_MEMORY_MIN && o->memory_max >= SHMIPC_PRODUCER_MEMORY_MIN &&
	       o->spin_ns <= 1000000 && o->timed_ns >= 1000 && o->timed_ns <= 10000000000ull &&
	       o->delay_max_ns <= INT64_MAX / 2;
}

int shmipc_vector_open(const char *path, const struct shmipc_vector_options *options, struct shmipc_vector **vector)
{
	const struct shmipc_vector_options defaults = SHMIPC_VECTOR_OPTIONS_INIT;
	struct shmipc_vector *v;
	uint32_t i;
	int r;

	*vector = NULL;
	if (!options)
		options = &defaults;
	if (!path || !*path || !is_good(options))
		return -EINVAL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->options = *options;
	v->all = v->control = v->kick = v->listener = v->lock = -1;
	for (i = 0; i < HANDSHAKES_MAX; i++)
		v->handshake[i].socket = -1;
	v->inlet = calloc(options->producers_max, sizeof(struct inlet *));
	v->heap = calloc(options->producers_max, sizeof(*v->heap));
	r = v->inlet && v->heap ? process_guard(&v->guard) : -ENOMEM;
	if (!r)
		r = sleep_init(v);
	if (!r)
		r = listen_open(v, path);
	if (!r)
		r = reception_watch(v, v->listener, CONTROL_LISTENER);
	if (r) {
		shmipc_vector_close(v);
		return r;
	}
	*vector = v;
	return 0;
}

void shmipc_vector_close(struct shmipc_vector *v)
{
	uint32_t i;

	if (!v)
		return;
	if (v->guard && !load_relaxed(v->guard))
		v->options.event = NULL;
	if (v->armed)
		sleep_withdraw(v);
	listen_close(v);
	if (v->guard && !load_relaxed(v->guard)) {
		/* A forked child: the lanes are not mapped here. */
		for (i = 0; i < HANDSHAKES_MAX; i++)
			if (v->handshake[i].socket >= 0)
				close(v->handshake[i].socket);
		for (i = 0; i < v->count; i++) {
			shmipc_channel_destroy(v->inlet[i]->ch);
			free(v->inlet[i]);
		}
	} else {
		reception_close(v);
	}
	sleep_fini(v);
	free(v->heap);
	free(v->inlet);
	free(v);
}

static bool is_past(int64_t deadline)
{
	return deadline != SHMIPC_FOREVER && (deadline <= 0 || process_now() >= deadline);
}

/* New producers, kicks: now and then, and when the descriptor is known to have something. */
static void serve(struct shmipc_vector *v)
{
	int64_t now = process_now_coarse_ms();

	if (v->control_at == now && v->count)
		return;
	v->control_at = now;
	reception_serve(v);
}

/* Whether there is a message, in any lane; makes it the next one there. */
static bool find_message(struct shmipc_vector *v)
{
	bool found = false, gone = false;
	struct inlet *in;
	uint32_t i;

	for (i = 0; i < v->count; i++) {
		in = v->inlet[i];
		inlet_control(in);
		gone |= in->broken || load_relaxed(&in->ch->bell.dead);
		if (found || !inlet_has_news(in))
			continue;
		inlet_begin(in, v->batch + 1, BATCH_BYTES_EACH);
		found = inlet_settle(in, v->batch + 1);
		if (!found)
			inlet_skip(in);
	}
	if (gone)
		reception_dismiss(v);
	return found;
}

/* How many messages are there, as far as it matters. */
static uint64_t count_messages(const struct shmipc_vector *v, uint64_t most)
{
	uint64_t count = 0;
	uint32_t i;

	for (i = 0; i < v->count && count < most; i++)
		count += inlet_count(v->inlet[i], most - count);
	return count;
}

/* There is one message: wait for batch_min, for delay_max_ns at most. */
static int gather(struct shmipc_vector *v, int64_t deadline)
{
	int64_t now = process_now(), step = (int64_t)v->options.delay_max_ns / GATHER_LOOKS + 1;
	int64_t until = now + (int64_t)v->options.delay_max_ns;
	int r = 0;

	if (deadline < until)
		until = deadline;
	while (!r && !v->kicked && now < until && count_messages(v, v->options.batch_min) < v->options.batch_min) {
		r = sleep_nap(v, now + step < until ? now + step : until);
		serve(v);
		now = process_now();
	}
	return r;
}

/* Producers do not spin where the consumer would run. */
static void say_processor(struct shmipc_vector *v)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1, i;

	if (likely(cpu == v->cpu))
		return;
	v->cpu = cpu;
	for (i = 0; i < v->count; i++)
		store_relaxed(&v->inlet[i]->ch->own.words->cpu, cpu);
}

static void open_batch(struct shmipc_vector *v)
{
	/* Who looks all the time keeps what moves between the caches small; who looks now and then takes what came in between. */
	uint32_t share = v->options.sync == SHMIPC_SYNC_TIMED ? BATCH_BYTES_TIMED : BATCH_BYTES_EACH, i;

	say_processor(v);
	v->batch++;
	v->batch_open = true;
	v->batch_came = true;
	v->stats.batches++;
	for (i = 0; i < v->count; i++)
		inlet_begin(v->inlet[i], v->batch, share);
	v->done = 0;
	v->turn = v->turn + 1 < v->count ? v->turn + 1 : 0;
	v->current = v->inlet[v->turn];
	if (v->options.merge)
		merge_begin(v);
}

int shmipc_vector_receive(struct shmipc_vector *v, int64_t deadline)
{
	int r = 0;

	if (unlikely(!load_relaxed(v->guard)))
		return -EPERM;
	if (unlikely(v->batch_open || v->armed))
		return -EBUSY;
	for (;;) {
		serve(v);
		if (find_message(v))
			break;
		if (r)
			return r;
		if (v->kicked) {
			v->kicked = false;
			return -EAGAIN;
		}
		if (is_past(deadline))
			return deadline <= 0 ? -EAGAIN : -ETIMEDOUT;
		r = sleep_pass_time(v, deadline);
	}
	if (v->options.batch_min > 1 && deadline > 0)
		gather(v, deadline);
	open_batch(v);
	return 0;
}

/* This producer's share is through; on to the next one's. */
static apart int next_inlet(struct shmipc_vector *v, struct shmipc_vector_message *message)
{
	uint32_t i;

	if (!v->batch_open)
		return load_relaxed(v->guard) ? -EINVAL : -EPERM;
	if (v->options.merge)
		return merge_next(v, message);
	while (++v->done < v->count) {
		i = v->turn + v->done;
		v->current = v->inlet[i < v->count ? i : i - v->count];
		if (inlet_next(v->current, v->batch, message))
			return 1;
	}
	v->done = v->count;
	return 0;
}

int shmipc_vector_next(struct shmipc_vector *v, struct shmipc_vector_message *message)
{
	if (likely(v->batch_open && !v->options.merge && load_relaxed(v->guard) &&
		   inlet_next(v->current, v->batch, message)))
		return 1;
	return next_inlet(v, message);
}

int shmipc_vector_release(struct shmipc_vector *v)
{
	bool gone = false;
	struct inlet *in;
	uint32_t i;

	if (!load_relaxed(v->guard))
		return -EPERM;
	if (!v->batch_open)
		return -EINVAL;
	v->batch_open = false;
	for (i = 0; i < v->count; i++)
		v->inlet[i]->freed_more = inlet_free(v->inlet[i]); /* (E) */
	full_barrier();						   /* doorbell.h's (B) */
	for (i = 0; i < v->count; i++) {
		in = v->inlet[i];
		if (in->freed_more) /* who waits for a whole chunk is not woken for what others got */
			inlet_wake(in);
		gone |= in->broken || load_relaxed(&in->ch->bell.dead);
	}
	if (gone)
		reception_dismiss(v);
	return 0;
}

int shmipc_vector_kick(struct shmipc_vector *v)
{
	const uint64_t one = 1;

	if (!load_relaxed(v->guard))
		return -EPERM;
	/* A counter that is full has been kicked. */
	return write(v->kick, &one, sizeof(one)) == (ssize_t)sizeof(one) || errno == EAGAIN ? 0 : -errno;
}

int shmipc_vector_fd(struct shmipc_vector *v)
{
	return load_relaxed(v->guard) ? v->all : -EPERM;
}

int shmipc_vector_arm(struct shmipc_vector *v)
{
	if (!load_relaxed(v->guard))
		return -EPERM;
	if (v->batch_open)
		return -EBUSY;
	if (v->armed)
		return 0;
	if (sleep_arm(v))
		return 1;
	v->armed = true;
	return 0;
}

int shmipc_vector_disarm(struct shmipc_vector *v)
{
	if (!load_relaxed(v->guard))
		return -EPERM;
	if (!v->armed)
		return 0;
	v->armed = false;
	v->control_at = 0;
	sleep_disarm(v);
	return 0;
}

int shmipc_vector_stats(struct shmipc_vector *v, struct shmipc_vector_stats *stats)
{
	const struct inlet *in;
	uint64_t dropped;
	uint32_t i;

	if (!load_relaxed(v->guard))
		return -EPERM;
	if (stats->size != sizeof(*stats))
		return -EINVAL;
	*stats = v->stats;
	stats->size = sizeof(*stats);
	stats->producers = v->count;
	stats->memory_granted = v->granted;
	for (i = 0; i < v->count; i++) {
		in = v->inlet[i];
		dropped = load_relaxed(&in->ch->peer.words->dropped);
		stats->messages += in->sender.messages;
		stats->bytes += in->sender.bytes;
		stats->dropped += dropped > in->sender.dropped ? dropped : in->sender.dropped;
		stats->system_calls +=
			load_relaxed(&in->ch->bell.system_calls) + load_relaxed(&in->ch->region.system_calls);
	}
	return 0;
}
