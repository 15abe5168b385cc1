// SPDX-License-Identifier: Apache-2.0
/* How the transports that are ours are set up, at whatever level, and what they count. */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ticks.h"

#define HANDOVER_NS (INT64_C(20) * 1000000000)

int backend_check_module(const char **why)
{
	int fd = open("/dev/shmipc", O_RDWR | O_CLOEXEC), rc = fd < 0 ? -errno : 0;

	*why = rc == -EACCES ? "/dev/shmipc may not be opened" : "the module is not loaded (no /dev/shmipc)";
	if (fd >= 0)
		close(fd);
	return rc;
}

void backend_set_options(struct shmipc_channel_options *options, const struct plan *plan, enum shmipc_backend backend)
{
	static const enum shmipc_sync sync[SYNC_MODES] = {
		[SYNC_DEMAND] = SHMIPC_SYNC_DEMAND,
		[SYNC_ADAPTIVE] = SHMIPC_SYNC_ADAPTIVE,
		[SYNC_POLLING] = SHMIPC_SYNC_POLLING,
		[SYNC_TIMED] = SHMIPC_SYNC_TIMED,
	};
	uint64_t streams = (plan->streams + plan->sessions - 1) / plan->sessions; /* of a connection */
	uint64_t memory = (uint64_t)plan->size * (plan->batch + 3) * streams;

	options->backend = backend;
	options->sync = sync[plan->sync];
	if (memory > options->memory_max)
		options->memory_max = memory;
}

int64_t backend_deadline(void)
{
	return ticks_monotonic_ns() + HANDOVER_NS;
}

void backend_count(const struct shmipc_channel_stats *stats, struct counts *counts)
{
	counts->syscalls = stats->system_calls;
	counts->wakes = stats->waits;
	counts->rings = stats->rings;
	counts->sleeps = stats->sleeps;
	counts->memory = stats->memory_bytes;
}
