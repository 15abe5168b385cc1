// SPDX-License-Identifier: Apache-2.0
/* The table on the terminal and the JSON file. */
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#define CELL FORMAT_SIZE

const char *format_size(char *out, size_t bytes)
{
	if (bytes && bytes % (1u << 20) == 0)
		snprintf(out, CELL, "%zum", bytes >> 20);
	else if (bytes && bytes % 1024 == 0)
		snprintf(out, CELL, "%zuk", bytes >> 10);
	else
		snprintf(out, CELL, "%zu", bytes);
	return out;
}

/* Three digits that count, with one of @units, each 1000 times the one before. */
static const char *format_scaled(char *out, double value, const char *const units[4])
{
	int unit = 0;

	if (!isfinite(value))
		return strcpy(out, "-");
	while (value >= 999.5 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(out, CELL, "%.*f%s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
	return out;
}

static const char *format_time(char *out, double ns)
{
	static const char *const units[4] = { "ns", "us", "ms", "s" };

	return format_scaled(out, ns, units);
}

static const char *format_rate(char *out, double value)
{
	static const char *const units[4] = { "", "k", "M", "G" };

	return format_scaled(out, value, units);
}

static const char *format_count(char *out, double value)
{
	if (!isfinite(value))
		return strcpy(out, "-");
	snprintf(out, CELL, "%.*f", value < 0.0005 ? 0 : value < 0.0995 ? 3 : 2, value);
	return out;
}

void report_head(FILE *out)
{
	fprintf(out, "\n%-9s %-10s %-9s %5s %-9s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %9s\n", "workload", "transport",
		"sync", "size", "cpus", "p50", "p99", "p99.9", "mean", "msgs/s", "bytes/s", "sys/m", "csw/m", "wake/m",
		"cpu/m", "instr/m");
}

void report_row(FILE *out, const struct row *row)
{
	char size[CELL], instructions[CELL] = "-";
	char c[10][CELL];

	if (isfinite(row->instructions_per_msg))
		snprintf(instructions, sizeof(instructions), "%.0f", row->instructions_per_msg);
	fprintf(out, "%-9s %-10s %-9s %5s %-9s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %9s\n",
		row->plan.workload->name, row->plan.transport->name, row_sync(row), format_size(size, row->plan.size),
		row_cpus(row), format_time(c[0], row->p50_ns), format_time(c[1], row->p99_ns),
		format_time(c[2], row->p999_ns), format_time(c[3], row->mean_ns), format_rate(c[4], row->msgs_per_s),
		format_rate(c[5], row->bytes_per_s), format_count(c[6], row->syscalls_per_msg),
		format_count(c[7], row->switches_per_msg), format_count(c[8], row->wakes_per_msg),
		format_time(c[9], row->cpu_ns_per_msg), instructions);
	fflush(out);
}

void report_legend(FILE *out, const struct row *rows, unsigned int count)
{
	const struct plan *plan = &rows[0].plan;
	unsigned int i;

	fprintf(out,
		"\nPer message (/m), both sides together: system calls, context switches, wake-ups, processor time%s. %s\n",
		plan->workload->transfers == 2 ? "; a message is one round trip, bytes/s counts both ways" : "",
		plan->touch ? "Every byte was written, read and checked." : "Payload neither written nor read.");
	if (!plan->workload->alternating)
		fprintf(out, "Published in groups of %u. Latency is from writing a message to receiving it, queueing included.\n",
			plan->batch);
	if (rows[0].busy)
		fprintf(out, "All processors were busy with other work at normal priority.\n");
	if (rows[0].repeats > 1)
		fprintf(out, "Each row is the median one of %u interleaved runs.\n", rows[0].repeats);
	/* Where sides take turns there is nothing to save: each sleep needs its ring. */
	for (i = 0; i < count; i++)
		if (rows[i].rings_per_sleep > (plan->workload->alternating ? 1 : 0))
			fprintf(out, "%s, %s, %zu bytes: %.3f rings per sleep\n", rows[i].plan.transport->name,
				row_sync(&rows[i]), rows[i].plan.size, rows[i].rings_per_sleep);
}

int report_json(const char *path, const struct host *host, const struct row *rows, unsigned int count)
{
	json_t *list = json_array(), *all = json_pack("{s:o, s:o}", "host", host_to_json(host), "rows", list);
	FILE *f = strcmp(path, "-") ? fopen(path, "we") : stdout;
	unsigned int i;
	int rc = 0;

	if (!f) {
		rc = -errno;
		goto err_free;
	}
	for (i = 0; i < count; i++)
		json_array_append_new(list, row_to_json(&rows[i]));
	if (json_dumpf(all, f, JSON_INDENT(1) | JSON_REAL_PRECISION(7)) || fputc('\n', f) == EOF)
		rc = -EIO;
	if (f != stdout ? fclose(f) : fflush(f))
		rc = -errno;
err_free:
	json_decref(all);
	return rc;
}
