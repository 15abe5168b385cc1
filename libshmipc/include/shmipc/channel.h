/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/channel.h - a channel: messages between exactly two processes, without copying them
 *
 * A channel has two endpoints. Each owns a lane: memory that it alone may write and the other may
 * only read. A message is written once, into the sender's lane, and read there; small ones ride
 * inside the ring's slots. While the receiver is awake nothing but memory is touched: no system
 * call, no allocation. Where it sleeps, the sender rings its doorbell.
 *
 *	producing	reserve, write, submit (or cancel); or push, which copies
 *	consuming	peek, read, release (or keep, and release later)
 *	waiting		wait, or fd with arm and disarm in an event loop of one's own
 *
 * Threads. One thread at a time may produce, and one at a time may consume, concurrently with each
 * other; each may wait. kick, stats and peer may be called from any thread. fd, arm and
 * disarm belong to the consuming thread, and an endpoint is either waited on or used with arm and
 * disarm: while it is armed wait is -EBUSY, while a thread waits arm is -EBUSY. create, receive
 * and destroy are not concurrent with anything on the same channel.
 *
 * Fork. A channel belongs to the process that made or received it. In a forked child every call
 * returns -EPERM and touches no lane, and the lanes are not mapped; destroy frees what is private.
 *
 * Errors. Functions return 0 or a count, or a negative errno; errno itself is left alone. The same
 * cause is the same error on both backends:
 *
 *	-EAGAIN		not now: nothing to read, or no room
 *	-ETIMEDOUT	the deadline passed
 *	-EPIPE		the peer is gone, and all it sent was read
 *	-EBADMSG	the peer's lane makes no sense; the channel is of no more use
 *	-EPROTO		the other side of a handover said something that makes no sense
 *	-EINVAL		a bad argument
 *	-EPERM		the channel belongs to another process
 *
 * Deadlines are absolute CLOCK_MONOTONIC times in nanoseconds; SHMIPC_FOREVER is none, and 0, or
 * any time past, means that the call does not block.
 *
 * A message's bytes lie in memory that the sender can still write. Copy before you validate
 * anything on which safety depends.
 */
#ifndef SHMIPC_CHANNEL_H
#define SHMIPC_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct shmipc_channel;

/* No deadline. */
#define SHMIPC_FOREVER INT64_MAX

/* Messages of up to this many bytes ride inside a slot of the ring. */
#define SHMIPC_INLINE_MAX 112

/* Where the shared pages and the wake-ups come from. */
enum shmipc_backend {
	SHMIPC_BACKEND_AUTO,  /* the environment's SHMIPC_BACKEND ("kmod", "memfd"), else kmod where it works */
	SHMIPC_BACKEND_KMOD,  /* the kernel module, /dev/shmipc */
	SHMIPC_BACKEND_MEMFD, /* memfd, futex and a socketpair; works everywhere */
};

/* How an endpoint waits. The peer need not choose the same. */
enum shmipc_sync {
	SHMIPC_SYNC_ADAPTIVE, /* spin for a short while where that pays, then sleep */
	SHMIPC_SYNC_DEMAND,   /* sleep at once */
	SHMIPC_SYNC_POLLING,  /* never sleep: one processor for the lowest latency */
	SHMIPC_SYNC_TIMED,    /* look every timed_ns; the peer never makes a system call */
};

/**
 * struct shmipc_channel_options - what an endpoint is like
 * @size: sizeof(struct shmipc_channel_options), set by SHMIPC_CHANNEL_OPTIONS_INIT
 * @backend: create only: which backend
 * @sync: how this endpoint waits
 * @slots: create only: ring slots of each lane; a power of two, 16 to 65536
 * @slices: create only: pieces a lane's payload memory may be in, lent and free ones; a power of
 *	two, 64 to 65536
 * @segment_bytes: create only: payload memory a lane starts with, in bytes; 4096 to memory_max
 * @memory_max: most payload memory of a lane, in bytes; 4096 to 64 GiB; it grows on demand. receive: the most that an
 *	offer may ask for
 * @shrink_after_ms: this endpoint's grown memory, idle for so long, is given back while a thread waits; 0:
 *	never. An event loop calls shmipc_channel_shrink()
 * @spin_ns: adaptive: most nanoseconds to spin before sleeping; at most 1,000,000
 * @timed_ns: timed: nanoseconds between two looks; 1,000 to 10,000,000,000
 *
 * "create only" options hold for both lanes; the receiving side gets them by the handover.
 */
