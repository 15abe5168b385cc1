/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/stream.h - a stream: bytes in order, both ways, inside a session
 *
 * A stream costs no descriptor, no system call and no message to open: the first bytes make it
 * appear at the peer. It is a byte stream, like a connected socket: shmipc_stream_write() and
 * shmipc_stream_read(). For those who want them, message boundaries are kept: each write without SHMIPC_MORE, and
 * each submit, ends a message.
 *
 *	copying		write, writev, read, readv, read_message, call
 *	in place	reserve, fill, submit; receive, look, release; peek, discard
 *	ending		end (half-close), close, reset
 *
 * Blocking, non-blocking and deadline forms are one function each: it blocks until its deadline,
 * SHMIPC_FOREVER for none; with 0 it does not block and says -EAGAIN.
 *
 * Threads. One thread at a time may write to a stream and one may read, concurrently with each other; reset, and
 * those that only ask, may be called from any thread. Different streams are independent: a writer that waits on
 * one stops no other. close ends the handle.
 *
 * The end. What was written before end or close is readable after it. read returns 0 at the end,
 * -ECONNRESET after a reset, -ECONNREFUSED where the peer had no room for the stream, -EPIPE when the peer ended the
 * session or died before it ended the stream, -ESHUTDOWN when the session was ended on this side. write returns -EPIPE
 * when the peer no longer reads.
 *
 * Flow. A stream has at most the peer's window of bytes under way: written, and not consumed (read, discarded, or
 * released), with a fixed charge a message. A writer beyond it waits. What was consumed is told by quarters of the
 * window, so that it costs few messages. A single message may be larger than the window; it goes when nothing else is
 * under way.
 */
#ifndef SHMIPC_STREAM_H
#define SHMIPC_STREAM_H

#include <sys/uio.h>

#include "shmipc/session.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Flags of shmipc_stream_write(), writev and submit. Two are those of shmipc/channel.h:
 *
 *	SHMIPC_MORE	the message goes on with the next write
 *	SHMIPC_LAZY	the system call that wakes a sleeping peer, if one is due, is left to this thread's next call that
 *			waits on the session, which makes it together with its own sleep: for a server that replies and
 *			then waits for the next request. Until then the peer sleeps on
 */
#define SHMIPC_END (1u << 3) /* and that was all: shmipc_stream_end() in the same message */

/**
 * shmipc_stream_open - open a stream
 * @session: any side's
 * @stream: where it goes; the caller's, until close
 *
 * Nothing is sent yet. Since 0.1.
 *
 * Returns 0. -EBUSY: the session is unhealthy. -EMFILE: streams_max are open, this side's or the peer's. -ENOMEM; or
 * why the session ended.
 */
int shmipc_stream_open(struct shmipc_session *session, struct shmipc_stream **stream);

/**
 * shmipc_stream_close - give a stream up
 * @stream: or NULL; no other thread may be in a call on it
 *
 * The peer reads what was written, then the end; what it writes from now on is -EPIPE. Unread bytes are gone,
 * pieces must not be touched any more. Never blocks. From a callback too, the stream's own included.
 * Bytes that were written with SHMIPC_MORE and not flushed are flushed as far as there is room now. Since 0.1.
 */
void shmipc_stream_close(struct shmipc_stream *stream);

/**
 * shmipc_stream_end - write no more; go on reading
 *
 * Since 0.1. Returns 0, also when it was ended before; -ECONNRESET, or why the session ended.
 */
int shmipc_stream_end(struct shmipc_stream *stream);

/**
 * shmipc_stream_reset - end a stream at once in both directions
 * @code: for the peer: shmipc_stream_reset_code()
 *
 * Threads that wait on it return, with -ECONNRESET, here and there; what was not read by then is gone. The handle is still to be
 * closed. Since 0.1. Returns 0, or why the session ended.
 */
int shmipc_stream_reset(struct shmipc_stream *stream, uint32_t code);

