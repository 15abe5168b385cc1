/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdbool.h>
#include <stdio.h>

struct json_t;

/* The machine the figures come from. */
struct host {
	char name[64];
	char kernel[96];
	char machine[32];
	char cpu[96];
	char hypervisor[32]; /* empty on bare metal, or where it cannot be told */
	char module[32];     /* version of the loaded module; empty: none */
	char date[32];       /* UTC, ISO 8601 */
	unsigned int cpus;   /* online */
	bool emulated;       /* QEMU executes the instructions in software */
	double load;         /* of the last minute, when the bench started */
	int first_cpu;       /* two processors this process may run on, on different cores if there are such; */
	int second_cpu;      /* -1: there is only one */
};

void host_describe(struct host *host);

/* A few lines for people, with a warning nobody misses when the processor is emulated. */
void host_print(const struct host *host, FILE *out);

/* A new object for the report's "host"; the caller owns it. */
struct json_t *host_to_json(const struct host *host);

#endif