struct shmipc_channel_options {
	size_t size;
	enum shmipc_backend backend;
	enum shmipc_sync sync;
	uint32_t slots;
	uint32_t slices;
	uint64_t segment_bytes;
	uint64_t memory_max;
	uint32_t shrink_after_ms;
	uint32_t spin_ns;
	uint64_t timed_ns;
};

#define SHMIPC_CHANNEL_OPTIONS_INIT                                                                 \
	{                                                                                           \
		sizeof(struct shmipc_channel_options), SHMIPC_BACKEND_AUTO, SHMIPC_SYNC_ADAPTIVE,   \
			256, 512, 32768, 64 << 20, 1000, 50000, 1000000                             \
	}

/**
 * shmipc_channel_options_check - say what is wrong with options
 * @options: to look at
 * @message: where a sentence that names the field goes, or NULL
 * @size: bytes there
 *
 * create and receive make the same check. Since 0.1.
 *
 * Returns 0, or -EINVAL.
 */
int shmipc_channel_options_check(const struct shmipc_channel_options *options, char *message, size_t size);

/**
 * shmipc_channel_create - make a channel and take its endpoint 0
 * @options: or NULL for the defaults
 * @channel: where the endpoint goes; the caller's, until destroy
 *
 * All memory is there when it returns. Nothing can be sent before the other endpoint was handed
 * over with shmipc_channel_send(). Since 0.1.
 *
 * Returns 0. -EINVAL: options, or SHMIPC_BACKEND names no backend. -ENOMEM: no memory, or memfd pages
 * refused. -EOPNOTSUPP: the backend asked for is not on this system. -EACCES: it is, but not for this
 * user. -EDQUOT, -ENOSPC: the module's limits.
 */
int shmipc_channel_create(const struct shmipc_channel_options *options, struct shmipc_channel **channel);

/**
 * shmipc_channel_send - hand endpoint 1 over to the process at the other end of a socket
 * @channel: made by create; its endpoint 1 not yet handed over
 * @socket: a connected Unix stream or seqpacket socket; stays the caller's, nothing is left unread in it
 * @deadline: for the whole exchange
 *
 * The other process calls shmipc_channel_receive(). The two functions wait for each other. Where it
 * fails the endpoint is lost: destroy the channel. Since 0.1.
 *
 * Returns 0. -EALREADY: it was handed over before. -ETIMEDOUT, -EPIPE, -EPROTO; other errors of
 * sendmsg(2) and recvmsg(2); or the error that the other side's receive met.
 */
int shmipc_channel_send(struct shmipc_channel *channel, int socket, int64_t deadline);

/**
 * shmipc_channel_receive - take an endpoint that another process hands over
 * @socket: as for send
 * @options: or NULL for the defaults; "create only" options are not used
 * @deadline: for the whole exchange
 * @channel: where the endpoint goes; the caller's, until destroy
 *
 * Since 0.1.
 *
 * Returns 0. -EINVAL: options, or not such a socket. -ENOMEM, -ETIMEDOUT, -EPIPE. -EMSGSIZE: the offer
 * is for more memory than options->memory_max. -EPROTO: what came is not an endpoint, or is one that
 * could be changed behind our back.
 */
int shmipc_channel_receive(int socket, const struct shmipc_channel_options *options, int64_t deadline,
			   struct shmipc_channel **channel);

