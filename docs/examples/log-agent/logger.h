/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logger.h - what a program has of the log agent: lines are formatted right into shared memory, and never block
 *
 * Where the agent is slow, or not there, lines are lost rather than waited for; they are counted, and the next line
 * that gets through is preceded by how many. An agent that is started again is found again. For one thread.
 */
#ifndef LOGGER_H
#define LOGGER_H

#include <stdint.h>

struct logger;

/* @address, @name: kept by the caller. Returns NULL where there is no memory. */
struct logger *logger_create(const char *address, const char *name);

/* Log one line, of at most 1023 bytes. Returns 1, or 0: it is lost. */
int logger_log(struct logger *logger, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lines that were lost. */
uint64_t logger_lost(const struct logger *logger);

void logger_destroy(struct logger *logger);

#endif /* LOGGER_H */
