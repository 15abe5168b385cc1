/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/vector.h - a vector: messages of any length from many processes to one
 *
 * For log lines, metrics and events that many processes bring to one agent. The consumer opens the
 * vector at a path, where a Unix socket stands; who may connect to that may produce. Each producer
 * writes into a lane of its own, in memory that it alone can write, and the consumer reads there:
 * nothing is copied on the way, no lock is shared, nothing is left in a file. A producer that is
 * killed, stopped or lies loses what it had not published, and nobody else anything.
 *
 *	consumer	receive: all that is queued, as one batch; next: message by message; release
 *	producer	push or pushv, which copy; or reserve, write, commit
 *
 * The idea, and the workload that the bench repeats, are of mp::ipc_vector (mpio, 2007), which had one
 * file, one semaphore and one memory for all.
 *
 * Consumer and producers may start in any order, and each may restart. A producer without a consumer keeps
 * what it is given in memory of its own, up to its limit, and delivers when a consumer is there. After
 * a consumer ended, the next one gets again what that one had not released, marked SHMIPC_REPEATED.
 * No thread does this: a producer attaches, and hands its backlog over, in its own calls.
 *
 * Threads. One thread at a time uses a vector, one at a time a producer; shmipc_vector_kick() any.
 * Vectors and producers may be used at the same time as others.
 *
 * Fork. Both belong to the process that opened them: in a forked child every call but close returns -EPERM.
 *
 * Errors and deadlines are as in shmipc/channel.h, but that a call with a deadline of 0 or less returns -EAGAIN
 * where it would have to wait. A signal ends a consumer's sleep with -EINTR, whatever SA_RESTART says.
 *
 * A message's bytes lie in memory that their producer can still write. Copy before you validate
 * anything on which safety depends.
 */
#ifndef SHMIPC_VECTOR_H
#define SHMIPC_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "shmipc/channel.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct shmipc_vector;
struct shmipc_producer;

/* Least memory of a producer, in bytes. */
#define SHMIPC_PRODUCER_MEMORY_MIN 65536

/**
 * struct shmipc_sender - a producer, as the consumer knows it
 * @id: 1 for the first that this vector had, and so on
 * @peer: the kernel's word on the process
 * @messages: delivered from it
 * @bytes: likewise
 * @dropped: messages that it counted as dropped, as far as reported: see shmipc_vector_message
 * @context: the application's, NULL at first
 */
struct shmipc_sender {
	uint64_t id;
	struct shmipc_peer peer;
	uint64_t messages;
	uint64_t bytes;
	uint64_t dropped;
	void *context;
};

/* What struct shmipc_vector_options' event function is told. */
enum shmipc_vector_event {
	SHMIPC_SENDER_CAME,
	SHMIPC_SENDER_LEFT, /* and what it published was delivered; error: 0, or -EBADMSG: it lied */
};

/**
 * struct shmipc_vector_options - what a consumer is like
 * @size: sizeof(struct shmipc_vector_options), set by SHMIPC_VECTOR_OPTIONS_INIT
 * @sync: how receive waits. Timed: the producers make no system call while their lanes have room
 * @mode: permissions of the path, 0 to 07777: who may write it may produce
 * @producers_max: most producers at a time; 1 to 4096
 * @merge: not 0: next goes by time of push, over all producers of a batch
 * @producer_memory: most shared memory for the messages of one producer, in bytes, at least SHMIPC_PRODUCER_MEMORY_MIN
 * @memory_max: and of all together, likewise; a producer that would need more is turned away, or gets less
 * @batch_min: receive waits for so many messages; 0 or 1: for any
 * @delay_max_ns: but no longer than this after it saw the first
 * @spin_ns: adaptive: most nanoseconds to spin before sleeping; at most 1,000,000
 * @timed_ns: timed: nanoseconds between two looks; 1,000 to 10,000,000,000. Up to 1,000,000 a producer with much to say
 *	waits for the next look rather than have its memory grow; beyond it does not
 * @event: or NULL; called from receive, release and close, where a producer comes or goes. It may call no
 *	function of this vector
 * @context: for event
 */
struct shmipc_vector_options {
	size_t size;
	enum shmipc_sync sync;
	mode_t mode;
	uint32_t producers_max;
	uint32_t merge;
	uint64_t producer_memory;
	uint64_t memory_max;
	uint64_t batch_min;
	uint64_t delay_max_ns;
	uint64_t spin_ns;
	uint64_t timed_ns;
	void (*event)(void *context, enum shmipc_vector_event event, struct shmipc_sender *sender, int error);
	void *context;
};

