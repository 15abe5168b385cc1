/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause.h - makes a window between two steps so wide that another process fits through
 */
#ifndef CONTROL_PAUSE_H
#define CONTROL_PAUSE_H

#include <stdint.h>
#include <time.h>

/* Now and then, up to a tenth of a millisecond. */
static inline void pause_sometimes(void)
{
	static _Thread_local uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	if (state >> 28 == 0) {
		struct timespec time = { .tv_nsec = (long)(state % 100000) };

		nanosleep(&time, NULL);
	}
}

#endif /* CONTROL_PAUSE_H */
