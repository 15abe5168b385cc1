/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input.h - takes numbers off the fuzzer's bytes, and says what a failed check was
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t input_take(struct input *input, size_t bytes)
{
	uint64_t n = 0;

	while (bytes-- && input->left) {
		n = n << 8 | *input->at++;
		input->left--;
	}
	return n;
}

static inline uint32_t input_below(struct input *input, uint32_t limit)
{
	return (uint32_t)input_take(input, limit > 65536 ? 4 : limit > 256 ? 2 : 1) % limit;
}

#define check(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                          \
		}                                                                         \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* FUZZ_INPUT_H */
