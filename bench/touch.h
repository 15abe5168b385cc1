/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_TOUCH_H
#define BENCH_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first word of message number @number that @side sends; the words after it count up from there. */
static inline uint64_t touch_base(uint64_t number, int side)
{
	return (2 * number + side + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Writes all @len bytes at @buf. */
void touch_fill(void *buf, size_t len, uint64_t base);

/* Reads all @len bytes at @buf; false if one of them is not what touch_fill wrote there for @base. */
bool touch_check(const void *buf, size_t len, uint64_t base);

#endif
