// SPDX-License-Identifier: Apache-2.0
/*
 * command_man.c - manual pages in roff, out of the tables that --help comes from
 */
#include <getopt.h>
#include <string.h>

#include "command.h"

static void print_escaped(const char *text, FILE *out)
{
	bool start = true;

	for (; *text; text++) {
		if (text[0] == '\n' && text[1] == '\n') {
			fputs("\n.PP\n", out);
			text++;
			start = true;
			continue;
		}
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		start = *text == '\n';
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
	fputc('\n', out);
}

static void print_head(const char *name, const char *summary, FILE *out)
{
	fprintf(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n.TH \"%s\" 8 \"\" \"shmipc %s\"\n", name,
		SHMIPCCTL_VERSION);
	fprintf(out, ".SH NAME\n%s \\- ", name);
	print_escaped(summary, out);
}

static void print_option(const struct option_spec *o, FILE *out)
{
	fputs(".TP\n", out);
	if (o->key < 256)
		fprintf(out, "\\fB\\-%c\\fR, ", o->key);
	fputs("\\fB\\-\\-", out);
	for (const char *c = o->name; *c; c++)
		fprintf(out, *c == '-' ? "\\-" : "%c", *c);
	if (o->arg)
		fprintf(out, "\\fR=\\fI%s", o->arg);
	fputs("\\fR\n", out);
	print_escaped(o->help, out);
}

void command_page(const struct command *command, FILE *out)
{
	static const struct option_spec help = { 'h', "help", NULL, "show a summary and exit" };
	const struct option_spec *o;
	char name[64];

	snprintf(name, sizeof(name), "shmipcctl-%s", command->name);
	print_head(name, command->summary, out);
	fprintf(out, ".SH SYNOPSIS\n.B shmipcctl %s\n[\\fIOPTION\\fR]... %s\n.SH DESCRIPTION\n", command->name,
		command->arguments);
	print_escaped(command->details, out);
	fputs(".SH OPTIONS\n", out);
	for (o = command->options; o->key; o++)
		print_option(o, out);
	print_option(&help, out);
	fputs(".SH EXIT STATUS\n.TP\n0\nAll is as it should be.\n", out);
	if (command->found) {
		fputs(".TP\n1\n", out);
		print_escaped(command->found, out);
	}
	fputs(".TP\n2\nIt could not be done.\n", out);
	if (command->examples) {
		fputs(".SH EXAMPLES\n.nf\n", out);
		print_escaped(command->examples, out);
		fputs(".fi\n", out);
	}
	fputs(".SH SEE ALSO\n.BR shmipcctl (8),\n.BR shmipc (7)\n", out);
}

void command_overview_page(FILE *out)
{
	const struct command *const *c;

	print_head("shmipcctl", "look after shmipc on this host", out);
	fputs(".SH SYNOPSIS\n.B shmipcctl\n\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
	      ".SH DESCRIPTION\nLoads and checks the kernel module; lists, watches and examines the channels and "
	      "sessions of both backends.\n"
	      "Looking disturbs nobody: what is looked at is mapped read\\-only, no lock of a process is taken, and "
	      "processes that are stopped, hang or are dead can be looked at like any other.\n"
	      "A user may look at the processes that he may trace; the rest needs root, and every command says how "
	      "many processes it could not look at.\n.SH COMMANDS\n",
	      out);
	for (c = commands; *c; c++) {
		fprintf(out, ".TP\n.B %s\n", (*c)->name);
		print_escaped((*c)->summary, out);
		fprintf(out, "See\n.BR shmipcctl\\-%s (8).\n", (*c)->name);
	}
	fputs(".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow the commands and exit\n"
	      ".TP\n\\fB\\-\\-version\\fR\nshow the version and exit\n"
	      ".SH ENVIRONMENT\n.TP\nNO_COLOR\nwhere it is set and not empty no colours are used, on a terminal "
	      "either\n"
	      ".SH EXIT STATUS\n.TP\n0\nAll is as it should be.\n.TP\n1\nWhat was asked about is not as it should "
	      "be: a leak, a broken invariant, no module.\n.TP\n2\nIt could not be done: wrong arguments, no "
	      "permission, no such channel.\n.SH FILES\n.TP\nshare/shmipc/schema/ below the prefix of the installation\n"
	      "JSON schemas of what \\-\\-json prints\n"
	      ".SH SEE ALSO\n.BR shmipc (7)\n",
	      out);
}

static int run_man(int argc, char **argv)
{
	const struct command *const *c;

	while (command_next(&command_man, argc, argv) != -1)
		;
	if (argc - optind > 1)
		return wrong_usage(&command_man, "one command at most");
	if (optind == argc) {
		command_overview_page(stdout);
		return STATUS_OK;
	}
	for (c = commands; *c; c++) {
		if (!strcmp((*c)->name, argv[optind])) {
			command_page(*c, stdout);
			return STATUS_OK;
		}
	}
	return wrong_usage(&command_man, "no command '%s'", argv[optind]);
}

static const struct option_spec options[] = { { 0 } };

const struct command command_man = {
	.name = "man",
	.summary = "print a manual page, for man -l",
	.arguments = "[COMMAND]",
	.details = "Prints the manual page of a command, or of shmipcctl itself, in roff: what `make install` "
		   "installs, and what a host without that can read with: shmipcctl man top | man -l -",
	.options = options,
	.run = run_man,
};
