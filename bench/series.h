/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

#define SERIES_MOST 64

/* A curve out of report files: one transport in one sync mode, by size of message. */
struct series {
	char label[RECORD_SCENE]; /* "uds", or "memfd stream adaptive" where a transport has levels and modes */
	size_t points;
	struct point {
		double size, p50_ns, instructions; /* NAN: not measured */
	} point[32];
};

struct series_set {
	unsigned int count;
	bool emulated;         /* some of it */
	bool instructions;     /* some of it with the instruction clock */
	char workload[RECORD_TEXT];
	struct series series[SERIES_MOST];
};

/*
 * Reads the rows of one workload (the first one seen, or set->workload if not empty) from the report at @path and
 * adds them. Rows that do not fit are left out. 0, or -errno after saying on standard error what is wrong.
 */
int series_load(struct series_set *set, const char *path);

/* The point of @series at @size, or NULL. */
const struct point *series_at(const struct series *series, double size);

#endif