/**
 * shmipc_stream_write - write bytes, copying them
 * @data: bytes; not needed any more when it returns
 * @size: how many; 0 ends a message that SHMIPC_MORE left open, and is nothing else
 * @flags: 0; SHMIPC_MORE: the message goes on, and may be held back to travel with more; SHMIPC_END; SHMIPC_LAZY
 * @deadline: latest return
 *
 * Large messages are published while they are copied. Since 0.1.
 *
 * Returns how many bytes were taken: all of them, unless the deadline passed or a signal came after some.
 * -EAGAIN: none now, and the deadline is 0. -ETIMEDOUT, -EINTR: none. -EPIPE, -ECONNRESET, or why the session ended;
 * -ESHUTDOWN also after shmipc_stream_end(). -EALREADY: a reserved buffer is open. -EINVAL: an unknown flag, SHMIPC_MORE
 * together with SHMIPC_END, or a @size that ssize_t cannot tell. -ENOMEM, -EDQUOT, -ENOSPC: the lane could not grow,
 * nothing is lent that could come back, and the session does not fall back.
 */
ssize_t shmipc_stream_write(struct shmipc_stream *stream, const void *data, size_t size, unsigned int flags,
			    int64_t deadline);

/**
 * shmipc_stream_writev - the same for bytes in several places: one message
 * @iov: places, at most 1024
 * @count: how many
 *
 * Since 0.1. Returns as write. -EINVAL: @count, or the sizes' sum overflows.
 */
ssize_t shmipc_stream_writev(struct shmipc_stream *stream, const struct iovec *iov, int count, unsigned int flags,
			     int64_t deadline);

/**
 * shmipc_stream_flush - send what SHMIPC_MORE held back
 *
 * The message goes on: a write without SHMIPC_MORE, which may have 0 bytes, ends it. Since 0.1. Returns 0, or as write.
 */
int shmipc_stream_flush(struct shmipc_stream *stream, int64_t deadline);

/**
 * shmipc_stream_reserve - get memory in the lane, to write a message into
 * @size: most bytes it will have
 * @buffer: filled; ends with submit or cancel. Its tag and kind mean nothing here
 * @deadline: latest return
 *
 * Contiguous and aligned to 16 bytes; where the lane has no room and the session falls back, private memory that is copied on
 * submit. One buffer of a stream may be open at a time. Since 0.1.
 *
 * Returns 0. -EMSGSIZE: can never fit in memory_max. -EALREADY: another buffer is open. -ENOMEM. Else as write.
 */
int shmipc_stream_reserve(struct shmipc_stream *stream, size_t size, struct shmipc_buffer *buffer, int64_t deadline);

/**
 * shmipc_stream_submit - send what was written into a buffer
 * @buffer: from reserve; the peer's to read from now on
 * @size: bytes written, at most what was reserved
 * @flags: 0; SHMIPC_MORE: the message goes on (it is sent at once all the same); SHMIPC_END; SHMIPC_LAZY
 * @deadline: latest return, where the ring is full
 *
 * Since 0.1.
 *
 * Returns 0. -EINVAL: not the open buffer, @size, or @flags. -EAGAIN, -ETIMEDOUT, -EINTR. After these the buffer is still open;
 * after any other error it is not: -EPIPE, -ECONNRESET, or why the session ended.
 */
int shmipc_stream_submit(struct shmipc_stream *stream, struct shmipc_buffer *buffer, size_t size, unsigned int flags,
			 int64_t deadline);

/**
 * shmipc_stream_cancel - give a reserved buffer back unsent
 *
 * Since 0.1. Returns 0, or -EINVAL: not the open buffer.
 */
int shmipc_stream_cancel(struct shmipc_stream *stream, struct shmipc_buffer *buffer);

/**
 * shmipc_stream_read - read bytes, copying them
 * @data: where to
 * @size: at most how many
 * @deadline: latest return
 *
 * Waits for at least one byte. A passed deadline still lets bytes be read that are there. Since 0.1.
 *
 * Returns how many; 0 at the end, or if @size is 0. -EAGAIN: none now, and the deadline is 0. -ETIMEDOUT, -EINTR,
 * -ECONNRESET, -EPIPE; or why the session ended.
 */
ssize_t shmipc_stream_read(struct shmipc_stream *stream, void *data, size_t size, int64_t deadline);

/**
 * shmipc_stream_readv - the same into several places
 * @iov: places, at most 1024, filled one after the other
 * @count: how many
 *
 * Since 0.1. Returns as read. -EINVAL: @count, or the sizes' sum overflows.
 */
