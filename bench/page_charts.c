// SPDX-License-Identifier: Apache-2.0
/* The charts of a report. Rows that are alike but for what a chart shows share one; emulated times are in none. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "page.h"

#define WHO (RECORD_BIT(RECORD_WHAT) | RECORD_BIT(RECORD_SYNC))

/* Curves of one figure over one field, in as many charts as there are other things to tell rows apart. */
struct chart_kind {
	const char *id, *title, *workload;
	enum record_field field;
	const char *figure; /* NULL: the time of a message */
	const char *x_title, *y_title;
	enum chart_axis x, y;
};

static const struct chart_kind latency[] = {
	{ "latency", "Round trip by size", "ping-pong", RECORD_SIZE, NULL, "bytes", "median", AXIS_SIZE, AXIS_TIME },
	{ "call", "Call by size", "call", RECORD_SIZE, NULL, "bytes", "median", AXIS_SIZE, AXIS_TIME },
};

static const struct chart_kind throughput[] = {
	{ "throughput", "One way, by size", "stream", RECORD_SIZE, "bytes_per_s", "bytes", "bytes a second", AXIS_SIZE,
	  AXIS_BYTE_RATE },
};

static const struct chart_kind rates[] = {
	{ "rate-cost", "Processor time a request, both sides", "rate", RECORD_RATE, "cpu_ns_per_msg",
	  "requests a second", "processor time", AXIS_RATE, AXIS_TIME },
	{ "rate-tail", "99th percentile, from the intended time", "rate", RECORD_RATE, "p99_ns",
	  "requests a second, where they were met", "p99", AXIS_RATE, AXIS_TIME },
};

static const struct chart_kind scaling[] = {
	{ "streams", "Messages a second by streams", "stream", RECORD_STREAMS, "msgs_per_s", "streams",
	  "messages a second", AXIS_COUNT, AXIS_RATE },
	{ "threads", "Messages a second by threads", "stream", RECORD_THREADS, "msgs_per_s", "threads of a side",
	  "messages a second", AXIS_COUNT, AXIS_RATE },
	{ "sessions", "Messages a second by sessions", "stream", RECORD_SESSIONS, "msgs_per_s", "sessions",
	  "messages a second", AXIS_COUNT, AXIS_RATE },
	{ "producers", "Many to one: messages a second by producers", "vector", RECORD_PRODUCERS, "msgs_per_s",
	  "producers", "messages a second", AXIS_COUNT, AXIS_RATE },
};

/* May the two be in one chart, of what the fields in @except have? Only if they come from one kind of host. */
static bool belong_together(const struct record *a, const struct record *b, unsigned int except)
{
	return record_alike(a, b, except) && record_file_same_host(a->file, b->file);
}

static void draw(struct page *page, struct chart *chart, const char *id, unsigned int number,
		 const struct record *first, unsigned int except)
{
	char name[64], caption[PAGE_LINE], scene[RECORD_SCENE];
	size_t used = strlen(chart->title);

	record_scene(scene, first, except | RECORD_BIT(RECORD_WORKLOAD));
	snprintf(chart->title + used, sizeof(chart->title) - used, "%s%s", *scene ? ": " : "", scene);
	snprintf(name, sizeof(name), "%s-%u", id, number);
	document_chart(&page->doc, chart, name, page_host(caption, first->file));
}

/* At a rate that was not met, latency says how long the run was. */
static bool fell_behind(const struct record *record)
{
	return record_figure(record, "msgs_per_s") < 0.95 * record_figure(record, "offered_per_s");
}

static double figure_of(const struct chart_kind *kind, const struct record *record)
{
	if (kind->figure && !strcmp(kind->figure, "p99_ns") && fell_behind(record))
		return NAN;
	if (kind->figure)
		return page_time(record, kind->figure);
	return record->file->emulated ? NAN : record->time_ns;
}

static double place_of(const struct chart_kind *kind, const struct record *record)
{
	return kind->field == RECORD_SIZE ? record->size : strtod(record->field[kind->field], NULL);
}

