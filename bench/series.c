// SPDX-License-Identifier: Apache-2.0
/* Curves of one workload, by size, for the commands that plot and compare on the terminal. */
#include "series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The curve that @label belongs to, a new one if need be; NULL when there are too many. */
static struct series *find_series(struct series_set *set, const char *label)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		if (!strcmp(set->series[i].label, label))
			return &set->series[i];
	if (set->count == SERIES_MOST)
		return NULL;
	memset(&set->series[set->count], 0, sizeof(set->series[0]));
	snprintf(set->series[set->count].label, sizeof(set->series[0].label), "%s", label);
	return &set->series[set->count++];
}

static void add_row(struct series_set *set, const struct record *row)
{
	struct point point = { row->size, record_figure(row, "p50_ns"), record_figure(row, "instructions_per_msg") };
	const char *workload = row->field[RECORD_WORKLOAD];
	struct series *series;
	char label[RECORD_SCENE];

	if (!(point.size >= 1))
		return;
	if (!set->workload[0])
		snprintf(set->workload, sizeof(set->workload), "%s", workload);
	if (strcmp(set->workload, workload))
		return;
	series = find_series(set, record_label(label, row));
	if (series && series->points < sizeof(series->point) / sizeof(series->point[0]) &&
	    !series_at(series, point.size))
		series->point[series->points++] = point;
}

int series_load(struct series_set *set, const char *path)
{
	struct record_file file;
	unsigned int i;
	int r = record_file_load(&file, path);

	if (r)
		return r;
	set->emulated |= file.emulated;
	set->instructions |= file.instructions;
	for (i = 0; i < file.count; i++)
		add_row(set, &file.record[i]);
	record_file_free(&file);
	return 0;
}

const struct point *series_at(const struct series *series, double size)
{
	size_t i;

	for (i = 0; i < series->points; i++)
		if (series->point[i].size == size)
			return &series->point[i];
	return NULL;
}