ssize_t shmipc_stream_readv(struct shmipc_stream *stream, const struct iovec *iov, int count, int64_t deadline);

/**
 * shmipc_stream_read_message - read one message, or its next part
 * @data: where to
 * @size: bytes there are at @data
 * @last: set to 1 if the message ends with what was read, else to 0: the next call reads on; or NULL
 *
 * Waits until the message has ended, or @data is full. Since 0.1.
 *
 * Returns as read; a message may be empty: 0 with @last 1. The end is 0 with @last 0. Where the deadline passes or a
 * signal comes after some bytes, these are returned, with @last 0: nothing is lost.
 */
ssize_t shmipc_stream_read_message(struct shmipc_stream *stream, void *data, size_t size, int *last, int64_t deadline);

/**
 * struct shmipc_piece - bytes of a stream, where they arrived
 * @data: never writable; valid until release, or the stream's close
 * @size: how many
 * @last: 1: a message ends with them
 * @handle: the library's
 */
struct shmipc_piece {
	const void *data;
	size_t size;
	int last;
	void *handle;
};

/**
 * shmipc_stream_receive - take the next bytes without copying them
 * @piece: filled; the caller's until release
 * @deadline: latest return
 *
 * A message that was submitted, or written and not longer than 32 KB, comes in one piece; but what fell back comes in
 * pieces of 32 KB. Pieces are pinned: they count against the window until they are released. Since 0.1.
 *
 * Returns 1; 0 at the end. -EAGAIN, -ETIMEDOUT, -EINTR, -ECONNRESET, -EPIPE; or why the session ended.
 */
int shmipc_stream_receive(struct shmipc_stream *stream, struct shmipc_piece *piece, int64_t deadline);

/**
 * shmipc_stream_release - give a piece back
 *
 * In any order; by any thread. Since 0.1. Returns 0, or -EINVAL: it was released before.
 */
int shmipc_stream_release(struct shmipc_stream *stream, struct shmipc_piece *piece);

/**
 * shmipc_stream_reuse - make of what was read the beginning of the reply
 * @piece: from receive; released on success
 * @size: most bytes the reply will have, at least those of @piece
 * @buffer: as reserve fills it, with the bytes of @piece in front; to be changed at will, then submitted
 * @deadline: latest return, where there is no room
 *
 * For a reply that is the request with some of it changed. The memory of @piece is the peer's, which nobody else writes to: so
 * this copies it once, into the lane of this side. Since 0.1.
 *
 * Returns as reserve; after an error @piece is still held. -EINVAL: @piece was released, or @size.
 */
int shmipc_stream_reuse(struct shmipc_stream *stream, struct shmipc_piece *piece, size_t size, struct shmipc_buffer *buffer,
			int64_t deadline);

/**
 * shmipc_stream_peek - look at bytes without taking them
 * @min: wait for so many, contiguous; at least 1, at most half of this side's window
 * @data: where their address goes; valid until the next call that reads from the stream
 * @deadline: latest return
 *
 * Without a copy where they arrived in one piece. Since 0.1.
 *
 * Returns how many are there contiguously, at least @min; fewer only at the end, 0 if there is none. -EINVAL: @min.
 * -ENOMEM. Else as read.
 */
ssize_t shmipc_stream_peek(struct shmipc_stream *stream, size_t min, const void **data, int64_t deadline);

/**
 * shmipc_stream_discard - drop bytes unread
 * @size: how many
 * @deadline: latest return
 *
 * Waits until so many were there. Since 0.1.
 *
 * Returns how many were dropped: fewer at the end, or after a deadline or signal. 0 if @size is 0. Else as read.
 */
ssize_t shmipc_stream_discard(struct shmipc_stream *stream, size_t size, int64_t deadline);

/**
 * shmipc_stream_call - send a request and read the reply
 * @request: one message, copied
 * @request_size: its bytes; at least 1
 * @reply: where the reply message goes
 * @reply_size: most bytes it may have
 * @deadline: for both
 *
 * One system call where the peer sleeps and this side goes to sleep. Since 0.1.
 *
 * Returns the reply's bytes. -EMSGSIZE: it is longer than @reply_size; its first bytes were stored, the rest is to be
 * read. -EPIPE: the peer ended the stream without a whole reply. -EINVAL: @request_size. Else as write and read; the reply,
 * or its rest, may then come later: reset the stream rather than use it again.
 */
