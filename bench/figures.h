/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include "run.h"

struct json_t;

/* How a row stands against another one: the time a message takes here / there. */
struct against {
	const struct row *base;  /* NULL: nothing to compare with */
	double ratio, low, high; /* of the turns: the median, and the quarters beyond which the rest lies */
};

#define ROW_TURNS 99
#define ROW_PARTS 128

/* One line of the report: what was run, and what came out. NAN where something was not measured. */
struct row {
	struct plan plan;
	unsigned int load;    /* processes of other work beside it */
	unsigned int repeats; /* this row is the median one of so many */
	double p50_ns, p99_ns, p999_ns, mean_ns;
	double p50_low_ns, p50_high_ns; /* over the repeats */
	double runs_ns[ROW_TURNS];      /* the time of a message in each turn, in their order */
	double low_ns, high_ns;         /* of those: the quarters beyond which the rest lies */
	struct histogram_part latency[ROW_PARTS]; /* in ticks */
	unsigned int latency_parts;
	double msgs_per_s, bytes_per_s;
	double typical_ns; /* a message's share of the median of the parts that the run was cut into */
	double syscalls_per_msg, switches_per_msg, wakes_per_msg, cpu_ns_per_msg, instructions_per_msg;
	double faults_per_msg;
	double shared_bytes, private_bytes, system_bytes; /* of an idle connection, both sides */
	double rings_per_sleep;  /* NAN too when nobody slept */
	double p90_ns, max_ns;
	double voluntary_per_msg, involuntary_per_msg; /* context switches */
	double offered_per_s;             /* what was due by the schedule; NAN without one */
	double late_p50_ns, late_p99_ns;  /* of the sender itself */
	struct against against;
	const char *syscalls_by; /* who counted them: "tracepoint", "ptrace", "transport"; NULL: nobody */
};

/*
 * The figures of a timed run of @row->plan. What is counted in runs of its own is there only as far as the clock or the
 * transport knows it.
 */
void figures_from_run(struct row *row, const struct run *run);

/* Do the turns of @row differ so much that its figures say little? Never where there was one turn only. */
bool row_is_noisy(const struct row *row);

/* How long the measured part of a run would have taken without disturbances. */
double figures_typical_ns(const struct plan *plan, const struct run *run);

/* Was less done than was due? Then latencies say how long the run was. */
bool row_fell_behind(const struct row *row);

/* Sets what a run in @mode, another one than PROBE_TIME, counted; its @plan may be shorter than the row's. */
void figures_set_counted(struct row *row, const struct plan *plan, const struct run *run, enum probe_mode mode);

/* Of @count rows of the same plan, in order of their turns, the median one: by p50, or by typical_ns where the sides do not take turns. */
void figures_median(struct row *median, struct row *rows, unsigned int count);

/*
 * Sets how @row stands against @base: both were run @count times, in turns, @mine and @theirs being the runs in their
 * order. A ratio is taken within each turn, so that what slows down a whole turn is not in it.
 */
void figures_compare(struct row *row, const struct row *base, const struct row *mine, const struct row *theirs,
		     unsigned int count);

/* The words under which a row's sync mode and processors are reported. */
const char *row_sync(const struct row *row);

#define LABEL_SIZE 48

/* What was measured: "uds", "memfd", "memfd stream", "memfd stream place". Returns @out, of LABEL_SIZE bytes. */
const char *row_label(char *out, const struct row *row);
const char *row_cpus(const struct row *row);

/* The size of the messages, "mix~3.6k" where they have several. Returns @out, of FORMAT_SIZE bytes. */
const char *row_size(char *out, const struct row *row);

/* A new object for the report's "rows"; the caller owns it. */
struct json_t *row_to_json(const struct row *row);

#endif
