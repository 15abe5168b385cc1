/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid.h - rows and columns for people: as wide as they must be, as narrow as the window wants
 *
 * Cells are ASCII; whoever adds one from elsewhere runs it through sanitize_text() first.
 */
#ifndef SHMIPCCTL_GRID_H
#define SHMIPCCTL_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum grid_colour { GRID_PLAIN, GRID_RED, GRID_GREEN, GRID_YELLOW, GRID_DIM, GRID_BOLD };

struct grid_column {
	const char *title;
	bool right;   /* numbers */
	bool shrinks; /* may be cut, to what GRID_SHRUNK says */
	int drop;     /* columns with the highest number go first where the window is narrow; 0: never */
};

#define GRID_SHRUNK 10
#define GRID_COLUMNS_MAX 16

struct grid {
	const struct grid_column *columns;
	size_t count;
	char **cells;
	enum grid_colour *colours; /* of each cell */
	size_t used, room;
	bool failed; /* out of memory: what was added is there, the rest is not */
};

void grid_init(struct grid *table, const struct grid_column *columns, size_t count);
void grid_fini(struct grid *table);

/* The next cell, row by row. */
__attribute__((format(printf, 3, 4))) void grid_add(struct grid *table, enum grid_colour colour, const char *format,
						    ...);

size_t grid_rows(const struct grid *table);

/**
 * grid_print - write it out
 * @width: columns of the window; 0: no limit
 * @colours: whether to use them
 * @first: rows to leave out, for a window that scrolls
 * @most: rows to write at most
 */
void grid_print(const struct grid *table, FILE *out, int width, bool colours, size_t first, size_t most);

/* The window's size, of a terminal; else 0 columns, that is no limit, and 24 lines. */
int window_columns(FILE *out);
int window_lines(FILE *out);

/* Whether a person is looking: a terminal, and NO_COLOR is not set. */
bool wants_colour(FILE *out);

/* What a terminal is to be told for a colour; "" for GRID_PLAIN. */
const char *colour_code(enum grid_colour colour);

#endif /* SHMIPCCTL_GRID_H */
