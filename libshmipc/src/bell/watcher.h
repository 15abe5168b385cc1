/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watcher.h - notices the death of peers for the memfd backend
 *
 * A thread that sleeps on a futex does not see its peer die. One thread a process, started with the
 * first memfd channel, sleeps on the channels' sockets and their peers' pidfds; where one reports
 * the end it marks the doorbell dead and kicks its sleeper. While everybody lives it never runs.
 */
#ifndef SHMIPC_WATCHER_H
#define SHMIPC_WATCHER_H

#include <sys/types.h>

#include "doorbell.h"

struct watch {
	struct doorbell *bell;
	struct watch *next, **link;
	uint64_t id;
	int socket;
	int pidfd; /* -1: the peer's pid is not visible, or the kernel has no pidfds */
};

/**
 * watcher_add - watch a channel
 * @bell: marked and kicked; its descriptor is the socket watched
 * @pid: of the peer; 0: unknown
 *
 * Returns 0 or -errno; watcher_remove() ends it.
 */
int watcher_add(struct watch *watch, struct doorbell *bell, pid_t pid);

/**
 * watcher_remove - when it returns, the watcher does not touch the doorbell any more
 */
void watcher_remove(struct watch *watch);

#endif /* SHMIPC_WATCHER_H */