#define SHMIPC_VECTOR_OPTIONS_INIT                                                                                     \
	{                                                                                                              \
		sizeof(struct shmipc_vector_options), SHMIPC_SYNC_ADAPTIVE, 0600, 256, 0, 16 << 20, 1 << 30, 0,        \
			1000000, 50000, 1000000, NULL, NULL                                                            \
	}

/**
 * shmipc_vector_open - become the consumer at a path
 * @path: where the socket goes; copied
 * @options: or NULL for the defaults
 * @vector: where the consumer goes; the caller's, until close
 *
 * What a dead consumer left at the path is replaced. A lock on the file PATH.lock, which goes when its
 * holder does, tells dead from alive. Since 0.1.
 *
 * Returns 0. -EADDRINUSE: there is a consumer. -EEXIST: something that is no socket is there.
 * -EINVAL: options, or no path. -ENAMETOOLONG, -ENOMEM; errors of open(2), bind(2) and rename(2).
 */
int shmipc_vector_open(const char *path, const struct shmipc_vector_options *options, struct shmipc_vector **vector);

/**
 * shmipc_vector_close - stop consuming
 * @vector: or NULL
 *
 * The path is removed; what was not released goes to the next consumer, if the producers live to see
 * it. A batch that is open is not released by it. Since 0.1.
 */
void shmipc_vector_close(struct shmipc_vector *vector);

/* Flags of a message. */
#define SHMIPC_REPEATED (1u << 0) /* an earlier consumer may have had it */

/**
 * struct shmipc_vector_message - a message, where its producer wrote it
 * @data: the bytes; never writable; valid until release
 * @size: how many
 * @sender: whose; valid until release. Its context is the caller's to set
 * @time_ns: CLOCK_MONOTONIC of the push, where the consumer merges, or the producer stamps; else 0
 * @dropped: messages of this producer that were dropped since the one before
 * @flags: SHMIPC_REPEATED
 */
struct shmipc_vector_message {
	const void *data;
	size_t size;
	struct shmipc_sender *sender;
	int64_t time_ns;
	uint64_t dropped;
	uint32_t flags;
};

/**
 * shmipc_vector_receive - open a batch: what is queued now
 * @vector: to receive on; its last batch was released
 * @deadline: latest return; 0 or less: do not wait
 *
 * Every producer has a bounded share in a batch, so that none keeps the others waiting. Attaching producers are
 * served here. Since 0.1.
 *
 * Returns 0: next has a message. -EAGAIN: nothing now (@deadline 0 or less, or kicked). -ETIMEDOUT,
 * -EINTR. -EBUSY: a batch is open, or the vector is armed.
 */
int shmipc_vector_receive(struct shmipc_vector *vector, int64_t deadline);

/**
 * shmipc_vector_next - the next message of the batch
 * @vector: with an open batch
 * @message: filled
 *
 * The messages of one producer come in the order in which it pushed them. Since 0.1.
 *
 * Returns 1. 0: that was all. -EINVAL: no batch is open.
 */
int shmipc_vector_next(struct shmipc_vector *vector, struct shmipc_vector_message *message);

/**
 * shmipc_vector_release - close the batch: what next has shown is done with
 * @vector: with an open batch
 *
 * Its memory is the producers' again; what next has not shown comes with the next batch. Since 0.1.
 *
 * Returns 0. -EINVAL: no batch is open.
 */
int shmipc_vector_release(struct shmipc_vector *vector);

/**
 * shmipc_vector_kick - make receive return
 *
 * The receive that waits, or else the next one that would wait, returns -EAGAIN. Any thread, but no signal handler.
 * Since 0.1. Returns 0.
 */
int shmipc_vector_kick(struct shmipc_vector *vector);

/**
 * shmipc_vector_fd - a file descriptor for poll, epoll, select or io_uring
 *
 * It says POLLIN when the vector wants to be looked at; it is never to be read or closed. The vector must be armed first.
 * Since 0.1. Returns the descriptor, the vector's.
 */
int shmipc_vector_fd(struct shmipc_vector *vector);

/**
 * shmipc_vector_arm - ask that the descriptor speak up at the next message
 * @vector: without an open batch
 *
 * After POLLIN: disarm, receive and release until -EAGAIN, arm. Since 0.1.
 *
 * Returns 0: armed. 1: not armed, there is something already: go on. -EBUSY: a batch is open.
 */