ssize_t shmipc_stream_call(struct shmipc_stream *stream, const void *request, size_t request_size, void *reply,
			   size_t reply_size, int64_t deadline);

/**
 * shmipc_stream_wait - wait until a stream can be read or written
 * @events: SHMIPC_READABLE, SHMIPC_WRITABLE, or both
 * @deadline: latest return
 *
 * An end, a reset and a dead session are both. Since 0.1.
 *
 * Returns the events that are there. -EAGAIN: none, and the deadline is 0. -ETIMEDOUT, -EINTR. -EINVAL: @events.
 */
int shmipc_stream_wait(struct shmipc_stream *stream, unsigned int events, int64_t deadline);

/**
 * struct shmipc_stream_callbacks - what happens on a stream
 * @on_readable: or NULL; bytes arrived, or the end of the other direction did. Called again when more arrive, or when
 *	it read some and left some; not when it read nothing
 * @on_writable: or NULL; a write, reserve or submit that said -EAGAIN can go on
 * @on_end: or NULL; nothing more comes: both directions ended (0), a reset (-ECONNRESET), or why the session
 *	ended. The last callback of a stream, after on_readable saw all that was sent before
 *
 * They run in shmipc_session_process(), or in a dispatcher's thread; with no lock held; never two at a time for
 * one stream. They may call anything, close the stream and the session, and block.
 */
struct shmipc_stream_callbacks {
	void (*on_readable)(struct shmipc_stream *stream, void *arg);
	void (*on_writable)(struct shmipc_stream *stream, void *arg);
	void (*on_end)(struct shmipc_stream *stream, int reason, void *arg);
};

/**
 * shmipc_stream_set_callbacks - say what to call
 * @callbacks: copied; NULL: none from now on
 * @arg: passed to each
 *
 * What is there already is reported too. Since 0.1. Returns 0. -EALREADY: there are some: set NULL first.
 */
int shmipc_stream_set_callbacks(struct shmipc_stream *stream, const struct shmipc_stream_callbacks *callbacks,
				void *arg);

/**
 * shmipc_stream_id - a number that names the stream in its session, the same at both sides
 *
 * The client's are odd. Since 0.1.
 */
uint32_t shmipc_stream_id(const struct shmipc_stream *stream);

/**
 * shmipc_stream_session - the session it is in
 *
 * Since 0.1.
 */
struct shmipc_session *shmipc_stream_session(const struct shmipc_stream *stream);

/**
 * shmipc_stream_reset_code - what the peer's reset said
 *
 * Since 0.1. Returns the code; 0 before a reset.
 */
uint32_t shmipc_stream_reset_code(const struct shmipc_stream *stream);

/**
 * struct shmipc_stream_stats - counters of a stream, and gauges
 * @size: in: sizeof(struct shmipc_stream_stats), what the caller knows of
 * @bytes_written: taken by write and submit
 * @bytes_read: read, discarded or received
 * @messages_sent: channel messages
 * @messages_received: channel messages
 * @fallback_sent: of these, through the control socket
 * @in_flight: gauge: this side's, that the peer has not said it consumed, with a fixed charge a message
 * @unread_bytes: gauge: arrived and not read
 * @pinned: gauge: pieces received and not released
 */
struct shmipc_stream_stats {
	size_t size;
	uint64_t bytes_written;
	uint64_t bytes_read;
	uint64_t messages_sent;
	uint64_t messages_received;
	uint64_t fallback_sent;
	uint64_t in_flight;
	uint64_t unread_bytes;
	uint64_t pinned;
};

/**
 * shmipc_stream_stats - read the counters
 * @stats: its size field set
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_stream_stats(struct shmipc_stream *stream, struct shmipc_stream_stats *stats);

/**
 * shmipc_stream_user - the application's own pointer, as it was set; NULL before
 *
 * Since 0.1.
 */
void *shmipc_stream_user(const struct shmipc_stream *stream);

/**
 * shmipc_stream_set_user - keep a pointer of the application's own
 * @user: nothing is done with it
 *
 * Since 0.1.
 */
void shmipc_stream_set_user(struct shmipc_stream *stream, void *user);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_STREAM_H */
