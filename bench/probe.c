// SPDX-License-Identifier: Apache-2.0
/*
 * What a side costs: processor time, context switches, instructions, system calls. Each side measures itself around
 * the measured messages only, so that set-up, warm-up and the measuring itself are not in the figures.
 */
#include "probe.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ticks.h"

/* The tracepoint's number; tracefs is in one of two places, or not mounted, or not for us. */
static int tracepoint_id(void)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	unsigned int i;
	int id = -1;

	for (i = 0; i < 2 && id < 0; i++) {
		FILE *f = fopen(paths[i], "re");

		if (!f)
			continue;
		if (fscanf(f, "%d", &id) != 1)
			id = -1;
		fclose(f);
	}
	return id;
}

/* A stopped counter of this process and threads to come, in user and kernel mode; -1 where that is not to be had. */
static int open_perf(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = config,
		.disabled = 1,
		.inherit = 1,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* What was counted; unknown when the counter had to share its hardware and saw only a part. */
static uint64_t read_perf(int fd)
{
	uint64_t v[3];

	if (fd < 0 || read(fd, v, sizeof(v)) != sizeof(v) || !v[1] || v[1] != v[2])
		return COUNT_UNKNOWN;
	return v[0];
}

/* The counter that @mode reads, or -1. */
static int open_counter(enum probe_mode mode)
{
	int id;

	if (mode == PROBE_INSTRUCTIONS)
		return open_perf(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	if (mode != PROBE_TRACEPOINT)
		return -1;
	id = tracepoint_id();
	return id < 0 ? -1 : open_perf(PERF_TYPE_TRACEPOINT, id);
}

bool probe_works(enum probe_mode mode)
{
	int fd = open_counter(mode);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void probe_open(struct probe *probe, enum probe_mode mode, struct end *const *ends, unsigned int count)
{
	memset(probe, 0, sizeof(*probe));
	probe->mode = mode;
	probe->ends = ends;
	probe->end_count = count;
	probe->perf_fd = open_counter(mode);
}

void probe_close(struct probe *probe)
{
	if (probe->perf_fd >= 0)
		close(probe->perf_fd);
}

static void forget(struct counts *counts)
{
	counts->syscalls = counts->wakes = counts->rings = counts->sleeps = counts->memory = COUNT_UNKNOWN;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == COUNT_UNKNOWN || b == COUNT_UNKNOWN ? COUNT_UNKNOWN : a + b;
}

static void add_counts(struct counts *to, const struct counts *more)
{
	to->syscalls = sum(to->syscalls, more->syscalls);
	to->wakes = sum(to->wakes, more->wakes);
	to->rings = sum(to->rings, more->rings);
	to->sleeps = sum(to->sleeps, more->sleeps);
	to->memory = sum(to->memory, more->memory);
}

void probe_read_counts(struct end *const *ends, unsigned int count, struct counts *counts)
{
	const struct transport *transport = ends[0]->plan->transport;
	struct counts one;
	unsigned int i;

	if (!transport->count) {
		forget(counts);
	} else {
		memset(counts, 0, sizeof(*counts));
		for (i = 0; i < count; i++) {
			if (ends[i]->connected != ends[i])
				continue;
			forget(&one);
			transport->count(ends[i], &one);
			add_counts(counts, &one);
		}
	}
	if (transport->flags & TRANSPORT_SYSCALLS)
		for (counts->syscalls = i = 0; i < count; i++)
			counts->syscalls += ends[i]->syscalls;
}

static void read_self(struct probe_result *r)
{
	struct rusage usage;
	struct timespec cpu;

	getrusage(RUSAGE_SELF, &usage);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	r->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
	r->voluntary = usage.ru_nvcsw;
	r->switches = usage.ru_nvcsw + usage.ru_nivcsw;
	r->faults = usage.ru_minflt + usage.ru_majflt;
}

static void mark(struct probe *probe, long what)
{
	if (probe->mode == PROBE_PTRACE)
		syscall(SYS_getppid, PROBE_MARK, what);
}

static uint64_t difference(uint64_t end, uint64_t begin)
{
	return end == COUNT_UNKNOWN || begin == COUNT_UNKNOWN ? COUNT_UNKNOWN : end - begin;
}

void probe_begin(struct probe *probe)
{
	probe_read_counts(probe->ends, probe->end_count, &probe->at_begin.counts);
	read_self(&probe->at_begin);
	mark(probe, PROBE_MARK_BEGIN);
	if (probe->perf_fd >= 0)
		ioctl(probe->perf_fd, PERF_EVENT_IOC_ENABLE, 0);
	probe->at_begin.ticks = ticks_now();
}

void probe_end(struct probe *probe, struct probe_result *r)
{
	const struct probe_result *b = &probe->at_begin;
	uint64_t perf;

	r->ticks = ticks_now() - b->ticks;
	if (probe->perf_fd >= 0)
		ioctl(probe->perf_fd, PERF_EVENT_IOC_DISABLE, 0);
	mark(probe, PROBE_MARK_END);
	read_self(r);
	r->cpu_ns -= b->cpu_ns;
	r->switches -= b->switches;
	r->voluntary -= b->voluntary;
	r->faults -= b->faults;
	perf = read_perf(probe->perf_fd);
	r->instructions = probe->mode == PROBE_INSTRUCTIONS ? perf : COUNT_UNKNOWN;
	/* The call that stopped the counter is counted too. */
	r->syscalls = probe->mode == PROBE_TRACEPOINT && perf != COUNT_UNKNOWN ? perf - 1 : COUNT_UNKNOWN;
	probe_read_counts(probe->ends, probe->end_count, &r->counts);
	r->counts.syscalls = difference(r->counts.syscalls, b->counts.syscalls);
	r->counts.wakes = difference(r->counts.wakes, b->counts.wakes);
	r->counts.rings = difference(r->counts.rings, b->counts.rings);
	r->counts.sleeps = difference(r->counts.sleeps, b->counts.sleeps);
}
