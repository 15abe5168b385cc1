// SPDX-License-Identifier: Apache-2.0
/*
 * main.c - shmipcctl: finds the command and runs it
 */
#include <stdio.h>
#include <string.h>

#include "command.h"

static int finish(int status)
{
	/* A full disk or a closed pipe is no success. */
	if ((fflush(stdout) || ferror(stdout)) && status == STATUS_OK)
		return trouble("cannot write the output: %m");
	return status;
}

int main(int argc, char **argv)
{
	const struct command *const *c;

	if (argc < 2) {
		command_overview(stderr);
		return STATUS_TROUBLE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		command_overview(stdout);
		return finish(STATUS_OK);
	}
	if (!strcmp(argv[1], "--version")) {
		puts("shmipcctl " SHMIPCCTL_VERSION);
		return finish(STATUS_OK);
	}
	for (c = commands; *c; c++)
		if (!strcmp((*c)->name, argv[1]))
			return finish((*c)->run(argc - 1, argv + 1));
	trouble("no command '%s' (try shmipcctl --help)", argv[1]);
	return STATUS_TROUBLE;
}
