/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - where a channel's shared pages come from
 *
 * A region is one endpoint's hold on the two lanes: it makes and maps the own lane's head and
 * segments, maps the peer's read-only, and lets them go. It knows nothing of what is in them. The
 * backends differ in who enforces that, the module or the memfd's seals; the promise is one: the
 * pages are there when a call returns, a peer's mapping cannot be made writable, no mapping is
 * inherited by a forked child.
 *
 * Threads: the own lane's side (add, remove) and the peer's (find, forget) may be used by two
 * threads at once; drain by any.
 */
#ifndef SHMIPC_REGION_H
#define SHMIPC_REGION_H

#include <pthread.h>

#include "layout.h"

/* Most descriptors that one message of the handover carries. */
#define REGION_FDS_MAX 2

struct region;

struct region_ops {
	enum shmipc_backend backend;
	/* Endpoint 0: make the channel and map the own head. */
	int (*create)(struct region *region, const struct geometry *geometry, void **own);
	/* Endpoint 0: the descriptors that endpoint 1 is to get. Returns how many; they stay the region's. */
	int (*offer)(struct region *region, int *fds);
	/* Endpoint 1: from those, which it takes over also on failure; reply: what endpoint 0 is to get. */
	int (*accept)(struct region *region, const struct geometry *geometry, int *fds, int count, void **own,
		      void **peer, int *reply);
	/* Endpoint 0: from the reply, likewise. The offered descriptors are closed. */
	int (*complete)(struct region *region, const struct geometry *geometry, int *fds, int count, void **peer);
	/* Who is at the other end, by the backend's own knowledge; NULL: it has none. */
	int (*identify)(struct region *region, struct shmipc_peer *peer);
	/*
	 * Add a segment to the own lane. -EAGAIN: the peer must read first (memfd). -EBADMSG: the peer
	 * has kept a segment of that number which it said it had let go of (kmod).
	 */
	int (*add)(struct region *region, uint32_t segment, uint64_t bytes, void **base);
	/* Map a segment of the peer's lane. -EBADMSG: there is none, or larger than `most`. */
	int (*find)(struct region *region, uint32_t segment, uint64_t most, void **base, uint64_t *bytes);
	/* The own segment is no longer mapped, by either side: its number may be used again. */
	void (*remove)(struct region *region, uint32_t segment, void *base, uint64_t bytes);
	/* Unmap a segment of the peer's, or (base NULL) forget one that was announced and never mapped. */
	void (*forget)(struct region *region, uint32_t segment, void *base, uint64_t bytes);
};

struct region {
	const struct region_ops *ops;
	int fd;	     /* kmod: the endpoint; memfd: the own end of the socketpair */
	int peer_fd; /* endpoint 0, until handed over: the other's */
	int head_fd; /* memfd, until handed over: the own head's; else -1 */
	/* memfd: the peer's segments that were announced and not mapped yet; under the lock. */
	pthread_mutex_t lock;
	struct {
		int fd; /* -1: none */
		uint64_t bytes;
	} pending[SHMIPC_SEGMENTS];
	bool broken; /* memfd: something came that makes no sense */
	/* For tools, and in the names of memfds: set before create; accept takes them from the peer's head. */
	uint64_t channel;
	uint32_t endpoint;
	_Atomic uint64_t system_calls;
};

/**
 * region_init - a region that holds nothing
 */
void region_init(struct region *region, const struct region_ops *ops);

/**
 * region_fini - close the descriptors; the mappings are the caller's to unmap
 */
void region_fini(struct region *region);

/**
 * region_unmap - unmap what any of the functions mapped
 */
void region_unmap(void *base, uint64_t bytes);

/**
 * region_memfd_drain - read what came on a memfd region's socket: wake-up bytes, announced segments
 *
 * Returns whether the other side has hung up.
 */
bool region_memfd_drain(struct region *region);

/**
 * region_map - mmap with what all mappings have in common
 * @writable: of the own lane
 */
int region_map(int fd, uint64_t offset, uint64_t bytes, bool writable, void **base);

/**
 * region_kmod_usable - whether this process can make channels with the module, as far as can be told without
 */
bool region_kmod_usable(void);

extern const struct region_ops region_kmod_ops;
extern const struct region_ops region_memfd_ops;

#endif /* SHMIPC_REGION_H */
