/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/listener.h - a server's end of an address: sessions, and hot restart
 *
 * Handshakes are state machines, many at once, each under one deadline: a client that says nothing delays nobody.
 * Where options.handshakes of them are in progress, those that have taken a tenth of their time make way for others.
 *
 *	blocking	shmipc_listener_accept()
 *	event loop	shmipc_listener_fd() and shmipc_listener_process(), then accept with deadline 0
 *	dispatcher	shmipc_dispatcher_add_listener()
 *
 * Threads. Every function may be called from any thread. shutdown makes the others return; close ends the handle.
 *
 * Fork. In a forked child every call that returns an error returns -EPERM; close frees what is private, leaves the path, and
 * the parent's listener goes on.
 *
 * Errors and deadlines are as in shmipc/channel.h and shmipc/session.h.
 *
 * Hot restart. The new process listens on the same socket, which the old one hands over (shmipc_listener_socket(),
 * shmipc_listener_create_fd()); or it binds the same path anew after shmipc_listener_shutdown() in the old one, with a
 * moment in between in which connecting is refused. The old one then calls shmipc_listener_restart(): every client is
 * asked to connect anew, says so when it has, and uses the old session no more once its streams there are given back.
 */
#ifndef SHMIPC_LISTENER_H
#define SHMIPC_LISTENER_H

#include "shmipc/stream.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct shmipc_listener;

/**
 * struct shmipc_listener_options - what a listener is like
 * @size: sizeof(struct shmipc_listener_options), set by SHMIPC_LISTENER_OPTIONS_INIT
 * @session: every session's options
 * @mode: permissions of the socket's path, 0 to 0777, whatever the umask; an abstract name has none
 * @connections: of the socket's backlog; 1 to 65536
 * @handshakes: at a time, together with sessions that wait to be accepted; 1 to 65536. More wait in the socket's backlog
 * @handshake_ms: milliseconds for each; 1 to 3,600,000
 * @keep_path: 1: close does not unlink the path; 0: it does, if it bound it and the socket there is still its own
 */
struct shmipc_listener_options {
	size_t size;
	struct shmipc_session_options session;
	uint32_t mode;
	uint32_t connections;
	uint32_t handshakes;
	uint32_t handshake_ms;
	int keep_path;
};

#define SHMIPC_LISTENER_OPTIONS_INIT                                                                \
	{                                                                                           \
		sizeof(struct shmipc_listener_options), SHMIPC_SESSION_OPTIONS_INIT, 0600, 4096, 1024, 1000, 0 \
	}

/**
 * shmipc_listener_options_check - say what is wrong with options
 * @options: to look at
 * @message: where a sentence that names the field goes, or NULL
 * @size: bytes there
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_listener_options_check(const struct shmipc_listener_options *options, char *message, size_t size);

/**
 * shmipc_listener_create - listen on an address
 * @address: a path, or "@name"; a socket that nobody listens on any more is replaced
 * @options: or NULL for the defaults
 * @listener: where it goes; the caller's, until close
 *
 * Of several that start at the same path one succeeds: it is bound under flock(2) of its directory. Since 0.1.
 *
 * Returns 0. -EINVAL: options, or no address, or one too long for a socket. -ENOMEM. -EADDRINUSE: somebody listens there,
 * or the path is not a socket. -EBUSY: somebody keeps the directory locked. Other errors of bind(2).
 */
int shmipc_listener_create(const char *address, const struct shmipc_listener_options *options,
			   struct shmipc_listener **listener);

/**
 * shmipc_listener_create_fd - listen on a socket that is listening already
 * @socket: a Unix stream socket, such as one of systemd's or of an older process; the listener's from now on, also on
 *	failure. Its path is not unlinked
 * @options: or NULL for the defaults; mode, connections and keep_path are not used
 * @listener: where it goes; the caller's, until close
 *
 * Since 0.1. Returns 0. -EINVAL: options, or not such a socket. -ENOMEM.
 */
int shmipc_listener_create_fd(int socket, const struct shmipc_listener_options *options,
			      struct shmipc_listener **listener);

/**
 * shmipc_listener_accept - take a session whose handshake is done
 * @session: where it goes; the caller's, until shmipc_session_close()
 * @deadline: latest return
 *
 * Since 0.1.
 *
 * Returns 0. -EAGAIN: none, and the deadline is 0. -ETIMEDOUT, -EINTR. -ESHUTDOWN: the listener was shut down, or its
 * socket failed.
 */
int shmipc_listener_accept(struct shmipc_listener *listener, struct shmipc_session **session, int64_t deadline);

