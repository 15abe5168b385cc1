// SPDX-License-Identifier: Apache-2.0
/*
 * shmipc-logger - a program that logs
 *
 *	shmipc-logger PATH LINES [PAUSE_US]     logs LINES lines of its own, with a pause after every 100
 *	shmipc-logger PATH -                    logs the lines of its standard input
 *
 * A log must not block its program: at its limit the producer drops the oldest lines, and the agent is told how many.
 * At the end it waits for up to five seconds for the agent to have them all.
 */
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t seconds_from_now(int seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec + seconds) * 1000000000ll + ts.tv_nsec;
}

static int log_own(struct shmipc_producer *producer, unsigned long lines, unsigned int pause_us)
{
	unsigned long i;
	void *data;
	int r = 0;

	for (i = 0; i < lines && r >= 0; i++) {
		/* Formatted where the agent reads it. */
		r = shmipc_producer_reserve(producer, 64, &data, 0);
		if (!r)
			r = shmipc_producer_commit(producer, (size_t)snprintf(data, 64, "line %lu", i));
		if (pause_us && i % 100 == 99)
			usleep(pause_us);
	}
	return r < 0 ? r : 0;
}

static int log_input(struct shmipc_producer *producer)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int r = 0;

	while (r >= 0 && (n = getline(&line, &room, stdin)) > 0)
		r = shmipc_producer_push(producer, line, (size_t)(n - (line[n - 1] == '\n')), 0);
	free(line);
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	struct shmipc_producer_options options = SHMIPC_PRODUCER_OPTIONS_INIT;
	struct shmipc_producer_stats stats = { .size = sizeof(stats) };
	struct shmipc_producer *producer;
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: shmipc-logger PATH LINES|- [PAUSE_US]\n");
		return 2;
	}
	options.full = SHMIPC_FULL_DROP_OLDEST;
	r = shmipc_producer_open(argv[1], &options, &producer);
	if (r) {
		fprintf(stderr, "shmipc-logger: %s\n", strerror(-r));
		return 1;
	}
	if (!strcmp(argv[2], "-"))
		r = log_input(producer);
	else
		r = log_own(producer, strtoul(argv[2], NULL, 10), argc > 3 ? (unsigned int)atoi(argv[3]) : 0);
	if (!r)
		r = shmipc_producer_flush(producer, seconds_from_now(5));
	shmipc_producer_stats(producer, &stats);
	printf("%llu lines, of which %llu lost\n", (unsigned long long)(stats.messages + stats.dropped_newest),
	       (unsigned long long)(stats.dropped_newest + stats.dropped_oldest));
	shmipc_producer_close(producer);
	if (r)
		fprintf(stderr, "shmipc-logger: %s\n", strerror(-r));
	return r ? 1 : 0;
}
