/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.h - options whose fields are numbers from so much to so much, and the sentence about the one that is not
 */
#ifndef SHMIPC_BOUNDS_H
#define SHMIPC_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

struct bound {
	const char *name;
	uint64_t value, min, max;
};

/**
 * bounds_check - whether every field is within its bounds
 * @message: where a sentence that names the first one that is not goes; an empty one if all are
 *
 * Returns 0 or -EINVAL.
 */
int bounds_check(const struct bound *bounds, size_t count, char *message, size_t size);

/**
 * bounds_say - a sentence about something else that is wrong
 * @area: of the field, with a full stop, or ""
 *
 * Returns -EINVAL.
 */
int bounds_say(char *message, size_t size, const char *area, const char *sentence);

#endif /* SHMIPC_BOUNDS_H */
