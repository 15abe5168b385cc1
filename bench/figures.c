// SPDX-License-Identifier: Apache-2.0
/*
 * From what a run left behind to the figures of a row. Nothing is made up here: what was not measured is NAN, and
 * null in the JSON.
 */
#include "figures.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
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

/* The same without what keeping to the schedule cost. */
static double per_message_less(uint64_t a, uint64_t b, double pacing, uint64_t messages)
{
	return fmax(per_message(a, b, messages) - pacing / messages, 0);
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

	if (!ticks_clock.instructions || row->plan.workload->paced || row->cpu_ns_per_msg * row->msgs_per_s < 0.9e9)
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

static void set_memory(struct row *row, const struct run *run)
{
	const struct memory_use *a = &run->side[0].memory, *b = &run->side[1].memory;
	uint64_t count = row->plan.count;

	row->shared_bytes = row->private_bytes = row->system_bytes = NAN;
	if (!row->plan.workload->whole)
		return;
	row->shared_bytes = per_message(a->shared_bytes, b->shared_bytes, count);
	row->private_bytes = per_message(a->private_bytes, b->private_bytes, count);
	row->system_bytes = per_message(a->system_bytes, 0, count);
}

/* The mean of what was sent while it was measured. */
static double mean_bytes(const struct plan *plan)
{
	uint64_t first = plan->warmup / plan->streams, count = plan->count / plan->streams, number, stream;
	double sum = 0;

	if (!plan->mix)
		return plan->size;
	for (stream = 0; stream < plan->streams; stream++)
		for (number = first; number < first + count; number++)
			sum += mix_size(plan->mix, number + (stream << 40));
	return sum / (count * plan->streams);
}

bool row_fell_behind(const struct row *row)
{
	return row->msgs_per_s < 0.95 * row->offered_per_s;
}

/* Of a schedule: how many messages were due, how many got through, and was the sender there in time? */
static void set_schedule(struct row *row, const struct run *run)
{
	const struct pacing *timed = &run->side[row->plan.workload->timed_side].pacing, *sender = &run->side[0].pacing;

	row->offered_per_s = row->late_p50_ns = row->late_p99_ns = NAN;
	if (!row->plan.workload->paced)
		return;
	row->offered_per_s = row->plan.count / ticks_to_ns(timed->offered_ticks) * 1e9;
	row->msgs_per_s = fmin(row->plan.count / ticks_to_ns(timed->done_ticks) * 1e9, row->offered_per_s);
	row->late_p50_ns = quantile_ns(&sender->late, 0.5, 1);
	row->late_p99_ns = quantile_ns(&sender->late, 0.99, 100);
	row->typical_ns = NAN;
}

static void set_switches(struct row *row, const struct run *run)
{
	const struct probe_result *a = &run->side[0].spent, *b = &run->side[1].spent;
	uint64_t sleeps = run->side[0].pacing.sleeps, count = row->plan.count;

	row->voluntary_per_msg = per_message_less(a->voluntary, b->voluntary, sleeps, count);
	row->involuntary_per_msg = per_message(a->switches - a->voluntary, b->switches - b->voluntary, count);
	row->switches_per_msg = row->voluntary_per_msg + row->involuntary_per_msg;
	row->wakes_per_msg = per_message(a->counts.wakes, b->counts.wakes, count);
	if (isnan(row->wakes_per_msg))
		row->wakes_per_msg = row->voluntary_per_msg;
}

void figures_from_run(struct row *row, const struct run *run)
{
	const struct worker_result *timed = &run->side[row->plan.workload->timed_side];
	const struct probe_result *a = &run->side[0].spent, *b = &run->side[1].spent;
	const struct histogram *h = &timed->latency;
	double seconds = ticks_to_ns(timed->spent.ticks) / 1e9;
	uint64_t count = row->plan.count;

	row->p50_ns = row->p50_low_ns = row->p50_high_ns = quantile_ns(h, 0.5, 1);
	row->p90_ns = quantile_ns(h, 0.9, 10);
	row->p99_ns = quantile_ns(h, 0.99, 100);
	row->p999_ns = quantile_ns(h, 0.999, 1000);
	row->max_ns = h->count ? ticks_to_ns(h->max) : NAN;
	row->mean_ns = h->count ? ticks_to_ns(histogram_mean(h)) : NAN;
	row->msgs_per_s = seconds > 0 && !row->plan.workload->whole ? count / seconds : NAN;
	row->typical_ns = row->plan.workload->whole ? NAN : figures_typical_ns(&row->plan, run) / count;
	set_schedule(row, run);
	row->bytes_per_s = row->msgs_per_s * mean_bytes(&row->plan) * row->plan.workload->transfers;
	row->syscalls_per_msg = per_message(a->counts.syscalls, b->counts.syscalls, count);
	row->syscalls_by = isnan(row->syscalls_per_msg) ? NULL : "transport";
	set_switches(row, run);
	row->cpu_ns_per_msg =
		per_message_less(a->cpu_ns, b->cpu_ns, run->side[0].pacing.cpu_ns, count);
	row->faults_per_msg = per_message(a->faults, b->faults, count);
	set_memory(row, run);
	row->instructions_per_msg = clocked_instructions(row, run);
	row->rings_per_sleep = rings_per_sleep(&run->side[0].total, &run->side[1].total);
	row->latency_parts = histogram_fold(h, row->latency, ROW_PARTS);
	row->repeats = 1;
}

void figures_set_counted(struct row *row, const struct plan *plan, const struct run *run, enum probe_mode mode)
{
	const struct probe_result *a = &run->side[0].spent, *b = &run->side[1].spent;
	const uint64_t pacing = run->side[0].pacing.syscalls;

	if (mode == PROBE_INSTRUCTIONS) {
		row->instructions_per_msg = per_message(a->instructions, b->instructions, plan->count);
		return;
	}
	if (mode == PROBE_PTRACE)
		row->syscalls_per_msg = per_message_less(run->traced_syscalls, 0, pacing, plan->count);
	else
		row->syscalls_per_msg = per_message_less(a->syscalls, b->syscalls, pacing, plan->count);
	row->syscalls_by = isnan(row->syscalls_per_msg) ? NULL : mode == PROBE_PTRACE ? "ptrace" : "tracepoint";
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* What a message took: its latency where that is not queueing, else its share of the median part of the run. */
static double message_time(const struct row *row)
{
	const struct workload *workload = row->plan.workload;

	return (workload->alternating || workload->paced) && !isnan(row->p50_ns) ? row->p50_ns : row->typical_ns;
}

void figures_compare(struct row *row, const struct row *base, const struct row *mine, const struct row *theirs,
		     unsigned int count)
{
	double ratio[ROW_TURNS];
	unsigned int i, n = 0;

	row->against.base = NULL;
	for (i = 0; i < count && i < ROW_TURNS; i++) {
		ratio[n] = message_time(&mine[i]) / message_time(&theirs[i]);
		n += isfinite(ratio[n]);
	}
	if (!n)
		return;
	qsort(ratio, n, sizeof(ratio[0]), compare_doubles);
	row->against = (struct against){ base, ratio[n / 2], ratio[n / 4], ratio[n - 1 - n / 4] };
}

static int compare_rows(const void *a, const void *b)
{
	double x = message_time(a), y = message_time(b);

	return x < y ? -1 : x > y;
}

void figures_median(struct row *median, struct row *rows, unsigned int count)
{
	struct against against = median->against;
	double runs[ROW_TURNS];
	unsigned int i;

	for (i = 0; i < count; i++)
		runs[i] = message_time(&rows[i]);
	qsort(rows, count, sizeof(rows[0]), compare_rows);
	*median = rows[count / 2];
	median->against = against;
	median->repeats = count;
	memcpy(median->runs_ns, runs, count * sizeof(runs[0]));
	median->low_ns = message_time(&rows[count / 4]);
	median->high_ns = message_time(&rows[count - 1 - count / 4]);
	for (i = 0; i < count; i++) {
		median->p50_low_ns = fmin(median->p50_low_ns, rows[i].p50_ns);
		median->p50_high_ns = fmax(median->p50_high_ns, rows[i].p50_ns);
	}
}

bool row_is_noisy(const struct row *row)
{
	return row->repeats > 1 && row->high_ns > 1.25 * row->low_ns;
}

const char *row_sync(const struct row *row)
{
	if (row->plan.transport->flags & TRANSPORT_SYNC)
		return sync_name(row->plan.sync);
	return row->plan.transport->flags & TRANSPORT_SPINS ? "polling" : "blocking";
}

const char *row_label(char *out, const struct row *row)
{
	const struct transport *transport = row->plan.transport;
	bool stream = transport->level && !strcmp(transport->level, "stream");

	snprintf(out, LABEL_SIZE, "%s%s%s", transport->name, stream ? " stream" : "",
		 stream && !strcmp(transport->api, "place") ? " place" : "");
	return out;
}

const char *row_size(char *out, const struct row *row)
{
	const struct plan *plan = &row->plan;
	char mean[FORMAT_SIZE];

	if (!plan->mix)
		return format_size(out, plan->size);
	snprintf(out, FORMAT_SIZE, "mix~%s", format_rate(mean, mix_mean(plan->mix)));
	return out;
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

static struct json_t *against_to_json(const struct against *against)
{
	char label[LABEL_SIZE];

	return json_pack("{s:s, s:s, s:f, s:f, s:f}", "transport", row_label(label, against->base), "sync",
			 row_sync(against->base), "ratio", against->ratio, "low", against->low, "high", against->high);
}

static struct json_t *runs_to_json(const struct row *row)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < row->repeats; i++)
		json_array_append_new(list, number(row->runs_ns[i]));
	return list;
}

static struct json_t *latency_to_json(const struct row *row)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < row->latency_parts; i++)
		json_array_append_new(list, json_pack("[f, I]", ticks_to_ns(row->latency[i].upper),
						      (json_int_t)row->latency[i].count));
	return list;
}

