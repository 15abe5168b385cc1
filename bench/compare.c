// SPDX-License-Identifier: Apache-2.0
/*
 * shmipc-bench compare: what has changed from one file of figures to another. A time is worse when it is longer by more
 * than the threshold, and the turns of both files say that noise alone does not make such a ratio. Counts that do not
 * depend on timing are worse when they grow.
 */
#include "bench.h"

#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "noise.h"
#include "options.h"
#include "record.h"

#define EXACT 0.01 /* by which an exact figure may differ */
#define CALLS 0.2  /* of a system call, too: other code makes a whole one more, other luck a small part of one */

struct comparison {
	struct record_file before, after;
	bool *taken; /* rows of @after that have met theirs */
	double threshold;
	unsigned int pairs, worse, better, unsure;
};

static const char *describe(char *out, const struct record *row)
{
	char label[RECORD_SCENE], scene[RECORD_SCENE];

	record_scene(scene, row, RECORD_BIT(RECORD_WORKLOAD));
	snprintf(out, 2 * RECORD_SCENE, "%s %s%s%s", row->field[RECORD_WORKLOAD], record_label(label, row),
		 *scene ? ", " : "", scene);
	return out;
}

/* The row of @after that was run as @row was; the first one that is not taken, where one was run several times. */
static const struct record *find_pair(const struct comparison *c, const struct record *row)
{
	unsigned int i;

	for (i = 0; i < c->after.count; i++) {
		if (c->taken[i] || !record_alike(row, &c->after.record[i], 0))
			continue;
		c->taken[i] = true;
		return &c->after.record[i];
	}
	return NULL;
}

static void count_verdict(struct comparison *c, bool worse, bool better)
{
	c->worse += worse;
	c->better += better;
}

static void compare_times(struct comparison *c, const struct record *before, const struct record *after)
{
	struct noise noise = noise_compare(after->runs_ns, after->runs, before->runs_ns, before->runs, false);
	bool worse = noise_differs(&noise) && noise.ratio > 1 + c->threshold;
	bool better = noise_differs(&noise) && noise.ratio < 1 / (1 + c->threshold);
	bool far = noise.ratio > 1 + c->threshold || noise.ratio < 1 / (1 + c->threshold);
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	count_verdict(c, worse, better);
	printf("    time          %9s -> %9s  x %.3f", format_time(a, before->time_ns), format_time(b, after->time_ns),
	       noise.ratio);
	if (noise.known)
		printf(" (%.3f to %.3f)", noise.low, noise.high);
	c->unsure += far && !noise.known;
	printf("  %s\n", worse	       ? "SLOWER"
			 : better      ? "faster"
			 : !far	       ? "as before"
			 : noise.known ? "not beyond the noise"
				       : "noise unknown: fewer than 3 turns");
}

/* Is what @row counts the same on every run? Where sides take turns, and each sleeps, or none does. */
static bool counts_exactly(const struct record *row)
{
	static const char *const alternating[] = { "ping-pong", "call", "open-close", "connect" };
	unsigned int i;

	for (i = 0; i < sizeof(alternating) / sizeof(alternating[0]); i++)
		if (!strcmp(row->field[RECORD_WORKLOAD], alternating[i]))
			return strcmp(row->field[RECORD_SYNC], "adaptive") && strcmp(row->field[RECORD_SYNC], "timed");
	return false;
}

static void compare_counts(struct comparison *c, const struct record *before, const struct record *after,
			   const char *name, const char *title, double most, double least)
{
	double a = record_figure(before, name), b = record_figure(after, name);
	bool worse = b > a * (1 + most) && b > a + least, better = a > b * (1 + most) && a > b + least;

	if (!isfinite(a) || !isfinite(b))
		return;
	count_verdict(c, worse, better);
	if (worse || better)
		printf("    %-13s %9.2f -> %9.2f  x %.3f  %s\n", title, a, b, b / a, worse ? "MORE" : "fewer");
}

