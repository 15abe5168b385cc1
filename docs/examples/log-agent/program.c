// SPDX-License-Identifier: Apache-2.0
/*
 * program.c - a program that logs
 *
 *	program ADDRESS NAME LINES [PAUSE_US]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "logger.h"

int main(int argc, char **argv)
{
	unsigned int lines, pause_us, i;
	struct logger *logger;

	if (argc < 4) {
		fprintf(stderr, "usage: program ADDRESS NAME LINES [PAUSE_US]\n");
		return 2;
	}
	lines = (unsigned int)atoi(argv[3]);
	pause_us = argc > 4 ? (unsigned int)atoi(argv[4]) : 0;
	logger = logger_create(argv[1], argv[2]);
	if (!logger)
		return 1;
	for (i = 0; i < lines; i++) {
		logger_log(logger, "line %u", i);
		if (pause_us)
			usleep(pause_us);
	}
	printf("%u lines, of which %llu lost\n", lines, (unsigned long long)logger_lost(logger));
	logger_destroy(logger);
	return 0;
}
