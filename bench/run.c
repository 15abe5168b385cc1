// SPDX-License-Identifier: Apache-2.0
/*
 * One run: two processes, from fork to reaping. The process that calls is neither of the two sides: it sleeps
 * until one fails, both are done, or time is up, so a side that dies or hangs never takes the bench with it.
 *
 * SIGCHLD must be blocked (main does it): it is waited for.
 */
#include "run.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ticks.h"

struct run *run_create(void)
{
	void *p = mmap(NULL, sizeof(struct run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void run_destroy(struct run *run)
{
	munmap(run, sizeof(*run));
}

static int pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* The pages are there since wiring_map(), but a forked process has yet to find them: not while it is measured. */
static void visit_pages(const struct wiring *wiring)
{
	unsigned char *memory = wiring->memory;
	size_t at;

	for (at = 0; at < wiring->memory_size; at += 4096)
		__atomic_fetch_or(memory + at, 0, __ATOMIC_RELAXED);
}

/* Side 1 takes them in the order in which they get ready, so the next one has to wait. */
static int connect_sessions(struct worker *w)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < w->plan->sessions && !rc; i++) {
		rc = worker_connect(w, w->ends[i]);
		if (!rc && w->plan->sessions > 1)
			pthread_barrier_wait(w->gate);
	}
	return rc;
}

/* The streams that a workload wants to find. Each carries a message at once, so that side 1 takes them in order. */
static int open_streams(struct worker *w)
{
	unsigned int i;
	int rc;

	if (w->plan->workload->connects)
		return 0;
	rc = connect_sessions(w);
	for (i = 0; i < w->end_count && !rc && !w->plan->workload->opens; i++) {
		w->end = w->ends[i];
		w->end->connected = w->ends[i % w->plan->sessions];
		rc = worker_open(w, w->end);
		if (!rc && w->plan->transport->open)
			rc = w->end->side ? worker_get(w, 0) : worker_put(w, 0, 0);
	}
	w->end = w->ends[0];
	return rc;
}

static void close_streams(struct worker *w)
{
	unsigned int i;

	if (w->plan->workload->connects)
		return;
	for (i = 0; i < w->end_count && !w->plan->workload->opens; i++)
		worker_close(w, w->ends[i]);
	for (i = 0; i < w->plan->sessions; i++)
		worker_disconnect(w, w->ends[i]);
}

static int work(struct worker *w, struct run *run, enum probe_mode mode)
{
	const struct transport *transport = w->plan->transport;
	int rc;

	rc = pin(w->plan->cpu[w->end->side]);
	if (rc)
		return worker_fail(w, rc, "pinning to its processor", 0);
	visit_pages(w->end->wiring);
	histogram_init(&w->result->latency);
	probe_open(&w->probe, mode, w->ends, w->end_count);
	rc = transport->attach ? transport->attach(w->end) : 0;
	if (rc)
		return worker_fail(w, rc, "attaching", 0);
	rc = open_streams(w);
	if (rc)
		return rc;
	pthread_barrier_wait(&run->gate);
	rc = workload_run(w);
	if (rc)
		return rc;
	pthread_barrier_wait(&run->gate);
	probe_close(&w->probe);
	close_streams(w);
	if (transport->detach)
		transport->detach(w->end);
	return 0;
}

static int create_ends(struct worker *w, const struct wiring *wiring, int side)
{
	size_t size = (w->plan->transport->end_size + 127) & ~(size_t)127;
	unsigned int i;

	w->ends = calloc(w->plan->streams, sizeof(*w->ends));
	for (i = 0; w->ends && i < w->plan->streams; i++) {
		w->ends[i] = aligned_alloc(128, size);
		if (!w->ends[i])
			return -ENOMEM;
		memset(w->ends[i], 0, size);
		w->ends[i]->plan = w->plan;
		w->ends[i]->wiring = wiring;
		w->ends[i]->attached = w->ends[i]->connected = w->ends[0];
		w->ends[i]->side = side;
		w->ends[i]->stream = i;
	}
	if (!w->ends)
		return -ENOMEM;
	w->end_count = w->plan->streams;
	w->end = w->ends[0];
	return 0;
}

/* The life of a side's process. */
static void __attribute__((noreturn)) be_side(struct run *run, const struct plan *plan, const struct wiring *wiring,
					      int side, enum probe_mode mode)
{
	struct worker w = { .plan = plan, .result = &run->side[side], .gate = &run->gate, .began = run->began };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
	if (mode == PROBE_PTRACE && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP)))
		_exit(1);
	if (create_ends(&w, wiring, side))
		_exit(1);
	_exit(work(&w, run, mode) ? 1 : 0);
}

