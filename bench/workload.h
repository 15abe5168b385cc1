/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <errno.h>
#include <pthread.h>

#include "histogram.h"
#include "mix.h"
#include "probe.h"
#include "schedule.h"
#include "touch.h"
#include "transport.h"

#define WORKER_ERROR 160
#define WORKER_PARTS 16

/* What is there more than at the beginning. COUNT_UNKNOWN where nobody can tell. */
struct memory_use {
	uint64_t shared_bytes;  /* as the transport counts them */
	uint64_t private_bytes; /* of this side's process */
	uint64_t system_bytes;  /* of the whole system, both sides and the kernel */
};

/* What a side leaves for the runner, in memory they share. */
struct worker_result {
	struct memory_use memory;          /* of an idle run */
	struct probe_result spent;         /* on the measured messages */
	struct counts total;               /* by the transport, from attaching to the last message */
	uint64_t part_ticks[WORKER_PARTS]; /* the measured time, cut into that many runs of part_count messages */
	uint64_t part_count;
	struct histogram latency;          /* in ticks; empty on the side that measures none */
	struct pacing pacing;              /* of a workload that keeps to a schedule */
	char error[WORKER_ERROR];          /* empty, or why the side failed */
};

struct crew;

/* A side at work, or one of its threads. */
struct worker {
	const struct plan *plan;
	struct end *end;   /* the stream in use */
	struct end **ends; /* all of its streams */
	unsigned int end_count;
	struct probe probe;
	struct worker_result *result;
	pthread_barrier_t *gate; /* both sides meet there */
	struct crew *crew;	 /* its threads; NULL: it has one */
	uint64_t *began;         /* when this part's schedule begins, in ticks; side 0 sets it, side 1 sees it */
};

/*
 * A workload decides who sends what when. To add one: write a file that defines a struct workload, and name it in
 * workload.c. One message in it is the unit of all figures per message.
 */
struct workload {
	const char *name;
	const char *summary;
	const char *level;      /* which one of shmipc's is meant unless the user says */
	bool alternating;       /* never more than one payload under way */
	bool calls;             /* a send with SEND_EXPECT, and the receive after it, are one call where there is one */
	bool opens;             /* opens and closes streams itself */
	bool connects;          /* and connections */
	bool shared_out;        /* may have several streams, shared out among threads */
	bool paired;            /* each side has as many threads as the other */
	bool paced;             /* messages are due by a schedule; latency is from then */
	bool bursts;            /* several at once */
	unsigned int transfers; /* payloads carried per message: 2 for a round trip */
	int timed_side;         /* the side whose clock counts */
	uint64_t count;         /* messages per row, unless the user says; 0: as many as a short time holds */

	/*
	 * One for each side: messages number @first to @first + @count - 1, on each stream of @w. @measure: record
	 * latencies. Returns 0, or -errno after worker_fail().
	 */
	int (*run[2])(struct worker *w, uint64_t first, uint64_t count, bool measure);

	/* Or, in its place, for both sides: all of a run. */
	int (*whole)(struct worker *w);
};

extern const struct workload *const workloads[];
extern const unsigned int workload_count;

const struct workload *workload_find(const char *name);

/* What a transport must have for @workload. NULL, or why @transport lacks it. */
const char *workload_lacks(const struct workload *workload, const struct transport *transport);

/* Connects and opens @end, as far as the transport needs it. A stream is known to both sides when its first message was. */
int worker_connect(struct worker *w, struct end *end);
int worker_open(struct worker *w, struct end *end);
void worker_close(struct worker *w, struct end *end);
void worker_disconnect(struct worker *w, struct end *end);

/* Sends, and receives and checks, message @number of the stream in use. */
int worker_put(struct worker *w, uint64_t number, unsigned int flags);
int worker_get(struct worker *w, uint64_t number);

/* All that a side does, from warm-up to cool-down. 0, or -errno with an error in the result. */
int workload_run(struct worker *w);

/*
 * A side's threads, each with its share of the streams of @w: made, given a part of the run, and ended, when what they measured
 * becomes the side's. @run is a function of a workload.
 */
int crew_start(struct worker *w);
void crew_run(struct crew *crew, int (*run)(struct worker *w, uint64_t first, uint64_t count, bool measure),
	      uint64_t first, uint64_t count, bool measure);
void crew_end(struct worker *w);

/* Says in the result what failed at which message, unless something was said already. Returns @rc. */
int worker_fail(struct worker *w, int rc, const char *doing, uint64_t number);

/* The first word of message @number that @side sends on the stream in use. */
static inline uint64_t worker_base(const struct worker *w, uint64_t number, int side)
{
	return touch_base(number + ((uint64_t)w->end->stream << 40), side);
}

/* The bytes of message @number, of either side, on the stream in use. */
static inline size_t worker_size(const struct worker *w, uint64_t number)
{
	if (__builtin_expect(!w->plan->mix, 1))
		return w->plan->size;
	return mix_size(w->plan->mix, number + ((uint64_t)w->end->stream << 40));
}

/* When the schedule begins. Side 1 may ask once it has received something. */
static inline uint64_t worker_began(const struct worker *w)
{
	return __atomic_load_n(w->began, __ATOMIC_ACQUIRE);
}

/* Room for a message of @size bytes in *@buf. */
static inline int worker_begin(struct worker *w, uint64_t number, size_t size, void **buf)
{
	int rc = w->plan->transport->begin(w->end, size, buf);

	return rc ? worker_fail(w, rc, "waiting for room", number) : 0;
}

static inline int worker_send(struct worker *w, uint64_t number, size_t size, unsigned int flags)
{
	int rc = w->plan->transport->send(w->end, size, flags);

	return rc ? worker_fail(w, rc, "sending", number) : 0;
}

/* The next message in *@buf, of the right length, to be given back with worker_done(). */
static inline int worker_receive(struct worker *w, uint64_t number, const void **buf)
{
	size_t size = worker_size(w, number), len;
	int rc;

	w->end->expected = size;
	rc = w->plan->transport->receive(w->end, buf, &len);
	if (rc)
		return worker_fail(w, rc, "receiving", number);
	return len == size ? 0 : worker_fail(w, -EBADMSG, "receiving: wrong length", number);
}

static inline int worker_done(struct worker *w, uint64_t number)
{
	int rc = w->plan->transport->done(w->end);

	return rc ? worker_fail(w, rc, "giving back", number) : 0;
}

#endif
