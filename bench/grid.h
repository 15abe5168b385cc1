/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_GRID_H
#define BENCH_GRID_H

#include <stdbool.h>

#define GRID_COLUMNS 20

/* A table before it is HTML or Markdown: a head, and cells row by row. Texts are as they are read, escaped by nobody. */
struct grid {
	unsigned int columns, cells, room;
	unsigned int words; /* a bit for each column that has words and no figures */
	const char *head[GRID_COLUMNS];
	struct grid_cell {
		char *text;
		const char *mark; /* "good", "bad", "noise"; NULL: none */
	} * cell;
};

/* The names of @head must outlive the grid. */
void grid_init(struct grid *grid, const char *const *head, unsigned int columns, unsigned int words);
void grid_free(struct grid *grid);

void __attribute__((format(printf, 2, 3))) grid_add(struct grid *grid, const char *format, ...);
/* Adds to the text of the last cell, after @between where there is some text already. */
void __attribute__((format(printf, 3, 4))) grid_append(struct grid *grid, const char *between, const char *format, ...);
void grid_mark(struct grid *grid, const char *mark);
/* A row that says what the rows after it are about. */
void grid_group(struct grid *grid, const char *title);
bool grid_is_group(const struct grid *grid, unsigned int row);

unsigned int grid_rows(const struct grid *grid);
const struct grid_cell *grid_at(const struct grid *grid, unsigned int row, unsigned int column);

/* Does the column say nothing in any row? */
bool grid_column_is_empty(const struct grid *grid, unsigned int column);

#endif
