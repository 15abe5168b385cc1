/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "transport.h"

/* What a run is for. Counting costs time, on every context switch for one, so it never happens in the timed run. */
enum probe_mode {
	PROBE_TIME,         /* times, and what costs nothing to count */
	PROBE_INSTRUCTIONS, /* instructions, by the processor */
	PROBE_TRACEPOINT,   /* system calls, by the kernel: the raw_syscalls:sys_enter tracepoint */
	PROBE_PTRACE,       /* system calls, by a tracer, told by marks where the measured part begins and ends */
};

/* What one side spent on the measured messages. COUNT_UNKNOWN where it could not be measured. */
struct probe_result {
	uint64_t ticks;
	uint64_t cpu_ns;       /* user and system */
	uint64_t switches;     /* voluntary and not */
	uint64_t voluntary;
	uint64_t faults;       /* page faults, minor and major */
	uint64_t instructions; /* user and kernel; in that mode */
	uint64_t syscalls;     /* by tracepoint; in that mode */
	struct counts counts;  /* by the transport */
};

struct probe {
	enum probe_mode mode;
	int perf_fd;
	struct end *const *ends;
	unsigned int end_count;
	struct probe_result at_begin;
};

/* A side opens its probe, for all of its ends, before it has threads and calls begin and end around the measured messages. */
void probe_open(struct probe *probe, enum probe_mode mode, struct end *const *ends, unsigned int count);
void probe_begin(struct probe *probe);
void probe_end(struct probe *probe, struct probe_result *result);
void probe_close(struct probe *probe);

/* What the transport counted so far, on all connections of the streams @ends. */
void probe_read_counts(struct end *const *ends, unsigned int count, struct counts *counts);

/* Does PROBE_INSTRUCTIONS or PROBE_TRACEPOINT work here? */
bool probe_works(enum probe_mode mode);

/* The mark that tells a tracer: getppid() with these arguments, which the kernel ignores. */
#define PROBE_MARK 0x62656e6368L
#define PROBE_MARK_BEGIN 1L
#define PROBE_MARK_END 2L

#endif