/* What else was asked for. */
static void add_conditions(struct json_t *j, const struct row *row)
{
	const struct plan *plan = &row->plan;

	json_object_set_new(j, "mix", plan->mix ? json_string(plan->mix->name) : json_null());
	json_object_set_new(j, "sessions", json_integer(plan->sessions));
	json_object_set_new(j, "load", json_integer(row->load));
	json_object_set_new(j, "burst", plan->burst ? json_integer(plan->burst) : json_null());
	json_object_set_new(j, "arrivals",
			    plan->workload->paced ? json_string(plan->poisson ? "poisson" : "uniform") : json_null());
}

struct json_t *row_to_json(const struct row *row)
{
	const struct plan *plan = &row->plan;
	const struct workload *workload = plan->workload;
	double size = plan->mix ? mix_mean(plan->mix) : plan->size;
	json_t *j = json_pack("{s:s, s:s, s:s?, s:s?, s:I, s:s, s:s, s:s, s:i, s:i, s:[i, i], s:I, s:b, s:i}",
			      "workload", plan->workload->name, "transport", plan->transport->name,
			      "level", plan->transport->level, "api", plan->transport->api,
			      "size", (json_int_t)(size + 0.5), "sync", row_sync(row),
			      "cpus", row_cpus(row), "touch", plan->touch ? "all" : "none", "batch", (int)plan->batch,
			      "streams", (int)plan->streams, "threads", (int)plan->threads[0], (int)plan->threads[1],
			      "count", (json_int_t)plan->count, "busy", row->load >= load_all(), "repeats", (int)row->repeats);
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
		{ "typical_ns", row->typical_ns },
		{ "low_ns", row->low_ns },
		{ "high_ns", row->high_ns },
		{ "syscalls_per_msg", row->syscalls_per_msg },
		{ "switches_per_msg", row->switches_per_msg },
		{ "wakes_per_msg", row->wakes_per_msg },
		{ "cpu_ns_per_msg", row->cpu_ns_per_msg },
		{ "instructions_per_msg", row->instructions_per_msg },
		{ "faults_per_msg", row->faults_per_msg },
		{ "rings_per_sleep", row->rings_per_sleep },
		{ "shared_bytes", row->shared_bytes },
		{ "private_bytes", row->private_bytes },
		{ "system_bytes", row->system_bytes },
		{ "p90_ns", row->p90_ns },
		{ "max_ns", row->max_ns },
		{ "voluntary_per_msg", row->voluntary_per_msg },
		{ "involuntary_per_msg", row->involuntary_per_msg },
		{ "rate_per_s", workload->paced && !workload->bursts ? plan->rate : NAN },
		{ "interval_ns", workload->bursts ? plan->burst / plan->rate * 1e9 : NAN },
		{ "offered_per_s", row->offered_per_s },
		{ "late_p50_ns", row->late_p50_ns },
		{ "late_p99_ns", row->late_p99_ns },
	};
	unsigned int i;

	for (i = 0; j && i < sizeof(figures) / sizeof(figures[0]); i++)
		json_object_set_new(j, figures[i].name, number(figures[i].value));
	if (j) {
		json_object_set_new(j, "runs_ns", runs_to_json(row));
		json_object_set_new(j, "histogram", latency_to_json(row));
	}
	if (j && row->against.base)
		json_object_set_new(j, "against", against_to_json(&row->against));
	if (j)
		add_conditions(j, row);
	if (j)
		json_object_set_new(j, "syscalls_by", row->syscalls_by ? json_string(row->syscalls_by) : json_null());
	return j;
}
