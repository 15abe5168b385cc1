// SPDX-License-Identifier: Apache-2.0
/*
 * bounds.c - options whose fields are numbers from so much to so much
 */
#include "bounds.h"

#include <errno.h>
#include <stdio.h>

int bounds_say(char *message, size_t size, const char *area, const char *sentence)
{
	if (message && size)
		snprintf(message, size, "%s%s", area, sentence);
	return -EINVAL;
}

int bounds_check(const struct bound *bounds, size_t count, char *message, size_t size)
{
	char sentence[128];
	size_t i;

	for (i = 0; i < count; i++) {
		if (bounds[i].value >= bounds[i].min && bounds[i].value <= bounds[i].max)
			continue;
		snprintf(sentence, sizeof(sentence), "%s: not from %llu to %llu", bounds[i].name,
			 (unsigned long long)bounds[i].min, (unsigned long long)bounds[i].max);
		return bounds_say(message, size, "", sentence);
	}
	bounds_say(message, size, "", "");
	return 0;
}
