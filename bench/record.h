/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <stdbool.h>

struct json_t;

/*
 * What a measuring command left, read back. Nothing in a file is trusted: a file that makes no sense is refused, and
 * what is read of it has plain characters only, except the texts that record_file has as they are.
 */

#define RECORD_TURNS 99
#define RECORD_TEXT 64
#define RECORD_SCENE 256

/* What tells a row from the others, as text. What an older file does not have is as it was when it was written. */
enum record_field {
	RECORD_WORKLOAD,
	RECORD_WHAT, /* transport, level and api, or carrier and reader, as tables name them: "memfd stream" */
	RECORD_SYNC,
	RECORD_SIZE,
	RECORD_CPUS,
	RECORD_TOUCH,
	RECORD_BATCH,
	RECORD_STREAMS,
	RECORD_THREADS,
	RECORD_SESSIONS,
	RECORD_BUSY,
	RECORD_LOAD,
	RECORD_RATE,
	RECORD_ARRIVALS,
	RECORD_BURST,
	RECORD_INTERVAL,
	RECORD_PRODUCERS,
	RECORD_MESSAGES,
	RECORD_FIELDS
};

#define RECORD_BIT(field) (1u << (field))

struct record {
	const struct record_file *file;
	const struct json_t *row;
	char field[RECORD_FIELDS][RECORD_TEXT];
	double size; /* NAN: none, or mixed */
	double runs_ns[RECORD_TURNS]; /* the time of a message in each turn; an old file has but the median one */
	unsigned int runs;	      /* 0: no time was measured */
	double time_ns;		      /* the median of them; NAN */
	bool ours;		      /* shmipc, and no rival */
	bool limit;		      /* bare shared memory that is watched: what nothing can beat */
};

struct record_file {
	const char *path;
	struct json_t *json;
	const char *command, *version; /* as the file has them; empty: it is too old to say */
	const char *kernel, *machine, *cpu, *hypervisor, *module, *date;
	unsigned int cpus;
	double load;
	bool emulated, instructions; /* QEMU executes in software; its clock counts instructions */
	struct record *record;
	unsigned int count;
};

/*
 * Reads the file at @path, which must outlive @file. 0, or -errno after saying on standard error what is wrong: then
 * there is nothing to free.
 */
int record_file_load(struct record_file *file, const char *path);
void record_file_free(struct record_file *file);

/* Do the two files come from hosts of one kind, and in one way of measuring time? */
bool record_file_same_host(const struct record_file *a, const struct record_file *b);

/* The figure @name of a row; NAN where it was not measured. */
double record_figure(const struct record *record, const char *name);

/* Are they alike in all fields but those whose bits are in @except? Files and hosts are not looked at. */
bool record_alike(const struct record *a, const struct record *b, unsigned int except);

/* "uds", "memfd stream adaptive": what is compared with what. Returns @out, of RECORD_SCENE bytes. */
const char *record_label(char *out, const struct record *record);

/* What else there is to say of a row, in words, fields in @except left out: "one processor, groups of 16". */
const char *record_scene(char *out, const struct record *record, unsigned int except);

/* 64, 4k; where sizes are mixed, the name of the mixture. */
const char *record_size(const struct record *record);

#endif
