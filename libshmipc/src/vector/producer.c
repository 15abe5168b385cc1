// SPDX-License-Identifier: Apache-2.0
/*
 * producer.c - the producer's public functions: the common case of a push, which touches nothing but
 * the lane, and what to do where there is no room
 */
#include <stdlib.h>
#include <sys/un.h>

#include "producer.h"

static const char *find_fault(const struct shmipc_producer_options *o)
{
	if (o->size != sizeof(*o))
		return "size";
	if (o->backend < SHMIPC_BACKEND_AUTO || o->backend > SHMIPC_BACKEND_MEMFD)
		return "backend";
	if (o->full < SHMIPC_FULL_BLOCK || o->full > SHMIPC_FULL_DROP_OLDEST)
		return "full";
	if (o->memory_max < SHMIPC_PRODUCER_MEMORY_MIN || o->memory_max > UINT32_MAX)
		return "memory_max";
	return NULL;
}

int shmipc_producer_open(const char *path, const struct shmipc_producer_options *options,
			 struct shmipc_producer **producer)
{
	const struct shmipc_producer_options defaults = SHMIPC_PRODUCER_OPTIONS_INIT;
	struct shmipc_producer *p;
	int r;

	*producer = NULL;
	if (!options)
		options = &defaults;
	if (!path || !*path || find_fault(options))
		return -EINVAL;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -ENAMETOOLONG;
	p = calloc(1, sizeof(*p) + strlen(path) + 1);
	if (!p)
		return -ENOMEM;
	r = process_guard(&p->guard);
	if (r) {
		free(p);
		return r;
	}
	memcpy(p->path, path, strlen(path) + 1);
	p->options = *options;
	p->attach.socket = -1;
	attach_step(p);
	*producer = p;
	return 0;
}

void shmipc_producer_close(struct shmipc_producer *p)
{
	if (!p)
		return;
	attach_fini(p);
	outlet_fini(p);
	backlog_fini(p);
	free(p);
}

static bool is_past(int64_t deadline)
{
	return deadline != SHMIPC_FOREVER && (deadline <= 0 || process_now() >= deadline);
}

static int too_late(int64_t deadline)
{
	return deadline <= 0 ? -EAGAIN : -ETIMEDOUT;
}

/* Until the consumer releases something, or comes, or goes. 0: look again; or -errno. */
static int wait_for_change(struct shmipc_producer *p, int64_t deadline)
{
	int r;

	if (is_past(deadline))
		return too_late(deadline);
	if (!p->out.ch)
		return attach_wait(p, deadline);
	store_relaxed(&p->out.ch->out.starved, true); /* as of what was looked at last */
	r = shmipc_channel_wait(p->out.ch, SHMIPC_WRITABLE, deadline);
	return r == -EINTR ? r : 0; /* a consumer that is gone is attach_step()'s, a timeout the next call's */
}

static int find_room(struct shmipc_producer *p, uint64_t need, int64_t deadline)
{
	bool may_drop = p->options.full == SHMIPC_FULL_DROP_OLDEST;

	if (!p->out.ch || p->backlog.first)
		return backlog_room(p, need, may_drop);
	/* One that drops does not wait. */
	return outlet_room(p, need, may_drop, p->options.full == SHMIPC_FULL_BLOCK ? deadline : 0);
}

static uint64_t effective_max(const struct shmipc_producer *p)
{
	return p->out.ch ? p->out.memory_max : p->options.memory_max;
}

static void count_newest(struct shmipc_producer *p)
{
	p->missed++;
	p->dropped_newest++;
	if (p->out.ch)
		store_relaxed(&p->out.ch->own.words->dropped, p->dropped_newest + p->dropped_oldest);
	outlet_open_or_close(p);
}

/* Room for a message, and for what is to be said in front of it. 0; 1: dropped; or -errno. */
static int make_room(struct shmipc_producer *p, size_t size, int64_t deadline)
{
	int r;

	for (;;) {
		attach_step(p);
		if (size > effective_max(p) / 4)
			return -EMSGSIZE;
		r = find_room(p, record_bytes(size, true) + WORD_BYTES, deadline);
		if (r == -EPIPE)
			continue; /* attach_step() leaves the lane */
		if (r != -EAGAIN)
			return r;
		if (p->options.full != SHMIPC_FULL_BLOCK) {
			count_newest(p);
			return 1;
		}
		r = wait_for_change(p, deadline);
		if (r)
			return r;
	}
}