/**
 * shmipc_channel_destroy - give an endpoint up
 * @channel: or NULL; no thread may be in a call on it
 *
 * The peer reads what was submitted, then gets -EPIPE. Every buffer and message of this endpoint is
 * gone. Since 0.1.
 */
void shmipc_channel_destroy(struct shmipc_channel *channel);

/**
 * struct shmipc_buffer - memory to write a message into
 * @data: where to write; aligned to 16 bytes
 * @size: how many bytes there are, at least what was asked for
 * @tag: set before submit: a number that travels with the message
 * @kind: set before submit: likewise
 * @slice: the library's
 * @slot: the library's
 */
struct shmipc_buffer {
	void *data;
	size_t size;
	uint32_t tag;
	uint16_t kind;
	uint32_t slice;
	uint32_t slot;
};

/* Flags of shmipc_channel_reserve() and push. */
#define SHMIPC_KEPT (1u << 0) /* may take one of the slots that are kept for messages such as a close */

/* Flags of shmipc_channel_submit() and push. */
#define SHMIPC_MORE (1u << 1) /* more follows at once: the doorbell step is left to the next submit without it, or to ring */
#define SHMIPC_LAZY (1u << 2) /* the system call, if one is due, is left to the next wait (which rings and sleeps in one) or ring */

/**
 * shmipc_channel_reserve - get memory for one message
 * @channel: to send on
 * @size: most bytes the message will have
 * @flags: 0 or SHMIPC_KEPT
 * @buffer: filled; ends with submit or cancel
 *
 * The memory is contiguous, in the own lane, which grows where needed and allowed. What it contains
 * is undefined. Several buffers may be open; messages go in the order of submit. Since 0.1.
 *
 * Returns 0. -EAGAIN: no slot or no memory now: wait for SHMIPC_WRITABLE. -EMSGSIZE: can never fit in
 * memory_max. -ENOMEM, -EDQUOT, -ENOSPC: the lane could not grow, and nothing is lent that could come
 * back. -EPIPE: the peer is gone. -ENOTCONN: the other endpoint was not handed over yet. -EBADMSG.
 */
int shmipc_channel_reserve(struct shmipc_channel *channel, size_t size, unsigned int flags,
			   struct shmipc_buffer *buffer);

/**
 * shmipc_channel_submit - publish a reserved message
 * @channel: the buffer's
 * @buffer: from reserve; its data is the peer's to read from now on
 * @size: bytes written, at most buffer->size; what is left over is free again
 * @flags: 0, SHMIPC_MORE, SHMIPC_LAZY
 *
 * Since 0.1.
 *
 * Returns 0; it never fails for want of room. -EINVAL: @size, @flags, or not an open buffer.
 */
int shmipc_channel_submit(struct shmipc_channel *channel, struct shmipc_buffer *buffer, size_t size,
			  unsigned int flags);

/**
 * shmipc_channel_cancel - give a reserved buffer back unsent
 *
 * Since 0.1. Returns 0, or -EINVAL: not an open buffer.
 */
int shmipc_channel_cancel(struct shmipc_channel *channel, struct shmipc_buffer *buffer);

/**
 * shmipc_channel_push - reserve, copy, submit
 * @channel: to send on
 * @data: the message; not needed any more when it returns
 * @size: its bytes
 * @tag: travels with it
 * @kind: likewise
 * @flags: 0, SHMIPC_KEPT, SHMIPC_MORE, SHMIPC_LAZY
 *
 * Since 0.1. Returns as reserve; -EINVAL: @flags.
 */
int shmipc_channel_push(struct shmipc_channel *channel, const void *data, size_t size, uint32_t tag,
			uint16_t kind, unsigned int flags);

/**
 * shmipc_channel_ring - take the doorbell step that SHMIPC_MORE or SHMIPC_LAZY left out
 *
 * Wakes the peer if it sleeps; else nothing but memory is touched. Since 0.1.
 *
 * Returns 0, or -EPIPE.
 */
int shmipc_channel_ring(struct shmipc_channel *channel);

