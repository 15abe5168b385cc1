// SPDX-License-Identifier: Apache-2.0
/*
 * trace_line.c - one line of tracefs' trace_pipe
 *
 *	"          comm-1234    [001] d..1.   123.456789: shmipc_ring: channel=3 endpoint=0 rung=9 found=1"
 *
 * comm may hold anything, so what is behind it is looked for from the right.
 */
#include "trace_line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

#define EVENT ": shmipc_"

static void take_fields(const char *text, struct trace_event *event)
{
	size_t key, value;

	while (*text && event->fields < TRACE_FIELDS_MAX) {
		text += strspn(text, " \n");
		key = strcspn(text, "= \n");
		if (text[key] != '=') {
			text += key;
			continue;
		}
		value = strcspn(text + key + 1, " \n");
		sanitize_text(event->field[event->fields].key, sizeof(event->field[0].key), text, key);
		sanitize_text(event->field[event->fields].value, sizeof(event->field[0].value), text + key + 1, value);
		event->fields++;
		text += key + 1 + value;
	}
}

/* "1234.567890" right in front of `end`. */
static bool take_time(const char *line, const char *end, uint64_t *us)
{
	const char *at = end;
	unsigned long long seconds, fraction;

	while (at > line && (isdigit((unsigned char)at[-1]) || at[-1] == '.'))
		at--;
	if (sscanf(at, "%llu.%6llu", &seconds, &fraction) != 2)
		return false;
	*us = seconds * 1000000 + fraction;
	return true;
}

/* "comm-PID [CPU] ..." */
static bool take_task(const char *line, const char *end, struct trace_event *event)
{
	const char *bracket = NULL, *at, *dash;

	for (at = line; at < end; at++)
		if (*at == '[' && isdigit((unsigned char)at[1]))
			bracket = at;
	if (!bracket)
		return false;
	event->cpu = atoi(bracket + 1);
	for (dash = bracket; dash > line && *dash != '-'; dash--)
		;
	if (*dash != '-' || !isdigit((unsigned char)dash[1]))
		return false;
	event->pid = atoi(dash + 1);
	line += strspn(line, " ");
	if (dash < line)
		return false;
	sanitize_text(event->comm, sizeof(event->comm), line, (size_t)(dash - line));
	return true;
}

bool trace_parse(const char *line, struct trace_event *event)
{
	const char *name = NULL, *at, *end;

	memset(event, 0, sizeof(*event));
	for (at = line; (at = strstr(at, EVENT)); at += strlen(EVENT))
		name = at;
	if (!name)
		return false;
	end = strchr(name + strlen(EVENT), ':');
	if (!end || !take_time(line, name, &event->us) || !take_task(line, name, event))
		return false;
	sanitize_text(event->name, sizeof(event->name), name + strlen(EVENT), (size_t)(end - name) - strlen(EVENT));
	take_fields(end + 1, event);
	return true;
}

const char *trace_field(const struct trace_event *event, const char *key)
{
	int i;

	for (i = 0; i < event->fields; i++)
		if (!strcmp(event->field[i].key, key))
			return event->field[i].value;
	return NULL;
}

static const char *field(const struct trace_event *event, const char *key)
{
	const char *value = trace_field(event, key);

	return value ? value : "?";
}

static void explain_wait(const struct trace_event *event, char *text, size_t size)
{
	static const char *const ends[][2] = {
		{ "rung", "was rung for" }, { "withdrawn", "was withdrawn" },	   { "dead", "the peer died" },
		{ "timeout", "timed out" }, { "signal", "was ended by a signal" },
	};
	const char *end = field(event, "end"), *words = end;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!strcmp(ends[i][0], end))
			words = ends[i][1];
	snprintf(text, size, "wait %s %s%s", field(event, "seq"), words,
		 strcmp(field(event, "slept"), "0") ? "" : ", without sleeping");
}

void trace_explain(const struct trace_event *event, char *text, size_t size)
{
	char bytes[UNITS_MAX];
	uint64_t n = 0;

	if (!strcmp(event->name, "ring")) {
		snprintf(text, size, "rings for sleep %s%s", field(event, "rung"),
			 strcmp(field(event, "found"), "0") ? "" : ", which nobody sleeps any more");
	} else if (!strcmp(event->name, "wait")) {
		explain_wait(event, text, size);
	} else if (!strcmp(event->name, "hangup")) {
		snprintf(text, size, "hangs up: %s",
			 strcmp(field(event, "reason"), "unmap") ? "last file closed, never bound"
								 : "last writable mapping gone");
	} else if (!strcmp(event->name, "grow") || !strcmp(event->name, "retire")) {
		parse_number(field(event, "size"), 0, UINT64_MAX - 1, &n);
		snprintf(text, size, "%s segment %s, %s", event->name[0] == 'g' ? "adds" : "gives up",
			 field(event, "segment"), format_bytes(bytes, n));
	} else if (!strcmp(event->name, "create")) {
		snprintf(text, size, "heads of %s, lanes of at most %s bytes", field(event, "head_size"),
			 field(event, "lane_max"));
	} else {
		snprintf(text, size, "?");
	}
}

json_t *trace_json(const struct trace_event *event)
{
	json_t *fields = json_object();
	uint64_t n;
	int i;

	for (i = 0; i < event->fields; i++)
		json_object_set_new(fields, event->field[i].key,
				    parse_number(event->field[i].value, 0, INT64_MAX, &n)
					    ? json_integer((json_int_t)n)
					    : json_string(event->field[i].value));
	return json_pack("{s:s,s:I,s:i,s:i,s:s,s:o}", "event", event->name, "time_us", (json_int_t)event->us, "cpu",
			 event->cpu, "pid", event->pid, "comm", event->comm, "fields", fields);
}
