// SPDX-License-Identifier: Apache-2.0
/* The table on the terminal and the JSON file. */
#include "report.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "format.h"
#include "results.h"

#define CELL FORMAT_SIZE

/* The columns of a table of connections that are not in use. */
static void print_idle_head(FILE *out)
{
	fprintf(out, "\n%-10s %-22s %-9s %11s %9s %9s %9s %9s %9s\n", "workload", "transport", "sync", "connections",
		"shared", "private", "system", "cpu/s", "csw/s");
}

static void print_idle_row(FILE *out, const struct row *row)
{
	const double all = row->plan.count;
	char c[5][CELL], label[LABEL_SIZE];

	fprintf(out, "%-10s %-22s %-9s %11llu %9s %9s %9s %9s %9s\n", row->plan.workload->name, row_label(label, row),
		row_sync(row), (unsigned long long)row->plan.count, format_bytes(c[0], row->shared_bytes),
		format_bytes(c[1], row->private_bytes), format_bytes(c[2], row->system_bytes),
		format_time(c[3], row->cpu_ns_per_msg * all), format_count(c[4], row->switches_per_msg * all));
}

/* The columns of messages that are due by a schedule. */
static void print_paced_head(FILE *out)
{
	fprintf(out, " %8s %8s %7s %7s %7s %7s %7s %7s %7s %7s %7s\n", "offered", "achieved", "p50", "p99", "p99.9",
		"max", "late99", "sys/m", "csw/m", "wake/m", "cpu/m");
}

static void print_paced_row(FILE *out, const struct row *row)
{
	char c[11][CELL];

	fprintf(out, " %8s %7s%s %7s %7s %7s %7s %7s %7s %7s %7s %7s", format_rate(c[0], row->offered_per_s),
		format_rate(c[1], row->msgs_per_s), row_fell_behind(row) ? "!" : " ", format_time(c[2], row->p50_ns),
		format_time(c[3], row->p99_ns), format_time(c[4], row->p999_ns), format_time(c[5], row->max_ns),
		format_time(c[6], row->late_p99_ns), format_count(c[7], row->syscalls_per_msg),
		format_count(c[8], row->switches_per_msg), format_count(c[9], row->wakes_per_msg),
		format_time(c[10], row->cpu_ns_per_msg));
}

void report_head(FILE *out, const struct workload *workload)
{
	if (workload->whole) {
		print_idle_head(out);
		return;
	}
	fprintf(out, "\n%-10s %-22s %-9s %8s %5s %-9s %4s", "workload", "transport", "sync", "size", "touch", "cpus",
		"load");
	if (workload->paced)
		print_paced_head(out);
	else
		fprintf(out, " %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %9s\n", "p50", "p99", "p99.9", "mean",
			"typ", "msgs/s", "bytes/s", "sys/m", "csw/m", "wake/m", "flt/m", "cpu/m", "instr/m");
}

/* What was run, and under which conditions. */
static void print_conditions(FILE *out, const struct row *row)
{
	char size[CELL], label[LABEL_SIZE];

	fprintf(out, "%-10s %-22s %-9s %8s %5s %-9s %4u", row->plan.workload->name, row_label(label, row),
		row_sync(row), row_size(size, row), row->plan.touch ? "all" : "none", row_cpus(row), row->load);
}

static void print_figures(FILE *out, const struct row *row)
{
	char instructions[CELL] = "-";
	char c[12][CELL];

	if (isfinite(row->instructions_per_msg))
		snprintf(instructions, sizeof(instructions), "%.0f", row->instructions_per_msg);
	fprintf(out, " %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %9s", format_time(c[0], row->p50_ns),
		format_time(c[1], row->p99_ns), format_time(c[2], row->p999_ns), format_time(c[3], row->mean_ns),
		format_time(c[11], row->typical_ns), format_rate(c[4], row->msgs_per_s),
		format_rate(c[5], row->bytes_per_s), format_count(c[6], row->syscalls_per_msg),
		format_count(c[7], row->switches_per_msg), format_count(c[8], row->wakes_per_msg),
		format_count(c[9], row->faults_per_msg), format_time(c[10], row->cpu_ns_per_msg), instructions);
}

static void print_row(FILE *out, const struct row *row)
{
	char c[2][CELL];

	print_conditions(out, row);
	if (row->plan.workload->paced)
		print_paced_row(out, row);
	else
		print_figures(out, row);
	if (row_is_noisy(row))
		fprintf(out, "  ~ %s to %s", format_time(c[0], row->low_ns), format_time(c[1], row->high_ns));
	fputc('\n', out);
}

void report_row(FILE *out, const struct row *row)
{
	if (row->plan.workload->whole)
		print_idle_row(out, row);
	else
		print_row(out, row);
	fflush(out);
}

