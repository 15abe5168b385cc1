// SPDX-License-Identifier: Apache-2.0
/* Charts for reports, drawn by gnuplot as SVG. Texts may come from a file: what they hold besides plain words is masked. */
#include "chart.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format.h"

#define WIDTH 560
#define PLOT_HEIGHT 300
#define BAR_HEIGHT 17
#define KEY_HEIGHT 20

/* Readable on white and on black. */
static const char *const colours[] = { "#2f81f7", "#e8590c", "#2da44e", "#a371f7",
				       "#d6336c", "#0c9aa8", "#a58a00", "#868e96" };
#define COLOURS ((unsigned int)(sizeof(colours) / sizeof(colours[0])))

/* What most reports have keeps its colour from chart to chart. */
static const char *const usual[] = { "memfd adaptive", "uds",   "doorbell adaptive",     "memfd demand",
				     "futex",	       "pipe", "memfd stream adaptive", "spin" };

void chart_free(struct chart *chart)
{
	unsigned int i;

	for (i = 0; i < chart->count; i++)
		free(chart->curve[i].point);
	free(chart->curve);
	chart->curve = NULL;
	chart->count = 0;
}

struct curve *chart_curve(struct chart *chart, const char *label)
{
	struct curve *curve;
	unsigned int i;

	for (i = 0; i < chart->count; i++)
		if (!strcmp(chart->curve[i].label, label))
			return &chart->curve[i];
	if (chart->count == CHART_CURVES)
		return NULL;
	chart->curve = realloc(chart->curve, (chart->count + 1) * sizeof(*chart->curve));
	if (!chart->curve)
		abort();
	curve = &chart->curve[chart->count++];
	memset(curve, 0, sizeof(*curve));
	snprintf(curve->label, sizeof(curve->label), "%s", label);
	return curve;
}

void curve_add(struct curve *curve, double x, double y, const char *name)
{
	struct curve_point *point;
	unsigned int i;

	/* Beyond these limits are no figures, and axes would have no end. */
	if (!curve || !(x >= 0 && x < 1e24) || !(y == 0 || (y > 1e-12 && y < 1e24)))
		return;
	for (i = 0; i < curve->count; i++)
		if (curve->point[i].x == x)
			return;
	if (curve->count == curve->room) {
		curve->room = curve->room ? 2 * curve->room : 16;
		curve->point = realloc(curve->point, curve->room * sizeof(*curve->point));
		if (!curve->point)
			abort();
	}
	point = &curve->point[curve->count++];
	point->x = x;
	point->y = y;
	snprintf(point->name, sizeof(point->name), "%s", name ? name : "");
}

void chart_drop_points(struct chart *chart)
{
	unsigned int i, kept = 0;

	for (i = 0; i < chart->count; i++) {
		if (chart->curve[i].count > 1)
			chart->curve[kept++] = chart->curve[i];
		else
			free(chart->curve[i].point);
	}
	chart->count = kept;
}

bool chart_has(const struct chart *chart, unsigned int points)
{
	unsigned int i;

	for (i = 0; i < chart->count; i++)
		if (chart->curve[i].count >= points)
			return true;
	return false;
}

static int compare_points(const void *a, const void *b)
{
	double x = ((const struct curve_point *)a)->x, y = ((const struct curve_point *)b)->x;

	return x < y ? -1 : x > y;
}

/* A string of gnuplot, which also has to be text in SVG and in HTML. */
static void write_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fputc(isalnum((unsigned char)*text) || strchr(" .,:;/()+=_-", *text) ? *text : '?', out);
	fputc('"', out);
}

struct range {
	double low, high;
};

static struct range find_range(const struct chart *chart, bool of_x)
{
	struct range range = { INFINITY, 0 };
	unsigned int i, k;
	double value;

	for (i = 0; i < chart->count; i++) {
		for (k = 0; k < chart->curve[i].count; k++) {
			value = of_x ? chart->curve[i].point[k].x : chart->curve[i].point[k].y;
			if (value > 0)
				range.low = fmin(range.low, value);
			range.high = fmax(range.high, value);
		}
	}
	if (!(range.high > 0))
		range = (struct range){ 0.1, 1 };
	return range;
}

static const char *format_tick(char *out, enum chart_axis axis, double value)
{
	char *digits;

	if (axis == AXIS_SIZE)
		return format_size(out, (size_t)value);
	if (axis == AXIS_SHARE) {
		snprintf(out, FORMAT_SIZE, "%.6g%%%%", 100 - 100 / value);
		return out;
	}
	if (axis == AXIS_COUNT) {
		snprintf(out, FORMAT_SIZE, "%.6g", value);
		return out;
	}
	if (axis == AXIS_TIME)
		format_time(out, value);
	else
		format_rate(out, value);
	/* Ticks are round: 1.00k is 1k, and 10.0us is 10us. */
	digits = strchr(out, '.');
	if (digits)
		memmove(digits, digits + 1 + strspn(digits + 1, "0"), strlen(digits + 1 + strspn(digits + 1, "0")) + 1);
	return out;
}