int shmipc_vector_arm(struct shmipc_vector *vector);

/**
 * shmipc_vector_disarm - the descriptor said POLLIN, or need not speak up any more
 *
 * Since 0.1. Returns 0.
 */
int shmipc_vector_disarm(struct shmipc_vector *vector);

/**
 * struct shmipc_vector_stats - counters of a consumer since it was opened, and gauges
 * @size: in: sizeof(struct shmipc_vector_stats)
 * @messages: delivered
 * @bytes: likewise
 * @dropped: messages that producers dropped, reported or not yet
 * @batches: received
 * @came: producers that attached
 * @left: producers that went
 * @lied: of these, because their lane made no sense
 * @turned_away: producers that were refused, and clients that did not say in time what they want
 * @sleeps: times it announced to all producers that it sleeps
 * @system_calls: made by the library for waiting and waking
 * @producers: gauge: attached now
 * @memory_granted: gauge: bytes of memory that these may use
 */
struct shmipc_vector_stats {
	size_t size;
	uint64_t messages;
	uint64_t bytes;
	uint64_t dropped;
	uint64_t batches;
	uint64_t came;
	uint64_t left;
	uint64_t lied;
	uint64_t turned_away;
	uint64_t sleeps;
	uint64_t system_calls;
	uint64_t producers;
	uint64_t memory_granted;
};

/**
 * shmipc_vector_stats - read the counters
 * @vector: whose
 * @stats: its size field set
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_vector_stats(struct shmipc_vector *vector, struct shmipc_vector_stats *stats);

/* What a producer does at its limit. */
enum shmipc_full {
	SHMIPC_FULL_BLOCK,	 /* wait, until the call's deadline */
	SHMIPC_FULL_DROP_NEWEST, /* drop the message that does not fit */
	SHMIPC_FULL_DROP_OLDEST, /* drop the oldest that are not being read, some dozen KB at a time */
};

/**
 * struct shmipc_producer_options - what a producer is like
 * @size: sizeof(struct shmipc_producer_options), set by SHMIPC_PRODUCER_OPTIONS_INIT
 * @backend: where the memory comes from
 * @full: what to do at the limit
 * @stamp: not 0: each message gets its time even where the consumer does not merge
 * @memory_max: most memory for messages, in bytes, SHMIPC_PRODUCER_MEMORY_MIN to 4 GiB - 1; the consumer may
 *	grant less. A message is at most a quarter of it long
 * @shrink_after_ms: memory that was not needed for so long is given back; 0: by shmipc_producer_shrink() alone
 * @retry_ms: least time between two attempts to reach a consumer. A call that reaches one waits for up to 5 ms for its answer
 */
struct shmipc_producer_options {
	size_t size;
	enum shmipc_backend backend;
	enum shmipc_full full;
	uint32_t stamp;
	uint64_t memory_max;
	uint32_t shrink_after_ms;
	uint32_t retry_ms;
};

#define SHMIPC_PRODUCER_OPTIONS_INIT                                                                                   \
	{                                                                                                              \
		sizeof(struct shmipc_producer_options), SHMIPC_BACKEND_AUTO, SHMIPC_FULL_BLOCK, 0, 16 << 20, 1000, 100 \
	}

/**
 * shmipc_producer_open - become a producer for a path
 * @path: the vector's; copied
 * @options: or NULL for the defaults
 * @producer: where it goes; the caller's, until close
 *
 * There need be no consumer yet. Does not wait for it. Since 0.1.
 *
 * Returns 0. -EINVAL: options, or no path. -ENAMETOOLONG, -ENOMEM.
 */
int shmipc_producer_open(const char *path, const struct shmipc_producer_options *options,
			 struct shmipc_producer **producer);

/**
 * shmipc_producer_close - stop producing
 * @producer: or NULL
 *
 * What was handed to a consumer is still delivered; a backlog, kept for one that is not there, is lost: flush
 * first. Since 0.1.
 */
void shmipc_producer_close(struct shmipc_producer *producer);

/**
 * shmipc_producer_attach - wait until there is a consumer, and attach to it
 * @deadline: latest return
 *
 * Since 0.1.
 *
 * Returns 0: attached, or was. -EAGAIN (@deadline 0 or less), -ETIMEDOUT: none yet; shmipc_producer_stats() has the
 * reason. -EINTR.
 */
