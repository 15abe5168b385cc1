/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/observe.h - what goes on inside: log, protocol trace, metrics, words for errors
 *
 * The library is silent unless told otherwise, by these functions or, where the process cannot be changed, by the
 * environment as it was when the first session, listener or pool was made:
 *
 *	SHMIPC_LOG_LEVEL	trace, debug, info, warn, error, none: to standard error, unless there is a sink
 *	SHMIPC_PROTOCOL_TRACE	1: every handshake and control message is logged, whatever the level
 *
 * Where both speak the functions have the last word. A line is the time (UTC), the level, who speaks, and what it says:
 *
 *	2026-01-31T12:00:00.123456Z warn session: 7 ended: the peer is gone, or reads no more; the peer is process 4711
 *
 * It never holds payload, nor text that a peer sent.
 *
 * Threads. Every function may be called from any thread.
 */
#ifndef SHMIPC_OBSERVE_H
#define SHMIPC_OBSERVE_H

#include "shmipc/session.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum shmipc_log_level {
	SHMIPC_LOG_TRACE,
	SHMIPC_LOG_DEBUG,
	SHMIPC_LOG_INFO,
	SHMIPC_LOG_WARN,
	SHMIPC_LOG_ERROR,
	SHMIPC_LOG_NONE,
};

/**
 * shmipc_log_set - where log lines go, and which
 * @level: the least that is reported
 * @sink: called with one line, without a line feed, by whichever thread; with no lock held; or NULL: standard error
 * @arg: for sink
 *
 * When it returns, a sink set before may still be running in another thread. Since 0.1.
 *
 * Returns 0. -EINVAL: @level. -ENOMEM.
 */
int shmipc_log_set(enum shmipc_log_level level, void (*sink)(enum shmipc_log_level level, const char *line, void *arg),
		   void *arg);

/**
 * shmipc_protocol_trace_set - log every handshake and control message
 * @on: 1 or 0
 *
 * They go where the log goes, with level trace, whatever the log's level is. Since 0.1. Returns 0, or -EINVAL.
 */
int shmipc_protocol_trace_set(int on);

/**
 * shmipc_strerror - a sentence for an error of this library
 * @error: negative, as functions return it
 *
 * What it means here, rather than what errno(3) says in general. Since 0.1.
 *
 * Returns a constant; never NULL. For an error that only the system gives, such as bind(2), it says so.
 */
const char *shmipc_strerror(int error);

/**
 * shmipc_metrics - all sessions of this process, as Prometheus text (exposition format 0.0.4)
 * @text: where it goes, with a NUL
 * @size: bytes there
 *
 * Since 0.1. Returns the bytes it takes, without the NUL, as snprintf(3) does; it was cut off if that is @size or more.
 */
size_t shmipc_metrics(char *text, size_t size);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_OBSERVE_H */