/* Ticks at powers of ten, at 2 and 5 between them where there are few. */
static void write_decades(FILE *out, enum chart_axis axis, const struct range *range)
{
	static const double steps[] = { 1, 2, 5 };
	const unsigned int each = range->high < 200 * range->low && axis != AXIS_SHARE ? 3 : 1;
	const char *between = "";
	char text[FORMAT_SIZE];
	double decade, value;
	unsigned int i;

	for (decade = pow(10, floor(log10(range->low))); decade <= 10 * range->high; decade *= 10) {
		for (i = 0; i < each; i++) {
			value = axis == AXIS_SHARE && decade < 5 ? 2 : decade * steps[i];
			fprintf(out, "%s\"%s\" %g", between, format_tick(text, axis, value), value);
			between = ", ";
		}
	}
}

/* Ticks at the values themselves, of all curves. */
static void write_values(FILE *out, const struct chart *chart)
{
	const char *between = "";
	char text[FORMAT_SIZE];
	unsigned int i, k;

	for (i = 0; i < chart->count; i++) {
		for (k = 0; k < chart->curve[i].count; k++) {
			fprintf(out, "%s\"%s\" %g", between, format_tick(text, chart->x, chart->curve[i].point[k].x),
				chart->curve[i].point[k].x);
			between = ", ";
		}
	}
}

static void write_axis(FILE *out, const struct chart *chart, bool of_x)
{
	const enum chart_axis axis = of_x ? chart->x : chart->y;
	const struct range range = find_range(chart, of_x);
	const char name = of_x ? 'x' : 'y';

	fprintf(out, "set %clabel ", name);
	write_text(out, of_x ? chart->x_title : chart->y_title);
	fprintf(out, "\n");
	if (axis == AXIS_AMOUNT) {
		fprintf(out, "set %crange [0:%g]\n", name, range.high * 1.05);
		return;
	}
	fprintf(out, "set logscale %c\nset %crange [%g:%g]\nset %ctics (", name, name, range.low / 1.25,
		range.high * 1.25, name);
	if (axis == AXIS_SIZE || axis == AXIS_COUNT)
		write_values(out, chart);
	else
		write_decades(out, axis, &range);
	fprintf(out, ")\n");
}

/* The place of @label among the usual ones, or COLOURS. */
static unsigned int find_usual(const char *label)
{
	unsigned int i;

	for (i = 0; i < COLOURS && strcmp(label, usual[i]); i++)
		;
	return i;
}

/* Colours and symbols of the curves: what is usual has its own, the others take what is left, and then begin again. */
static void choose_styles(const struct chart *chart, unsigned int *style)
{
	unsigned int i, k, next = 0;

	for (i = 0; i < chart->count; i++) {
		style[i] = find_usual(chart->curve[i].label);
		while (style[i] == COLOURS && next < COLOURS) {
			for (k = 0; k < chart->count && find_usual(chart->curve[k].label) != next; k++)
				;
			if (k == chart->count)
				style[i] = next;
			next++;
		}
		if (style[i] == COLOURS)
			style[i] = next++;
	}
}

static void write_curve_data(FILE *out, const struct curve *curve, unsigned int i)
{
	unsigned int k;

	qsort(curve->point, curve->count, sizeof(*curve->point), compare_points);
	fprintf(out, "$curve%u << END\n", i);
	for (k = 0; k < curve->count; k++)
		fprintf(out, "%.9g %.9g\n", curve->point[k].x, curve->point[k].y);
	fprintf(out, "END\n");
}

static void write_curves(FILE *out, const struct chart *chart)
{
	const char *between = "plot ";
	unsigned int i, style[CHART_CURVES];

	choose_styles(chart, style);
	for (i = 0; i < chart->count; i++)
		write_curve_data(out, &chart->curve[i], i);
	write_axis(out, chart, true);
	write_axis(out, chart, false);
	for (i = 0; i < chart->count; i++) {
		if (!chart->curve[i].count)
			continue;
		fprintf(out, "%s$curve%u with %s lc rgb '%s' lw 2 dt %u ", between, i,
			chart->x == AXIS_SHARE ? "lines" : "linespoints", colours[style[i] % COLOURS],
			1 + style[i] / COLOURS % 4);
		if (chart->x != AXIS_SHARE)
			fprintf(out, "pt %u ps 0.7 ", 5 + 2 * (style[i] % 5));
		fprintf(out, "title ");
		write_text(out, chart->curve[i].label);
		between = ", ";
	}
	fprintf(out, "\n");
}

