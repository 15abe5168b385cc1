/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdio.h>

#include "mix.h"
#include "transport.h"

#define LOAD_ALL UINT32_MAX
#define OPTIONS_LIST 32
#define OPTIONS_TRANSPORTS 64

enum cpus_choice { CPUS_DEFAULT, CPUS_SAME, CPUS_DIFFERENT, CPUS_FREE };

/* Who counts system calls: the best there is, or one that is named. */
enum syscalls_by { SYSCALLS_AUTO, SYSCALLS_TRACEPOINT, SYSCALLS_TRANSPORT, SYSCALLS_PTRACE };

struct options {
	const struct workload *workload;
	const char *name[OPTIONS_LIST]; /* of transports, as they were named */
	unsigned int name_count;
	const char *level[OPTIONS_LIST], *api[OPTIONS_LIST]; /* of ours; none: the workload's usual ones */
	unsigned int level_count, api_count;
	const struct transport *transport[OPTIONS_TRANSPORTS]; /* what comes of them */
	unsigned int transport_count;
	bool all_transports; /* those that do not work here are left out, not an error */
	struct mix size[OPTIONS_LIST];
	unsigned int size_count;
	bool touch[2]; /* write and check every byte, or not; either or both */
	unsigned int touch_count;
	double rate[OPTIONS_LIST]; /* messages a second; 0 alone: no schedule */
	unsigned int rate_count;
	unsigned int load[OPTIONS_LIST]; /* processes of other work; LOAD_ALL: one for each processor */
	unsigned int load_count;
	enum sync_mode sync[SYNC_MODES];
	unsigned int sync_count;
	enum cpus_choice cpus;
	uint64_t count; /* 0: as many as fit into a fixed time */
	unsigned int batch, repeat, timeout_s, streams, sessions, threads[2];
	unsigned int burst; /* messages that are due at once */
	double interval_s;  /* from one burst to the next */
	const char *arrivals; /* NULL: not said */
	bool poisson;
	enum syscalls_by syscalls_by;
	const char *base; /* what the rest is compared with; NULL: nothing */
	const char *json; /* NULL: none */
};

/*
 * Fills @o from a workload's arguments, argv[0] being its name. What is wrong with them it says on standard
 * error, and ends the program with status 2; after --help it ends it with 0.
 */
void options_parse(struct options *o, const struct workload *workload, int argc, char **argv);

void options_help(FILE *out);
void options_list(FILE *out);

/* For whoever finds an option to be wrong: says so and exits with status 2. */
void __attribute__((noreturn, format(printf, 1, 2))) options_reject(const char *format, ...);

#endif