/* Where the next message goes, room having been made: its record's place, with what was dropped before it. */
static unsigned char *begin_record(struct shmipc_producer *p, uint32_t **at, bool *stamped)
{
	bool in_lane = p->out.ch && !p->backlog.first;
	unsigned char *base = in_lane ? p->out.base : p->backlog.last->bytes;
	uint32_t drops = p->missed > UINT32_MAX ? UINT32_MAX : (uint32_t)p->missed;

	*at = in_lane ? &p->out.at : &p->backlog.last->used;
	*stamped = in_lane ? p->out.stamped : true;
	if (drops) {
		**at = record_drops(base, **at, drops);
		p->missed -= drops;
		if (in_lane)
			p->out.number += drops;
	}
	p->reserved = in_lane ? RESERVED_LANE : RESERVED_BACKLOG;
	return base;
}

static inline void set_time(unsigned char *base, uint32_t at)
{
	int64_t now = process_now();

	memcpy(base + at + WORD_BYTES, &now, sizeof(now));
}

static inline void end_in_lane(struct shmipc_producer *p, uint32_t what, size_t size)
{
	struct outlet *out = &p->out;

	out->at = record_close(out->base, out->at, what, (uint32_t)size);
	ask_to_write(out->base, out->at);
	out->number++;
	out->last = place_of(out->seq, out->at);
	p->messages++;
	p->bytes += size;
	outlet_step_bell(p);
}

/* The message's bytes are written. */
static void end_record(struct shmipc_producer *p, size_t size)
{
	struct backlog_chunk *chunk = p->backlog.last;
	bool in_lane = p->reserved == RESERVED_LANE;

	p->reserved = RESERVED_NONE;
	if (in_lane) {
		if (p->out.stamped)
			set_time(p->out.base, p->out.at);
		end_in_lane(p, RECORD_MESSAGE | (p->out.stamped ? RECORD_STAMPED : 0), size);
	} else {
		set_time(chunk->bytes, chunk->used);
		chunk->used = record_close(chunk->bytes, chunk->used, RECORD_MESSAGE | RECORD_STAMPED, (uint32_t)size);
		p->messages++;
		p->bytes += size;
	}
	outlet_open_or_close(p);
}

static int check_producer(const struct shmipc_producer *p)
{
	if (unlikely(!load_relaxed(p->guard)))
		return -EPERM;
	return p->reserved ? -EBUSY : 0;
}

static apart int push_slowly(struct shmipc_producer *p, const struct iovec *pieces, int count, size_t size,
			     int64_t deadline)
{
	unsigned char *base, *to;
	uint32_t *at;
	bool stamped;
	int r = check_producer(p), i;

	if (!r)
		r = make_room(p, size, deadline);
	if (r)
		return r;
	base = begin_record(p, &at, &stamped);
	to = record_data(base, *at, stamped);
	for (i = 0; i < count; i++) {
		if (pieces[i].iov_len)
			memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
		to += pieces[i].iov_len;
	}
	end_record(p, size);
	return 0;
}

/* Whether a message can be written as it is: the lane is there, lives, is not to be said anything else, and has room. */
static inline bool is_open(const struct shmipc_producer *p, size_t size)
{
	uint32_t left;

	if (unlikely(!load_relaxed(p->guard)))
		return false;
	left = p->out.open_end - p->out.at;
	return likely(size && size < left && record_bytes(size, p->out.stamped) <= left &&
		      !load_relaxed(&p->out.ch->bell.dead));
}

