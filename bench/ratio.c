// SPDX-License-Identifier: Apache-2.0
/* shmipc-bench ratio: how one transport stands against the others, size by size. Below 1 the base is beaten. */
#include "bench.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "format.h"
#include "series.h"

static const struct series *find_base(const struct series_set *set, const char *name)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		if (!strcmp(set->series[i].label, name))
			return &set->series[i];
	return NULL;
}

static void print_line(const struct series *series, const struct series *base, bool instructions)
{
	const struct point *point;
	size_t i;

	printf("%-20s", series->label);
	for (i = 0; i < base->points; i++) {
		double mine, other;

		point = series_at(series, base->point[i].size);
		mine = !point ? NAN : instructions ? point->instructions : point->p50_ns;
		other = instructions ? base->point[i].instructions : base->point[i].p50_ns;
		if (isfinite(mine) && other > 0)
			printf(" %8.*f", mine / other < 0.0995 ? 4 : 2, mine / other);
		else
			printf(" %8s", "-");
	}
	printf("\n");
}

int ratio_main(int argc, char **argv)
{
	static const struct option options[] = { { "base", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 } };
	struct series_set *set = calloc(1, sizeof(*set));
	const char *name = "uds";
	const struct series *base;
	char size[FORMAT_SIZE];
	unsigned int i;
	int c;

	while (set && (c = getopt_long(argc, argv, "b:", options, NULL)) != -1) {
		if (c != 'b')
			options_reject("ratio: that is not an option, or its value is missing");
		name = optarg;
	}
	if (!set || optind == argc)
		options_reject("ratio: a report file is missing");
	for (; optind < argc; optind++)
		if (series_load(set, argv[optind]))
			exit(1);
	base = find_base(set, name);
	if (!base)
		options_reject("ratio: '%s' is not in the reports", name);
	printf("%s, %s of each / %s%s\n%-20s", set->workload, set->instructions ? "instructions" : "p50", name,
	       set->emulated && !set->instructions ? " (EMULATED: not a statement about real machines)" : "", "");
	for (i = 0; i < base->points; i++)
		printf(" %8s", format_size(size, base->point[i].size));
	printf("\n");
	for (i = 0; i < set->count; i++)
		print_line(&set->series[i], base, set->instructions);
	free(set);
	return 0;
}