static bool is_of_kind(const struct chart_kind *kind, const struct record *record)
{
	return !strcmp(record->field[RECORD_WORKLOAD], kind->workload) && isfinite(figure_of(kind, record)) &&
	       place_of(kind, record) > 0;
}

/* In a document that has no table of all rows, the commands stand beside the chart: those of @first and all like it. */
static void show_commands(struct page *page, const struct record *first, unsigned int except)
{
	const struct record *record = NULL;
	const struct record_file *last = NULL;

	while (page->doc.markdown && page->doc.svg && (record = page_next(page, record))) {
		if (record->file == last || !belong_together(first, record, except) || !*record->file->command)
			continue;
		last = record->file;
		document_code(&page->doc, last->command);
	}
}

/* The chart of @first and all that belong to it, unless an earlier row has drawn it. */
static unsigned int draw_kind_of(struct page *page, const struct chart_kind *kind, const struct record *first,
				 unsigned int number)
{
	const unsigned int except = WHO | RECORD_BIT(kind->field);
	struct chart chart = { .x_title = kind->x_title, .y_title = kind->y_title, .x = kind->x, .y = kind->y };
	const struct record *record = NULL;
	char label[RECORD_SCENE];
	unsigned int drawn = 0;

	snprintf(chart.title, sizeof(chart.title), "%s", kind->title);
	while ((record = page_next(page, record)) && is_of_kind(kind, first)) {
		if (!is_of_kind(kind, record) || !belong_together(first, record, except))
			continue;
		if (!chart.count && record != first)
			break;
		curve_add(chart_curve(&chart, record_label(label, record)), place_of(kind, record),
			  figure_of(kind, record), NULL);
	}
	/* A point says nothing of how something grows; a rate that was met just once does. */
	if (kind->field != RECORD_RATE)
		chart_drop_points(&chart);
	if (chart_has(&chart, 2)) {
		draw(page, &chart, kind->id, number, first, except);
		/* Of the others there is a table in each document, with its command. */
		if (kind->field != RECORD_RATE && kind->field != RECORD_SIZE)
			show_commands(page, first, except);
		drawn = 1;
	}
	chart_free(&chart);
	return drawn;
}

static void draw_kinds(struct page *page, const struct chart_kind *kind, unsigned int count)
{
	const struct record *first;
	unsigned int i, number;

	for (i = 0; i < count; i++) {
		number = 1;
		for (first = page_next(page, NULL); first; first = page_next(page, first))
			number += draw_kind_of(page, &kind[i], first, number);
	}
}

/* Is @record one for the charts of a single size? */
static bool is_small(const struct record *record)
{
	return !strcmp(record->field[RECORD_WORKLOAD], "ping-pong") && record->size == 64;
}

static bool has_latencies(const struct record *record)
{
	return is_small(record) && !record->file->emulated &&
	       json_array_size(json_object_get(record->row, "histogram")) > 0;
}

static bool has_counts(const struct record *record)
{
	return is_small(record) && isfinite(record_figure(record, "syscalls_per_msg"));
}

static bool has_instructions(const struct record *record)
{
	return is_small(record) && isfinite(record_figure(record, "instructions_per_msg"));
}

/* The curve of what share of the messages took no longer. */
static void add_latencies(struct chart *chart, const struct record *record)
{
	const json_t *parts = json_object_get(record->row, "histogram"), *part;
	double all = 0, seen = 0, upper, count;
	char label[RECORD_SCENE];
	struct curve *curve;
	size_t i;

	curve = chart_curve(chart, record_label(label, record));
	if (!curve || curve->count)
		return;
	json_array_foreach(parts, i, part) all += json_number_value(json_array_get(part, 1));
	json_array_foreach(parts, i, part)
	{
		upper = json_number_value(json_array_get(part, 0));
		count = json_number_value(json_array_get(part, 1));
		if (!(upper > 0) || !(count > 0))
			continue;
		if (!seen)
			curve_add(curve, 1, upper, NULL);
		seen += count;
		/* The last part is the one slowest message's, or it would lie nowhere. */
		curve_add(curve, seen < all ? all / (all - seen) : all, upper, NULL);
	}
}

