// SPDX-License-Identifier: Apache-2.0
/*
 * How shmipc stands against a Unix socket and against the best of the other rivals: at a glance, and in full. Compared are
 * rows of one file only: they took turns with each other. On an instruction clock, instructions are compared.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "noise.h"
#include "page.h"

#define VARIES (RECORD_BIT(RECORD_WHAT) | RECORD_BIT(RECORD_SYNC) | RECORD_BIT(RECORD_SIZE))
#define SAME_SIZE (RECORD_BIT(RECORD_WHAT) | RECORD_BIT(RECORD_SYNC))
#define SAME_ROW RECORD_BIT(RECORD_SIZE)

#define NO_BREAK "\xc2\xa0" /* a space where no line ends */

/* What is compared of a row; NAN where it was not measured, or says nothing. */
static double value_of(const struct record *record)
{
	if (record->file->instructions)
		return record_figure(record, "instructions_per_msg");
	return record->file->emulated ? NAN : record->time_ns;
}

static struct noise compare(const struct record *record, const struct record *base)
{
	const double ratio = value_of(record) / value_of(base);

	if (record->file->instructions)
		return (struct noise){ ratio, ratio, ratio, true };
	return noise_compare(record->runs_ns, record->runs, base->runs_ns, base->runs, record->runs == base->runs);
}

static bool is_socket(const struct record *record)
{
	return !strcmp(record->field[RECORD_WHAT], "uds");
}

/* The rival of @record at its size: the Unix socket, the best one, or bare memory; NULL where there is none. */
static const struct record *find_rival(const struct record *record, bool socket, bool limit)
{
	const struct record_file *file = record->file;
	const struct record *best = NULL;
	unsigned int i;

	for (i = 0; i < file->count; i++) {
		const struct record *other = &file->record[i];

		if (other->ours || other->limit != limit || (socket && !is_socket(other)) ||
		    !record_alike(record, other, SAME_SIZE) || !isfinite(value_of(other)))
			continue;
		if (!best || value_of(other) < value_of(best))
			best = other;
	}
	return best;
}

