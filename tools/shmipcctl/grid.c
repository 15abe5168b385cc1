// SPDX-License-Identifier: Apache-2.0
/*
 * grid.c - rows and columns for people
 */
#include "grid.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP 2

void grid_init(struct grid *t, const struct grid_column *columns, size_t count)
{
	*t = (struct grid){ .columns = columns, .count = count };
}

void grid_fini(struct grid *t)
{
	size_t i;

	for (i = 0; i < t->used; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->colours);
	*t = (struct grid){ .count = 0 };
}

static bool make_room(struct grid *t)
{
	size_t room = t->room ? t->room * 2 : 64;
	char **cells = realloc(t->cells, room * sizeof(*cells));
	enum grid_colour *colours;

	if (!cells)
		return false;
	t->cells = cells;
	colours = realloc(t->colours, room * sizeof(*colours));
	if (!colours)
		return false;
	t->colours = colours;
	t->room = room;
	return true;
}

void grid_add(struct grid *t, enum grid_colour colour, const char *format, ...)
{
	va_list arguments;
	char *text;
	int n;

	if (t->failed || (t->used == t->room && !make_room(t))) {
		t->failed = true;
		return;
	}
	va_start(arguments, format);
	n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0) {
		t->failed = true;
		return;
	}
	t->colours[t->used] = colour;
	t->cells[t->used++] = text;
}

size_t grid_rows(const struct grid *t)
{
	return t->count ? t->used / t->count : 0;
}

static int total(const struct grid *t, const int *widths)
{
	int sum = 0;
	size_t i;

	for (i = 0; i < t->count; i++)
		if (widths[i] >= 0)
			sum += widths[i] + GAP;
	return sum ? sum - GAP : 0;
}

static void measure(const struct grid *t, int *widths)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		widths[i] = (int)strlen(t->columns[i].title);
	for (i = 0; i < grid_rows(t) * t->count; i++) {
		int length = (int)strlen(t->cells[i]);

		if (widths[i % t->count] < length)
			widths[i % t->count] = length;
	}
}

/* Make it fit: first cut what may be cut, then drop columns (width -1), the least needed first. */
static void fit(const struct grid *t, int *widths, int window)
{
	int over;
	size_t i, last;

	for (i = 0; i < t->count; i++) {
		over = total(t, widths) - window;
		if (over > 0 && t->columns[i].shrinks && widths[i] > GRID_SHRUNK)
			widths[i] = widths[i] - over > GRID_SHRUNK ? widths[i] - over : GRID_SHRUNK;
	}
	while (total(t, widths) > window) {
		last = t->count;
		for (i = 0; i < t->count; i++)
			if (widths[i] >= 0 && t->columns[i].drop &&
			    (last == t->count || t->columns[i].drop >= t->columns[last].drop))
				last = i;
		if (last == t->count)
			return;
		widths[last] = -1;
	}
}

const char *colour_code(enum grid_colour colour)
{
	static const char *const codes[] = { "", "\033[31m", "\033[32m", "\033[33m", "\033[2m", "\033[1m" };

	return codes[colour];
}

static void print_cell(FILE *out, const struct grid_column *column, const char *text, enum grid_colour colour,
		       int width, bool last, bool colours)
{
	int length = (int)strlen(text), pad;
	bool cut = length > width;

	if (cut)
		length = width;
	pad = width - length;
	if (column->right)
		fprintf(out, "%*s", pad, "");
	if (colours && colour)
		fputs(colour_code(colour), out);
	if (cut && length > 1)
		fprintf(out, "%.*s~", length - 1, text);
	else
		fprintf(out, "%.*s", length, text);
	if (colours && colour)
		fputs("\033[0m", out);
	if (!column->right && !last)
		fprintf(out, "%*s", pad, "");
	if (!last)
		fprintf(out, "%*s", GAP, "");
}

static void print_row(const struct grid *t, FILE *out, const int *widths, size_t row, bool colours)
{
	size_t i, last = 0;

	for (i = 0; i < t->count; i++)
		if (widths[i] >= 0)
			last = i;
	for (i = 0; i < t->count; i++)
		if (widths[i] >= 0)
			print_cell(out, &t->columns[i], t->cells[row * t->count + i], t->colours[row * t->count + i],
				   widths[i], i == last, colours);
	fputc('\n', out);
}

void grid_print(const struct grid *t, FILE *out, int width, bool colours, size_t first, size_t most)
{
	int widths[GRID_COLUMNS_MAX];
	size_t i, last = 0, rows = grid_rows(t);

	measure(t, widths);
	if (width > 0)
		fit(t, widths, width);
	for (i = 0; i < t->count; i++)
		if (widths[i] >= 0)
			last = i;
	for (i = 0; i < t->count; i++)
		if (widths[i] >= 0)
			print_cell(out, &t->columns[i], t->columns[i].title, GRID_BOLD, widths[i], i == last, colours);
	fputc('\n', out);
	for (i = first; i < rows && i - first < most; i++)
		print_row(t, out, widths, i, colours);
}

int window_columns(FILE *out)
{
	struct winsize size;

	if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) || !size.ws_col)
		return 0;
	return size.ws_col;
}

int window_lines(FILE *out)
{
	struct winsize size;

	if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) || !size.ws_row)
		return 24;
	return size.ws_row;
}

bool wants_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && (!no || !*no) && (!term || strcmp(term, "dumb"));
}