/* Did the same one count the system calls of both? */
static bool same_counter(const struct record *a, const struct record *b)
{
	const char *by[2] = { json_string_value(json_object_get(a->row, "syscalls_by")),
			      json_string_value(json_object_get(b->row, "syscalls_by")) };

	return by[0] && by[1] && !strcmp(by[0], by[1]);
}

static void compare_rows(struct comparison *c, const struct record *before, const struct record *after)
{
	const bool clocked = c->before.instructions && c->after.instructions;
	char text[2 * RECORD_SCENE];

	c->pairs++;
	printf("%s\n", describe(text, after));
	/* Of an emulated processor, times say nothing. */
	if (before->runs && after->runs && !c->before.emulated && !c->after.emulated)
		compare_times(c, before, after);
	if (!before->runs != !after->runs)
		printf("    time          measured in one of them only\n");
	if (counts_exactly(after) && same_counter(before, after))
		compare_counts(c, before, after, "syscalls_per_msg", "system calls", EXACT, CALLS);
	if (c->before.instructions == c->after.instructions)
		compare_counts(c, before, after, "instructions_per_msg", "instructions", clocked ? EXACT : c->threshold,
			       0);
}

static void print_lonely(const struct record *row, const char *path)
{
	char text[2 * RECORD_SCENE];

	printf("%s\n    only in %s\n", describe(text, row), path);
}

static void compare_files(struct comparison *c)
{
	const struct record *after;
	unsigned int i;

	for (i = 0; i < c->before.count; i++) {
		after = find_pair(c, &c->before.record[i]);
		if (after)
			compare_rows(c, &c->before.record[i], after);
		else
			print_lonely(&c->before.record[i], c->before.path);
	}
	for (i = 0; i < c->after.count; i++)
		if (!c->taken[i])
			print_lonely(&c->after.record[i], c->after.path);
}

static void print_hosts(const struct comparison *c)
{
	const struct record_file *file[2] = { &c->before, &c->after };
	int i;

	if (record_file_same_host(file[0], file[1]))
		return;
	fprintf(stderr, "shmipc-bench: WARNING: the files come from different hosts: what differs may be the host\n");
	for (i = 0; i < 2; i++)
		fprintf(stderr, "    %s: %s %s, %s, %u processors%s%s\n", file[i]->path, file[i]->kernel,
			file[i]->machine, file[i]->cpu, file[i]->cpus, file[i]->emulated ? ", EMULATED" : "",
			file[i]->instructions ? ", instruction clock" : "");
}

static double parse_threshold(const char *text)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || *end || !(percent >= 0 && percent <= 1000))
		options_reject("compare: --threshold: '%s' is not a number of percent from 0 to 1000", text);
	return percent / 100;
}

/* What is there to say in the end, and the exit status. */
static int conclude(const struct comparison *c)
{
	if (!c->pairs) {
		fprintf(stderr, "shmipc-bench: compare: no row is in both files\n");
		return 2;
	}
	printf("\n%u rows in both files: %u figures worse, %u better\n", c->pairs, c->worse, c->better);
	if (c->unsure)
		printf("NOTE: %u times differ, but were measured in fewer than %d turns: nothing is known of their noise.\n"
		       "      Measure both with --repeat 5 or more.\n",
		       c->unsure, NOISE_TURNS);
	return c->worse ? 1 : 0;
}

int compare_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "threshold", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct comparison c = { .threshold = 0.05 };
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 't')
			options_reject("compare: that is not an option, or its value is missing");
		c.threshold = parse_threshold(optarg);
	}
	if (argc - optind != 2)
		options_reject("compare: two files are wanted: before, after");
	if (record_file_load(&c.before, argv[optind]))
		return 2;
	if (record_file_load(&c.after, argv[optind + 1])) {
		record_file_free(&c.before);
		return 2;
	}
	c.taken = calloc(c.after.count + 1, sizeof(*c.taken));
	if (!c.taken)
		abort();
	print_hosts(&c);
	compare_files(&c);
	status = conclude(&c);
	free(c.taken);
	record_file_free(&c.before);
	record_file_free(&c.after);
	return status;
}
