// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_leaks.c - shmipcctl leaks: slices lent for too long
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "channel_view.h"
#include "command.h"
#include "leaks.h"
#include "units.h"

enum { OPTION_CONTENT = 256 };

#define OLDER_MS 60000
#define PREVIEW_MAX 256

static const struct option_spec options[] = {
	{ 'o', "older", "TIME", "lent for at least TIME, such as 500ms, 10s or 5m (default 1m)" },
	{ 's', "sort", "KEY", "by age (default), size or stream" },
	{ 'l', "limit", "N", "show at most N slices of each channel (default 100; 0: all)" },
	{ OPTION_CONTENT, "content", "BYTES", "show the first BYTES of each, 1 to 256; they may be anybody's secrets" },
	{ 'p', "pid", "PID", "only channels of this process" },
	{ 'j', "json", NULL, "print JSON: one document; schema/leaks.json describes it" },
	{ 0 },
};

static const struct grid_column columns[] = {
	{ "CHANNEL", false, false, 0 }, { "SENDER", false, true, 4 }, { "RECEIVER", false, true, 3 },
	{ "STREAM", true, false, 0 },	{ "SLICE", true, false, 2 },  { "SIZE", true, false, 0 },
	{ "AGE", true, false, 0 },	{ "WHERE", false, false, 1 }, { "CONTENT", false, true, 5 },
};

struct wish {
	uint64_t older_ms, limit;
	enum leak_order order;
	size_t content;
	bool json;
};

/* Everything found, over all channels. */
struct tally {
	size_t count;
	uint64_t bytes, unseen; /* unseen: channels that could not be looked at */
};

static ssize_t read_content(const struct channel_view *c, const struct leak *leak, size_t most, unsigned char *bytes)
{
	return view_read(&c->view, leak->endpoint, leak->segment, leak->offset, bytes,
			 leak->size < most ? leak->size : most);
}

static void add_row(struct grid *table, const struct channel_view *c, const struct leak *leak, const struct wish *wish)
{
	unsigned char bytes[PREVIEW_MAX];
	char name[CHANNEL_NAME], side[64], text[PREVIEW_MAX + 1];
	ssize_t n, i;

	grid_add(table, GRID_PLAIN, "%s", channel_short_name(c, name));
	grid_add(table, GRID_PLAIN, "%s", side_name(&c->side[leak->endpoint], side));
	grid_add(table, GRID_PLAIN, "%s", side_name(&c->side[!leak->endpoint], side));
	grid_add(table, GRID_PLAIN, "%u", leak->stream);
	grid_add(table, GRID_PLAIN, "%u", leak->number);
	grid_add(table, GRID_PLAIN, "%s", format_bytes(text, leak->size));
	grid_add(table, leak->queued ? GRID_PLAIN : GRID_YELLOW, "%s", format_age(text, leak->age_ms));
	grid_add(table, GRID_PLAIN, "%s", leak->queued ? "queued" : "held");
	if (!wish->content)
		return;
	n = read_content(c, leak, wish->content, bytes);
	for (i = 0; i < n; i++)
		text[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
	text[n > 0 ? n : 0] = '\0';
	grid_add(table, n < 0 ? GRID_DIM : GRID_PLAIN, "%s", n < 0 ? "(cannot be read)" : text);
}

static json_t *leak_json(const struct channel_view *c, const struct leak *leak, const struct wish *wish)
{
	unsigned char bytes[PREVIEW_MAX];
	char hex[2 * PREVIEW_MAX + 1] = "";
	json_t *content = json_null();
	ssize_t n, i;

	if (wish->content) {
		n = read_content(c, leak, wish->content, bytes);
		for (i = 0; i < n; i++)
			snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
		if (n >= 0)
			content = json_string(hex);
	}
	return json_pack("{s:i,s:I,s:i,s:I,s:I,s:s,s:o}", "endpoint", leak->endpoint, "stream",
			 (json_int_t)leak->stream, "slice", (int)leak->number, "size", (json_int_t)leak->size, "age_ms",
			 (json_int_t)leak->age_ms, "where", leak->queued ? "queued" : "held", "content_hex", content);
}

static int look_at(struct channel_view *c, const struct wish *wish, struct grid *table, json_t *array,
		   struct tally *tally)
{
	json_t *list = json_array(), *entry = channel_json(c);
	struct snapshot snapshot;
	struct leaks leaks = { .list = NULL };
	size_t i, most;
	int r = snapshot_take(&snapshot, &c->view);

	tally->unseen += c->state == CHANNEL_UNSEEN || c->state == CHANNEL_CORRUPT;
	if (!r)
		r = leaks_find(&snapshot.pair, snapshot.now_ms, wish->older_ms, &leaks);
	leaks_sort(&leaks, wish->order);
	most = wish->limit && wish->limit < leaks.count ? wish->limit : leaks.count;
	for (i = 0; i < leaks.count && !r; i++) {
		tally->count++;
		tally->bytes += leaks.list[i].size;
		if (i < most && wish->json)
			json_array_append_new(list, leak_json(c, &leaks.list[i], wish));
		else if (i < most)
			add_row(table, c, &leaks.list[i], wish);
	}
	json_object_set_new(entry, "leaks", list);
	json_object_set_new(entry, "leak_count", json_integer((json_int_t)leaks.count));
	if (leaks.count || c->state == CHANNEL_UNSEEN || c->state == CHANNEL_CORRUPT)
		json_array_append(array, entry);
	json_decref(entry);
	leaks_free(&leaks);
	snapshot_free(&snapshot);
	return r;
}

static void show_summary(const struct tally *tally, const struct grid *table, const struct wish *wish)
{
	char bytes[UNITS_MAX], age[UNITS_MAX];

	if (tally->count)
		printf("%zu slice%s with %s bytes lent for %s or longer", tally->count, tally->count == 1 ? "" : "s",
		       format_bytes(bytes, tally->bytes), format_age(age, wish->older_ms));
	else
		printf("nothing is lent for %s or longer", format_age(age, wish->older_ms));
	if (grid_rows(table) < tally->count)
		printf(", %zu shown (--limit)", grid_rows(table));
	putchar('\n');
	if (tally->unseen)
		printf("%" PRIu64 " channels could not be looked at: shmipcctl list says why\n", tally->unseen);
}

static int look_at_all(struct channel_list *list, const struct wish *wish)
{
	json_t *array = json_array(), *document;
	struct tally tally = { .count = 0 };
	struct grid table;
	size_t i;
	int r = 0;

	grid_init(&table, columns, sizeof(columns) / sizeof(*columns) - !wish->content);
	for (i = 0; i < list->count && !r; i++)
		r = look_at(&list->channels[i], wish, &table, array, &tally);
	if (r) {
		r = trouble("%s", strerror(-r));
	} else if (wish->json) {
		document = document_json("leaks", &list->host);
		json_object_set(document, "channels", array);
		json_object_set_new(document, "older_ms", json_integer((json_int_t)wish->older_ms));
		json_object_set_new(document, "count", json_integer((json_int_t)tally.count));
		json_object_set_new(document, "bytes", json_integer((json_int_t)tally.bytes));
		r = print_json(document, false);
	} else {
		if (grid_rows(&table))
			grid_print(&table, stdout, window_columns(stdout), wants_colour(stdout), 0, grid_rows(&table));
		show_summary(&tally, &table, wish);
	}
	grid_fini(&table);
	json_decref(array);
	return r == STATUS_OK && tally.count ? STATUS_FOUND : r;
}

static int take_order(const char *text, enum leak_order *order)
{
	static const char *const names[] = { "age", "size", "stream" };
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(text, names[i])) {
			*order = (enum leak_order)i;
			return 0;
		}
	return wrong_usage(&command_leaks, "--sort wants age, size or stream, not '%s'", text);
}