/* Side @i ended with *@status, badly. If the other had been killed, that is the cause, and this a consequence. */
static void find_cause(pid_t pid[2], int i, int *failed, int *status)
{
	int other;

	*failed = i;
	if (WIFSIGNALED(*status) || !pid[!i] || waitpid(pid[!i], &other, WNOHANG) != pid[!i])
		return;
	pid[!i] = 0;
	if (WIFSIGNALED(other)) {
		*failed = !i;
		*status = other;
	}
}

/* Until both are done: 0. Else -errno as trace_pair() says. A reaped process becomes 0 in @pid. */
static int await_pair(pid_t pid[2], uint64_t deadline_ns, int *failed, int *status)
{
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (pid[0] || pid[1]) {
		uint64_t now = ticks_monotonic_ns(), left = now < deadline_ns ? deadline_ns - now : 0;
		struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

		if (!left)
			return -ETIMEDOUT;
		sigtimedwait(&set, NULL, &ts);
		for (i = 0; i < 2; i++) {
			if (!pid[i] || waitpid(pid[i], status, WNOHANG) != pid[i])
				continue;
			pid[i] = 0;
			if (*status) {
				find_cause(pid, i, failed, status);
				return -ECHILD;
			}
		}
	}
	return 0;
}

/* After a failure, what each side has to say about it. */
static void describe_failure(struct run *run, const struct plan *plan, int rc, int failed, int status)
{
	size_t size = sizeof(run->error), used;
	int i;

	if (rc == -ETIMEDOUT)
		snprintf(run->error, size, "no end after %u s: killed", plan->timeout_s);
	else if (rc == -ECHILD && WIFSIGNALED(status))
		snprintf(run->error, size, "side %d was killed by signal %d (%s)", failed, WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (rc == -ECHILD)
		snprintf(run->error, size, "side %d failed", failed);
	else
		snprintf(run->error, size, "%s", strerror(-rc));
	for (i = 0; i < 2; i++) {
		used = strlen(run->error);
		if (run->side[i].error[0])
			snprintf(run->error + used, size - used, "; side %d: %s", i, run->side[i].error);
	}
}

static int fork_pair(struct run *run, const struct plan *plan, const struct wiring *wiring, enum probe_mode mode,
		     pid_t pid[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i])
			be_side(run, plan, wiring, i, mode);
		if (pid[i] < 0) {
			pid[i] = 0;
			return -errno;
		}
	}
	return 0;
}

static int init_run(struct run *run)
{
	pthread_barrierattr_t attr;
	int rc;

	memset(run, 0, sizeof(*run));
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	rc = pthread_barrier_init(&run->gate, &attr, 2);
	pthread_barrierattr_destroy(&attr);
	return -rc;
}

int run_execute(struct run *run, const struct plan *plan, enum probe_mode mode)
{
	uint64_t deadline_ns = ticks_monotonic_ns() + plan->timeout_s * UINT64_C(1000000000);
	int rc, i, failed = 0, status = 0;
	pid_t pid[2] = { 0, 0 };
	struct wiring wiring;

	rc = init_run(run);
	if (rc)
		return rc;
	wiring_init(&wiring);
	rc = plan->transport->prepare(&wiring, plan);
	if (!rc)
		rc = fork_pair(run, plan, &wiring, mode, pid);
	if (!rc && mode == PROBE_PTRACE)
		rc = trace_pair(pid, deadline_ns, &run->traced_syscalls, &failed, &status);
	else if (!rc)
		rc = await_pair(pid, deadline_ns, &failed, &status);
	if (rc)
		describe_failure(run, plan, rc, failed, status);
	for (i = 0; rc && i < 2; i++) {
		if (pid[i] > 0 && !kill(pid[i], SIGKILL))
			waitpid(pid[i], NULL, __WALL);
	}
	wiring_fini(&wiring);
	return rc;
}
