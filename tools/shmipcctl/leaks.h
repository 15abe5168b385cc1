/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaks.h - which slices have been lent for too long
 *
 * Pure: two images in, a list out.
 */
#ifndef SHMIPCCTL_LEAKS_H
#define SHMIPCCTL_LEAKS_H

#include "image.h"

struct leak {
	int endpoint; /* whose slice it is */
	bool queued;  /* its message was not received yet; else the reader holds it */
	uint32_t number, stream, segment, size;
	uint64_t offset, age_ms;
};

struct leaks {
	struct leak *list;
	size_t count, room;
};

/**
 * leaks_find - add the slices of both lanes that have been lent for longer
 *
 * A slice that was given back, and only not collected by its owner yet, is not lent any more.
 * Returns 0 or -ENOMEM; leaks_free() in any case.
 */
int leaks_find(const struct image_pair *pair, uint32_t now_ms, uint64_t older_ms, struct leaks *leaks);
void leaks_free(struct leaks *leaks);

enum leak_order { LEAKS_BY_AGE, LEAKS_BY_SIZE, LEAKS_BY_STREAM };

/* Sort, the oldest or largest first; by stream: the streams ascending, each by age. */
void leaks_sort(struct leaks *leaks, enum leak_order order);

#endif /* SHMIPCCTL_LEAKS_H */