static int run(int argc, char **argv)
{
	struct wish wish = { .older_ms = OLDER_MS, .limit = 100 };
	struct channel_list list;
	pid_t pid = 0;
	int key, r;

	while ((key = command_next(&command_leaks, argc, argv)) != -1) {
		if (key == 'o')
			wish.older_ms = age_argument(&command_leaks, "older");
		else if (key == 'l')
			wish.limit = number_argument(&command_leaks, "limit", 0, 1000000);
		else if (key == OPTION_CONTENT)
			wish.content = number_argument(&command_leaks, "content", 1, PREVIEW_MAX);
		else if (key == 'p')
			pid = (pid_t)number_argument(&command_leaks, "pid", 1, INT32_MAX);
		else if (key == 'j')
			wish.json = true;
		else if (take_order(optarg, &wish.order))
			return STATUS_TROUBLE;
	}
	if (argc - optind > 1)
		return wrong_usage(&command_leaks, "one channel at most");
	r = channels_open(&list, pid, optind < argc ? argv[optind] : NULL);
	if (r)
		r = trouble("cannot look at this host's processes: %s", strerror(-r));
	else if (optind < argc && !list.count)
		r = trouble("no channel '%s'", argv[optind]);
	else
		r = look_at_all(&list, &wish);
	fflush(stdout);
	tell_hidden(&list.host);
	channels_free(&list);
	return r;
}

const struct command command_leaks = {
	.name = "leaks",
	.summary = "slices that were lent too long ago, by stream, age and size",
	.arguments = "[CHANNEL]",
	.details =
		"Shows the slices, the pieces of payload memory with one message each, that were lent to the receiver and "
		"have not come back for longer than --older: a receiver that keeps messages and forgets them, or does "
		"not read. WHERE says which: queued messages were not received yet, held ones were. Messages that "
		"ride in a slot of the ring use no slice and cannot leak.\n\n"
		"STREAM is the number of the stream, or on a bare channel the message's tag. The memory comes back "
		"when the receiver releases the message, or when its channel is closed.\n\n"
		"Content is shown only with --content.",
	.options = options,
	.found = "at least one slice was found",
	.examples = "  shmipcctl leaks --older 5m\n  shmipcctl leaks 3f2a --older 10s --sort size --content 64\n",
	.run = run,
};
