/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <pthread.h>
#include <sys/types.h>

#include "workload.h"

/* What a run leaves. Lies in memory shared with the sides, so it is made and freed here only. */
struct run {
	struct worker_result side[2];
	uint64_t traced_syscalls; /* PROBE_PTRACE: of both sides, on the measured messages */
	pthread_barrier_t gate;
	uint64_t began[4]; /* of a workload that keeps to a schedule: when each part of the run began, from 1 on */
	char error[2 * WORKER_ERROR + 128]; /* why the run failed */
};

struct run *run_create(void);
void run_destroy(struct run *run);

/*
 * Runs @plan once, in two processes of its own, and waits for them, for plan->timeout_s at most; whatever they do, no
 * process is left behind. 0, or -errno with run->error. One run at a time.
 */
int run_execute(struct run *run, const struct plan *plan, enum probe_mode mode);

/*
 * For run_execute(): lets the two stopped processes @pid go on as their tracer, counts in *@syscalls those
 * between the marks of each, until both have exited, one has failed, or CLOCK_MONOTONIC passes @deadline_ns. 0,
 * or -errno: -ETIMEDOUT; -ECHILD when side *@failed ended with *@status, which is not success; the other may
 * still run, then. A reaped process becomes 0 in @pid.
 */
int trace_pair(pid_t pid[2], uint64_t deadline_ns, uint64_t *syscalls, int *failed, int *status);

#define LOAD_MOST 1024

/*
 * Has @count processes spin at normal priority until it is called again, or this process ends: the first on the processor of
 * side 1, the next on that of side 0, then on the others that this process may use, and round again. 0 or -errno.
 */
int load_set(unsigned int count, const int cpu[2]);

/* As many as there are processors that this process may use. */
unsigned int load_all(void);

#endif
