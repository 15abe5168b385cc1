/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - what the messages of a run are: size, kind and every byte follow from a seed and the
 * message's sequence number, so that the reader can tell a byte of another message, or of another
 * time, from the right one
 */
#ifndef STRESS_MESSAGE_H
#define STRESS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kind of the last message of a run; its eight bytes say how many came before it. */
#define KIND_END 0xffffu

enum message_sizes {
	SIZES_SMALL, /* most ride in a slot */
	SIZES_MIXED, /* up to some hundred kilobytes */
	SIZES_LARGE, /* up to several megabytes */
};

struct recipe {
	uint64_t seed;
	enum message_sizes sizes;
	size_t most;  /* never larger */
	size_t exact; /* all are so; 0: not */
};

/**
 * rng_next - a pseudo-random number; the same ones after the same state
 */
uint64_t rng_next(uint64_t *state);

/**
 * rng_below - one from 0 to limit - 1
 */
uint64_t rng_below(uint64_t *state, uint64_t limit);

size_t message_size(const struct recipe *recipe, uint64_t sequence);
uint16_t message_kind(const struct recipe *recipe, uint64_t sequence);
void message_fill(const struct recipe *recipe, uint64_t sequence, void *data, size_t size);

/**
 * message_check - compare every byte
 *
 * Returns the offset of the first wrong byte, or -1: there is none.
 */
ptrdiff_t message_check(const struct recipe *recipe, uint64_t sequence, const void *data, size_t size);

#endif /* STRESS_MESSAGE_H */
