/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - rows and columns for people: as wide as they must be, as narrow as the window wants
 *
 * Cells are ASCII; whoever adds one from elsewhere runs it through sanitize_text() first.
 */
#ifndef SHMIPCCTL_TABLE_H
#define SHMIPCCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_colour { TABLE_PLAIN, TABLE_RED, TABLE_GREEN, TABLE_YELLOW, TABLE_DIM, TABLE_BOLD };

struct table_column {
	const char *title;
	bool right;   /* numbers */
	bool shrinks; /* may be cut, to what TABLE_SHRUNK says */
	int drop;     /* columns with the highest number go first where the window is narrow; 0: never */
};

#define TABLE_SHRUNK 10
#define TABLE_COLUMNS_MAX 16

struct table {
	const struct table_column *columns;
	size_t count;
	char **cells;
	enum table_colour *colours; /* of each cell */
	size_t used, room;
	bool failed; /* out of memory: what was added is there, the rest is not */
};

void table_init(struct table *table, const struct table_column *columns, size_t count);
void table_fini(struct table *table);

/* The next cell, row by row. */
__attribute__((format(printf, 3, 4))) void table_add(struct table *table, enum table_colour colour, const char *format,
						     ...);

size_t table_rows(const struct table *table);

/**
 * table_print - write it out
 * @width: columns of the window; 0: no limit
 * @colours: whether to use them
 * @first: rows to leave out, for a window that scrolls
 * @most: rows to write at most
 */
void table_print(const struct table *table, FILE *out, int width, bool colours, size_t first, size_t most);

/* The window's size, of a terminal; else 0 columns, that is no limit, and 24 lines. */
int window_columns(FILE *out);
int window_lines(FILE *out);

/* Whether a person is looking: a terminal, and NO_COLOR is not set. */
bool wants_colour(FILE *out);

/* What a terminal is to be told for a colour; "" for TABLE_PLAIN. */
const char *colour_code(enum table_colour colour);

#endif /* SHMIPCCTL_TABLE_H */
