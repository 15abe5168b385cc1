// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "ticks.h"

static struct {
	unsigned int rows, turns;
	uint64_t begin_ns;
	bool terminal, shown;
} progress;

void progress_begin(unsigned int rows, unsigned int turns)
{
	progress.rows = rows;
	progress.turns = turns;
	progress.begin_ns = ticks_monotonic_ns();
	/* Where instructions are the measure, those that write to the terminal are not to be among them. */
	progress.terminal = isatty(STDERR_FILENO) && !ticks_clock.instructions;
}

/* The rest takes as long as what was done took, run by run; nobody knows before the first one is done. */
static void print_left(unsigned int done)
{
	double left = progress.rows * progress.turns - done;
	double seconds = done ? (ticks_monotonic_ns() - progress.begin_ns) / 1e9 / done * left : 0;

	if (!done)
		return;
	if (seconds < 100)
		fprintf(stderr, ", about %.0f s left", seconds);
	else
		fprintf(stderr, ", about %.0f min left", seconds / 60);
}

void progress_step(unsigned int row, unsigned int turn)
{
	if (!progress.terminal) {
		if (!row && progress.turns > 1 && turn < progress.turns)
			fprintf(stderr, "shmipc-bench: turn %u of %u\n", turn + 1, progress.turns);
		return;
	}
	progress_clear();
	fprintf(stderr, "row %u of %u", row + 1, progress.rows);
	if (turn >= progress.turns)
		fprintf(stderr, ", counting");
	else if (progress.turns > 1)
		fprintf(stderr, ", turn %u of %u", turn + 1, progress.turns);
	if (turn < progress.turns)
		print_left(turn * progress.rows + row);
	fflush(stderr);
	progress.shown = true;
}

void progress_clear(void)
{
	if (progress.shown)
		fprintf(stderr, "\r\033[K");
	progress.shown = false;
}
