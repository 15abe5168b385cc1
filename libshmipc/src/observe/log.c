// SPDX-License-Identifier: Apache-2.0
/*
 * log.c - which lines are wanted, and where they go
 *
 * Locking: none, so that a fork at any moment leaves a child that can log. A sink and its argument are one
 * node, found through one pointer; nodes are never freed, because a thread may be about to call any of them. The same
 * pair is the same node: there are as many as there are pairs.
 */
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

struct sink {
	struct sink *next; /* set before publish */
	void (*call)(enum shmipc_log_level level, const char *line, void *arg);
	void *arg;
};

_Atomic uint32_t log_on;

static struct sink *_Atomic sinks;   /* all that ever were */
static struct sink *_Atomic current; /* NULL: standard error */

static const char *const level_names[] = {
	[SHMIPC_LOG_TRACE] = "trace", [SHMIPC_LOG_DEBUG] = "debug", [SHMIPC_LOG_INFO] = "info",
	[SHMIPC_LOG_WARN] = "warn",   [SHMIPC_LOG_ERROR] = "error", [SHMIPC_LOG_NONE] = "none",
};

/* The bits of all levels from @least on. */
static uint32_t level_bits(enum shmipc_log_level least)
{
	return (1u << SHMIPC_LOG_NONE) - (1u << least);
}

static void change_bits(uint32_t clear, uint32_t set)
{
	uint32_t old = load_relaxed(&log_on);

	while (!atomic_compare_exchange_weak(&log_on, &old, (old & ~clear) | set))
		;
}

static void read_environment(void)
{
	const char *level = secure_getenv("SHMIPC_LOG_LEVEL");
	const char *trace = secure_getenv("SHMIPC_PROTOCOL_TRACE");
	size_t i;

	for (i = 0; level && i <= SHMIPC_LOG_NONE; i++)
		if (!strcmp(level, level_names[i]))
			change_bits(0, level_bits((enum shmipc_log_level)i));
	if (trace && !strcmp(trace, "1"))
		change_bits(0, LOG_PROTOCOL);
}

void log_environment(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_environment);
}

static struct sink *find_sink(void (*call)(enum shmipc_log_level level, const char *line, void *arg), void *arg)
{
	struct sink *sink = load_acquire(&sinks);

	while (sink && (sink->call != call || sink->arg != arg))
		sink = sink->next;
	if (sink)
		return sink;
	sink = malloc(sizeof(*sink));
	if (!sink)
		return NULL;
	*sink = (struct sink){ .next = load_acquire(&sinks), .call = call, .arg = arg };
	while (!atomic_compare_exchange_weak_explicit(&sinks, &sink->next, sink, memory_order_release,
						      memory_order_relaxed))
		;
	return sink;
}

int shmipc_log_set(enum shmipc_log_level level, void (*sink)(enum shmipc_log_level level, const char *line, void *arg),
		   void *arg)
{
	struct sink *node = NULL;

	if ((unsigned int)level > SHMIPC_LOG_NONE)
		return -EINVAL;
	if (sink) {
		node = find_sink(sink, arg);
		if (!node)
			return -ENOMEM;
	}
	log_environment(); /* whatever it says, it says it before this call */
	store_release(&current, node);
	change_bits(level_bits(SHMIPC_LOG_TRACE), level_bits(level));
	return 0;
}

int shmipc_protocol_trace_set(int on)
{
	if (on != 0 && on != 1)
		return -EINVAL;
	log_environment();
	change_bits(LOG_PROTOCOL, on ? LOG_PROTOCOL : 0);
	return 0;
}

/* Time, level and area. Returns the bytes it takes. */
static size_t print_head(char line[LINE_MAX_BYTES], enum shmipc_log_level level, const char *area)
{
	struct timespec now;
	struct tm utc;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(line, LINE_MAX_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)snprintf(line + used, LINE_MAX_BYTES - used, ".%06ldZ %s %.32s: ", now.tv_nsec / 1000,
				 level_names[level], area);
	return used;
}

/* One line, whatever is in it. */
static void keep_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void log_write(enum shmipc_log_level level, const char *area, const char *format, ...)
{
	static const char cut[] = "...";
	struct sink *sink = load_acquire(&current);
	int saved_errno = errno;
	char line[LINE_MAX_BYTES + 1];
	size_t used = print_head(line, level, area);
	va_list arguments;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(line + used, LINE_MAX_BYTES - used, format, arguments);
	va_end(arguments);
	if (wanted < 0)
		line[used] = '\0';
	else if ((size_t)wanted >= LINE_MAX_BYTES - used)
		memcpy(line + LINE_MAX_BYTES - sizeof(cut), cut, sizeof(cut));
	keep_printable(line);
	if (sink) {
		sink->call(level, line, sink->arg);
	} else {
		used = strlen(line);
		line[used++] = '\n';
		if (write(STDERR_FILENO, line, used) < 0) {
			/* There is nobody left to tell. */
		}
	}
	errno = saved_errno;
}
