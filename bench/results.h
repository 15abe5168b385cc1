/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include "host.h"

/* The command line as a shell would take it, from the words after the program's. The caller frees it; NULL: no memory. */
char *results_command(int count, char *const *words);

/*
 * Writes the file that a measuring command leaves, {"version", "command", "host", "rows"}, to @path, "-" for standard
 * output. Takes over @rows. 0 or -errno.
 */
int results_write(const char *path, const char *command, const struct host *host, struct json_t *rows);

#endif
