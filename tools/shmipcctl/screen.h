/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.h - a terminal taken over for a while, and given back as it was however that ends
 */
#ifndef SHMIPCCTL_SCREEN_H
#define SHMIPCCTL_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* Keys beyond characters. */
enum { SCREEN_TIMEOUT = -1, SCREEN_QUIT = -2, SCREEN_REDRAW = -3, SCREEN_UP = 1000, SCREEN_DOWN };

/* Take the terminal over. False: stdin or stdout is none. */
bool screen_open(void);
void screen_close(void);

/**
 * screen_wait - wait for a key, a signal or a time
 * @deadline_ns: absolute CLOCK_MONOTONIC
 *
 * Returns the key, or one of the above. SIGINT, SIGTERM, SIGHUP and the terminal's end are SCREEN_QUIT, a new window
 * size and a return from the background SCREEN_REDRAW.
 */
int screen_wait(int64_t deadline_ns);

#endif /* SHMIPCCTL_SCREEN_H */
