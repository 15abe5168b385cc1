// SPDX-License-Identifier: Apache-2.0
/* Reads report files back, for the commands that plot and compare. Nothing in a file is trusted. */
#include "series.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

static double get_number(const json_t *row, const char *name)
{
	const json_t *value = json_object_get(row, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

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

static void add_row(struct series_set *set, const json_t *row)
{
	const char *workload = json_string_value(json_object_get(row, "workload"));
	const char *transport = json_string_value(json_object_get(row, "transport"));
	const char *sync = json_string_value(json_object_get(row, "sync"));
	const char *level = json_string_value(json_object_get(row, "level"));
	const char *api = json_string_value(json_object_get(row, "api"));
	bool stream = level && !strcmp(level, "stream"), place = stream && api && !strcmp(api, "place");
	struct point point = { get_number(row, "size"), get_number(row, "p50_ns"),
			       get_number(row, "instructions_per_msg") };
	struct series *series;
	char label[64];

	if (!workload || !transport || !sync || !(point.size >= 1))
		return;
	if (!set->workload[0])
		snprintf(set->workload, sizeof(set->workload), "%s", workload);
	if (strcmp(set->workload, workload))
		return;
	if (!strcmp(sync, "blocking") || !strcmp(transport, "spin"))
		snprintf(label, sizeof(label), "%s", transport);
	else
		snprintf(label, sizeof(label), "%s%s%s %s", transport, stream ? " stream" : "", place ? " place" : "",
			 sync);
	series = find_series(set, label);
	if (series && series->points < sizeof(series->point) / sizeof(series->point[0]) &&
	    !series_at(series, point.size))
		series->point[series->points++] = point;
}

int series_load(struct series_set *set, const char *path)
{
	json_error_t error;
	json_t *report = json_load_file(path, 0, &error), *rows, *host, *row;
	size_t i;

	if (!report) {
		fprintf(stderr, "shmipc-bench: %s: %s\n", path, error.text);
		return -EINVAL;
	}
	rows = json_object_get(report, "rows");
	host = json_object_get(report, "host");
	if (!json_is_array(rows) || !json_is_object(host)) {
		fprintf(stderr, "shmipc-bench: %s: not a report of shmipc-bench\n", path);
		json_decref(report);
		return -EINVAL;
	}
	set->emulated |= json_is_true(json_object_get(host, "emulated"));
	set->instructions |= json_is_true(json_object_get(host, "instruction_clock"));
	json_array_foreach(rows, i, row)
		add_row(set, row);
	json_decref(report);
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
