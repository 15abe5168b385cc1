// SPDX-License-Identifier: Apache-2.0
/*
 * Counts system calls as the tracer of both sides. Needs no privilege and sees every call, whoever makes it, but
 * slows each down a hundredfold, and how many there are often depends on who is faster.
 *
 * To make it depend on nothing, it lets one side run at a time, until that one sleeps: what a message costs when
 * both sides sleep between messages. Without that, a side that is just back from waking the other, and is held up
 * by its tracer, would find the answer there and not sleep at all. A side that neither sleeps nor ends for
 * HOLD_NS does not hold up the other.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "ticks.h"

#define HOLD_NS 20000000

struct traced {
	pid_t pid;
	bool gone;
	bool in_call;
	bool held;     /* stopped on its way out of a call, not yet let go */
	bool counting; /* between its marks */
};

struct tracer {
	struct traced side[2];
	int runner; /* the side that runs; the other one sleeps, is held, or is about to be */
	uint64_t held_since;
	uint64_t syscalls;
};

static void go_on(struct traced *t, int signal)
{
	t->held = false;
	ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)(long)signal);
}

static bool is_asleep(const struct traced *t)
{
	char path[40], line[256] = "", *state;
	FILE *f;

	if (t->gone)
		return true;
	if (!t->in_call)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", t->pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	state = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return state && state[1] == ' ' && state[2] == 'S';
}

static void count_call(struct tracer *tracer, struct traced *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (info.entry.args[0] == PROBE_MARK && info.entry.args[1] == PROBE_MARK_BEGIN)
		t->counting = true;
	else if (info.entry.args[0] == PROBE_MARK && info.entry.args[1] == PROBE_MARK_END)
		t->counting = false;
	else if (t->counting)
		tracer->syscalls++;
}

/* Side @i stopped on its way into or out of a call. */
static void handle_call(struct tracer *tracer, int i)
{
	struct traced *t = &tracer->side[i];

	t->in_call = !t->in_call;
	if (t->in_call) {
		count_call(tracer, t);
		go_on(t, 0);
	} else if (i == tracer->runner) {
		go_on(t, 0);
	} else {
		t->held = true;
		tracer->held_since = ticks_monotonic_ns();
	}
}

/* Lets a held side go once the other is asleep or takes too long. */
static void pass_on(struct tracer *tracer)
{
	int i = 1 - tracer->runner;

	if (!tracer->side[i].held)
		return;
	if (!is_asleep(&tracer->side[tracer->runner]) && ticks_monotonic_ns() - tracer->held_since < HOLD_NS)
		return;
	tracer->runner = i;
	go_on(&tracer->side[i], 0);
}

/* What waitpid() said about side @i. 0, or -ECHILD when it failed. */
static int handle_event(struct tracer *tracer, int i, int status)
{
	struct traced *t = &tracer->side[i];

	if (!WIFSTOPPED(status)) {
		t->gone = true;
		return status ? -ECHILD : 0;
	}
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		handle_call(tracer, i);
	else
		go_on(t, WSTOPSIG(status));
	return 0;
}

static int take_over(struct tracer *tracer, pid_t pid[2], int *failed, int *status)
{
	int i;

	for (i = 0; i < 2; i++) {
		tracer->side[i].pid = pid[i];
		*failed = i;
		if (waitpid(pid[i], status, __WALL) != pid[i])
			return -errno;
		if (!WIFSTOPPED(*status)) {
			pid[i] = 0;
			return -ECHILD;
		}
		if (ptrace(PTRACE_SETOPTIONS, pid[i], NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)))
			return -errno;
	}
	for (i = 0; i < 2; i++)
		go_on(&tracer->side[i], 0);
	return 0;
}

int trace_pair(pid_t pid[2], uint64_t deadline_ns, uint64_t *syscalls, int *failed, int *status)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	struct tracer tracer;
	int rc, i;

	memset(&tracer, 0, sizeof(tracer));
	rc = take_over(&tracer, pid, failed, status);
	while (!rc && !(tracer.side[0].gone && tracer.side[1].gone)) {
		bool idle = true;

		for (i = 0; i < 2 && !rc; i++) {
			if (tracer.side[i].gone || waitpid(pid[i], status, WNOHANG | __WALL) != pid[i])
				continue;
			idle = false;
			*failed = i;
			rc = handle_event(&tracer, i, *status);
			if (tracer.side[i].gone)
				pid[i] = 0;
		}
		pass_on(&tracer);
		if (!rc && ticks_monotonic_ns() > deadline_ns)
			rc = -ETIMEDOUT;
		if (idle)
			nanosleep(&pause, NULL);
	}
	*syscalls = tracer.syscalls;
	return rc;
}
