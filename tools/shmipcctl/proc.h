/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.h - what /proc says about processes
 */
#ifndef SHMIPCCTL_PROC_H
#define SHMIPCCTL_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;
	uid_t uid;
	char state;	/* as in /proc/PID/stat: R S D T t Z ... ; '?' unknown */
	bool hidden;	/* its memory may not be looked at */
	char comm[16];	/* printable */
	uint64_t start; /* clock ticks after boot: with the pid, names one process for ever */
};

/* Fill in a process. False: there is none. */
bool proc_read(pid_t pid, struct process *process);

/* All pids, ascending; the caller frees it. Returns how many, or -errno. */
int proc_pids(pid_t **pids);

/* Read a whole small file; "" and false where that fails. The text ends in '\0', a last newline is cut off. */
bool proc_file(const char *path, char *text, size_t size);

/* A key's value in a module's or system's list of "key=value" or "key: value" lines; false: not there. */
bool proc_field(const char *text, const char *key, char *value, size_t size);

/* CLOCK_MONOTONIC, in the units of slices' times, and CLOCK_REALTIME in milliseconds. */
uint32_t now_ms(void);
int64_t now_ns(void);
int64_t realtime_ms(void);

#endif /* SHMIPCCTL_PROC_H */