static bool is_compared(const struct record *record)
{
	static const char *const workloads[] = { "ping-pong", "call", "stream" };
	unsigned int i;

	for (i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (!strcmp(record->field[RECORD_WORKLOAD], workloads[i]))
			return record->ours && isfinite(value_of(record)) && find_rival(record, false, false);
	return false;
}

/* Is it the first one of those in its file that are alike but for @except? */
static bool is_first(const struct record *record, unsigned int except)
{
	const struct record *other;

	for (other = record->file->record; other < record; other++)
		if (is_compared(other) && record_alike(record, other, except))
			return false;
	return true;
}

/* Three digits, without an exponent. */
static const char *format_ratio(char *out, double ratio)
{
	snprintf(out, FORMAT_SIZE, ratio < 999.5 ? "%.3g" : "%.0f", ratio);
	return out;
}

/* How many times faster, or slower. */
static const char *format_times(char *out, double ratio)
{
	char number[FORMAT_SIZE];

	snprintf(out, FORMAT_SIZE, "%.20s×", format_ratio(number, ratio < 1 ? 1 / ratio : ratio));
	return out;
}

/* One size in the cell where it belongs: faster, not to be told apart, slower. */
static void add_size(char cell[3][PAGE_LINE], const struct record *record, const struct record *rival, bool named)
{
	const struct noise noise = compare(record, rival);
	char times[FORMAT_SIZE], *out;
	int where = !noise_differs(&noise) && noise.known ? 1 : noise.ratio < 1 ? 0 : 2;
	size_t used;

	out = cell[where];
	used = strlen(out);
	if (used > PAGE_LINE - 3 * RECORD_TEXT)
		return;
	snprintf(out + used, PAGE_LINE - used, "%s%s" NO_BREAK "(%s%s%s%s)", used ? ", " : "", record_size(record),
		 format_times(times, noise.ratio), named ? "," NO_BREAK : "", named ? rival->field[RECORD_WHAT] : "",
		 noise.known ? "" : "," NO_BREAK "one" NO_BREAK "turn");
}

/* What @first and the rows beside it are about, as a heading. */
static const char *title_of(char *out, const struct record *first)
{
	const char *workload = first->field[RECORD_WORKLOAD];
	char scene[RECORD_SCENE];

	record_scene(scene, first, VARIES | RECORD_BIT(RECORD_WORKLOAD));
	snprintf(out, PAGE_LINE, "%s%s%s%s",
		 !strcmp(workload, "ping-pong") ? "Round trips"
		 : !strcmp(workload, "stream")	? "One way"
						: "Calls, request and reply",
		 *scene ? ", " : "", scene,
		 first->file->instructions ? ", by instructions (EMULATED guest, exact)" : "");
	return out;
}

/* The line of the rows that differ from @first by size only. */
static void add_line(struct grid *grid, const struct record *first, bool socket)
{
	static const char *const marks[3] = { "good", NULL, "bad" };
	char cell[3][PAGE_LINE] = { "" }, label[RECORD_SCENE];
	const struct record_file *file = first->file;
	unsigned int i;

	for (i = 0; i < file->count; i++) {
		const struct record *record = &file->record[i], *rival;

		if (!is_compared(record) || !record_alike(first, record, SAME_ROW))
			continue;
		rival = find_rival(record, socket, false);
		if (rival)
			add_size(cell, record, rival, !socket);
	}
	if (!cell[0][0] && !cell[1][0] && !cell[2][0])
		return;
	grid_add(grid, "%s", record_label(label, first));
	for (i = 0; i < 3; i++) {
		grid_add(grid, "%s", cell[i]);
		grid_mark(grid, cell[i][0] ? marks[i] : NULL);
	}
}

/* Is it one that the verdict is about: one conversation, messages one by one, all of a size? The rest is told in full. */
static bool is_plain(const struct record *record)
{
	return !strcmp(record->field[RECORD_BATCH], "1") && !strcmp(record->field[RECORD_STREAMS], "1") &&
	       !strcmp(record->field[RECORD_SESSIONS], "1") && isfinite(record->size);
}

/* Are the two rows told of under one title? */
static bool same_title(const struct record *a, const struct record *b)
{
	return record_alike(a, b, VARIES) && record_file_same_host(a->file, b->file);
}

/* The lines of a title, those of all files. */
static void add_lines(const struct page *page, struct grid *grid, const struct record *first, bool socket)
{
	const struct record *record = NULL;
	char title[PAGE_LINE];

	grid_group(grid, title_of(title, first));
	while ((record = page_next(page, record)))
		if (is_compared(record) && is_plain(record) && same_title(first, record) && is_first(record, SAME_ROW))
			add_line(grid, record, socket);
}

static bool has_title(const struct page *page, const struct record *record)
{
	const struct record *other = NULL;

	while ((other = page_next(page, other)) != record)
		if (is_compared(other) && is_plain(other) && same_title(other, record))
			return true;
	return false;
}

/* The first row of the next group, of those that are alike but for who it is and the size; NULL after the last. */
static const struct record *next_group(const struct page *page, const struct record *record)
{
	while ((record = page_next(page, record)))
		if (is_compared(record) && is_first(record, VARIES))
			return record;
	return NULL;
}

static void show_verdict(struct page *page, bool socket)
{
	static const char *const heads[2][4] = {
		{ "against the best rival", "better at", "within the noise at", "worse at" },
		{ "against a Unix socket", "better at", "within the noise at", "worse at" },
	};
	const struct record *first = NULL;
	struct grid grid;

	grid_init(&grid, heads[socket], 4, ~0u);
	while ((first = next_group(page, first)))
		if (is_plain(first) && !has_title(page, first))
			add_lines(page, &grid, first, socket);
	document_grid(&page->doc, &grid);
	grid_free(&grid);
}

void page_verdict(struct page *page)
{
	document_section(&page->doc, "verdict", "Verdict");
	if (!next_group(page, NULL))
		document_text(&page->doc,
			      "There is nothing of shmipc in these files that has a rival in the same file.");
	show_verdict(page, true);
	show_verdict(page, false);
	document_text(
		&page->doc,
		"64 (3×) means: at 64 bytes, three times as fast, or as slow. Within the noise: the turns of the two do "
		"not say that they differ. The best rival is what was fastest at that size and is not shmipc; bare shared "
		"memory that is watched without a pause is no rival: it never sleeps.");
}

/* A ratio, and where it lies with 95 %. */
static void add_ratio(struct grid *grid, const struct record *record, const struct record *rival)
{
	struct noise noise;
	bool faster;
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	if (!rival) {
		grid_add(grid, "-");
		return;
	}
	noise = compare(record, rival);
	faster = noise.ratio < 1;
	if (noise.known && !noise_differs(&noise))
		grid_add(grid, "within the noise");
	else
		grid_add(grid, "%s %s", format_times(a, noise.ratio), faster ? "faster" : "slower");
	if (noise.known && !record->file->instructions)
		grid_append(grid, "", " (%s to %s)", format_ratio(a, faster ? 1 / noise.high : noise.low),
			    format_ratio(b, faster ? 1 / noise.low : noise.high));
	else if (!noise.known)
		grid_append(grid, "", " (one turn)");
	grid_mark(grid, noise_differs(&noise) ? (faster ? "good" : "bad") : "noise");
}

static void add_value(struct grid *grid, const struct record *record)
{
	char text[FORMAT_SIZE];

	if (!record)
		grid_add(grid, "-");
	else if (record->file->instructions)
		grid_add(grid, "%.0f", value_of(record));
	else
		grid_add(grid, "%s", format_time(text, value_of(record)));
}

static void add_comparison(struct grid *grid, const struct record *record)
{
	const struct record *socket = find_rival(record, true, false), *best = find_rival(record, false, false);
	const struct record *limit = find_rival(record, false, true);
	char label[RECORD_SCENE];

	grid_add(grid, "%s", record_label(label, record));
	grid_add(grid, "%s", record_size(record));
	add_value(grid, record);
	add_value(grid, socket);
	add_ratio(grid, record, socket);
	grid_add(grid, "%s", record_label(label, best));
	add_value(grid, best);
	add_ratio(grid, record, best);
	add_value(grid, limit);
	if (limit)
		grid_add(grid, "%.3g×", value_of(record) / value_of(limit));
	else
		grid_add(grid, "-");
}

static void show_comparison(struct page *page, const struct record *first)
{
	static const char *const head[] = { "what",	  "bytes", "takes",	 "Unix socket", "against it",
					    "best rival", "takes", "against it", "bare memory", "its time" };
	const struct record_file *file = first->file;
	char title[PAGE_LINE];
	struct grid grid;
	unsigned int i;

	grid_init(&grid, head, sizeof(head) / sizeof(head[0]), 1 << 0 | 1 << 4 | 1 << 5 | 1 << 7);
	for (i = 0; i < file->count; i++)
		if (is_compared(&file->record[i]) && record_alike(first, &file->record[i], VARIES))
			add_comparison(&grid, &file->record[i]);
	document_heading(&page->doc, title_of(title, first));
	document_grid(&page->doc, &grid);
	grid_free(&grid);
	if (*file->command)
		document_code(&page->doc, file->command);
}

void page_comparison(struct page *page)
{
	const struct record *first = NULL;

	document_section(&page->doc, "comparison", "Against a Unix socket and the best rival, in full");
	while ((first = next_group(page, first)))
		show_comparison(page, first);
	if (next_group(page, NULL))
		document_text(
			&page->doc,
			"The time a message takes: a round trip, a call, or one way a message's share of the time; "
			"instructions where the title says so. In brackets: where the ratio lies with 95 %% (bootstrap "
			"over the turns).");
}
