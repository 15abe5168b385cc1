/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "transport.h"

/* How the system calls of a run are counted; see run.h for which is chosen when. */
enum probe_mode {
	PROBE_TIME,       /* a timed run; counts no system call but the ones the transport reports */
	PROBE_TRACEPOINT, /* by the kernel: the raw_syscalls:sys_enter tracepoint */
	PROBE_PTRACE,     /* by a tracer, which is told by marks where the measured part begins and ends */
};

/* What one side spent on the measured messages. COUNT_UNKNOWN where it could not be measured. */
struct probe_result {
	uint64_t ticks;
	uint64_t cpu_ns;       /* user and system */
	uint64_t switches;     /* voluntary and not */
	uint64_t voluntary;
	uint64_t instructions; /* user and kernel */
	uint64_t syscalls;     /* by tracepoint */
	struct counts counts;  /* by the transport */
};

struct probe {
	enum probe_mode mode;
	int perf_fd;
	struct probe_result at_begin;
};

/* A side opens its probe after attaching and calls begin and end around the measured messages. */
void probe_open(struct probe *probe, enum probe_mode mode);
void probe_begin(struct probe *probe, struct end *end);
void probe_end(struct probe *probe, struct end *end, struct probe_result *result);
void probe_close(struct probe *probe);

/* Can system calls be counted by the tracepoint here? */
bool probe_has_tracepoint(void);

/* The mark that tells a tracer: getppid() with these arguments, which the kernel ignores. */
#define PROBE_MARK 0x62656e6368L
#define PROBE_MARK_BEGIN 1L
#define PROBE_MARK_END 2L

#endif
