/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "figures.h"
#include "host.h"

/* The table for people: a head, then a line per row as rows come in. */
void report_head(FILE *out, const struct workload *workload);
void report_row(FILE *out, const struct row *row);
void report_against(FILE *out, const struct row *rows, unsigned int count);
void report_legend(FILE *out, const struct row *rows, unsigned int count);

/* Writes the rows and what they come from to @path, "-" for standard output. 0 or -errno. */
int report_json(const char *path, const char *command, const struct host *host, const struct row *rows,
		unsigned int count);

#endif
