// SPDX-License-Identifier: Apache-2.0
/* All rows of a report, each with all that was measured, and the command they come from. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "page.h"

#define NOISY 1.25

const char *page_host(char *out, const struct record_file *file)
{
	int size;

	size = snprintf(out, PAGE_LINE, "%s %s, %s, %u processor%s%s%s%s%s%s", file->kernel, file->machine, file->cpu,
			file->cpus, file->cpus == 1 ? "" : "s", *file->hypervisor ? ", hypervisor " : "",
			file->hypervisor, file->emulated ? ", EMULATED" : "",
			file->instructions ? ", clock counts instructions" : "",
			*file->module ? ", module loaded" : "");
	/* What does not fit must not end within a character. */
	for (size = size < PAGE_LINE ? 0 : PAGE_LINE - 1; size > 0 && out[size - 1] & 0x80; size--)
		out[size - 1] = '\0';
	return out;
}

const struct record *page_next(const struct page *page, const struct record *record)
{
	unsigned int f = record ? record->file - page->file : 0;

	if (record && record + 1 < record->file->record + record->file->count)
		return record + 1;
	for (f += !!record; f < page->files; f++)
		if (page->file[f].count)
			return page->file[f].record;
	return NULL;
}

double page_time(const struct record *record, const char *name)
{
	return record->file->emulated ? NAN : record_figure(record, name);
}

static void add_figure(struct grid *grid, const char *(*format)(char *, double), double value)
{
	char text[FORMAT_SIZE];

	grid_add(grid, "%s", format(text, value));
}

/* The quarters beyond which the turns lie, marked where they are far apart. */
static void add_turns(struct grid *grid, const struct record *record)
{
	const double low = page_time(record, "low_ns"), high = page_time(record, "high_ns");
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	if (record->runs < 2 || !isfinite(low) || !isfinite(high)) {
		grid_add(grid, "-");
		return;
	}
	grid_add(grid, "%s to %s", format_time(a, low), format_time(b, high));
	if (high <= NOISY * low)
		return;
	grid_append(grid, "", ", noisy");
	grid_mark(grid, "noise");
}

static void add_row(struct grid *grid, const struct record *record)
{
	const double instructions = record_figure(record, "instructions_per_msg");
	char text[RECORD_SCENE];

	grid_add(grid, "%s", record_label(text, record));
	grid_add(grid, "%s", record->field[RECORD_WORKLOAD]);
	grid_add(grid, "%s", record_size(record));
	grid_add(grid, "%s", record_scene(text, record, RECORD_BIT(RECORD_WORKLOAD) | RECORD_BIT(RECORD_SIZE)));
	add_figure(grid, format_time, record->file->emulated ? NAN : record->time_ns);
	add_turns(grid, record);
	add_figure(grid, format_time, page_time(record, "p99_ns"));
	add_figure(grid, format_time, page_time(record, "p999_ns"));
	add_figure(grid, format_time, page_time(record, "max_ns"));
	add_figure(grid, format_rate, page_time(record, "msgs_per_s"));
	add_figure(grid, format_rate, page_time(record, "bytes_per_s"));
	add_figure(grid, format_count, record_figure(record, "syscalls_per_msg"));
	add_figure(grid, format_count, record_figure(record, "switches_per_msg"));
	add_figure(grid, format_count, record_figure(record, "wakes_per_msg"));
	add_figure(grid, format_count, record_figure(record, "faults_per_msg"));
	add_figure(grid, format_time, page_time(record, "cpu_ns_per_msg"));
	if (isfinite(instructions))
		grid_add(grid, "%.0f", instructions);
	else
		grid_add(grid, "-");
}

static bool is_idle(const struct record *record)
{
	return !strcmp(record->field[RECORD_WORKLOAD], "idle");
}

static void show_file(struct page *page, const struct record_file *file)
{
	static const char *const head[] = { "what",	"workload", "bytes",  "with",	  "takes",	 "turns",
					    "p99",	"p99.9",    "max",    "msgs/s",	  "bytes/s",	 "calls",
					    "switches", "wakes",    "faults", "CPU time", "instructions" };
	char host[PAGE_LINE];
	struct grid grid;
	unsigned int i;

	document_heading(&page->doc, page_host(host, file));
	if (*file->command)
		document_code(&page->doc, file->command);
	grid_init(&grid, head, sizeof(head) / sizeof(head[0]), 1 << 0 | 1 << 1 | 1 << 3);
	for (i = 0; i < file->count; i++)
		if (!is_idle(&file->record[i]))
			add_row(&grid, &file->record[i]);
	document_grid(&page->doc, &grid);
	grid_free(&grid);
}

void page_rows(struct page *page)
{
	unsigned int f;

	document_section(&page->doc, "rows", "All rows");
	document_text(
		&page->doc,
		"Calls, context switches, wake-ups, page faults and processor time are of both sides together, for each "
		"message. Turns: where the middle half of the times lies. Times of emulated processors are left out.");
	for (f = 0; f < page->files; f++)
		show_file(page, &page->file[f]);
}

static void add_idle(struct grid *grid, const struct record *record)
{
	const double count = record_figure(record, "count"), scale = record->file->emulated ? NAN : count;
	char label[RECORD_SCENE];

	grid_add(grid, "%s", record_label(label, record));
	grid_add(grid, "%.0f", count);
	add_figure(grid, format_bytes, record_figure(record, "shared_bytes"));
	add_figure(grid, format_bytes, record_figure(record, "private_bytes"));
	add_figure(grid, format_bytes, record_figure(record, "system_bytes"));
	add_figure(grid, format_time, record_figure(record, "cpu_ns_per_msg") * scale);
}

static void add_opening(struct grid *grid, const struct record *record)
{
	char label[RECORD_SCENE];

	grid_add(grid, "%s", record_label(label, record));
	grid_add(grid, "%s", record->field[RECORD_WORKLOAD]);
	add_figure(grid, format_time, record->file->emulated ? NAN : record->time_ns);
	add_turns(grid, record);
	add_figure(grid, format_count, record_figure(record, "syscalls_per_msg"));
}

static bool is_opening(const struct record *record)
{
	return !strcmp(record->field[RECORD_WORKLOAD], "connect") ||
	       !strcmp(record->field[RECORD_WORKLOAD], "open-close");
}

static void show_connections(struct page *page, const struct record_file *file)
{
	static const char *const idle_head[] = {
		"what",	   "idle connections",		"shared memory of each",
		"private", "system, kernel's included", "CPU time of all in a second"
	};
	static const char *const opening_head[] = { "what", "workload", "takes", "turns", "calls" };
	struct grid idle, opening;
	unsigned int i;

	grid_init(&idle, idle_head, sizeof(idle_head) / sizeof(idle_head[0]), 1 << 0);
	grid_init(&opening, opening_head, sizeof(opening_head) / sizeof(opening_head[0]), 1 << 0 | 1 << 1);
	for (i = 0; i < file->count; i++) {
		if (is_idle(&file->record[i]))
			add_idle(&idle, &file->record[i]);
		else if (is_opening(&file->record[i]))
			add_opening(&opening, &file->record[i]);
	}
	document_grid(&page->doc, &opening);
	document_grid(&page->doc, &idle);
	if ((grid_rows(&idle) || grid_rows(&opening)) && *file->command)
		document_code(&page->doc, file->command);
	grid_free(&idle);
	grid_free(&opening);
}

void page_connections(struct page *page)
{
	unsigned int f;

	document_section(&page->doc, "connections", "Connections");
	for (f = 0; f < page->files; f++)
		show_connections(page, &page->file[f]);
}