/* Where the bars of @record go: NAN where some of that name are there already, from another file. */
static double next_place(const struct chart *chart, const struct record *record)
{
	const struct curve *first = chart->curve;
	char label[RECORD_SCENE];
	unsigned int i;

	record_label(label, record);
	for (i = 0; chart->count && i < first->count; i++)
		if (!strcmp(first->point[i].name, label))
			return NAN;
	return chart->count ? first->count : 0;
}

static void add_counts(struct chart *chart, const struct record *record)
{
	const double place = next_place(chart, record);
	char label[RECORD_SCENE];

	record_label(label, record);
	curve_add(chart_curve(chart, "system calls"), place, record_figure(record, "syscalls_per_msg"), label);
	curve_add(chart_curve(chart, "context switches"), place, record_figure(record, "switches_per_msg"), label);
}

static void add_instructions(struct chart *chart, const struct record *record)
{
	const double place = next_place(chart, record);
	char label[RECORD_SCENE];

	curve_add(chart_curve(chart, "instructions"), place, record_figure(record, "instructions_per_msg"),
		  record_label(label, record));
}

/* Charts of rows at one size: what is in them, and how a row is added. */
static void draw_rows(struct page *page, struct chart plain, const char *id, bool (*has)(const struct record *),
		      void (*add)(struct chart *chart, const struct record *record))
{
	const struct record *first, *record;
	unsigned int number = 1;

	for (first = page_next(page, NULL); first; first = page_next(page, first)) {
		struct chart chart = plain;

		for (record = NULL; has(first) && (record = page_next(page, record));) {
			if (!has(record) || !belong_together(first, record, WHO))
				continue;
			if (record != first && !chart.count)
				break;
			add(&chart, record);
		}
		if (chart_has(&chart, 1)) {
			draw(page, &chart, id, number++, first, WHO | RECORD_BIT(RECORD_SIZE));
			show_commands(page, first, WHO);
		}
		chart_free(&chart);
	}
}

static void show_latency(struct page *page)
{
	const struct chart distribution = {
		.title = "Round trips of 64 bytes: how many take no longer",
		.x_title = "share of all",
		.y_title = "round trip",
		.x = AXIS_SHARE,
		.y = AXIS_TIME,
	};

	draw_kinds(page, latency, sizeof(latency) / sizeof(latency[0]));
	draw_rows(page, distribution, "distribution", has_latencies, add_latencies);
}

static void show_counts(struct page *page)
{
	const struct chart counts = { .title = "A round trip of 64 bytes costs",
				      .x_title = "of both sides",
				      .bars = true };
	const struct chart instructions = {
		.title = "A round trip of 64 bytes costs instructions",
		.x_title = "of both sides and the kernel",
		.bars = true,
	};

	draw_rows(page, counts, "calls", has_counts, add_counts);
	draw_rows(page, instructions, "instructions", has_instructions, add_instructions);
}

void page_charts(struct page *page)
{
	document_section(&page->doc, "latency", "Latency");
	show_latency(page);
	document_section(&page->doc, "throughput", "Throughput");
	draw_kinds(page, throughput, sizeof(throughput) / sizeof(throughput[0]));
	document_section(&page->doc, "rate", "Cost by rate");
	draw_kinds(page, rates, sizeof(rates) / sizeof(rates[0]));
	page_paced(page, "rate");
	document_section(&page->doc, "burst", "Bursts");
	page_paced(page, "burst");
	document_section(&page->doc, "scaling", "Scaling");
	draw_kinds(page, scaling, sizeof(scaling) / sizeof(scaling[0]));
	document_section(&page->doc, "calls", "What a message costs");
	show_counts(page);
}
