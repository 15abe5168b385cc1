/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <stdbool.h>

#include "record.h"

/* What an axis has: it decides on scale and ticks. All but AXIS_AMOUNT are logarithmic. */
enum chart_axis {
	AXIS_SIZE,	/* bytes of a message; ticks at the values */
	AXIS_COUNT,	/* of streams, threads, producers; ticks at the values */
	AXIS_RATE,	/* a second */
	AXIS_BYTE_RATE, /* bytes a second */
	AXIS_TIME,	/* ns */
	AXIS_SHARE,	/* 1 / (1 - share of all): 50 %, 99 %, 99.9 % */
	AXIS_AMOUNT	/* from 0 */
};

struct curve {
	char label[RECORD_SCENE];
	unsigned int count, room;
	struct curve_point {
		double x, y;
		char name[RECORD_SCENE]; /* of a bar */
	} * point;
};

/* More curves than these are left out. */
#define CHART_CURVES 24

/* Curves, or, with @bars, for each name a group of horizontal bars, one of each curve. */
struct chart {
	char title[2 * RECORD_SCENE];
	const char *x_title, *y_title;
	enum chart_axis x, y;
	bool bars;
	unsigned int count;
	struct curve *curve;
};

void chart_free(struct chart *chart);

/* The curve named @label, a new one if need be; NULL when there are too many. Valid until the next call. */
struct curve *chart_curve(struct chart *chart, const char *label);

/* Does nothing where there is no @curve, @y is no figure that can be shown, or there is a point at @x already. @name may be NULL. */
void curve_add(struct curve *curve, double x, double y, const char *name);

/* Leaves out curves of a single point. */
void chart_drop_points(struct chart *chart);

/* Is there a curve with at least @points points? */
bool chart_has(const struct chart *chart, unsigned int points);

/*
 * Draws with gnuplot. @name: letters, digits and hyphens, for the ids inside. @inlined: as an element of an HTML page,
 * which sets the colours of text and lines; else a file of its own. NULL after saying on standard error what is wrong.
 * The caller frees it.
 */
char *chart_draw(struct chart *chart, const char *name, bool inlined);

#endif
