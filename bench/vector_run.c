// SPDX-License-Identifier: Apache-2.0
/* One run of `shmipc-bench vector`: its processes, where they run, when they start and end, and what each of them took. */
#include "vector_run.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ticks.h"

#define TIMEOUT_S 120

/* What the processes of a run tell the one that started them. */
struct vector_board {
	_Atomic unsigned int ready;
	int error; /* of any of them */
	struct vector_cost reader_cost, writer_cost[VECTOR_PRODUCERS_MAX];
	uint64_t reader_done, writer_done[VECTOR_PRODUCERS_MAX];
	uint64_t calls[VECTOR_PRODUCERS_MAX];
	struct vector_tally tally;
};

static uint64_t rounds_of(const struct vector_run *run, unsigned int producer)
{
	return run->rounds / run->producers + (producer < run->rounds % run->producers);
}

uint64_t vector_messages(const struct vector_run *run)
{
	return run->rounds * VECTOR_LONGEST;
}

uint64_t vector_bytes(const struct vector_run *run)
{
	return run->rounds * (VECTOR_LONGEST * (VECTOR_LONGEST + 1) / 2);
}

/* The ends of two pipes: what is written there is nothing, that they are closed says it. */
struct gates {
	int start[2], end[2];
};

static void pass_gate(int gate)
{
	char byte;

	while (read(gate, &byte, 1) < 0 && errno == EINTR)
		;
}

/* Say that this process is ready, and wait for the start. */
static void await_start(struct vector_run *run, const struct gates *gates)
{
	atomic_fetch_add(&run->board->ready, 1);
	pass_gate(gates->start[0]);
}

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static struct vector_cost read_cost(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (struct vector_cost){
		.user_s = seconds_of(usage.ru_utime),
		.system_s = seconds_of(usage.ru_stime),
		.faults = (double)(usage.ru_minflt + usage.ru_majflt),
		.switches = (double)(usage.ru_nvcsw + usage.ru_nivcsw),
	};
}

static void add_cost(struct vector_cost *sum, const struct vector_cost *cost, double factor)
{
	sum->user_s += factor * cost->user_s;
	sum->system_s += factor * cost->system_s;
	sum->faults += factor * cost->faults;
	sum->switches += factor * cost->switches;
}

static struct vector_cost cost_since(const struct vector_cost *before)
{
	struct vector_cost cost = read_cost();

	add_cost(&cost, before, -1);
	return cost;
}

