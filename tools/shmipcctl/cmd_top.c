// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_top.c - shmipcctl top: live rates of all channels
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "screen.h"
#include "top_model.h"
#include "units.h"

static const struct option_spec options[] = {
	{ 'd', "delay", "TIME", "between two refreshes, from 100ms (default 1s)" },
	{ 's', "sort", "KEY", "by messages (default), bytes, wakes, queue, lent or age" },
	{ 'n', "count", "N", "stop after N refreshes" },
	{ 'b', "batch", NULL, "write one table after the other, for a file or a pipe; so it is without a terminal" },
	{ 'p', "pid", "PID", "only channels of this process" },
	{ 'j', "json", NULL, "print JSON: a document a line, one each refresh; schema/top.json describes it" },
	{ 0 },
};

static const struct grid_column columns[] = {
	{ "CHANNEL", false, false, 0 },	  { "STATE", false, false, 3 }, { "ENDPOINT 0", false, true, 2 },
	{ "ENDPOINT 1", false, true, 2 }, { "MSG/S", true, false, 0 },	{ "BYTES/S", true, false, 0 },
	{ "WAKES/S", true, false, 1 },	  { "QUEUE", true, false, 1 },	{ "LENT", true, false, 1 },
	{ "OLDEST", true, false, 1 },	  { "MEMORY", true, false, 4 },
};

static void add_row(struct grid *table, const struct top_row *row)
{
	const struct channel_view *c = &row->channel;
	enum channel_state state = c->state;
	char text[UNITS_MAX], name[CHANNEL_NAME], side[64];

	grid_add(table, GRID_PLAIN, "%s", channel_short_name(c, name));
	if (row->rates.stalled && state == CHANNEL_LIVE)
		grid_add(table, GRID_RED, "stalled");
	else
		grid_add(table, channel_state_colour(state), "%s", channel_state_name(state));
	grid_add(table, GRID_PLAIN, "%s", side_name(&c->side[0], side));
	grid_add(table, GRID_PLAIN, "%s", side_name(&c->side[1], side));
	grid_add(table, GRID_PLAIN, "%s", format_count(text, row->rates.messages[0] + row->rates.messages[1]));
	grid_add(table, GRID_PLAIN, "%s", format_bytes(text, (uint64_t)(row->rates.bytes[0] + row->rates.bytes[1])));
	grid_add(table, GRID_PLAIN, "%s", format_count(text, row->rates.wakes));
	grid_add(table, GRID_PLAIN, "%" PRIu64, top_value(row, TOP_BY_QUEUE));
	grid_add(table, GRID_PLAIN, "%s", format_bytes(text, top_value(row, TOP_BY_LENT)));
	grid_add(table, GRID_PLAIN, "%s",
		 top_value(row, TOP_BY_LENT) ? format_age(text, top_value(row, TOP_BY_AGE)) : "-");
	grid_add(table, GRID_PLAIN, "%s", format_bytes(text, c->memory));
}

static void print_head(const struct top *top, const char *line_end)
{
	double messages = 0, bytes = 0, wakes = 0;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];
	size_t i;

	for (i = 0; i < top->count; i++) {
		messages += top->rows[i].rates.messages[0] + top->rows[i].rates.messages[1];
		bytes += top->rows[i].rates.bytes[0] + top->rows[i].rates.bytes[1];
		wakes += top->rows[i].rates.wakes;
	}
	printf("%zu channels, %s messages/s, %s/s, %s wake-ups/s; sorted by %s%s", top->count,
	       format_count(a, messages), format_bytes(b, (uint64_t)bytes), format_count(c, wakes),
	       top_key_name(top->key), line_end);
	if (top->host.hidden)
		printf("%zu processes may not be looked at", top->host.hidden);
	printf("%s", line_end);
}

static void fill(const struct top *top, struct grid *table)
{
	size_t i;

	grid_init(table, columns, sizeof(columns) / sizeof(*columns));
	for (i = 0; i < top->count; i++)
		add_row(table, &top->rows[i]);
}

static void draw(const struct top *top, size_t first)
{
	int lines = window_lines(stdout), width = window_columns(stdout);
	struct grid table;
	char *text = NULL, *line, *end;
	size_t size = 0;
	FILE *memory;

	fputs("\033[H", stdout);
	print_head(top, "\033[K\n");
	fill(top, &table);
	/* By way of a buffer, so that each line's rest is cleared. */
	memory = open_memstream(&text, &size);
	if (memory) {
		grid_print(&table, memory, width, wants_colour(stdout), first, lines > 5 ? (size_t)(lines - 5) : 1);
		fclose(memory);
		for (line = text; line && (end = strchr(line, '\n')); line = end + 1)
			printf("%.*s\033[K\n", (int)(end - line), line);
		free(text);
	}
	printf("\033[J\033[%d;1H%sq%s quit  sort: %sm%s messages %sb%s bytes %sw%s wakes %sd%s queue %sl%s lent %sa%s age\033[K",
	       lines, "\033[1m", "\033[0m", "\033[1m", "\033[0m", "\033[1m", "\033[0m", "\033[1m", "\033[0m", "\033[1m",
	       "\033[0m", "\033[1m", "\033[0m", "\033[1m", "\033[0m");
	fflush(stdout);
	grid_fini(&table);
}

