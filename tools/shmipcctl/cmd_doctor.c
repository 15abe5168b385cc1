// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_doctor.c - shmipcctl doctor: what works on this host, and what to do about the rest
 *
 * Each check is a function that says one thing; doctor_checks.c has them.
 */
#include <getopt.h>
#include <string.h>

#include "command.h"
#include "doctor.h"

static const struct option_spec options[] = {
	{ 'j', "json", NULL, "print JSON: one document; schema/doctor.json describes it" },
	{ 'q', "quiet", NULL, "show only what is not as it should be" },
	{ 0 },
};

static const char *const verdicts[] = { "ok", "note", "warn", "fail" };

static void show(const struct doctor_line *line, bool colour)
{
	static const enum grid_colour colours[] = { GRID_GREEN, GRID_PLAIN, GRID_YELLOW, GRID_RED };

	printf("%s%-4s%s  %-10s  %s\n", colour ? colour_code(colours[line->verdict]) : "", verdicts[line->verdict],
	       colour ? "\033[0m" : "", line->name, line->text);
	if (*line->command)
		printf("%18s%s$ %s%s\n", "", colour ? colour_code(GRID_BOLD) : "", line->command,
		       colour ? "\033[0m" : "");
}

static int run(int argc, char **argv)
{
	bool json = false, quiet = false, failed = false;
	struct channel_list list;
	struct doctor_line line;
	json_t *lines = json_array(), *document;
	int key, i, r = STATUS_OK;

	while ((key = command_next(&command_doctor, argc, argv)) != -1) {
		json |= key == 'j';
		quiet |= key == 'q';
	}
	if (optind < argc) {
		json_decref(lines);
		return wrong_usage(&command_doctor, "unexpected argument '%s'", argv[optind]);
	}
	channels_open(&list, 0, NULL);
	for (i = 0; doctor_check(i, &list, &line); i++) {
		failed |= line.verdict == DOCTOR_FAIL;
		if (json)
			json_array_append_new(lines, json_pack("{s:s,s:s,s:s,s:s}", "check", line.name, "verdict",
							       verdicts[line.verdict], "text", line.text, "command",
							       line.command));
		else if (!quiet || line.verdict >= DOCTOR_WARN)
			show(&line, wants_colour(stdout));
	}
	document = document_json("doctor", &list.host);
	json_object_set(document, "lines", lines);
	if (json)
		r = print_json(document, false);
	else
		json_decref(document);
	json_decref(lines);
	channels_free(&list);
	return r == STATUS_OK && failed ? STATUS_FOUND : r;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "what works on this host, and what to do about the rest",
	.arguments = "",
	.details =
		"Checks what both backends want of this host, the module and its device, what this user may look at, and "
		"the channels that there are. Each line that is not ok comes with the command that mends it or shows "
		"more. Changes nothing.",
	.options = options,
	.found = "a line says fail",
	.run = run,
};
