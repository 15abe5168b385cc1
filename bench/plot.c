// SPDX-License-Identifier: Apache-2.0
/* shmipc-bench plot: latency by size from report files, drawn by gnuplot; on the terminal too. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "options.h"
#include "format.h"
#include "series.h"

static int compare_points(const void *a, const void *b)
{
	double x = ((const struct point *)a)->size, y = ((const struct point *)b)->size;

	return x < y ? -1 : x > y;
}

/* A figure to draw of @point: microseconds, or instructions. */
static double height(const struct point *point, bool instructions)
{
	return instructions ? point->instructions : point->p50_ns / 1000;
}

static void write_data(FILE *out, struct series_set *set)
{
	unsigned int i;
	size_t k;

	for (i = 0; i < set->count; i++) {
		struct series *s = &set->series[i];

		qsort(s->point, s->points, sizeof(s->point[0]), compare_points);
		fprintf(out, "$series%u << END\n", i);
		for (k = 0; k < s->points; k++)
			if (isfinite(height(&s->point[k], set->instructions)))
				fprintf(out, "%g %g\n", s->point[k].size, height(&s->point[k], set->instructions));
		fprintf(out, "END\n");
	}
}

static void write_axes(FILE *out, const struct series_set *set)
{
	fprintf(out, "set title \"%s: %s by size of message%s\"\n", set->workload,
		set->instructions ? "instructions per message" : "median latency",
		set->emulated && !set->instructions ? " (EMULATED processor)" : "");
	fprintf(out, "set logscale xy\nset grid\nset key left top\n");
	fprintf(out, "set xlabel \"bytes\"\nset ylabel \"%s\"\n",
		set->instructions ? "instructions" : "microseconds");
	fprintf(out, "set xtics (\"64\" 64, \"256\" 256, \"1k\" 1024, \"4k\" 4096, \"16k\" 16384, \"64k\" 65536, "
		     "\"256k\" 262144, \"1m\" 1048576, \"4m\" 4194304, \"16m\" 16777216, \"64m\" 67108864)\n");
}

/* Labels come from a file: what would end gnuplot's string is replaced. */
static void write_label(FILE *out, const char *label)
{
	for (; *label; label++)
		fputc(*label >= ' ' && *label < 127 && !strchr("'\"\\`", *label) ? *label : '?', out);
}

static void write_curves(FILE *out, const struct series_set *set)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		fprintf(out, "%s$series%u with linespoints title '", i ? ", " : "plot ", i);
		write_label(out, set->series[i].label);
		fprintf(out, "' noenhanced");
	}
	fprintf(out, "\n");
}

struct plot_outputs {
	const char *svg, *png;
	bool text;
};

static int draw(struct series_set *set, const struct plot_outputs *o)
{
	FILE *out;
	int status;

	signal(SIGPIPE, SIG_IGN);
	out = popen("gnuplot", "we");
	if (!out)
		return -errno;
	write_data(out, set);
	write_axes(out, set);
	if (o->svg) {
		fprintf(out, "set terminal svg size 900,560 noenhanced background 'white'\nset output '%s'\n", o->svg);
		write_curves(out, set);
	}
	if (o->png) {
		fprintf(out, "set terminal pngcairo size 900,560 noenhanced\nset output '%s'\n", o->png);
		write_curves(out, set);
	}
	if (o->text) {
		fprintf(out, "set terminal dumb noenhanced size 110,36\nset output\n");
		write_curves(out, set);
	}
	status = pclose(out);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static const char *output_path(const char *path)
{
	if (strpbrk(path, "'\\\n"))
		options_reject("plot: '%s' is no name for a plot", path);
	return path;
}

int plot_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "svg", required_argument, NULL, 's' },
		{ "png", required_argument, NULL, 'p' },
		{ "text", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct series_set *set = calloc(1, sizeof(*set));
	struct plot_outputs outputs = { 0 };
	int c, rc;

	while (set && (c = getopt_long(argc, argv, "s:p:t", options, NULL)) != -1) {
		if (c == 's')
			outputs.svg = output_path(optarg);
		else if (c == 'p')
			outputs.png = output_path(optarg);
		else if (c == 't')
			outputs.text = true;
		else
			options_reject("plot: that is not an option, or its value is missing");
	}
	if (!set || optind == argc)
		options_reject("plot: a report file is missing");
	outputs.text |= !outputs.svg && !outputs.png;
	for (; optind < argc; optind++)
		if (series_load(set, argv[optind]))
			exit(1);
	if (!set->count)
		options_reject("plot: there is nothing in the reports to draw");
	rc = draw(set, &outputs);
	if (rc)
		fprintf(stderr, "shmipc-bench: plot: gnuplot is missing (package gnuplot-nox) or failed\n");
	free(set);
	return rc ? 1 : 0;
}
