/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - what a subcommand is: its words, its options, its code
 *
 * The table of options is the one source of the parser, of --help and of the manual pages (see the
 * command `man`), so that the three cannot differ.
 */
#ifndef SHMIPCCTL_COMMAND_H
#define SHMIPCCTL_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses, the same for every command. */
enum {
	STATUS_OK = 0,
	STATUS_FOUND = 1,   /* what one asked about is not as it should be: a leak, a broken invariant, no module */
	STATUS_TROUBLE = 2, /* could not do it: wrong arguments, no permission, no such channel */
};

/* An option. key: its letter, or a number above 255 for one without. arg: what its argument is called, or NULL. */
struct option_spec {
	int key;
	const char *name;
	const char *arg;
	const char *help;
};

struct command {
	const char *name;
	const char *summary;		   /* half a sentence */
	const char *arguments;		   /* of the synopsis, behind the options; "" */
	const char *details;		   /* paragraphs, separated by an empty line */
	const struct option_spec *options; /* ends with key 0; --help is there by itself */
	const char *found;		   /* when the status is STATUS_FOUND; NULL: never */
	const char *examples;		   /* lines "command: what for", or NULL */
	int (*run)(int argc, char **argv);
};

extern const struct command command_load, command_unload, command_status, command_doctor, command_list, command_top,
	command_stat, command_leaks, command_dump, command_trace, command_metrics, command_man;

/* All of them, in the order of the overview; ends with NULL. */
extern const struct command *const commands[];

/**
 * command_next - the next option of a command's arguments
 *
 * Returns its key, its argument in optarg; -1 at the end, the rest from optind on. A wrong one is
 * explained on stderr, and --help shown: both end the program.
 */
int command_next(const struct command *command, int argc, char **argv);

/* Print help of one command, or of all; and a page of the manual. */
void command_help(const struct command *command, FILE *out);
void command_overview(FILE *out);
void command_page(const struct command *command, FILE *out);
void command_overview_page(FILE *out);

/* Say on stderr what is wrong; returns STATUS_TROUBLE. */
__attribute__((format(printf, 1, 2))) int trouble(const char *format, ...);

/* The same, with a word on where help is. */
__attribute__((format(printf, 2, 3))) int wrong_usage(const struct command *command, const char *format, ...);

/* Arguments of options: a wrong one ends the program with STATUS_TROUBLE. */
unsigned long long number_argument(const struct command *command, const char *option, unsigned long long least,
				   unsigned long long most);
unsigned long long age_argument(const struct command *command, const char *option);

#endif /* SHMIPCCTL_COMMAND_H */
