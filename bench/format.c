// SPDX-License-Identifier: Apache-2.0
/* Figures as people read them. */
#include "format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *format_size(char *out, size_t bytes)
{
	if (bytes && bytes % (1u << 20) == 0)
		snprintf(out, FORMAT_SIZE, "%zum", bytes >> 20);
	else if (bytes && bytes % 1024 == 0)
		snprintf(out, FORMAT_SIZE, "%zuk", bytes >> 10);
	else
		snprintf(out, FORMAT_SIZE, "%zu", bytes);
	return out;
}

/* Three digits that count, with one of @units, each 1000 times the one before. */
static const char *format_scaled(char *out, double value, const char *const units[4])
{
	int unit = 0;

	if (!isfinite(value))
		return strcpy(out, "-");
	while (value >= 999.5 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(out, FORMAT_SIZE, "%.*f%s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
	return out;
}

const char *format_time(char *out, double ns)
{
	static const char *const units[4] = { "ns", "us", "ms", "s" };

	return format_scaled(out, ns, units);
}

const char *format_rate(char *out, double value)
{
	static const char *const units[4] = { "", "k", "M", "G" };

	return format_scaled(out, value, units);
}

const char *format_bytes(char *out, double value)
{
	if (!isfinite(value))
		return strcpy(out, "-");
	snprintf(out, FORMAT_SIZE, "%.1fKB", value / 1000);
	return out;
}

const char *format_count(char *out, double value)
{
	if (!isfinite(value))
		return strcpy(out, "-");
	snprintf(out, FORMAT_SIZE, "%.*f", value < 0.0005 ? 0 : value < 0.0995 ? 3 : 2, value);
	return out;
}
