// SPDX-License-Identifier: Apache-2.0
/* What messages that are due by a schedule cost and how late they are: at a rate, and in bursts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "page.h"

static bool is_of(const struct record *record, const char *workload)
{
	return !strcmp(record->field[RECORD_WORKLOAD], workload) && !record->file->emulated;
}

static void add_time(struct grid *grid, const struct record *record, const char *name)
{
	char text[FORMAT_SIZE];

	grid_add(grid, "%s", format_time(text, record_figure(record, name)));
}

static void add_row(struct grid *grid, const struct record *record)
{
	const double offered = record_figure(record, "offered_per_s"), achieved = record_figure(record, "msgs_per_s");
	char text[RECORD_SCENE];

	grid_add(grid, "%s", record_label(text, record));
	grid_add(grid, "%s", record_scene(text, record, RECORD_BIT(RECORD_WORKLOAD) | RECORD_BIT(RECORD_RATE)));
	grid_add(grid, "%s", format_rate(text, offered));
	grid_add(grid, "%s", format_rate(text, achieved));
	grid_mark(grid, achieved < 0.95 * offered ? "bad" : NULL);
	add_time(grid, record, "p50_ns");
	add_time(grid, record, "p99_ns");
	add_time(grid, record, "p999_ns");
	add_time(grid, record, "max_ns");
	add_time(grid, record, "cpu_ns_per_msg");
	grid_add(grid, "%s", format_count(text, record_figure(record, "wakes_per_msg")));
}

void page_paced(struct page *page, const char *workload)
{
	static const char *const head[] = { "what",  "with", "due a second",	 "done",    "p50", "p99",
					    "p99.9", "max",  "CPU time of each", "wake-ups" };
	struct grid grid;
	unsigned int f, i;

	for (f = 0; f < page->files; f++) {
		const struct record_file *file = &page->file[f];

		grid_init(&grid, head, sizeof(head) / sizeof(head[0]), 1 << 0 | 1 << 1);
		for (i = 0; i < file->count; i++)
			if (is_of(&file->record[i], workload))
				add_row(&grid, &file->record[i]);
		document_grid(&page->doc, &grid);
		if (grid_rows(&grid) && *file->command)
			document_code(&page->doc, file->command);
		grid_free(&grid);
	}
}
