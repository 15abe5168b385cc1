/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FORMAT_H
#define BENCH_FORMAT_H

#include <stddef.h>

#define FORMAT_SIZE 24

/* Each writes to @out, of FORMAT_SIZE bytes, and returns it. What is not a number becomes "-". */

/* @bytes as a person would write it: 64, 4k, 1m. */
const char *format_size(char *out, size_t bytes);
/* Three digits that count and a unit: 443ns, 4.33G, 235.1KB. */
const char *format_time(char *out, double ns);
const char *format_rate(char *out, double value);
const char *format_bytes(char *out, double value);
/* A small number of things: 4.00, 0.006, 0. */
const char *format_count(char *out, double value);

#endif
