/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/session.h - a session: one channel, and any number of streams on it
 *
 * A client connects to an address, or hands in a connected socket; a server takes sessions from a
 * listener, or hands in an accepted socket. After the handshake both sides are alike: either opens
 * streams (shmipc/stream.h) and accepts the other's.
 *
 * Three ways to drive a session, which may be mixed:
 *
 *	blocking	any thread that waits in a call on a stream, or in accept, harvests what arrives
 *			for all streams and wakes the threads it belongs to; no helper thread exists
 *	event loop	shmipc_session_fd() in a loop of one's own, shmipc_session_process() when it is
 *			readable; callbacks run in there
 *	dispatcher	shmipc/dispatcher.h: threads of the library's own do that
 *
 * Threads. Every function may be called from any thread and from callbacks; close ends the handle.
 *
 * Fork. A session belongs to the process that made it. In a forked child every call that returns an error returns -EPERM;
 * close frees what is private, once the session's and all its streams' handles are closed there.
 *
 * Errors and deadlines are as in shmipc/channel.h, and:
 *
 *	-ESHUTDOWN	the session was ended on this side
 *	-ECONNRESET	the peer reset the stream
 *	-ECONNREFUSED	the peer has no room for the stream, or nobody listens
 *	-EBUSY		the session is unhealthy: it had to fall back a short time ago
 */
#ifndef SHMIPC_SESSION_H
#define SHMIPC_SESSION_H

#include "shmipc/channel.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct shmipc_session;
struct shmipc_stream;

/* What a writer does when the lane has no memory left and may not grow. */
enum shmipc_exhaustion {
	SHMIPC_EXHAUSTION_WAIT,	    /* wait, as for anything else that is full: until the deadline, or -EAGAIN */
	SHMIPC_EXHAUSTION_FALLBACK, /* send the bytes through the control socket: slower, in order all the same */
};

struct shmipc_session_stats;

/**
 * struct shmipc_session_options - what a session is like
 * @size: sizeof(struct shmipc_session_options), set by SHMIPC_SESSION_OPTIONS_INIT
 * @channel: the lanes and the sync mode. Its "create only" fields hold where this side is the client; but a lane
 *	grows to the lesser of both sides' memory_max, and a server's starts with its own segment_bytes, if less;
 *	a server with a backend other than AUTO takes sessions on that backend only; with kmod or memfd at the
 *	client likewise, with AUTO both sides agree on the first of kmod and memfd that works for both
 * @window: bytes that the peer may have sent on one stream and this side not consumed; 4096 to 1 << 30
 * @private_max: bytes of small and fallen-back messages that this side holds for its readers, all
 *	streams together: what bounds its private memory; 65536 to 1 << 40
 * @streams_max: streams open at a time, of both sides together; 1 to 1 << 24. The peer's opens beyond it
 *	are refused
 * @backlog: streams opened by the peer that wait to be accepted; 1 to 1 << 20; more are refused
 * @slots_max: as a server: most ring slots that a client may ask for, of each lane; 16 to 65536. A slot is 128 bytes, in
 *	memory of both sides. A client that asks for more is refused: its connect says -E2BIG
 * @slices_max: likewise, most slices, of 40 bytes; 64 to 65536
 * @exhaustion: see enum shmipc_exhaustion
 * @breaker_ms: how long the session counts as unhealthy after it fell back: open says -EBUSY, a pool avoids it; 0 (never)
 *	to 86,400,000
 * @idle_timeout_ms: a stream on which nothing moved for so long is reset; 0 (never) to 86,400,000
 * @monitor: or NULL; called every monitor_ms, and once when the session ends, from a thread of the library's,
 *	with no lock held
 * @monitor_ms: 10 to 86,400,000
 * @monitor_arg: for monitor
 *
 * The defaults need no tuning between 2 and 200 processors.
 */
struct shmipc_session_options {
	size_t size;
	struct shmipc_channel_options channel;
	uint64_t window;
	uint64_t private_max;
	uint32_t streams_max;
	uint32_t backlog;
	uint32_t slots_max;
	uint32_t slices_max;
	enum shmipc_exhaustion exhaustion;
	uint32_t breaker_ms;
	uint32_t idle_timeout_ms;
	uint32_t monitor_ms;
	void (*monitor)(struct shmipc_session *session, const struct shmipc_session_stats *stats, void *arg);
	void *monitor_arg;
};

#define SHMIPC_SESSION_OPTIONS_INIT                                                                     \
	{                                                                                               \
		sizeof(struct shmipc_session_options), SHMIPC_CHANNEL_OPTIONS_INIT, 1 << 20, 64 << 20,  \
			1 << 20, 4096, 8192, 8192, SHMIPC_EXHAUSTION_FALLBACK, 30000, 0, 30000, NULL, NULL \
	}