/* One line for each name, from above; in it a bar of each curve. */
static void write_bars(FILE *out, const struct chart *chart)
{
	const struct curve *names = &chart->curve[0];
	const double thick = 0.8 / chart->count;
	const char *between = "";
	unsigned int i, k;

	for (i = 0; i < chart->count; i++) {
		fprintf(out, "$curve%u << END\n", i);
		for (k = 0; k < chart->curve[i].count; k++) {
			const struct curve_point *p = &chart->curve[i].point[k];
			double top = -p->x + 0.4 - thick * i;

			fprintf(out, "0 %g 0 %.9g %g %g\n", top, p->y, top - thick, top);
		}
		fprintf(out, "END\n");
	}
	fprintf(out, "set ytics (");
	for (k = 0; k < names->count; k++, between = ", ") {
		fprintf(out, "%s", between);
		write_text(out, names->point[k].name);
		fprintf(out, " %g", -names->point[k].x);
	}
	fprintf(out, ") scale 0\nset grid noytics\nset style fill solid 0.85 noborder\n");
	fprintf(out, "set xrange [0:%g]\nset yrange [%g:0.6]\nset xlabel ", find_range(chart, false).high * 1.05,
		-(double)names->count + 0.4);
	write_text(out, chart->x_title);
	for (i = 0; i < chart->count; i++) {
		fprintf(out, "%s$curve%u using 1:2:3:4:5:6 with boxxyerror lc rgb '%s' title ", i ? ", " : "\nplot ", i,
			colours[i % COLOURS]);
		write_text(out, chart->curve[i].label);
	}
	fprintf(out, "\n");
}

/* How many labels of the key there is room for side by side. */
static unsigned int find_columns(const struct chart *chart)
{
	unsigned int i, longest = 0, columns;

	for (i = 0; i < chart->count; i++)
		longest = strlen(chart->curve[i].label) > longest ? strlen(chart->curve[i].label) : longest;
	columns = (WIDTH - 80) / (8 * longest + 50);
	return columns < 1 ? 1 : columns > 4 ? 4 : columns;
}

static unsigned int find_height(const struct chart *chart)
{
	unsigned int columns = find_columns(chart);
	unsigned int key = 45 + KEY_HEIGHT * ((chart->count + columns - 1) / columns);

	return key + (chart->bars ? 40 + BAR_HEIGHT * chart->count * chart->curve[0].count + 10 * chart->curve[0].count
				  : PLOT_HEIGHT);
}

static void write_script(FILE *out, struct chart *chart, const char *name, const char *path, bool inlined)
{
	fprintf(out, "set encoding utf8\nset terminal svg size %d,%u dynamic noenhanced font 'sans-serif,15' name '",
		WIDTH, find_height(chart));
	for (; *name; name++)
		fputc(*name == '-' ? '_' : *name, out);
	fprintf(out, "'%s\n", inlined ? "" : " background '#ffffff'");
	fprintf(out, "set output '%s'\nset grid\nset border 3\nset tics nomirror\n", path);
	fprintf(out, "set key outside below center horizontal Left reverse font ',13' samplen 2 maxcols %u%s\n",
		find_columns(chart), chart->bars && chart->count == 1 ? " off" : "");
	if (!inlined) {
		fprintf(out, "set title ");
		write_text(out, chart->title);
		fprintf(out, "\n");
	}
	if (chart->bars)
		write_bars(out, chart);
	else
		write_curves(out, chart);
}

static int run_gnuplot(struct chart *chart, const char *name, const char *path, bool inlined)
{
	FILE *out;
	int status;

	signal(SIGPIPE, SIG_IGN);
	out = popen("gnuplot", "we");
	if (!out)
		return -errno;
	write_script(out, chart, name, path, inlined);
	status = pclose(out);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

/* A name inside of the drawing, at @from, becomes one that no other drawing of the page has. */
static bool is_id(const char *from, const char *start)
{
	return from - start >= 2 &&
	       (!strncmp(from, "gp", 2) || !strncmp(from, "gnuplot_", 8) || !strncmp(from, "textbox", 7) ||
		!strncmp(from, "greybox", 7)) &&
	       (from[-1] == '\'' || from[-1] == '"' || from[-1] == '#');
}

/* What gnuplot wrote to @in, from the svg element on when it is to be inlined. */
static char *read_drawing(FILE *in, const char *name, const char *title, bool inlined)
{
	char line[8192], *text = NULL, *at;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool begun = !inlined;

	while (out && fgets(line, sizeof(line), in)) {
		if (!strncmp(line, "<svg", 4)) {
			begun = true;
			fprintf(out, "<svg role=\"img\" aria-label=");
			write_text(out, title);
			memset(line, ' ', 4);
		}
		/* The name that a pointer would show everywhere. */
		if (!begun || !strncmp(line, "<title>", 7))
			continue;
		for (at = line; *at; at++) {
			if (inlined && is_id(at, line))
				fprintf(out, "%s-", name);
			fputc(*at, out);
		}
	}
	if (!out || fclose(out))
		return NULL;
	return text;
}

char *chart_draw(struct chart *chart, const char *name, bool inlined)
{
	char path[] = "/tmp/shmipc-bench-XXXXXX", *text = NULL;
	int fd = mkstemp(path);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "re");

	if (!in) {
		perror("shmipc-bench: /tmp");
		return NULL;
	}
	if (run_gnuplot(chart, name, path, inlined))
		fprintf(stderr, "shmipc-bench: gnuplot is missing (package gnuplot-nox) or failed\n");
	else
		text = read_drawing(in, name, chart->title, inlined);
	fclose(in);
	unlink(path);
	return text;
}
