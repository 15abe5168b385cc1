// SPDX-License-Identifier: Apache-2.0
/*
 * trace.c - the protocol trace: a log line for each handshake or control message
 *
 * Where it was asked for, it comes whatever the log's level is.
 */
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

void trace_write(enum trace_direction direction, const char *scope, uint64_t id, const char *type, const char *format,
		 ...)
{
	char fields[256];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(fields, sizeof(fields), format, arguments) < 0)
		fields[0] = '\0';
	va_end(arguments);
	log_write(SHMIPC_LOG_TRACE, "protocol", "%s %llu %s %s %s", scope, (unsigned long long)id,
		  direction == TRACE_SENT ? "sent" : "received", type, fields);
}