/**
 * shmipc_session_options_check - say what is wrong with options
 * @options: to look at
 * @message: where a sentence that names the field goes, or NULL
 * @size: bytes there
 *
 * Every function that takes options makes the same check. Since 0.1.
 *
 * Returns 0, or -EINVAL.
 */
int shmipc_session_options_check(const struct shmipc_session_options *options, char *message, size_t size);

/**
 * shmipc_session_connect - connect to a listener
 * @address: a Unix socket's path; "@name" for an abstract one
 * @options: or NULL for the defaults
 * @deadline: for all of it: connect, handshake, memory
 * @session: where it goes; the caller's, until close
 *
 * Since 0.1.
 *
 * Returns 0. -EINVAL: options, or no address, or one too long for a socket. -ENOENT, -ECONNREFUSED: nobody listens.
 * -EACCES: not for this user; and other errors of connect(2). -EPROTONOSUPPORT: who listens speaks the older protocol
 * only. -EOPNOTSUPP: no backend in common. -E2BIG: channel.slots or channel.slices is more than the server's slots_max
 * or slices_max. -ETIMEDOUT, -EPIPE, -EPROTO, -ENOMEM; and what shmipc_channel_create() says.
 */
int shmipc_session_connect(const char *address, const struct shmipc_session_options *options, int64_t deadline,
			   struct shmipc_session **session);

/**
 * shmipc_session_connect_fd - be the client on a connected socket
 * @socket: a connected Unix stream socket; the session's from now on, also on failure
 * @options: as for connect
 * @deadline: for the handshake
 * @session: as for connect
 *
 * Since 0.1. Returns as connect; -EINVAL also: not such a socket.
 */
int shmipc_session_connect_fd(int socket, const struct shmipc_session_options *options, int64_t deadline,
			      struct shmipc_session **session);

/**
 * shmipc_session_accept_fd - be the server on a connected socket
 * @socket: as for connect_fd
 * @options: as for connect
 * @deadline: for the handshake
 * @session: as for connect
 *
 * Since 0.1. Returns as connect_fd.
 */
int shmipc_session_accept_fd(int socket, const struct shmipc_session_options *options, int64_t deadline,
			     struct shmipc_session **session);

/**
 * shmipc_session_shutdown - end a session
 *
 * The peer is told; every thread that waits on the session or its streams wakes, with -ESHUTDOWN where nothing
 * is left to read. Handles stay valid until they are closed. Idempotent. Since 0.1.
 *
 * Returns 0, or -EPERM.
 */
int shmipc_session_shutdown(struct shmipc_session *session);

/**
 * shmipc_session_close - end a session and give the handle up
 * @session: or NULL
 *
 * Streams that are still held keep what they need until they are closed; streams nobody accepted are closed. No
 * other thread may be in a call on the session itself, but may be in calls on its streams. From a
 * callback too. When the last handle goes, all memory does. Since 0.1.
 */
void shmipc_session_close(struct shmipc_session *session);

/**
 * shmipc_session_error - whether the session has ended, and why
 *
 * Since 0.1.
 *
 * Returns 0: it has not. Else the first cause, for good: -ESHUTDOWN: ended here. -EPIPE: the peer ended it, or
 * died. -EBADMSG: the peer said something that makes no sense. -ENOMEM: what arrived could not be noted.
 */
int shmipc_session_error(const struct shmipc_session *session);

/**
 * shmipc_session_is_healthy - whether it is alive and did not fall back within breaker_ms
 *
 * Since 0.1. Returns 1 or 0.
 */
int shmipc_session_is_healthy(const struct shmipc_session *session);

/**
 * shmipc_session_peer - the kernel's word on who the peer is
 * @peer: filled
 *
 * Also when the session has ended. Since 0.1. Returns 0.
 */
int shmipc_session_peer(const struct shmipc_session *session, struct shmipc_peer *peer);

/**
 * shmipc_session_backend - which backend both sides agreed on
 *
 * Since 0.1. Returns SHMIPC_BACKEND_KMOD or SHMIPC_BACKEND_MEMFD.
 */
enum shmipc_backend shmipc_session_backend(const struct shmipc_session *session);

/**
 * shmipc_session_accept - take a stream that the peer opened
 * @session: whose
 * @stream: where it goes; the caller's, until shmipc_stream_close()
 * @deadline: latest return
 *
 * Since 0.1.
 *
 * Returns 0. -EAGAIN: none, and the deadline is 0. -ETIMEDOUT, -EINTR; or why the session ended.
 */
int shmipc_session_accept(struct shmipc_session *session, struct shmipc_stream **stream, int64_t deadline);

