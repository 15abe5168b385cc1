/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause.h - makes a window between two steps so wide that another process fits through
 */
#ifndef CONTROL_PAUSE_H
#define CONTROL_PAUSE_H

#include <stdint.h>
#include <time.h>

/* Now and then, some tens of microseconds. */
static inline void pause_sometimes(void)
{
	static _Thread_local uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	if (state >> 29 == 0) {
		struct timespec time = { .tv_nsec = (long)((state >> 4) % 150000) };

		nanosleep(&time, NULL);
	}
}

#endif /* CONTROL_PAUSE_H */
