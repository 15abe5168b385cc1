// SPDX-License-Identifier: Apache-2.0
/*
 * From what a run left behind to the figures of a row. Nothing is made up here: what was not measured is NAN, and
 * null in the JSON.
 */
#include "figures.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ticks.h"

/* A quantile needs enough samples beyond it to mean something. */
static double quantile_ns(const struct histogram *h, double share, uint64_t at_least)
{
	return h->count >= at_least ? ticks_to_ns(histogram_quantile(h, share)) : NAN;
}

/* The sum of what both sides counted, per message; NAN if one of them could not. */
static double per_message(uint64_t a, uint64_t b, uint64_t messages)
{
	if (a == COUNT_UNKNOWN || b == COUNT_UNKNOWN)
		return NAN;
	return (double)(a + b) / messages;
}

static int compare_ticks(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Ticks a message took in the median part of the run; NAN where there were too few for parts. */
static double median_part(const struct worker_result *timed)
{
	uint64_t parts[WORKER_PARTS];

	if (!timed->part_count)
		return NAN;
	memcpy(parts, timed->part_ticks, sizeof(parts));
	qsort(parts, WORKER_PARTS, sizeof(parts[0]), compare_ticks);
	return (double)parts[WORKER_PARTS / 2] / timed->part_count;
}

double figures_typical_ns(const struct plan *plan, const struct run *run)
{
	const struct worker_result *timed = &run->side[plan->workload->timed_side];
	double part = median_part(timed);

	return ticks_to_ns(isnan(part) ? timed->spent.ticks : part * plan->count);
}

/*
 * With the instruction clock on one processor, ticks are the instructions of both sides and the kernel. Medians,
 * because a timer interrupt, and on newer kernels a jump of the clock, spoils a total.
 * The clock jumps over idle time too, so where the processor was not busy throughout nothing is known.
 */
static double clocked_instructions(const struct row *row, const struct run *run)
{
	const struct worker_result *timed = &run->side[row->plan.workload->timed_side];

	if (!ticks_clock.instructions || row->cpu_ns_per_msg * row->msgs_per_s < 0.9e9)
		return NAN;
	if (!row->plan.workload->alternating)
		return median_part(timed);
	return timed->latency.count ? histogram_quantile(&timed->latency, 0.5) : NAN;
}

/* Of a whole run: a ring and the sleep that it ends may lie on different sides of where measuring begins. */
static double rings_per_sleep(const struct counts *a, const struct counts *b)
{
	if (a->rings == COUNT_UNKNOWN || b->rings == COUNT_UNKNOWN || a->sleeps == COUNT_UNKNOWN ||
	    b->sleeps == COUNT_UNKNOWN || a->sleeps + b->sleeps == 0)
		return NAN;
	return (double)(a->rings + b->rings) / (a->sleeps + b->sleeps);
}

void figures_from_run(struct row *row, const struct run *run)
{
	const struct worker_result *timed = &run->side[row->plan.workload->timed_side];
	const struct probe_result *a = &run->side[0].spent, *b = &run->side[1].spent;
	const struct histogram *h = &timed->latency;
	double seconds = ticks_to_ns(timed->spent.ticks) / 1e9;
	uint64_t count = row->plan.count;

	row->p50_ns = row->p50_low_ns = row->p50_high_ns = quantile_ns(h, 0.5, 1);
	row->p99_ns = quantile_ns(h, 0.99, 100);
	row->p999_ns = quantile_ns(h, 0.999, 1000);
	row->mean_ns = h->count ? ticks_to_ns(histogram_mean(h)) : NAN;
	row->msgs_per_s = seconds > 0 ? count / seconds : NAN;
	row->bytes_per_s = row->msgs_per_s * row->plan.size * row->plan.workload->transfers;
	row->syscalls_per_msg = per_message(a->counts.syscalls, b->counts.syscalls, count);
	row->syscalls_by = isnan(row->syscalls_per_msg) ? NULL : "transport";
	row->switches_per_msg = per_message(a->switches, b->switches, count);
	row->wakes_per_msg = per_message(a->counts.wakes, b->counts.wakes, count);
	if (isnan(row->wakes_per_msg))
		row->wakes_per_msg = per_message(a->voluntary, b->voluntary, count);
	row->cpu_ns_per_msg = per_message(a->cpu_ns, b->cpu_ns, count);
	row->instructions_per_msg = clocked_instructions(row, run);
	row->rings_per_sleep = rings_per_sleep(&run->side[0].total, &run->side[1].total);
	row->repeats = 1;
}

void figures_set_counted(struct row *row, const struct plan *plan, const struct run *run, enum probe_mode mode)
{
	const struct probe_result *a = &run->side[0].spent, *b = &run->side[1].spent;

	if (mode == PROBE_INSTRUCTIONS) {
		row->instructions_per_msg = per_message(a->instructions, b->instructions, plan->count);
		return;
	}
	row->syscalls_per_msg = mode == PROBE_PTRACE ? (double)run->traced_syscalls / plan->count
						     : per_message(a->syscalls, b->syscalls, plan->count);
	row->syscalls_by = isnan(row->syscalls_per_msg) ? NULL : mode == PROBE_PTRACE ? "ptrace" : "tracepoint";
}

static double rank(const struct row *row)
{
	return isnan(row->p50_ns) || !row->plan.workload->alternating ? -row->msgs_per_s : row->p50_ns;
}

static int compare_rows(const void *a, const void *b)
{
	double x = rank(a), y = rank(b);

	return x < y ? -1 : x > y;
}

void figures_median(struct row *median, struct row *rows, unsigned int count)
{
	unsigned int i;

	qsort(rows, count, sizeof(rows[0]), compare_rows);
	*median = rows[count / 2];
	median->repeats = count;
	for (i = 0; i < count; i++) {
		median->p50_low_ns = fmin(median->p50_low_ns, rows[i].p50_ns);
		median->p50_high_ns = fmax(median->p50_high_ns, rows[i].p50_ns);
	}
}

const char *row_sync(const struct row *row)
{
	if (row->plan.transport->flags & TRANSPORT_SYNC)
		return sync_name(row->plan.sync);
	return row->plan.transport->flags & TRANSPORT_SPINS ? "polling" : "blocking";
}

const char *row_cpus(const struct row *row)
{
	if (row->plan.cpu[0] < 0)
		return "free";
	return row->plan.same_cpu ? "same" : "different";
}

static struct json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

struct json_t *row_to_json(const struct row *row)
{
	const struct plan *plan = &row->plan;
	json_t *j = json_pack("{s:s, s:s, s:s?, s:I, s:s, s:s, s:s, s:i, s:I, s:b, s:i}",
			      "workload", plan->workload->name, "transport", plan->transport->name,
			      "level", plan->transport->level, "size", (json_int_t)plan->size, "sync", row_sync(row),
			      "cpus", row_cpus(row), "touch", plan->touch ? "all" : "none", "batch", (int)plan->batch,
			      "count", (json_int_t)plan->count, "busy", row->busy, "repeats", (int)row->repeats);
	const struct {
		const char *name;
		double value;
	} figures[] = {
		{ "p50_ns", row->p50_ns },
		{ "p50_low_ns", row->p50_low_ns },
		{ "p50_high_ns", row->p50_high_ns },
		{ "p99_ns", row->p99_ns },
		{ "p999_ns", row->p999_ns },
		{ "mean_ns", row->mean_ns },
		{ "msgs_per_s", row->msgs_per_s },
		{ "bytes_per_s", row->bytes_per_s },
		{ "syscalls_per_msg", row->syscalls_per_msg },
		{ "switches_per_msg", row->switches_per_msg },
		{ "wakes_per_msg", row->wakes_per_msg },
		{ "cpu_ns_per_msg", row->cpu_ns_per_msg },
		{ "instructions_per_msg", row->instructions_per_msg },
		{ "rings_per_sleep", row->rings_per_sleep },
	};
	unsigned int i;

	for (i = 0; j && i < sizeof(figures) / sizeof(figures[0]); i++)
		json_object_set_new(j, figures[i].name, number(figures[i].value));
	if (j)
		json_object_set_new(j, "syscalls_by", row->syscalls_by ? json_string(row->syscalls_by) : json_null());
	return j;
}
