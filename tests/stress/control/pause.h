/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause.h - makes a window between two steps so wide that another process fits through
 */
#ifndef CONTROL_PAUSE_H
#define CONTROL_PAUSE_H

#include <stdint.h>
#include <time.h>

/* Once in `seldom` times, up to `most` nanoseconds. */
static inline void pause_once_in(uint32_t seldom, uint32_t most)
{
	static _Thread_local uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	if ((state >> 16) % seldom == 0) {
		struct timespec time = { .tv_nsec = (long)((state >> 4) % most) };

		nanosleep(&time, NULL);
	}
}

static inline void pause_sometimes(void)
{
	pause_once_in(8, 150000);
}

#endif /* CONTROL_PAUSE_H */