/**
 * struct shmipc_message - a received message, where the sender wrote it
 * @data: the bytes, in the peer's lane: never writable, valid until release
 * @size: how many
 * @tag: the sender's
 * @kind: the sender's
 * @slice: the library's
 * @slot: the library's
 */
struct shmipc_message {
	const void *data;
	size_t size;
	uint32_t tag;
	uint16_t kind;
	uint32_t slice;
	uint32_t slot;
};

/**
 * shmipc_channel_peek - look at the next message
 * @channel: to receive on
 * @message: filled; the same one until it was released or kept
 *
 * Since 0.1.
 *
 * Returns 0. -EAGAIN: there is none. -EPIPE: nor will there be. -EBADMSG.
 */
int shmipc_channel_peek(struct shmipc_channel *channel, struct shmipc_message *message);

/**
 * shmipc_channel_release - give a message back to its sender
 * @channel: the message's
 * @message: from peek, or kept; its data may not be touched any more
 *
 * Kept messages may be released in any order, by the consuming thread. Since 0.1.
 *
 * Returns 0, or -EINVAL: not the message that peek showed, nor a kept one.
 */
int shmipc_channel_release(struct shmipc_channel *channel, struct shmipc_message *message);

/**
 * shmipc_channel_keep - go on to the next message, and keep this one's bytes
 * @channel: the message's
 * @message: from peek
 *
 * The bytes stay lent, at the sender's cost, until release. A message of up to SHMIPC_INLINE_MAX
 * bytes may ride in a slot, which cannot be kept: copy it. Since 0.1.
 *
 * Returns 0, or -EOPNOTSUPP: it rides in a slot; it is still the next message.
 */
int shmipc_channel_keep(struct shmipc_channel *channel, struct shmipc_message *message);

/* Events of shmipc_channel_wait() and arm. */
#define SHMIPC_READABLE (1u << 0) /* peek has a message, or something to report */
/*
 * Room came back since reserve last said -EAGAIN. Slots are told of by sixteenths of the ring while the peer has more to read, and
 * when it has not, waits, or releases a slice: a writer that sleeps is not woken for each slot.
 */
#define SHMIPC_WRITABLE (1u << 1)

/**
 * shmipc_channel_wait - wait as the endpoint's sync mode says
 * @channel: to wait on
 * @events: SHMIPC_READABLE, SHMIPC_WRITABLE, or both
 * @deadline: latest return
 *
 * A system call that SHMIPC_LAZY left out is made first, or together with the sleep. A consuming
 * and a producing thread may wait at the same time. A signal ends it with -EINTR or not, as the
 * handler's SA_RESTART says. Since 0.1.
 *
 * Returns the events that are there, or 0 if shmipc_channel_kick() ended it. -ETIMEDOUT, -EPIPE,
 * -EBADMSG, -EINTR. -EBUSY: the endpoint is armed.
 */
int shmipc_channel_wait(struct shmipc_channel *channel, unsigned int events, int64_t deadline);

/**
 * shmipc_channel_kick - make the threads that wait on this endpoint return
 *
 * One wait to read and one to write ends for it, now or when it is next called; one that is for both
 * takes both. Any thread, but no signal handler. Since 0.1. Returns 0.
 */
int shmipc_channel_kick(struct shmipc_channel *channel);

/**
 * shmipc_channel_fd - a file descriptor for poll, epoll (level or edge), select or io_uring
 *
 * It says POLLIN when the channel wants to be looked at, and POLLHUP when the peer is gone; it is
 * never to be read, written or closed. The endpoint must be armed first. Since 0.1.
 *
 * Returns the descriptor, the channel's.
 */
int shmipc_channel_fd(struct shmipc_channel *channel);

/**
 * shmipc_channel_arm - ask that the descriptor speak up at the next event
 * @channel: to arm
 * @events: SHMIPC_READABLE, or with SHMIPC_WRITABLE
 *
 * After POLLIN: disarm, peek and release until -EAGAIN, arm. While it is armed there is no peek, release
 * or keep. Since 0.1.
 *
 * Returns 0: armed. 1: not armed, there is something already: go on. -EBUSY: a thread waits.
 */