int shmipc_producer_attach(struct shmipc_producer *producer, int64_t deadline);

/**
 * shmipc_producer_push - send a message
 * @producer: whose
 * @data: the message; not needed any more when it returns
 * @size: its bytes; may be 0
 * @deadline: SHMIPC_FULL_BLOCK: how long to wait for room. Before its memory grows, a push that may wait sleeps for up to
 *	10 ms where there are many producers and the consumer is busy with others
 *
 * Since 0.1.
 *
 * Returns 0. 1: it was dropped, and counted. -EAGAIN (@deadline 0 or less), -ETIMEDOUT: no room. -EINTR.
 * -EMSGSIZE: longer than a quarter of the memory. -EBUSY: a reservation is open.
 */
int shmipc_producer_push(struct shmipc_producer *producer, const void *data, size_t size, int64_t deadline);

/**
 * shmipc_producer_pushv - send a message from several pieces
 * @producer: whose
 * @pieces: as for writev(2)
 * @count: of them
 * @deadline: as for push
 *
 * Since 0.1. Returns as push.
 */
int shmipc_producer_pushv(struct shmipc_producer *producer, const struct iovec *pieces, int count, int64_t deadline);

/**
 * shmipc_producer_reserve - get memory for one message
 * @producer: whose
 * @size: most bytes the message will have
 * @data: where the address goes, aligned to 8 bytes; ends with commit or cancel
 * @deadline: as for push
 *
 * One reservation may be open at a time. Since 0.1. Returns as push; where it returns 1 there is no memory.
 */
int shmipc_producer_reserve(struct shmipc_producer *producer, size_t size, void **data, int64_t deadline);

/**
 * shmipc_producer_commit - publish the reserved message
 * @producer: with an open reservation
 * @size: bytes written, at most what was reserved
 *
 * Since 0.1. Returns 0. -EINVAL: @size, or there is no reservation.
 */
int shmipc_producer_commit(struct shmipc_producer *producer, size_t size);

/**
 * shmipc_producer_cancel - give the reservation up
 *
 * Since 0.1. Returns 0, or -EINVAL: there is none.
 */
int shmipc_producer_cancel(struct shmipc_producer *producer);

/**
 * shmipc_producer_flush - wait until the consumer has released all that was pushed
 * @deadline: latest return
 *
 * Since 0.1. Returns 0. -EAGAIN (@deadline 0 or less), -ETIMEDOUT: it has not. -EINTR. -EBUSY: a reservation is open.
 */
int shmipc_producer_flush(struct shmipc_producer *producer, int64_t deadline);

/**
 * shmipc_producer_shrink - give back the memory that is not in use
 *
 * For one that pushes seldom; others do it themselves after shrink_after_ms. It takes part of two calls, with the consumer
 * awake in between. Since 0.1. Returns 0.
 */
int shmipc_producer_shrink(struct shmipc_producer *producer);

/**
 * struct shmipc_producer_stats - counters of a producer since it was opened, and gauges
 * @size: in: sizeof(struct shmipc_producer_stats)
 * @backend: of the lane; SHMIPC_BACKEND_AUTO while there is none
 * @attached: 1: there is a consumer
 * @attach_error: why the last attempt to attach failed, a negative errno, or 0
 * @messages: pushed
 * @bytes: likewise
 * @dropped_newest: messages dropped as they came
 * @dropped_oldest: messages dropped later, those excepted that the consumer was about to read at that moment
 * @repeated: messages delivered again
 * @attaches: consumers it had
 * @rings: times the consumer was found asleep and woken
 * @system_calls: made by the library, those of attaching excepted
 * @memory_bytes: gauge: shared memory for messages
 * @backlog_bytes: gauge: private memory that holds messages for want of a consumer
 */
struct shmipc_producer_stats {
	size_t size;
	enum shmipc_backend backend;
	int attached;
	int attach_error;
	uint64_t messages;
	uint64_t bytes;
	uint64_t dropped_newest;
	uint64_t dropped_oldest;
	uint64_t repeated;
	uint64_t attaches;
	uint64_t rings;
	uint64_t system_calls;
	uint64_t memory_bytes;
	uint64_t backlog_bytes;
};

/**
 * shmipc_producer_stats - read the counters
 * @producer: whose
 * @stats: its size field set
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_producer_stats(struct shmipc_producer *producer, struct shmipc_producer_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_VECTOR_H */
