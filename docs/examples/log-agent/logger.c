// SPDX-License-Identifier: Apache-2.0
/*
 * logger.c - a program's end of the stream to the log agent
 */
#include "logger.h"

#include <errno.h>
#include <shmipc/shmipc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES 1024
/* How long connecting may hold the program up, and how often that is tried. */
#define CONNECT_NS 500000000ll
#define RETRY_NS 1000000000ll

struct logger {
	const char *address, *name;
	struct shmipc_session *session;
	struct shmipc_stream *stream; /* NULL: not connected */
	int64_t retry_at;
	uint64_t lost, told; /* lines lost; of these, those that the agent knows of */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void disconnect(struct logger *logger)
{
	shmipc_stream_close(logger->stream);
	shmipc_session_close(logger->session);
	logger->stream = NULL;
	logger->session = NULL;
}

/* The first message of a stream is the program's name. */
static int connect_agent(struct logger *logger)
{
	int64_t now = now_ns();
	ssize_t n;

	if (logger->stream)
		return 1;
	if (now < logger->retry_at)
		return 0;
	logger->retry_at = now + RETRY_NS;
	n = shmipc_session_connect(logger->address, NULL, now + CONNECT_NS, &logger->session);
	if (n == 0)
		n = shmipc_stream_open(logger->session, &logger->stream);
	if (n == 0)
		n = shmipc_stream_write(logger->stream, logger->name, strlen(logger->name), 0, 0);
	if (n <= 0)
		disconnect(logger);
	return logger->stream != NULL;
}

/* All of the line or nothing: a line never waits in half. */
static int send_line(struct logger *logger, const char *format, va_list arguments)
{
	struct shmipc_buffer buffer;
	int length, r = shmipc_stream_reserve(logger->stream, LINE_MAX_BYTES, &buffer, 0);

	if (r == 0) {
		length = vsnprintf(buffer.data, LINE_MAX_BYTES, format, arguments);
		if (length >= LINE_MAX_BYTES)
			length = LINE_MAX_BYTES - 1;
		r = length < 0 ? -EINVAL : shmipc_stream_submit(logger->stream, &buffer, (size_t)length, 0, 0);
		if (r)
			shmipc_stream_cancel(logger->stream, &buffer);
	}
	if (r && r != -EAGAIN && r != -EINVAL)
		disconnect(logger);
	return r == 0;
}

static int send_format(struct logger *logger, const char *format, ...)
{
	va_list arguments;
	int sent;

	va_start(arguments, format);
	sent = send_line(logger, format, arguments);
	va_end(arguments);
	return sent;
}

struct logger *logger_create(const char *address, const char *name)
{
	struct logger *logger = calloc(1, sizeof(*logger));

	if (logger) {
		logger->address = address;
		logger->name = name;
	}
	return logger;
}

int logger_log(struct logger *logger, const char *format, ...)
{
	uint64_t untold = logger->lost - logger->told;
	va_list arguments;
	int sent = 0;

	if (connect_agent(logger) && untold &&
	    send_format(logger, "(%llu lines were lost here)", (unsigned long long)untold))
		logger->told = logger->lost;
	if (logger->stream && logger->told == logger->lost) {
		va_start(arguments, format);
		sent = send_line(logger, format, arguments);
		va_end(arguments);
	}
	logger->lost += !sent;
	return sent;
}

uint64_t logger_lost(const struct logger *logger)
{
	return logger->lost;
}

void logger_destroy(struct logger *logger)
{
	if (!logger)
		return;
	disconnect(logger);
	free(logger);
}
