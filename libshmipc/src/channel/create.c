// SPDX-License-Identifier: Apache-2.0
/*
 * create.c - makes an endpoint and takes it apart; handover.c brings the two together
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"

static size_t kept_words(const struct shmipc_channel *ch)
{
	return ch->geometry.slices / 64;
}

int endpoint_alloc(const struct shmipc_channel_options *options, uint32_t endpoint, struct shmipc_channel **channel)
{
	struct shmipc_channel *ch = aligned_alloc(LAYOUT_LINE, sizeof(*ch));
	cpu_set_t cpus;
	int r;

	if (!ch)
		return -ENOMEM;
	memset(ch, 0, sizeof(*ch));
	ch->options = *options;
	ch->endpoint = endpoint;
	ch->unusable = UNUSABLE_UNATTACHED;
	ch->geometry = (struct geometry){
		.slots = options->slots,
		.slices = options->slices,
		.segment_bytes = options->segment_bytes,
		.memory_max = options->memory_max,
	};
	region_init(&ch->region, NULL);
	r = process_guard(&ch->guard);
	if (!r && geometry_init(&ch->geometry))
		r = -EINVAL;
	if (!r) {
		ch->in.kept = calloc(kept_words(ch), sizeof(uint64_t));
		if (!ch->in.kept)
			r = -ENOMEM;
	}
	if (r) {
		free(ch);
		return r;
	}
	ch->one_processor = sched_getaffinity(0, sizeof(cpus), &cpus) || sysconf(_SC_NPROCESSORS_ONLN) < 2;
	ch->first_bytes = ch->geometry.segment_bytes;
	*channel = ch;
	return 0;
}

/* The own head is mapped: fill in what does not change, and take the first segment. */
int endpoint_own_lane(struct shmipc_channel *ch, void *head)
{
	int r;

	lane_set(&ch->own, head, &ch->geometry);
	*ch->own.record = (struct lane_record){
		.magic = LAYOUT_MAGIC,
		.version = LAYOUT_VERSION,
		.endpoint = ch->endpoint,
		.pid = getpid(),
		.sync = ch->options.sync,
		.channel = ch->region.channel,
		.geometry = ch->geometry,
	};
	store_relaxed(&ch->own.words->pays, process_may_skip());
	ch->out.mask = ch->geometry.slots - 1;
	ch->out.limit = ch->geometry.slots;
	ch->in.mask = ch->geometry.slots - 1;
	ch->in.show_mask = ch->geometry.slots / 16 - 1;
	r = arena_init(&ch->out.arena, ch->own.table, ch->geometry.slices);
	if (r)
		return r;
	memory_lock(ch);
	r = memory_grow_locked(ch, ch->first_bytes);
	memory_unlock(ch);
	return r;
}

/* The peer's head is mapped: from here on the channel works. */
int endpoint_attach(struct shmipc_channel *ch, void *peer_head)
{
	int r = 0;

	lane_set(&ch->peer, peer_head, &ch->geometry);
	doorbell_init(&ch->bell, &ch->own, &ch->peer);
	ch->bell.fd = ch->region.fd;
	ch->bell.region = &ch->region;
	if (ch->region.ops->backend == SHMIPC_BACKEND_KMOD) {
		ch->bell.ops = &doorbell_kmod_ops;
	} else {
		ch->bell.ops = &doorbell_memfd_ops;
		/* The peer's first segment is announced already; the descriptor is to be silent until there is news. */
		region_memfd_drain(&ch->region);
		r = watcher_add(&ch->watch, &ch->bell, ch->peer_id.pid);
	}
	if (!r)
		atomic_fetch_and(&ch->unusable, ~UNUSABLE_UNATTACHED);
	return r;
}

static int make_region(struct shmipc_channel *ch, const struct region_ops *ops)
{
	void *head = NULL;
	int r;

	region_fini(&ch->region);
	region_init(&ch->region, ops);
	ch->region.channel = process_random();
	r = ops->create(&ch->region, &ch->geometry, &head);
	if (!r)
		return endpoint_own_lane(ch, head);
	region_unmap(head, ch->geometry.head_bytes);
	return r;
}

int shmipc_channel_create(const struct shmipc_channel_options *options, struct shmipc_channel **channel)
{
	struct shmipc_channel_options taken;
	enum shmipc_backend backend;
	struct shmipc_channel *ch;
	int r;

	*channel = NULL;
	r = options_take(options, &taken);
	if (!r)
		r = options_backend(&taken, &backend);
	if (!r)
		r = endpoint_alloc(&taken, 0, &ch);
	if (r)
		return r;
	r = -EOPNOTSUPP;
	if (backend != SHMIPC_BACKEND_MEMFD)
		r = make_region(ch, &region_kmod_ops);
	if (backend == SHMIPC_BACKEND_MEMFD || (backend == SHMIPC_BACKEND_AUTO && (r == -EOPNOTSUPP || r == -EACCES)))
		r = make_region(ch, &region_memfd_ops);
	if (r) {
		shmipc_channel_destroy(ch);
		return r;
	}
	*channel = ch;
	return 0;
}

static void unmap_lane(struct shmipc_channel *ch, struct lane *lane)
{
	uint32_t i;

	for (i = 0; i < SHMIPC_SEGMENTS; i++)
		region_unmap(lane->segment[i].base, lane->segment[i].bytes);
	region_unmap(lane->words, ch->geometry.head_bytes);
}

int break_channel(struct shmipc_channel *ch)
{
	atomic_fetch_or(&ch->unusable, UNUSABLE_BROKEN);
	return -EBADMSG;
}

int explain_unusable(const struct shmipc_channel *ch)
{
	if (!load_relaxed(ch->guard))
		return -EPERM;
	return load_relaxed(&ch->unusable) & UNUSABLE_BROKEN ? -EBADMSG : -ENOTCONN;
}

void shmipc_channel_destroy(struct shmipc_channel *ch)
{
	if (!ch)
		return;
	if (load_relaxed(ch->guard)) {
		watcher_remove(&ch->watch);
		/* Said aloud, since a forked child may hold a copy of the socket. */
		if (ch->region.ops == &region_memfd_ops)
			shutdown(ch->region.fd, SHUT_RDWR);
		unmap_lane(ch, &ch->peer);
		unmap_lane(ch, &ch->own);
	} else if (ch->watch.bell && ch->watch.pidfd >= 0) {
		close(ch->watch.pidfd); /* a forked child: the lanes are not here, the watcher's list is the parent's */
	}
	region_fini(&ch->region);
	arena_fini(&ch->out.arena);
	free(ch->in.kept);
	free(ch);
}
