// SPDX-License-Identifier: Apache-2.0
/*
 * command.c - option tables: parsing, help
 */
#include "command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

#define OPTIONS_MAX 24

const struct command *const commands[] = {
	&command_load,	&command_unload, &command_status, &command_doctor,  &command_list, &command_top, &command_stat,
	&command_leaks, &command_dump,	 &command_trace,  &command_metrics, &command_man,  NULL,
};

int trouble(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("shmipcctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return STATUS_TROUBLE;
}

int wrong_usage(const struct command *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "shmipcctl %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, " (try shmipcctl %s --help)\n", command->name);
	return STATUS_TROUBLE;
}

int command_next(const struct command *command, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 2] = { 0 };
	char letters[3 * OPTIONS_MAX + 4], *at = letters;
	size_t i;
	int key;

	for (i = 0; command->options[i].key && i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &command->options[i];

		longs[i] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL, o->key };
		if (o->key < 256) {
			*at++ = (char)o->key;
			if (o->arg)
				*at++ = ':';
		}
	}
	longs[i] = (struct option){ "help", no_argument, NULL, 'h' };
	*at++ = 'h';
	*at = '\0';
	key = getopt_long(argc, argv, letters, longs, NULL);
	if (key == 'h') {
		command_help(command, stdout);
		exit(STATUS_OK);
	}
	if (key == '?') {
		fprintf(stderr, "Try shmipcctl %s --help\n", command->name);
		exit(STATUS_TROUBLE);
	}
	return key;
}

static int print_name(const struct option_spec *o, FILE *out)
{
	int n = o->key < 256 ? fprintf(out, "  -%c, ", o->key) : fprintf(out, "      ");

	n += fprintf(out, "--%s", o->name);
	if (o->arg)
		n += fprintf(out, "=%s", o->arg);
	return n;
}

/* Words between two margins. */
static void print_filled(const char *text, int at, int left, int right, FILE *out)
{
	while (*text) {
		size_t word = strcspn(text, " \n");

		if (at + (int)word > right && at > left) {
			fprintf(out, "\n%*s", left, "");
			at = left;
		}
		fwrite(text, 1, word, out);
		at += (int)word;
		text += word;
		if (text[0] == '\n' && text[1] == '\n') {
			fputs("\n\n", out);
			fprintf(out, "%*s", left, "");
			at = left;
		} else if (*text && at < right) {
			fputc(' ', out);
			at++;
		}
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

static void print_option(const struct option_spec *o, FILE *out)
{
	int n = print_name(o, out);

	if (n > 27) {
		fputc('\n', out);
		n = 0;
	}
	fprintf(out, "%*s", 28 - n, "");
	print_filled(o->help, 28, 28, 98, out);
}

void command_help(const struct command *command, FILE *out)
{
	static const struct option_spec help = { 'h', "help", NULL, "show this and exit" };
	const struct option_spec *o;

	fprintf(out, "Usage: shmipcctl %s [OPTION]...%s%s\n\n", command->name, *command->arguments ? " " : "",
		command->arguments);
	print_filled(command->details, 0, 0, 98, out);
	fputs("\nOptions:\n", out);
	for (o = command->options; o->key; o++)
		print_option(o, out);
	print_option(&help, out);
	fputs("\nExit status: 0", out);
	if (command->found)
		fprintf(out, "; 1: %s", command->found);
	fputs("; 2: it could not be done.\n", out);
	if (command->examples)
		fprintf(out, "\nExamples:\n%s", command->examples);
}

void command_overview(FILE *out)
{
	const struct command *const *c;

	fputs("Usage: shmipcctl COMMAND [OPTION]... [ARGUMENT]...\n\n"
	      "Looks after shmipc on this host: the kernel module, and the channels of both backends.\n\nCommands:\n",
	      out);
	for (c = commands; *c; c++)
		fprintf(out, "  %-10s%s\n", (*c)->name, (*c)->summary);
	fputs("\nshmipcctl COMMAND --help explains a command, shmipcctl --version says which this is.\n"
	      "Something is wrong and nothing else is known: shmipcctl doctor\n",
	      out);
}

unsigned long long number_argument(const struct command *command, const char *option, unsigned long long least,
				   unsigned long long most)
{
	uint64_t number;

	if (!parse_number(optarg, least, most, &number))
		exit(wrong_usage(command, "--%s wants a number from %llu to %llu, not '%s'", option, least, most,
				 optarg));
	return number;
}

unsigned long long age_argument(const struct command *command, const char *option)
{
	uint64_t ms;

	if (!parse_age(optarg, &ms))
		exit(wrong_usage(command, "--%s wants a time such as 500ms, 10s, 2m or 1h, not '%s'", option, optarg));
	return ms;
}