/**
 * shmipc_listener_accept_stream - take the next stream of whichever session
 * @stream: where it goes; the caller's, until shmipc_stream_close()
 * @deadline: latest return
 *
 * Sessions are accepted and driven by the listener itself, with a dispatcher thread of its own from the first call on;
 * a session lives until the listener is closed or the peer goes. Not together with shmipc_listener_accept(). Since 0.1.
 *
 * Returns as accept. -EBUSY: sessions are being accepted otherwise.
 */
int shmipc_listener_accept_stream(struct shmipc_listener *listener, struct shmipc_stream **stream, int64_t deadline);

/**
 * shmipc_listener_fd - a descriptor that is readable when process has something to do
 *
 * Since 0.1. Returns the descriptor, the listener's.
 */
int shmipc_listener_fd(struct shmipc_listener *listener);

/**
 * shmipc_listener_process - take connections and move handshakes on, without blocking
 *
 * Since 0.1. Returns how many sessions are there to accept. -ESHUTDOWN: none, and the listener was shut down.
 */
int shmipc_listener_process(struct shmipc_listener *listener);

/**
 * shmipc_listener_address - what it listens on, as create takes it; "" where create_fd's socket has no name
 *
 * Since 0.1.
 */
const char *shmipc_listener_address(const struct shmipc_listener *listener);

/**
 * shmipc_listener_socket - the listening socket, to hand over to a new process
 *
 * Since 0.1. Returns the descriptor, the listener's; -ESHUTDOWN after shutdown.
 */
int shmipc_listener_socket(const struct shmipc_listener *listener);

/**
 * shmipc_listener_shutdown - take no more connections; threads that wait in it return
 *
 * Sessions go on, and those whose handshake is done can still be accepted; handshakes in progress end. The listening
 * socket is closed: connecting is refused, unless another process has it too. Idempotent. Since 0.1. Returns 0.
 */
int shmipc_listener_shutdown(struct shmipc_listener *listener);

/**
 * shmipc_listener_close - shut down, unlink the path, and give the handle up
 * @listener: or NULL; no other thread may be in a call on it
 *
 * Sessions that were accepted live on. Since 0.1.
 */
void shmipc_listener_close(struct shmipc_listener *listener);

/* How far a hot restart is. */
enum shmipc_restart {
	SHMIPC_RESTART_NONE,   /* none was asked for */
	SHMIPC_RESTART_ACTIVE, /* some client has not answered yet */
	SHMIPC_RESTART_DONE,   /* every client has connected anew, or is gone */
	SHMIPC_RESTART_FAILED, /* a client could not, or did not in time; its session goes on here */
};

/**
 * shmipc_listener_restart - ask all clients to connect anew
 * @epoch: a number for this restart; clients are told it, and answer with it
 * @deadline: clients that have not answered by then have failed
 *
 * From now on connections are left to the new process, and close leaves it the path. A handshake in progress goes on,
 * and its client is asked when it is done. Answers arrive as other messages do: where the application drives its sessions.
 *
 * If it fails, connections are taken here again, so that no client is left standing; the sessions of those that
 * did not go live on. It may then be tried again, which asks those alone. Since 0.1.
 *
 * Returns 0: it is under way. -EALREADY: one is. -ENOMEM.
 */
int shmipc_listener_restart(struct shmipc_listener *listener, uint64_t epoch, int64_t deadline);

/**
 * struct shmipc_restart_progress - how far a hot restart is
 * @state: see enum shmipc_restart
 * @epoch: its epoch
 * @asked: sessions whose clients were asked
 * @renewed: of these, clients that connected anew
 * @gone: of these, ended meanwhile
 * @failed: of these, those that could not
 */
struct shmipc_restart_progress {
	enum shmipc_restart state;
	uint64_t epoch;
	uint32_t asked;
	uint32_t renewed;
	uint32_t gone;
	uint32_t failed;
};

/**
 * shmipc_listener_restart_progress - look at a hot restart
 * @progress: filled
 *
 * Does what shmipc_listener_process() does. Since 0.1. Returns 0.
 */
int shmipc_listener_restart_progress(struct shmipc_listener *listener, struct shmipc_restart_progress *progress);

/**
 * shmipc_session_restart_done - answer on_restart: this side connected anew, or could not
 * @epoch: what on_restart said
 * @status: 0, or -errno
 *
 * A pool does this itself. Since 0.1. Returns 0, -EINVAL, or why the session ended.
 */
int shmipc_session_restart_done(struct shmipc_session *session, uint64_t epoch, int status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_LISTENER_H */