/* The reader (producer < 0) on a processor of its own, and the writers on the others; or wherever the kernel has them. */
static int place(const struct vector_run *run, int producer)
{
	cpu_set_t set;

	if (run->reader_cpu < 0)
		return 0;
	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	if (producer < 0) {
		CPU_ZERO(&set);
		CPU_SET(run->reader_cpu, &set);
	} else {
		CPU_CLR(run->reader_cpu, &set);
	}
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int write_all(struct vector_run *run, unsigned int producer, const struct gates *gates)
{
	uint64_t round, rounds = rounds_of(run, producer);
	unsigned char text[VECTOR_LONGEST];
	struct vector_cost before;
	size_t size;
	int r;

	for (size = 0; size < sizeof(text); size++)
		text[size] = (unsigned char)('a' + size % 26);
	r = run->carrier->writer_open(run);
	await_start(run, gates);
	before = read_cost();
	for (round = 0; round < rounds && !r; round++)
		for (size = 1; size <= VECTOR_LONGEST && !r; size++)
			r = run->carrier->write(run, text, size);
	run->board->writer_done[producer] = ticks_monotonic_ns();
	run->board->writer_cost[producer] = cost_since(&before);
	run->board->calls[producer] = run->carrier->writer_calls(run);
	/* That a process ends is not timed: tearing its memory down would take the processors from those that push. */
	if (!r)
		pass_gate(gates->end[0]);
	return r;
}

static int read_all(struct vector_run *run, const struct gates *gates)
{
	struct vector_tally tally = { 0 };
	int r = run->carrier->reader_open(run);
	struct vector_cost before;

	await_start(run, gates);
	before = read_cost();
	while (!r && tally.bytes < vector_bytes(run)) {
		r = run->carrier->read(run, &tally);
		tally.looks++;
		if (run->reader == READER_RESTING)
			usleep(1);
	}
	run->board->reader_done = ticks_monotonic_ns();
	run->board->reader_cost = cost_since(&before);
	run->board->tally = tally;
	return r;
}

/* A nice value counts among the processes of a group; among groups the group's own does, where autogroup makes them. */
static int set_group_nice(int nice)
{
	FILE *file = fopen("/proc/self/autogroup", "w");

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	fprintf(file, "%d\n", nice); /* what is wrong with it close says */
	return fclose(file) ? -errno : 0;
}

static int set_reader_nice(const struct vector_run *run)
{
	if (!run->reader_nice)
		return 0;
	if (setpriority(PRIO_PROCESS, 0, run->reader_nice))
		return -errno;
	return run->own_groups ? set_group_nice(run->reader_nice) : 0;
}

/* Start the reader (producer < 0) or a writer. */
static pid_t start_process(struct vector_run *run, int producer, const struct gates *gates)
{
	pid_t pid = fork();
	int r;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(TIMEOUT_S);
	close(gates->start[1]);
	close(gates->end[1]);
	if (run->own_groups)
		setsid();
	r = place(run, producer);
	if (!r && producer < 0)
		r = set_reader_nice(run);
	if (!r)
		r = producer < 0 ? read_all(run, gates) : write_all(run, (unsigned int)producer, gates);
	if (r)
		run->board->error = r;
	_exit(r ? 1 : 0);
}

static bool await_ready(const struct vector_run *run, unsigned int count)
{
	uint64_t until = ticks_monotonic_ns() + TIMEOUT_S * UINT64_C(1000000000);

	while (atomic_load(&run->board->ready) < count) {
		if (ticks_monotonic_ns() > until || run->board->error)
			return false;
		usleep(1000);
	}
	return true;
}

static void fill_result(const struct vector_run *run, uint64_t began, struct vector_result *result)
{
	const struct vector_board *board = run->board;
	uint64_t last = 0;
	unsigned int i;

	*result = (struct vector_result){ .reader = board->reader_cost };
	for (i = 0; i < run->producers; i++) {
		last = board->writer_done[i] > last ? board->writer_done[i] : last;
		add_cost(&result->writers, &board->writer_cost[i], 1);
		result->calls += board->calls[i] == UINT64_MAX ? NAN : (double)board->calls[i];
	}
	result->writer_s = (double)(last - began) / 1e9;
	result->reader_s = (double)(board->reader_done - began) / 1e9;
	result->looks = (double)board->tally.looks;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Wait for all, the reader before the writers may end; a process that failed takes the others with it. */
static bool reap(const pid_t *pid, unsigned int count, struct gates *gates)
{
	bool good = true;
	unsigned int i, left = count;
	int status;
	pid_t gone;

	while (left) {
		gone = waitpid(-1, &status, 0);
		if (gone < 0 && errno != EINTR)
			return false;
		for (i = 0; i < count && gone > 0; i++)
			left -= pid[i] == gone;
		if (gone == pid[0])
			close_end(&gates->end[1]);
		if (gone <= 0 || (WIFEXITED(status) && !WEXITSTATUS(status)))
			continue;
		for (i = 0; i < count && good; i++)
			kill(pid[i], SIGKILL);
		good = false;
	}
	return good;
}

int vector_execute(struct vector_run *run, struct vector_result *result)
{
	pid_t pid[VECTOR_PRODUCERS_MAX + 1];
	unsigned int count = 0, i;
	struct gates gates;
	uint64_t began = 0;
	bool good;
	int r;

	run->fd[0] = run->fd[1] = -1;
	run->board = mmap(NULL, sizeof(*run->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->board == MAP_FAILED || pipe(gates.start) || pipe(gates.end))
		return -errno;
	r = run->carrier->prepare(run);
	fflush(NULL);
	/* The vector's reader waits for its producers, so that it goes first and is not waited for. */
	for (i = 0; i <= run->producers && !r; i++) {
		pid[i] = start_process(run, (int)i - 1, &gates);
		r = pid[i] < 0 ? -errno : 0;
		count += !r;
	}
	good = !r && await_ready(run, count);
	began = ticks_monotonic_ns();
	for (i = 0; i < count; i++)
		if (!good)
			kill(pid[i], SIGKILL);
	close_end(&gates.start[1]);
	good = reap(pid, count, &gates) && good;
	for (i = 0; i < 2; i++) {
		close_end(&gates.start[i]);
		close_end(&gates.end[i]);
		close_end(&run->fd[i]);
	}
	if (run->carrier->cleanup)
		run->carrier->cleanup(run);
	if (good && (run->board->tally.bytes != vector_bytes(run) ||
		     (run->board->tally.messages && run->board->tally.messages != vector_messages(run))))
		r = -EBADMSG;
	else if (!good)
		r = r ? r : run->board->error ? run->board->error : -ECHILD;
	else
		fill_result(run, began, result);
	munmap(run->board, sizeof(*run->board));
	return r;
}
