// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_list.c - shmipcctl list: every channel and session of the host
 */
#include <getopt.h>
#include <string.h>

#include "channel_view.h"
#include "command.h"
#include "units.h"

static const struct option_spec options[] = {
	{ 'j', "json", NULL, "print JSON: one document; schema/list.json describes it" },
	{ 'p', "pid", "PID", "only channels of this process" },
	{ 's', "state", "STATE", "only channels that are live, new, stopped, hung-up, corrupt or unseen" },
	{ 0 },
};

static const struct grid_column columns[] = {
	{ "CHANNEL", false, false, 0 },	  { "BACKEND", false, false, 5 },   { "STATE", false, false, 0 },
	{ "ENDPOINT 0", false, true, 0 }, { "ENDPOINT 1", false, true, 0 }, { "MEMORY", true, false, 3 },
	{ "STREAMS", true, false, 6 },	  { "QUEUE 0>1", true, false, 1 },  { "QUEUE 1>0", true, false, 1 },
	{ "LENT", true, false, 2 },	  { "OLDEST", true, false, 2 },	    { "ADDRESS", false, true, 7 },
};

static void add_queue(struct grid *table, const struct side_facts *side)
{
	if (side->readable)
		grid_add(table, GRID_PLAIN, "%u", side->lane.queue);
	else
		grid_add(table, GRID_DIM, "-");
}

/* What was connected to, by either side's word. */
static const char *session_address(const struct channel_view *c)
{
	return *c->side[0].session.address   ? c->side[0].session.address
	       : *c->side[1].session.address ? c->side[1].session.address
					     : "-";
}

static void add_row(struct grid *table, const struct channel_view *c)
{
	const struct lane_facts *a = &c->side[0].lane, *b = &c->side[1].lane;
	uint64_t oldest = a->oldest_ms > b->oldest_ms ? a->oldest_ms : b->oldest_ms,
		 lent = a->lent_bytes + b->lent_bytes;
	char text[UNITS_MAX], name[CHANNEL_NAME], side[64];

	grid_add(table, GRID_PLAIN, "%s", channel_short_name(c, name));
	grid_add(table, GRID_PLAIN, "%s", c->view.at.backend == SHMIPC_BACKEND_KMOD ? "kmod" : "memfd");
	grid_add(table, channel_state_colour(c->state), "%s", channel_state_name(c->state));
	grid_add(table, GRID_PLAIN, "%s", side_name(&c->side[0], side));
	grid_add(table, GRID_PLAIN, "%s", side_name(&c->side[1], side));
	grid_add(table, GRID_PLAIN, "%s", format_bytes(text, c->memory));
	if (c->side[0].has_session || c->side[1].has_session)
		grid_add(table, GRID_PLAIN, "%u", c->streams);
	else
		grid_add(table, GRID_DIM, "-");
	add_queue(table, &c->side[0]);
	add_queue(table, &c->side[1]);
	grid_add(table, GRID_PLAIN, "%s", format_bytes(text, lent));
	if (a->lent + b->lent)
		grid_add(table, GRID_PLAIN, "%s", format_age(text, oldest));
	else
		grid_add(table, GRID_DIM, "-");
	grid_add(table, GRID_PLAIN, "%s", session_address(c));
}

static bool is_wanted(const struct channel_view *c, const char *state)
{
	return !state || !strcmp(channel_state_name(c->state), state);
}

static int show_table(const struct channel_list *list, const char *state)
{
	struct grid table;
	size_t i;

	grid_init(&table, columns, sizeof(columns) / sizeof(*columns));
	for (i = 0; i < list->count; i++)
		if (is_wanted(&list->channels[i], state))
			add_row(&table, &list->channels[i]);
	grid_print(&table, stdout, window_columns(stdout), wants_colour(stdout), 0, grid_rows(&table));
	for (i = 0; i < list->count; i++) {
		const struct channel_view *c = &list->channels[i];
		char name[CHANNEL_NAME];

		if (c->reason && is_wanted(c, state))
			printf("%s: %s\n", channel_short_name(c, name), c->reason);
	}
	grid_fini(&table);
	return STATUS_OK;
}

static int show_json(const struct channel_list *list, const char *state)
{
	json_t *document = document_json("list", &list->host), *array = json_array();
	size_t i;

	for (i = 0; i < list->count; i++)
		if (is_wanted(&list->channels[i], state))
			json_array_append_new(array, channel_json(&list->channels[i]));
	json_object_set_new(document, "channels", array);
	return print_json(document, false);
}

static const char *check_state(const char *state)
{
	int i;

	for (i = 0; i <= CHANNEL_UNSEEN; i++)
		if (!strcmp(channel_state_name((enum channel_state)i), state))
			return state;
	return NULL;
}

static int run(int argc, char **argv)
{
	struct channel_list list;
	const char *state = NULL;
	bool json = false;
	pid_t pid = 0;
	int key, r;

	while ((key = command_next(&command_list, argc, argv)) != -1) {
		if (key == 'j')
			json = true;
		else if (key == 'p')
			pid = (pid_t)number_argument(&command_list, "pid", 1, INT32_MAX);
		else if (!(state = check_state(optarg)))
			return wrong_usage(&command_list, "no state '%s'", optarg);
	}
	if (optind < argc)
		return wrong_usage(&command_list, "unexpected argument '%s'", argv[optind]);
	r = channels_open(&list, pid, NULL);
	if (r)
		r = trouble("cannot look at this host's processes: %s", strerror(-r));
	else
		r = json ? show_json(&list, state) : show_table(&list, state);
	fflush(stdout);
	tell_hidden(&list.host);
	channels_free(&list);
	return r;
}

const struct command command_list = {
	.name = "list",
	.summary = "every channel and session of this host, both backends",
	.arguments = "",
	.details =
		"Shows each channel once, whichever of its processes it was found in: its state, the processes at its "
		"two ends, the memory of both lanes, open streams, messages sent and not yet received each way, "
		"bytes lent and not yet given back, and for how long the oldest of them has been lent.\n\n"
		"States: live; new (the second endpoint was not handed over yet); stopped (a process of it is "
		"stopped); hung-up (one side is gone); corrupt (a lane's record makes no sense: the line below the "
		"table says why); unseen (its memory may not be looked at).\n\n"
		"A channel's name is random; any command takes the first digits of it, at least four. Also "
		"understood: pid:PID, where that process has one channel only, and kmod:NUMBER, the module's own "
		"number.",
	.options = options,
	.examples = "  shmipcctl list --state hung-up   what a crashed process left behind\n"
		    "  shmipcctl list --json | jq '.channels[] | select(.memory_bytes > 100000000)'\n",
	.run = run,
};