/**
 * struct shmipc_session_callbacks - what happens on a session
 * @on_stream: or NULL; the peer opened a stream, which is the callee's until it closes it. Its callbacks, if set in
 *	here, miss nothing. Instead of accept: a stream goes to one of the two
 * @on_end: or NULL; the session ended, for shmipc_session_error()'s reason. The last callback of a session,
 *	after all of its streams'
 * @on_restart: or NULL; the peer asks that this side connect anew: shmipc/listener.h's hot restart
 *
 * They run in shmipc_session_process(), or in a dispatcher's thread; with no lock held; never two at a time for
 * one session. They may call anything, and may block.
 */
struct shmipc_session_callbacks {
	void (*on_stream)(struct shmipc_session *session, struct shmipc_stream *stream, void *arg);
	void (*on_end)(struct shmipc_session *session, int reason, void *arg);
	void (*on_restart)(struct shmipc_session *session, uint64_t epoch, void *arg);
};

/**
 * shmipc_session_set_callbacks - say what to call
 * @callbacks: copied; NULL: none from now on
 * @arg: passed to each
 *
 * They replace those set before. What happened before is reported too. Since 0.1. Returns 0.
 */
int shmipc_session_set_callbacks(struct shmipc_session *session, const struct shmipc_session_callbacks *callbacks,
				 void *arg);

/**
 * shmipc_session_fd - one descriptor that says when a session wants shmipc_session_process()
 *
 * For poll, epoll (level or edge), select or io_uring: POLLIN when there is something to do. Never to
 * be read, written or closed. The first call makes the session one that is driven by an event loop: other
 * threads may still block on its streams. Since 0.1.
 *
 * Returns the descriptor, the session's: close closes it. -EMFILE, -ENFILE, -ENOMEM.
 */
int shmipc_session_fd(struct shmipc_session *session);

/**
 * shmipc_session_process - harvest what arrived, without blocking, and run the callbacks that it asks for
 *
 * As many as are due, up to a bound: where some are left the descriptor stays readable. Since 0.1.
 *
 * Returns how many callbacks were run; or, where none was and there is nothing more to come, why the session ended.
 */
int shmipc_session_process(struct shmipc_session *session);

/**
 * struct shmipc_session_stats - counters of a session since it was made, and gauges
 * @size: in: sizeof(struct shmipc_session_stats), what the caller knows of
 * @channel: of its channel: messages, bytes, rings (wake-ups sent), sleeps, growths, lent bytes, depths
 * @streams: gauge: streams open, half-open ones included
 * @streams_opened: by this side
 * @streams_accepted: opened by the peer
 * @streams_refused: the peer's, for want of room here
 * @streams_reset: by either side
 * @bytes_written: by the application, on all streams
 * @bytes_read: by the application
 * @writes_waited: times a writer met a full ring, lane, or window
 * @fallback_sent: messages through the control socket
 * @fallback_sent_bytes: their bytes
 * @fallback_received: likewise
 * @fallback_received_bytes: likewise
 * @exhaustions: times the lane had no memory left
 * @errors: ends of a session for another reason than a close: 0 or 1
 * @restarts: hot restarts asked for or answered
 * @restarts_failed: of these, failed
 * @private_bytes: gauge: small and fallen-back bytes held for readers
 * @unread_bytes: gauge: all bytes that arrived and were not read
 * @leads: times a thread harvested for all
 * @follows: times a thread waited for another one that did
 */
struct shmipc_session_stats {
	size_t size;
	struct shmipc_channel_stats channel;
	uint64_t streams;
	uint64_t streams_opened;
	uint64_t streams_accepted;
	uint64_t streams_refused;
	uint64_t streams_reset;
	uint64_t bytes_written;
	uint64_t bytes_read;
	uint64_t writes_waited;
	uint64_t fallback_sent;
	uint64_t fallback_sent_bytes;
	uint64_t fallback_received;
	uint64_t fallback_received_bytes;
	uint64_t exhaustions;
	uint64_t errors;
	uint64_t restarts;
	uint64_t restarts_failed;
	uint64_t private_bytes;
	uint64_t unread_bytes;
	uint64_t leads;
	uint64_t follows;
};

/**
 * shmipc_session_stats - read the counters
 * @stats: its size field set
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_session_stats(struct shmipc_session *session, struct shmipc_session_stats *stats);

/**
 * shmipc_session_user - the application's own pointer, as it was set; NULL before
 *
 * Since 0.1.
 */
void *shmipc_session_user(const struct shmipc_session *session);

/**
 * shmipc_session_set_user - keep a pointer of the application's own
 * @user: nothing is done with it
 *
 * Since 0.1.
 */
void shmipc_session_set_user(struct shmipc_session *session, void *user);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_SESSION_H */
