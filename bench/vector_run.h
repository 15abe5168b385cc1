/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_VECTOR_RUN_H
#define BENCH_VECTOR_RUN_H

#include "vector.h"

#define VECTOR_PRODUCERS_MAX 256

/* What a side took of the host between the start and its end; of all writers, the sum. */
struct vector_cost {
	double user_s, system_s;
	double faults, switches; /* page faults; context switches, wanted or not */
};

struct vector_result {
	double reader_s, writer_s; /* from the start until the reader has all; until the last writer is through */
	double calls;		   /* of all writers */
	double looks;
	struct vector_cost reader, writers;
};

/* What a run moves, all producers together. */
uint64_t vector_messages(const struct vector_run *run);
uint64_t vector_bytes(const struct vector_run *run);

/* Run it, and wait for its end. 0, or -errno. */
int vector_execute(struct vector_run *run, struct vector_result *result);

#endif
