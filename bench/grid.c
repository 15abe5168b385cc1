// SPDX-License-Identifier: Apache-2.0
#include "grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grid_init(struct grid *grid, const char *const *head, unsigned int columns, unsigned int words)
{
	memset(grid, 0, sizeof(*grid));
	grid->columns = columns;
	grid->words = words;
	memcpy(grid->head, head, columns * sizeof(*head));
}

void grid_free(struct grid *grid)
{
	unsigned int i;

	for (i = 0; i < grid->cells; i++)
		free(grid->cell[i].text);
	free(grid->cell);
	memset(grid, 0, sizeof(*grid));
}

static char *print(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return text;
}

void grid_add(struct grid *grid, const char *format, ...)
{
	va_list args;

	if (grid->cells == grid->room) {
		grid->room = grid->room ? 2 * grid->room : 64;
		grid->cell = realloc(grid->cell, grid->room * sizeof(*grid->cell));
		if (!grid->cell)
			abort();
	}
	va_start(args, format);
	grid->cell[grid->cells++] = (struct grid_cell){ print(format, args), NULL };
	va_end(args);
}

void grid_append(struct grid *grid, const char *between, const char *format, ...)
{
	struct grid_cell *cell = &grid->cell[grid->cells - 1];
	char *before = cell->text, *added;
	va_list args;

	va_start(args, format);
	added = print(format, args);
	va_end(args);
	if (asprintf(&cell->text, "%s%s%s", before, *before ? between : "", added) < 0)
		abort();
	free(before);
	free(added);
}

void grid_mark(struct grid *grid, const char *mark)
{
	grid->cell[grid->cells - 1].mark = mark;
}

static const char group[] = "group";

void grid_group(struct grid *grid, const char *title)
{
	unsigned int i;

	grid_add(grid, "%s", title);
	grid_mark(grid, group);
	for (i = 1; i < grid->columns; i++)
		grid_add(grid, "%s", "");
}

bool grid_is_group(const struct grid *grid, unsigned int row)
{
	return grid_at(grid, row, 0)->mark == group;
}

unsigned int grid_rows(const struct grid *grid)
{
	return grid->cells / grid->columns;
}

const struct grid_cell *grid_at(const struct grid *grid, unsigned int row, unsigned int column)
{
	return &grid->cell[row * grid->columns + column];
}

bool grid_column_is_empty(const struct grid *grid, unsigned int column)
{
	const char *text;
	unsigned int row;

	for (row = 0; row < grid_rows(grid); row++) {
		text = grid_at(grid, row, column)->text;
		if (*text && strcmp(text, "-"))
			return false;
	}
	return true;
}
