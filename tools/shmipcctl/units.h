/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units.h - sizes, counts and ages as people read and write them
 *
 * Pure: text in, text out. Each format_ function writes at most UNITS_MAX bytes and returns its buffer.
 */
#ifndef SHMIPCCTL_UNITS_H
#define SHMIPCCTL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_MAX 24

/* Bytes in powers of 1024, three digits: "0", "512", "4.0K", "33K", "1.5G". */
const char *format_bytes(char *out, uint64_t bytes);

/* A count in powers of 1000: "0", "999", "1.2k", "34M". */
const char *format_count(char *out, double count);

/* A time in milliseconds, its two largest units: "12ms", "3.4s", "2m05s", "4h10m", "3d07h". */
const char *format_age(char *out, uint64_t ms);

/* "500ms", "10s", "2m", "1h", "1d"; a bare number counts seconds. Returns whether it is one, 0 to 1000 days. */
bool parse_age(const char *text, uint64_t *ms);

/* "4096", "64K", "1.5M", "2G". */
bool parse_bytes(const char *text, uint64_t *bytes);

/* A whole number within bounds, nothing behind it. */
bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);

/* Text from anywhere, fit for a terminal: what is not printable ASCII becomes '?'. Cut to the buffer's size. */
void sanitize_text(char *out, size_t size, const char *text, size_t length);

#endif /* SHMIPCCTL_UNITS_H */
