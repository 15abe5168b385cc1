/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/pool.h - a client's N sessions to one address, and streams that are taken and given back
 *
 * get takes an idle stream, or opens one, on a session that is alive and healthy. A session that ended is
 * connected anew at once, and then with a back-off that doubles. Hot restart is followed: new streams come from the
 * renewed session, while the old one stays until its streams are given back.
 *
 * Any number of pools may be in one process, to one address or several.
 *
 * Threads. Every function may be called from any thread; close while no other is.
 *
 * Fork. In a forked child every call returns -EPERM, put closes; close frees what is private, and the parent's pool goes on.
 */
#ifndef SHMIPC_POOL_H
#define SHMIPC_POOL_H

#include "shmipc/stream.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct shmipc_pool;

/**
 * struct shmipc_pool_options - what a pool is like
 * @size: sizeof(struct shmipc_pool_options), set by SHMIPC_POOL_OPTIONS_INIT
 * @session: every session's options
 * @sessions: how many; 1 to 1024
 * @streams: idle ones kept for each session; 0 to 1 << 20
 * @connect_ms: for one try to connect; 1 to 3,600,000
 * @retry_min_ms: to wait after the second try that fails; the first one is repeated at once; 1 to 3,600,000
 * @retry_max_ms: the most that the back-off grows to; retry_min_ms to 3,600,000
 * @idle_ms: an idle stream kept for so long is closed; 0 (never) to 86,400,000
 */
struct shmipc_pool_options {
	size_t size;
	struct shmipc_session_options session;
	uint32_t sessions;
	uint32_t streams;
	uint32_t connect_ms;
	uint32_t retry_min_ms;
	uint32_t retry_max_ms;
	uint32_t idle_ms;
};

#define SHMIPC_POOL_OPTIONS_INIT                                                                         \
	{                                                                                                \
		sizeof(struct shmipc_pool_options), SHMIPC_SESSION_OPTIONS_INIT, 1, 4096, 1000, 10, 10000, 30000 \
	}

/**
 * shmipc_pool_options_check - say what is wrong with options
 * @options: to look at
 * @message: where a sentence that names the field goes, or NULL
 * @size: bytes there
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_pool_options_check(const struct shmipc_pool_options *options, char *message, size_t size);

/**
 * shmipc_pool_create - connect all sessions
 * @address: as shmipc_session_connect() takes it
 * @options: or NULL for the defaults
 * @pool: where it goes; the caller's, until close
 *
 * Waits for at most connect_ms a session. Since 0.1.
 *
 * Returns 0. -EINVAL: options, or no address. -ENOMEM; or what connect says, if any session could not.
 */
int shmipc_pool_create(const char *address, const struct shmipc_pool_options *options, struct shmipc_pool **pool);

/**
 * shmipc_pool_get - take a stream
 * @stream: where it goes; the caller's, until put, or shmipc_stream_close()
 * @deadline: latest return, where no session is fit to use
 *
 * Since 0.1.
 *
 * Returns 0. -EAGAIN: no session lives, and the deadline is 0. -ETIMEDOUT: nor did any by then. -EINTR. -EBUSY: all that
 * live are unhealthy. -EMFILE: they have as many streams as they may. -ENOMEM.
 */
int shmipc_pool_get(struct shmipc_pool *pool, struct shmipc_stream **stream, int64_t deadline);

/**
 * shmipc_pool_put - give a stream back
 * @stream: from get, of this pool; or NULL. Not the caller's any more
 *
 * It is kept for the next get only if it is as good as new: nothing unread, nothing held back, no end, no error, no piece
 * pinned, no callbacks; else it is closed. A stream on which something is still to come, such as the answer to a request
 * that was given up, is for shmipc_stream_close(): the next taker would get it. Since 0.1.
 *
 * Returns 1: kept. 0: closed.
 */
int shmipc_pool_put(struct shmipc_pool *pool, struct shmipc_stream *stream);

/**
 * struct shmipc_pool_stats - what a pool is doing
 * @size: in: sizeof(struct shmipc_pool_stats), what the caller knows of
 * @sessions: gauge: alive
 * @healthy: gauge: of these, fit to use
 * @idle: gauge: streams kept
 * @taken: gauge: streams out
 * @hits: gets that an idle stream served
 * @opens: gets that opened one
 * @discards: puts that closed the stream
 * @reconnects: sessions connected anew after an end
 * @retries: tries to connect that failed
 * @restarts: sessions renewed for a hot restart
 */
struct shmipc_pool_stats {
	size_t size;
	uint64_t sessions;
	uint64_t healthy;
	uint64_t idle;
	uint64_t taken;
	uint64_t hits;
	uint64_t opens;
	uint64_t discards;
	uint64_t reconnects;
	uint64_t retries;
	uint64_t restarts;
};

/**
 * shmipc_pool_stats - read the counters
 * @stats: its size field set
 *
 * Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_pool_stats(struct shmipc_pool *pool, struct shmipc_pool_stats *stats);

/**
 * shmipc_pool_close - close all sessions and idle streams
 * @pool: or NULL
 *
 * Streams that are out stay the caller's to close; their sessions have ended. Since 0.1.
 */
void shmipc_pool_close(struct shmipc_pool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_POOL_H */
