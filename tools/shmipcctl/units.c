// SPDX-License-Identifier: Apache-2.0
/*
 * units.c - sizes, counts and ages as people read and write them
 */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Three digits and a unit; what would round up to a fourth digit takes the next unit. */
static const char *format_scaled(char *out, double value, double step, const char *units)
{
	while (value >= (step == 1024.0 ? 1023.5 : 999.5) && units[1]) {
		value /= step;
		units++;
	}
	if (*units == ' ')
		snprintf(out, UNITS_MAX, "%.0f", value);
	else
		snprintf(out, UNITS_MAX, value < 9.95 ? "%.1f%c" : "%.0f%c", value, *units);
	return out;
}

const char *format_bytes(char *out, uint64_t bytes)
{
	return format_scaled(out, (double)bytes, 1024.0, " KMGTPE");
}

const char *format_count(char *out, double count)
{
	return format_scaled(out, count, 1000.0, " kMGTPE");
}

const char *format_age(char *out, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(out, UNITS_MAX, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(out, UNITS_MAX, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(out, UNITS_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, UNITS_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(out, UNITS_MAX, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return out;
}

/* A number without sign, not huge, and what is behind it. */
static bool parse_decimal(const char *text, double *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return false;
	*value = strtod(text, &end);
	*rest = end;
	return *value >= 0 && *value < 1e18;
}

bool parse_age(const char *text, uint64_t *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 60e3 }, { "h", 3600e3 }, { "d", 86400e3 } };
	const char *rest;
	double value;
	size_t i;

	if (!parse_decimal(text, &value, &rest))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(rest, units[i].name))
			continue;
		value *= units[i].ms;
		if (value > 1000 * 86400e3)
			return false;
		*ms = (uint64_t)value;
		return true;
	}
	return false;
}

bool parse_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	double value;

	if (!parse_decimal(text, &value, &rest))
		return false;
	if (*rest) {
		unit = strchr(units, toupper((unsigned char)*rest));
		if (!unit || !*unit || (rest[1] && strcmp(rest + 1, "iB")))
			return false;
		value *= (double)(1ull << (10 * (unit - units + 1)));
	}
	if (value >= 9e18)
		return false;
	*bytes = (uint64_t)value;
	return true;
}

bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return false;
	*number = value;
	return true;
}

void sanitize_text(char *out, size_t size, const char *text, size_t length)
{
	size_t i;

	for (i = 0; i + 1 < size && i < length && text[i]; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
}
