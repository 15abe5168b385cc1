/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - which channels there are on this host, and where their parts are to be found
 *
 * Found without asking any of their processes: memfd lanes by their mappings in /proc/PID/maps, which
 * name channel, endpoint and part; the module's by the descriptors in /proc/PID/fd and what fdinfo
 * says of them. What a process named so may be a lie. It can then invent channels of its own, and no
 * more: two lanes are taken together only if a process that holds the one has the other mapped too.
 */
#ifndef SHMIPCCTL_HOST_H
#define SHMIPCCTL_HOST_H

#include <linux/shmipc.h>

#include "proc.h"
#include "shmipc/channel.h"

/* Where a part of a memfd lane is mapped. */
struct mapping {
	pid_t pid; /* 0: nowhere */
	bool writable;
	uint32_t endpoint, part; /* part: SHMIPC_HEAD or SHMIPC_SEGMENT(n) */
	uint64_t channel;
	uint64_t address, bytes, inode;
	dev_t device;
};

enum side_state {
	SIDE_NONE,   /* memfd: there is no such lane yet; module: never bound */
	SIDE_LIVE,   /* a process has it */
	SIDE_GONE,   /* had one */
	SIDE_UNSEEN, /* memfd: somebody may have it who may not be looked at */
};

/* One endpoint and its lane, as seen from outside. */
struct side {
	enum side_state state;
	pid_t pid;   /* who owns it; 0: nobody, or not visible */
	pid_t other; /* who else has its memory; 0 */
	/* memfd: how to get at it */
	struct mapping head, segment[SHMIPC_SEGMENTS];
	/* module: a descriptor of this endpoint; and what fdinfo says */
	pid_t holder; /* 0: none */
	int fd;
	bool waiting; /* a thread sleeps in the kernel */
	uint32_t seq, rung;
	uint64_t head_bytes, lane_bytes, lane_max;
	uint64_t segment_bytes[SHMIPC_SEGMENTS]; /* both backends; 0: none, or not known */
	uint64_t rings, sleeps;
};

struct channel_at {
	enum shmipc_backend backend;
	uint64_t id;	 /* as its memfds are named; module: 0 until its memory was looked at */
	uint64_t number; /* module: its number there */
	struct side side[2];
};

struct host {
	struct channel_at *channels;
	size_t count, room;
	struct process *processes; /* all that were there, ascending */
	size_t process_count;
	size_t hidden;	 /* processes that may not be looked at */
	bool module;	 /* the module is there */
	int64_t took_ns; /* what it cost to find all that */
	struct mapping *mappings;
	size_t mapping_count, mapping_room;
};

/**
 * host_scan - look at every process once
 * @only: look at this process alone, and those with which it shares a channel; 0: at all
 *
 * Returns 0 or -errno; host_free() in any case.
 */
int host_scan(struct host *host, pid_t only);
void host_free(struct host *host);

/* A process seen by the scan, or NULL. */
const struct process *host_process(const struct host *host, pid_t pid);

/* scan_memfd.c, scan_kmod.c: look at one process, return 0, -EACCES or -ENOMEM; then put together what was found. */
int scan_memfd(struct host *host, pid_t pid);
int scan_memfd_match(struct host *host);
int scan_kmod(struct host *host, pid_t pid);
struct channel_at *host_add(struct host *host);

/* What a line of /proc/PID/maps says, if it is of a lane on the file system of memfds. Pure. */
bool mapping_parse(const char *line, struct mapping *mapping);

/* What fdinfo of an endpoint says: into channel and its two sides, own first. False: it is none. Pure. */
bool fdinfo_parse(const char *text, struct channel_at *channel, uint32_t *endpoint, pid_t pids[2]);

#endif /* SHMIPCCTL_HOST_H */
