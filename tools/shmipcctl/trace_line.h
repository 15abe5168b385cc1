/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_line.h - one line of tracefs' trace_pipe, of an event of the module's
 *
 * Pure.
 */
#ifndef SHMIPCCTL_TRACE_LINE_H
#define SHMIPCCTL_TRACE_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define TRACE_FIELDS_MAX 8

struct trace_event {
	char comm[24];
	int pid, cpu;
	uint64_t us;   /* of the trace clock */
	char name[24]; /* without "shmipc_" */
	struct {
		char key[16], value[48];
	} field[TRACE_FIELDS_MAX];
	int fields;
};

bool trace_parse(const char *line, struct trace_event *event);

/* A field's value, or NULL. */
const char *trace_field(const struct trace_event *event, const char *key);

/* What it means, in words. */
void trace_explain(const struct trace_event *event, char *text, size_t size);

json_t *trace_json(const struct trace_event *event);

#endif /* SHMIPCCTL_TRACE_LINE_H */
