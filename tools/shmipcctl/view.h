/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - a channel's memory, for reading
 *
 * Nothing is mapped writable, nothing is locked, no process is stopped or asked. A head is mapped
 * where nobody can take its pages away: the module's, or a memfd sealed as the library does it; any
 * other is copied. The ways, the first that is allowed:
 *
 *	module	the very file, by pidfd_getfd(2): wants the right to trace a process that holds it
 *	memfd	/proc/PID/map_files: wants CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE
 *	memfd	process_vm_readv(2): wants the right to trace a process that has it mapped
 */
#ifndef SHMIPCCTL_VIEW_H
#define SHMIPCCTL_VIEW_H

#include "host.h"
#include "image.h"

struct view {
	struct channel_at at;
	struct image_pair pair;
	int error; /* -errno: why a head could not be had; 0 */
	/* Private: */
	int endpoint_fd; /* module: a copy of endpoint_of's descriptor; -1 */
	uint32_t endpoint_of;
	struct {
		void *base;
		uint64_t bytes;
		bool mapped; /* else it is a copy */
	} head[2];
};

/**
 * view_open - get at both heads, as far as there are any and it is allowed
 *
 * A lane that is not there has image->head.base NULL. view_close() ends it, in any case.
 */
void view_open(struct view *view, const struct channel_at *at);
void view_close(struct view *view);

/* Bring copies up to date; mappings are by themselves. Returns 0, or -errno: it is gone, or not allowed any more. */
int view_refresh(struct view *view);

/* Read payload. Returns how many bytes are there, up to @size, or -errno. */
ssize_t view_read(const struct view *view, int endpoint, uint32_t segment, uint64_t offset, void *data, size_t size);

/* A copy of both heads, taken in one go. */
struct snapshot {
	struct image_pair pair;
	bool still; /* nothing changed meanwhile */
	uint32_t now_ms;
	void *bytes[2];
};

/* Take one; tries a few times for a moment of rest. Returns 0 or -ENOMEM; snapshot_free() in any case. */
int snapshot_take(struct snapshot *snapshot, struct view *view);
void snapshot_free(struct snapshot *snapshot);

#endif /* SHMIPCCTL_VIEW_H */
