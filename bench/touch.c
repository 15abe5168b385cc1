// SPDX-License-Identifier: Apache-2.0
/*
 * Writing and checking whole messages, the same way for every transport. Every message has a pattern of its own,
 * so that bytes left from an earlier message, or from the other side's, do not pass. The loops are plain so that
 * the compiler turns them into vector code (bench/build.mk compiles this file with -O3), and buffers may have any
 * alignment.
 */
#include "touch.h"

#include <string.h>

typedef uint64_t word __attribute__((may_alias, aligned(1)));

void touch_fill(void *buf, size_t len, uint64_t base)
{
	size_t words = len / sizeof(word), i;
	word *p = buf;
	uint64_t last;

	for (i = 0; i < words; i++)
		p[i] = base + i;
	if (len % sizeof(word)) {
		last = base + words;
		memcpy(p + words, &last, len % sizeof(word));
	}
}

bool touch_check(const void *buf, size_t len, uint64_t base)
{
	size_t words = len / sizeof(word), i;
	const word *p = buf;
	uint64_t wrong = 0, last;

	for (i = 0; i < words; i++)
		wrong |= p[i] ^ (base + i);
	if (len % sizeof(word)) {
		last = base + words;
		wrong |= memcmp(p + words, &last, len % sizeof(word)) != 0;
	}
	return !wrong;
}