static void print_against(FILE *out, const struct row *row)
{
	const struct against *a = &row->against;
	char label[LABEL_SIZE], base[LABEL_SIZE], size[CELL], rate[CELL];
	const bool faster = a->ratio < 1;

	fprintf(out, "%-22s %-9s %5s", row_label(label, row), row_sync(row), row_size(size, row));
	if (!row->plan.touch)
		fprintf(out, " untouched");
	if (row->plan.workload->paced)
		fprintf(out, " at %s/s", format_rate(rate, row->plan.rate));
	if (row->load)
		fprintf(out, " load %u", row->load);
	fprintf(out, " / %s, %s: %.4g", row_label(base, a->base), row_sync(a->base), a->ratio);
	if (row->repeats > 1)
		fprintf(out, " (%.4g to %.4g)", a->low, a->high);
	fprintf(out, ", %.3g times %s", faster ? 1 / a->ratio : a->ratio, faster ? "faster" : "the time");
	if (row->repeats > 1 && a->low <= 1 && a->high >= 1)
		fprintf(out, "; NOTE: the difference is smaller than the noise");
	fprintf(out, "\n");
}

void report_against(FILE *out, const struct row *rows, unsigned int count)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!rows[i].against.base)
			continue;
		if (!any)
			fprintf(out, "\nTime of a message here / there%s:\n",
				rows[i].repeats > 1 ? ", median of the turns (and the middle half of them)" : "");
		any = true;
		print_against(out, &rows[i]);
	}
}

static void print_idle_legend(FILE *out)
{
	fprintf(out,
		"\nOf one connection, both sides together: shared memory as the transport counts it, private memory of the\n"
		"processes, memory that the system has available less, the kernel's included. Of all: processor time\n"
		"and context switches in a second in which nothing happens.\n");
}

/* How times are meant. */
static void print_time_legend(FILE *out, const struct plan *plan)
{
	if (!plan->workload->alternating)
		fprintf(out, "Published in groups of %u. ", plan->batch);
	if (plan->workload->bursts)
		fprintf(out,
			"Bursts of %u. Latency is from when a burst was due until a message of it has been read.\n",
			plan->burst);
	else if (plan->workload->paced)
		fprintf(out, "Latency is from when a request was due, however late it left.\n");
	else if (!plan->workload->alternating)
		fprintf(out, "Latency is from writing a message to receiving it, queueing included.\n");
	if (!plan->workload->paced)
		fprintf(out, "typ: a message's share of the median of the parts that a run is cut into.\n");
	else
		fprintf(out,
			"late99: how late the sender itself was, having waited for nothing but the time. What waiting for it\n"
			"cost is in none of the figures.\n");
}

static void print_behind(FILE *out, const struct row *rows, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count && !row_fell_behind(&rows[i]); i++)
		;
	if (i < count)
		fprintf(out,
			"NOTE: rows with ! fell behind: less was done than was due, so their latencies only say how long the\n"
			"run was.\n");
}

/* A mix is described once. */
static void print_mixes(FILE *out, const struct row *rows, unsigned int count)
{
	const struct mix *mix;
	unsigned int i, k;

	for (i = 0; i < count; i++) {
		mix = rows[i].plan.mix;
		if (!mix || (i && mix == rows[i - 1].plan.mix))
			continue;
		fprintf(out, "mix %s:", mix->name);
		for (k = 0; k < mix->count; k++)
			fprintf(out, " %zu=%u", mix->size[k], mix->until[k] - (k ? mix->until[k - 1] : 0));
		fprintf(out, "; %.0f bytes on average.\n", mix_mean(mix));
	}
}

void report_legend(FILE *out, const struct row *rows, unsigned int count)
{
	const struct plan *plan = &rows[0].plan;
	char label[LABEL_SIZE], size[CELL];
	unsigned int i;

	if (plan->workload->whole) {
		print_idle_legend(out);
		return;
	}
	fprintf(out,
		"\nPer message (/m), both sides together: system calls, context switches, wake-ups, page faults, processor time%s.\n",
		plan->workload->transfers == 2 ? "; a message is one round trip, bytes/s counts both ways" : "");
	fprintf(out,
		"touch: every byte was written, read and checked (all), or the payload neither written nor read (none).\n");
	fprintf(out, "load: processes of other work, at normal priority.\n");
	if (plan->streams > 1)
		fprintf(out, "%u conversations, of %u threads at the sending side and %u at the other.\n",
			plan->streams, plan->threads[0], plan->threads[1]);
	if (plan->sessions > 1)
		fprintf(out, "They are spread over %u sessions; sockets have a connection for each.\n", plan->sessions);
	print_time_legend(out, plan);
	print_behind(out, rows, count);
	print_mixes(out, rows, count);
	if (rows[0].repeats > 1)
		fprintf(out, "Each row is the median one of %u interleaved runs.\n", rows[0].repeats);
	for (i = 0; i < count && !row_is_noisy(&rows[i]); i++)
		;
	if (i < count)
		fprintf(out, "NOTE: rows with ~ are noisy: the middle half of their turns is farther apart than 25 %%.\n");
	/* Where sides take turns there is nothing to save: each sleep needs its ring. */
	for (i = 0; i < count; i++)
		if (rows[i].rings_per_sleep > (plan->workload->alternating ? 1 : 0))
			fprintf(out, "%s, %s, %s bytes: %.3f rings per sleep\n", row_label(label, &rows[i]),
				row_sync(&rows[i]), row_size(size, &rows[i]), rows[i].rings_per_sleep);
}

int report_json(const char *path, const char *command, const struct host *host, const struct row *rows,
		unsigned int count)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < count; i++)
		json_array_append_new(list, row_to_json(&rows[i]));
	return results_write(path, command, host, list);
}
