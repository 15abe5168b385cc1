/* SPDX-License-Identifier: Apache-2.0 */
/*
 * late_store.h - included in front of the library's produce.c, a second time compiled: publications stay
 * in a store buffer of one entry until the next full barrier, or for as long as a load may overtake them
 *
 * x86 does just that, for some nanoseconds; here it takes long enough to be seen. It is what the
 * sleeper's membarrier(2) is for: late_store.c has one that empties the buffers, and control/unpaid.c
 * one that does not. Both endpoints are in one process, so that there is somebody to do it.
 */
#ifndef CONTROL_LATE_STORE_H
#define CONTROL_LATE_STORE_H

#include "channel/endpoint.h"

void late_store(_Atomic uint32_t *word, uint32_t value);
void late_drain(void);
void late_pause(void);

static inline void late_barrier(void)
{
	late_drain();
	full_barrier();
}

static inline bool late_asks(const struct doorbell *bell, uint32_t bits)
{
	bool asks = doorbell_asks(bell, bits);

	if (!asks)
		late_pause();
	late_drain();
	return asks;
}

/* Nothing stays in a store buffer across a system call. */
static inline int late_ring(struct doorbell *bell, uint32_t peer_seq)
{
	late_drain();
	return doorbell_ring(bell, peer_seq);
}

#undef store_release
#define store_release(p, v) late_store((p), (v))
#define full_barrier late_barrier
#define doorbell_asks late_asks
#define doorbell_ring late_ring

#endif /* CONTROL_LATE_STORE_H */