/* Whether to go on. */
static bool take_key(struct top *top, int key, size_t *first)
{
	static const char letters[] = "mbwdla";
	const char *letter = key > 0 && key < 128 ? strchr(letters, key) : NULL;

	if (key == SCREEN_QUIT || key == 'q' || key == 'Q')
		return false;
	if (key == SCREEN_DOWN && *first + 1 < top->count)
		++*first;
	else if (key == SCREEN_UP && *first)
		--*first;
	else if (letter && *letter) {
		top->key = (enum top_key)(letter - letters);
		top_sort(top);
	}
	return true;
}

static int run_screen(struct top *top, uint64_t delay, uint64_t count)
{
	int64_t next = now_ns();
	uint64_t shown = 0;
	size_t first = 0;
	int key = SCREEN_TIMEOUT;

	if (!screen_open())
		return trouble("this is no terminal: --batch works without");
	do {
		if (key == SCREEN_TIMEOUT) {
			top_refresh(top);
			next += (int64_t)delay * 1000000;
			if (next < now_ns())
				next = now_ns() + (int64_t)delay * 1000000;
			shown++;
		}
		if (first && first >= top->count)
			first = top->count - 1;
		draw(top, first);
		if (count && shown >= count)
			break;
		key = screen_wait(next);
	} while (take_key(top, key, &first));
	screen_close();
	return STATUS_OK;
}

static int print_batch(const struct top *top, bool json)
{
	struct grid table;
	int r = STATUS_OK;

	if (json) {
		r = print_json(top_json(top), true);
	} else {
		print_head(top, "\n");
		fill(top, &table);
		grid_print(&table, stdout, 0, false, 0, top->count);
		grid_fini(&table);
		putchar('\n');
	}
	fflush(stdout);
	return ferror(stdout) ? trouble("cannot write the output: %m") : r;
}

static int run_batch(struct top *top, uint64_t delay, uint64_t count, bool json)
{
	struct timespec pause = { (time_t)(delay / 1000), (long)(delay % 1000) * 1000000 };
	uint64_t i;
	int r = STATUS_OK;

	/* The first look is what the first rates are since. */
	top_refresh(top);
	for (i = 0; (!count || i < count) && r == STATUS_OK; i++) {
		nanosleep(&pause, NULL);
		top_refresh(top);
		r = print_batch(top, json);
	}
	return r;
}

static int run(int argc, char **argv)
{
	uint64_t delay = 1000, count = 0;
	bool batch = false, json = false;
	struct top top;
	int key, r;

	memset(&top, 0, sizeof(top));
	while ((key = command_next(&command_top, argc, argv)) != -1) {
		if (key == 'd')
			delay = age_argument(&command_top, "delay");
		else if (key == 'n')
			count = number_argument(&command_top, "count", 1, 1000000000);
		else if (key == 'p')
			top.only = (pid_t)number_argument(&command_top, "pid", 1, INT32_MAX);
		else if (key == 'b')
			batch = true;
		else if (key == 'j')
			json = true;
		else if (!top_key_parse(optarg, &top.key))
			return wrong_usage(&command_top, "no such key to sort by: '%s'", optarg);
	}
	if (optind < argc)
		return wrong_usage(&command_top, "unexpected argument '%s'", argv[optind]);
	if (delay < 100)
		return wrong_usage(&command_top, "--delay is at least 100ms");
	if (batch || json || window_columns(stdout) == 0)
		r = run_batch(&top, delay, count, json);
	else
		r = run_screen(&top, delay, count);
	top_free(&top);
	return r;
}

const struct command command_top = {
	.name = "top",
	.summary = "live rates of all channels",
	.arguments = "",
	.details =
		"Shows messages, bytes and wake-ups a second, both ways together, messages queued, bytes lent and the age of "
		"the oldest slice lent, sorted and refreshed. A live channel is stalled where messages are queued and "
		"none was received since the last refresh.\n\n"
		"Keys: q quits; m, b, w, d, l and a sort by messages, bytes, wakes, queue, lent and age; up and down "
		"scroll. New channels are looked for every two seconds, or less often where that is dear: it takes "
		"no more than about a three-hundredth of a processor.",
	.options = options,
	.examples = "  shmipcctl top --sort age\n  shmipcctl top --json -n 10 -d 500ms\n",
	.run = run,
};
