/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A transport carries messages between two processes, called sides 0 and 1. To add one: write a file that defines a
 * struct transport, and name it in transport.c.
 *
 * Life of a run: prepare() in the process that will fork; attach(), connect() and open() in each side, both at once,
 * so they may block for each other; messages; close(), disconnect() and detach() in each side. A side that fails or
 * dies ends the run: the runner kills the other, so no transport has to notice a dead peer, and each may block for
 * ever.
 *
 * Most transports have one conversation, and attach() is all there is to it. One that can have several connections,
 * or several streams on a connection, has an end for each: which ends attach, connect and open is the workload's.
 *
 * Functions return 0 or -errno. An end is used by one thread; different ends of a side may be used by different ones.
 */

enum sync_mode { SYNC_DEMAND, SYNC_ADAPTIVE, SYNC_POLLING, SYNC_TIMED, SYNC_MODES };

struct mix;
struct transport;
struct workload;

/* What a run does: fixed before the fork. Messages are warmup, then count that are measured, then cooldown. */
struct plan {
	const struct workload *workload;
	const struct transport *transport;
	enum sync_mode sync; /* for transports that set TRANSPORT_SYNC */
	size_t size;           /* bytes of every message; of the largest where they differ */
	const struct mix *mix; /* NULL, or what sizes there are */
	unsigned int batch;    /* messages published together */
	unsigned int streams;    /* conversations under way together; each side's threads share them out */
	unsigned int sessions;   /* connections that the streams are spread over */
	unsigned int threads[2]; /* of each side */
	double rate;           /* messages a second that are due, of all streams; 0: as fast as it goes */
	unsigned int burst;    /* of those, due at once */
	bool poisson;          /* due at random times, not at equal distances */
	bool touch;          /* write and check every byte */
	bool alternating;    /* the sides take turns: never more than one message under way */
	bool one_way;        /* side 1 sends nothing */
	bool same_cpu;
	int cpu[2];          /* -1: wherever the scheduler likes */
	uint64_t warmup, count, cooldown;
	unsigned int timeout_s;
};

#define WIRING_FDS 8
#define WIRING_ADDRESS 32

/* What both sides inherit. prepare() fills it, starting from -1 and NULL; the runner closes and unmaps it. */
struct wiring {
	int fd[WIRING_FDS];
	void *memory; /* MAP_SHARED */
	size_t memory_size;
	char address[WIRING_ADDRESS]; /* "@" and a name in the abstract namespace; empty: none */
};

/* What a transport counted itself, since attach(), on this side. COUNT_UNKNOWN where it cannot tell. */
#define COUNT_UNKNOWN UINT64_MAX
struct counts {
	uint64_t syscalls;
	uint64_t wakes;  /* times this side was woken from sleep by the other */
	uint64_t rings;  /* times this side called the system to wake the other */
	uint64_t sleeps; /* times this side said that it would sleep, whether it then had to or not */
	uint64_t memory; /* bytes of shared memory that this side writes, now; each page counted by one side */
};

/* One side while it runs. Transports put it first in a struct of their own, of end_size bytes, zeroed. */
struct end {
	const struct plan *plan;
	const struct wiring *wiring;
	struct end *attached;  /* of this side: the end that attach() was called for */
	struct end *connected; /* the end whose connection this one is a stream of */
	int side;
	unsigned int stream; /* counted from 0 */
	size_t expected;     /* bytes of the message to receive: a byte stream carries no lengths */
	uint64_t syscalls; /* a transport that calls the system itself adds 1 for each call */
};

#define TRANSPORT_SYNC 1u     /* has sync modes */
#define TRANSPORT_SPINS 2u    /* never sleeps: useless when both sides share a processor */
#define TRANSPORT_SYSCALLS 4u /* keeps end->syscalls */
#define TRANSPORT_THREADS 8u  /* has threads of its own, whose calls a tracer of the side does not see */

#define SEND_MORE 1u   /* another message of this batch follows at once: need not be seen yet */
#define SEND_EXPECT 2u /* the next call is receive(), for the answer: a wake-up may wait until then */

struct transport {
	const char *name; /* transports of one name differ in level, or in level and api */
	const char *summary;
	const char *level; /* which layer of shmipc: "channel", "stream"; NULL for what is not ours */
	const char *api;   /* of ours: "place" where messages are written and read in place, "copy" where not */
	unsigned int flags;
	unsigned int batch_most; /* messages that can be published together; 0: as many as one likes */
	size_t size_most;        /* bytes of a message; 0: as many as one likes */
	size_t end_size;

	/* NULL, or: 0 when it works on this host, else -errno and why not, in a few words. */
	int (*check)(const char **why);
	int (*prepare)(struct wiring *wiring, const struct plan *plan);

	/* Each may be NULL: nothing to do, or not to be had. Side 1 waits for side 0 in connect() and open(). */
	int (*attach)(struct end *end);
	void (*detach)(struct end *end);
	int (*connect)(struct end *end);
	void (*disconnect)(struct end *end);
	int (*open)(struct end *end); /* at side 1 it may wait for the stream's first message */
	void (*close)(struct end *end);

	/* Room to write a message of @len bytes into, aligned to 8; waits for it. Then send() it. */
	int (*begin)(struct end *end, size_t len, void **buf);
	int (*send)(struct end *end, size_t len, unsigned int flags);

	/* The next message, waiting for it; valid until done(). */
	int (*receive)(struct end *end, const void **buf, size_t *len);
	int (*done)(struct end *end);

	/* NULL, or fills what it knows; the rest comes in as COUNT_UNKNOWN. */
	void (*count)(struct end *end, struct counts *counts);
};

extern const struct transport *const transports[];
extern const unsigned int transport_count;

const char *sync_name(enum sync_mode mode);

/* For prepare(): shared memory of @size bytes, zeroed and present. */
int wiring_map(struct wiring *wiring, size_t size);

/* For prepare(): a listening Unix stream socket in fd[0], at an address of its own. */
int wiring_listen(struct wiring *wiring);

void wiring_init(struct wiring *wiring);
void wiring_fini(struct wiring *wiring);

#endif
