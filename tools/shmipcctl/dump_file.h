/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_file.h - a channel's state in a file
 *
 *	header		magic, byte order, version, number of sections
 *	sections[]	what each is, where it is, how long
 *	...		a JSON document about the channel; heads; segments
 *
 * A file that is read comes from anywhere: every number in it is checked against its real size.
 */
#ifndef SHMIPCCTL_DUMP_FILE_H
#define SHMIPCCTL_DUMP_FILE_H

#include <jansson.h>

#include "view.h"

#define DUMP_MAGIC "shmipcD1"
#define DUMP_ORDER 0x01020304u
#define DUMP_VERSION 1u
#define DUMP_SECTIONS_MAX (1 + 2 * (1 + SHMIPC_SEGMENTS))

struct dump_header {
	char magic[8];
	uint32_t order;
	uint32_t version;
	uint32_t sections;
	uint32_t zero;
};

enum dump_kind {
	DUMP_META = 1, /* JSON */
	DUMP_HEAD,     /* a lane's head */
	DUMP_SEGMENT,  /* a segment's bytes */
	DUMP_SIZE,     /* a segment's size alone: nothing in the file */
};

struct dump_section {
	uint32_t kind;
	uint32_t endpoint;
	uint32_t segment;
	uint32_t zero;
	uint64_t at; /* in the file */
	uint64_t bytes;
};

/* A dump in memory. */
struct dump {
	struct image_pair pair;
	json_t *meta;
	uint32_t now_ms; /* when it was taken, in the slices' time */
	bool still;
	unsigned char *bytes; /* the file's */
	uint64_t size;
};

/**
 * dump_write - write a snapshot
 * @meta: borrowed
 * @view: NULL: without segments' bytes; messages in slots are blanked in the snapshot then
 *
 * Returns 0 or -errno.
 */
int dump_write(int fd, struct snapshot *snapshot, const json_t *meta, const struct view *view);

/**
 * dump_parse - make sense of a file's bytes
 * @bytes: malloc()ed; the dump's from now on
 * @why: what is wrong with it
 *
 * Returns whether it could; dump_free() in any case.
 */
bool dump_parse(struct dump *dump, unsigned char *bytes, uint64_t size, const char **why);

/* Read a file and parse it. */
bool dump_read(struct dump *dump, const char *path, const char **why);
void dump_free(struct dump *dump);

#endif /* SHMIPCCTL_DUMP_FILE_H */