int shmipc_producer_push(struct shmipc_producer *p, const void *data, size_t size, int64_t deadline)
{
	struct iovec piece = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct outlet *out = &p->out;

	if (unlikely(!is_open(p, size)))
		return push_slowly(p, &piece, 1, size, deadline);
	if (unlikely(out->stamped)) {
		memcpy(record_data(out->base, out->at, true), data, size);
		set_time(out->base, out->at);
		end_in_lane(p, RECORD_MESSAGE | RECORD_STAMPED, size);
	} else {
		memcpy(record_data(out->base, out->at, false), data, size);
		end_in_lane(p, RECORD_MESSAGE, size);
	}
	return 0;
}

int shmipc_producer_pushv(struct shmipc_producer *p, const struct iovec *pieces, int count, int64_t deadline)
{
	size_t size = 0;
	int i;

	if (count < 0)
		return -EINVAL;
	for (i = 0; i < count; i++)
		if (__builtin_add_overflow(size, pieces[i].iov_len, &size))
			return -EMSGSIZE;
	return push_slowly(p, pieces, count, size, deadline);
}

int shmipc_producer_reserve(struct shmipc_producer *p, size_t size, void **data, int64_t deadline)
{
	unsigned char *base;
	uint32_t *at;
	bool stamped;
	int r = check_producer(p);

	*data = NULL;
	if (!r)
		r = make_room(p, size, deadline);
	if (r)
		return r;
	base = begin_record(p, &at, &stamped);
	p->reserved_size = (uint32_t)size;
	*data = record_data(base, *at, stamped);
	outlet_open_or_close(p);
	return 0;
}

int shmipc_producer_commit(struct shmipc_producer *p, size_t size)
{
	if (!load_relaxed(p->guard))
		return -EPERM;
	if (!p->reserved || size > p->reserved_size)
		return -EINVAL;
	end_record(p, size);
	return 0;
}

int shmipc_producer_cancel(struct shmipc_producer *p)
{
	if (!load_relaxed(p->guard))
		return -EPERM;
	if (!p->reserved)
		return -EINVAL;
	p->reserved = RESERVED_NONE;
	outlet_open_or_close(p);
	return 0;
}

int shmipc_producer_attach(struct shmipc_producer *p, int64_t deadline)
{
	int r = check_producer(p);

	if (!r)
		attach_ask_dead(p);
	while (!r) {
		attach_step(p);
		if (p->out.ch)
			return 0;
		if (is_past(deadline))
			return too_late(deadline);
		r = attach_wait(p, deadline);
	}
	return r;
}

int shmipc_producer_flush(struct shmipc_producer *p, int64_t deadline)
{
	int r = check_producer(p);

	while (!r) {
		attach_step(p);
		if (p->out.ch && !p->backlog.first) {
			if (outlet_collect(p))
				continue;
			if (outlet_is_released(p))
				return 0;
			produce_starve(p->out.ch);
		}
		if (!p->out.ch && !p->backlog.first)
			return 0;
		r = wait_for_change(p, deadline);
	}
	return r;
}

int shmipc_producer_shrink(struct shmipc_producer *p)
{
	int r = check_producer(p);

	if (r)
		return r;
	attach_step(p);
	if (p->out.ch)
		outlet_shrink(p);
	return 0;
}

int shmipc_producer_stats(struct shmipc_producer *p, struct shmipc_producer_stats *stats)
{
	struct shmipc_channel *ch = p->out.ch;

	if (!load_relaxed(p->guard))
		return -EPERM;
	if (stats->size != sizeof(*stats))
		return -EINVAL;
	*stats = (struct shmipc_producer_stats){
		.size = sizeof(*stats),
		.attached = ch != NULL,
		.attach_error = p->attach.error,
		.messages = p->messages,
		.bytes = p->bytes,
		.dropped_newest = p->dropped_newest,
		.dropped_oldest = p->dropped_oldest,
		.repeated = p->repeated,
		.attaches = p->attaches,
		.rings = p->rings,
		.system_calls = p->system_calls,
		.backlog_bytes = p->backlog.bytes,
	};
	if (ch) {
		stats->backend = ch->region.ops->backend;
		stats->system_calls += load_relaxed(&ch->bell.system_calls) + load_relaxed(&ch->region.system_calls);
		stats->memory_bytes = ch->out.arena.bytes;
	}
	return 0;
}