int shmipc_channel_arm(struct shmipc_channel *channel, unsigned int events);

/**
 * shmipc_channel_disarm - the descriptor said POLLIN, or need not speak up any more
 *
 * Since 0.1. Returns 0.
 */
int shmipc_channel_disarm(struct shmipc_channel *channel);

/**
 * shmipc_channel_grow - have memory for a message at hand
 * @channel: whose lane grows
 * @size: bytes, contiguous
 *
 * Since 0.1. Returns 0, also if it was there. -EMSGSIZE, -ENOMEM, -EDQUOT, -ENOSPC; -EAGAIN: the
 * peer must read first. -EPIPE.
 */
int shmipc_channel_grow(struct shmipc_channel *channel, size_t size);

/**
 * shmipc_channel_shrink - give back the segments that hold no lent byte, the first excepted
 *
 * Their memory is gone when the peer has unmapped them too. The producing thread's. Since 0.1.
 *
 * Returns how many are on their way, or -EPIPE.
 */
int shmipc_channel_shrink(struct shmipc_channel *channel);

/**
 * struct shmipc_peer - who the other endpoint belongs to
 * @pid: as this process's pid namespace sees it; 0: not visible
 * @uid: effective user when the endpoint was handed over
 * @gid: effective group
 */
struct shmipc_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/**
 * shmipc_channel_peer - the kernel's word on who the peer is
 *
 * Since 0.1. Returns 0, or -ENOTCONN.
 */
int shmipc_channel_peer(struct shmipc_channel *channel, struct shmipc_peer *peer);

/**
 * struct shmipc_channel_stats - counters of an endpoint since it was made, and gauges
 * @size: in: sizeof(struct shmipc_channel_stats), what the caller knows of
 * @backend: SHMIPC_BACKEND_KMOD or SHMIPC_BACKEND_MEMFD
 * @messages_sent: messages submitted
 * @bytes_sent: their bytes
 * @messages_received: messages released or kept
 * @bytes_received: their bytes
 * @rings: times the peer was found asleep and rung for
 * @sleeps: times this endpoint announced that it sleeps, or was armed
 * @waits: times it then slept in the kernel
 * @spins_won: waits that ended while spinning
 * @spins_lost: spins after which it slept all the same
 * @barriers_paid: sleeps for which it called membarrier(2) on the peer's behalf
 * @system_calls: made by the library on this endpoint, after the handover
 * @growths: segments added
 * @retires: segments given back
 * @slices_lent: gauge: slices that the peer holds
 * @bytes_lent: gauge: their bytes
 * @memory_bytes: gauge: shared memory of the own lane, head included
 * @private_bytes: gauge: memory of this process for the endpoint's bookkeeping
 * @depth_in: gauge: messages submitted by the peer and not consumed
 * @depth_out: gauge: messages submitted and not consumed by the peer; while there are, up to a sixteenth of the slots too many
 */
struct shmipc_channel_stats {
	size_t size;
	enum shmipc_backend backend;
	uint64_t messages_sent;
	uint64_t bytes_sent;
	uint64_t messages_received;
	uint64_t bytes_received;
	uint64_t rings;
	uint64_t sleeps;
	uint64_t waits;
	uint64_t spins_won;
	uint64_t spins_lost;
	uint64_t barriers_paid;
	uint64_t system_calls;
	uint64_t growths;
	uint64_t retires;
	uint64_t slices_lent;
	uint64_t bytes_lent;
	uint64_t memory_bytes;
	uint64_t private_bytes;
	uint64_t depth_in;
	uint64_t depth_out;
};

/**
 * shmipc_channel_stats - read the counters
 * @channel: whose
 * @stats: its size field set
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_channel_stats(struct shmipc_channel *channel, struct shmipc_channel_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_CHANNEL_H */
