/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - what the library says about itself, when somebody asked for it
 *
 * Where nobody did, a line costs one relaxed load and its arguments are not evaluated. Levels:
 *
 *	error	something that this side should not do, or a resource that is gone for good
 *	warn	a session ended for another reason than a close; a peer was refused; fallback began
 *	info	once in a process's or a listener's life
 *	debug	sessions that come and go as they should
 *
 * Lines never hold payload, addresses of memory, or what a peer sent as text: only lengths, numbers, kinds, pids.
 *
 * Threads. From any thread, but with no lock of the library held: a sink is the application's code.
 * From no signal handler. errno is left alone.
 */
#ifndef SHMIPC_LOG_H
#define SHMIPC_LOG_H

#include "../shm/atomics.h"
#include "shmipc/observe.h"

/* Bits of log_on: 1 << level, and: */
#define LOG_PROTOCOL (1u << 8)

extern _Atomic uint32_t log_on;

static inline bool log_is_on(uint32_t bits)
{
	return unlikely(load_relaxed(&log_on) & bits);
}

/**
 * log_environment - take SHMIPC_LOG_LEVEL and SHMIPC_PROTOCOL_TRACE, the first time it is called
 *
 * Before a process's first session, listener or pool is made, whichever comes first.
 */
void log_environment(void);

/* Say it. @area: who speaks, in one word: "session", "listener", "pool", … */
void log_write(enum shmipc_log_level level, const char *area, const char *format, ...)
	__attribute__((__cold__, format(printf, 3, 4)));

#define log_at(level, area, ...)                                                                                       \
	do {                                                                                                           \
		if (log_is_on(1u << (level)))                                                                          \
			log_write((level), (area), __VA_ARGS__);                                                       \
	} while (0)
#define log_debug(area, ...) log_at(SHMIPC_LOG_DEBUG, area, __VA_ARGS__)
#define log_info(area, ...) log_at(SHMIPC_LOG_INFO, area, __VA_ARGS__)
#define log_warn(area, ...) log_at(SHMIPC_LOG_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_at(SHMIPC_LOG_ERROR, area, __VA_ARGS__)

/* Protocol trace: one line for each handshake or control message. */
enum trace_direction { TRACE_SENT, TRACE_RECEIVED };

void trace_write(enum trace_direction direction, const char *scope, uint64_t id, const char *type, const char *format,
		 ...) __attribute__((__cold__, format(printf, 5, 6)));

/*
 * @socket: the control socket's descriptor, during the handshake; @session: afterwards
 * @type: the message's name, such as "hello"
 * ...: printf's format and arguments: its fields as "name=value", parted by blanks; "-" for none
 */
#define trace_socket(direction, socket, type, ...)                                                                     \
	do {                                                                                                           \
		if (log_is_on(LOG_PROTOCOL))                                                                           \
			trace_write((direction), "socket", (uint64_t)(socket), (type), __VA_ARGS__);                   \
	} while (0)
#define trace_session(direction, session, type, ...)                                                                   \
	do {                                                                                                           \
		if (log_is_on(LOG_PROTOCOL))                                                                           \
			trace_write((direction), "session", (session)->number, (type), __VA_ARGS__);                   \
	} while (0)

#endif /* SHMIPC_LOG_H */
