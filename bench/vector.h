/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_VECTOR_H
#define BENCH_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What `shmipc-bench vector` compares: ways for many processes to send messages to one. To add one: define a struct
 * carrier, and name it in vector.c.
 *
 * prepare() runs in the process that will fork; reader_open() and writer_open() in the processes that use them, the reader
 * first; everything ends with its process. Each may block for ever: the runner has a watchdog. 0 or -errno.
 */

#define VECTOR_LONGEST 155u

/*
 * Takes what is there at once, and waits for more; sleeps for a moment after each look, the vector in timed sync; never
 * sleeps, of which carriers that `polls` know.
 */
enum vector_reader { READER_EAGER, READER_RESTING, READER_POLLING, VECTOR_READERS };

/* What one run is like, and what its processes share. */
struct vector_run {
	const struct carrier *carrier;
	unsigned int producers;
	enum vector_reader reader;
	int reader_cpu;	     /* a processor for it alone; -1: anywhere */
	int reader_nice;     /* setpriority(2): less is more */
	bool own_groups;     /* each process is a session, which the scheduler may treat as one (autogroup) */
	uint64_t rounds;     /* of all producers together */
	uint64_t memory_max; /* shmipc: of each producer */
	char path[64];
	int fd[2];    /* a socketpair or a pipe: [0] is the reader's */
	void *shared; /* MAP_SHARED */
	struct vector_board *board;
};

/* What the reader took so far. */
struct vector_tally {
	uint64_t messages; /* where the carrier has no boundaries: 0 */
	uint64_t bytes;
	uint64_t sum; /* of first and last bytes: the payload is looked at */
	uint64_t looks;
};

struct carrier {
	const char *name;
	const char *summary;
	bool polls;
	int (*check)(const char **why); /* NULL, or: 0 when it works here */
	int (*prepare)(struct vector_run *run);
	int (*reader_open)(struct vector_run *run);
	/* Wait for something, and take all of it. */
	int (*read)(struct vector_run *run, struct vector_tally *tally);
	int (*writer_open)(struct vector_run *run);
	int (*write)(struct vector_run *run, const void *data, size_t size);
	/* All was written, and can be read: system calls so far, or UINT64_MAX where it is one or more a message. */
	uint64_t (*writer_calls)(struct vector_run *run);
	void (*cleanup)(struct vector_run *run); /* NULL, or in the process that forked */
};

extern const struct carrier carrier_kmod, carrier_memfd, carrier_stream, carrier_datagram, carrier_pipe,
	carrier_semaphore;

/* For every carrier's read(): look at a message. */
static inline void vector_see(struct vector_tally *tally, const unsigned char *data, size_t size)
{
	tally->messages++;
	tally->bytes += size;
	tally->sum += data[0] + data[size - 1];
}

#endif
