// SPDX-License-Identifier: Apache-2.0
/* Reads back what measuring commands left, for the commands that draw, report and compare. */
#include "record.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "noise.h"

/* The fields as a row has them. The rest are made of several. */
static const struct {
	const char *name, *usual;
} fields[RECORD_FIELDS] = {
	[RECORD_WORKLOAD] = { "workload", "" },	  [RECORD_SYNC] = { "sync", "" },
	[RECORD_CPUS] = { "cpus", "" },		  [RECORD_TOUCH] = { "touch", "all" },
	[RECORD_BATCH] = { "batch", "1" },	  [RECORD_STREAMS] = { "streams", "1" },
	[RECORD_THREADS] = { "threads", "1,1" },  [RECORD_SESSIONS] = { "sessions", "1" },
	[RECORD_BUSY] = { "busy", "no" },	  [RECORD_LOAD] = { "load", "0" },
	[RECORD_RATE] = { "rate_per_s", "" },	  [RECORD_ARRIVALS] = { "arrivals", "uniform" },
	[RECORD_BURST] = { "burst", "" },	  [RECORD_INTERVAL] = { "interval_ns", "" },
	[RECORD_PRODUCERS] = { "producers", "" }, [RECORD_MESSAGES] = { "messages", "" },
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Adds to the text at @out what fits, plain characters only, so that it can be shown anywhere. */
static void __attribute__((format(printf, 3, 4))) append(char *out, size_t size, const char *format, ...)
{
	size_t used = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + used, size - used, format, args);
	va_end(args);
	for (out += used; *out; out++)
		if (*out < ' ' || *out > '~')
			*out = '?';
}

static void append_value(char *out, const json_t *value, const char *usual)
{
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		append(out, RECORD_TEXT, "%s", json_string_value(value));
	else if (json_is_boolean(value))
		append(out, RECORD_TEXT, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_number(value))
		append(out, RECORD_TEXT, "%.10g", json_number_value(value));
	else if (!json_is_array(value) || json_array_size(value) > 8)
		append(out, RECORD_TEXT, "%s", usual);
	else
		json_array_foreach(value, i, item)
			append(out, RECORD_TEXT, "%s%.10g", i ? "," : "", json_number_value(item));
}

double record_figure(const struct record *record, const char *name)
{
	const json_t *value = json_object_get(record->row, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void name_what(struct record *record)
{
	const char *transport = text_of(record->row, "transport"), *carrier = text_of(record->row, "carrier");
	const char *level = text_of(record->row, "level"), *api = text_of(record->row, "api");
	char *what = record->field[RECORD_WHAT];

	if (*carrier) {
		append(what, RECORD_TEXT, "%s %s", carrier, text_of(record->row, "reader"));
		record->ours = !strncmp(carrier, "vector", 6);
		return;
	}
	append(what, RECORD_TEXT, "%s", transport);
	if (!strcmp(level, "stream"))
		append(what, RECORD_TEXT, " stream%s", strcmp(api, "place") ? "" : " place");
	record->ours = *level || !strcmp(transport, "doorbell") || !strcmp(transport, "memfd");
	record->limit = !strcmp(transport, "spin");
}

static void name_size(struct record *record)
{
	const char *mix = text_of(record->row, "mix");
	char size[FORMAT_SIZE];

	record->size = *mix ? NAN : record_figure(record, "size");
	if (*mix)
		append(record->field[RECORD_SIZE], RECORD_TEXT, "mix %s", mix);
	else if (record->size >= 1 && record->size < 1e15)
		append(record->field[RECORD_SIZE], RECORD_TEXT, "%s", format_size(size, record->size));
	else
		record->size = NAN;
}

/* The one time that a file has which does not know of turns. */
static double only_time(const struct record *record)
{
	double p50 = record_figure(record, "p50_ns"), typical = record_figure(record, "typical_ns");
	double rate = record_figure(record, "msgs_per_s");

	if (strcmp(record->field[RECORD_WORKLOAD], "stream") && isfinite(p50))
		return p50;
	return isfinite(typical) ? typical : rate > 0 ? 1e9 / rate : NAN;
}

static void read_runs(struct record *record)
{
	const json_t *runs = json_object_get(record->row, "runs_ns"), *run;
	double only;
	size_t i;

	json_array_foreach(runs, i,
			   run) if (record->runs < RECORD_TURNS && json_is_number(run) && json_number_value(run) > 0)
		record->runs_ns[record->runs++] = json_number_value(run);
	only = record->runs ? NAN : only_time(record);
	if (only > 0)
		record->runs_ns[record->runs++] = only;
	record->time_ns = noise_median(record->runs_ns, record->runs);
}

static int read_record(struct record *record, const struct record_file *file, const json_t *row)
{
	unsigned int i;

	record->file = file;
	record->row = row;
	if (!*text_of(row, "workload") || (!*text_of(row, "transport") && !*text_of(row, "carrier")))
		return -EINVAL;
	for (i = 0; i < RECORD_FIELDS; i++)
		if (fields[i].name)
			append_value(record->field[i], json_object_get(row, fields[i].name), fields[i].usual);
	name_what(record);
	name_size(record);
	read_runs(record);
	return 0;
}

static int read_host(struct record_file *file, const json_t *host)
{
	double cpus = json_number_value(json_object_get(host, "cpus"));

	if (!json_is_object(host))
		return -EINVAL;
	file->kernel = text_of(host, "kernel");
	file->machine = text_of(host, "machine");
	file->cpu = text_of(host, "cpu");
	file->hypervisor = text_of(host, "hypervisor");
	file->module = text_of(host, "module");
	file->date = text_of(host, "date");
	file->cpus = cpus >= 1 && cpus < 1e6 ? (unsigned int)cpus : 0;
	file->load = json_number_value(json_object_get(host, "load"));
	file->emulated = json_is_true(json_object_get(host, "emulated"));
	file->instructions = json_is_true(json_object_get(host, "instruction_clock"));
	file->command = text_of(file->json, "command");
	file->version = text_of(file->json, "version");
	if (!*file->version)
		file->version = text_of(host, "version");
	return 0;
}

static int read_rows(struct record_file *file, const json_t *rows)
{
	size_t i, count = json_array_size(rows);
	int r = 0;

	if (!json_is_array(rows))
		return -EINVAL;
	file->record = calloc(count + 1, sizeof(*file->record));
	if (!file->record)
		return -ENOMEM;
	for (i = 0; i < count && !r; i++)
		r = read_record(&file->record[i], file, json_array_get(rows, i));
	file->count = count;
	return r;
}

int record_file_load(struct record_file *file, const char *path)
{
	json_error_t error;
	int r;

	memset(file, 0, sizeof(*file));
	file->path = path;
	file->json = json_load_file(path, 0, &error);
	if (!file->json) {
		fprintf(stderr, "shmipc-bench: %s: line %d: %s\n", path, error.line, error.text);
		return -EINVAL;
	}
	r = read_host(file, json_object_get(file->json, "host"));
	if (!r)
		r = read_rows(file, json_object_get(file->json, "rows"));
	if (r) {
		fprintf(stderr, "shmipc-bench: %s: %s\n", path,
			r == -EINVAL ? "not a file of shmipc-bench" : strerror(-r));
		record_file_free(file);
	}
	return r;
}

void record_file_free(struct record_file *file)
{
	json_decref(file->json);
	free(file->record);
	memset(file, 0, sizeof(*file));
}

bool record_file_same_host(const struct record_file *a, const struct record_file *b)
{
	return !strcmp(a->kernel, b->kernel) && !strcmp(a->machine, b->machine) && !strcmp(a->cpu, b->cpu) &&
	       !strcmp(a->hypervisor, b->hypervisor) && a->cpus == b->cpus && a->emulated == b->emulated &&
	       a->instructions == b->instructions;
}

bool record_alike(const struct record *a, const struct record *b, unsigned int except)
{
	unsigned int i;

	for (i = 0; i < RECORD_FIELDS; i++)
		if (!(except & RECORD_BIT(i)) && strcmp(a->field[i], b->field[i]))
			return false;
	return true;
}

const char *record_label(char *out, const struct record *record)
{
	const char *sync = record->field[RECORD_SYNC];

	out[0] = '\0';
	append(out, RECORD_SCENE, "%s", record->field[RECORD_WHAT]);
	if (*sync && strcmp(sync, "blocking") && !record->limit)
		append(out, RECORD_SCENE, " %s", sync);
	return out;
}

/* The words for field @i, if there is anything to say. */
static void append_scene(char *out, const struct record *record, unsigned int i)
{
	static const char *const words[RECORD_FIELDS] = {
		[RECORD_WORKLOAD] = "%s",
		[RECORD_SIZE] = "%s bytes",
		[RECORD_TOUCH] = "payload untouched",
		[RECORD_BATCH] = "groups of %s",
		[RECORD_STREAMS] = "%s streams",
		[RECORD_THREADS] = "threads %s",
		[RECORD_SESSIONS] = "%s sessions",
		[RECORD_BUSY] = "all processors busy",
		[RECORD_LOAD] = "%s busy processes",
		[RECORD_RATE] = "%s a second",
		[RECORD_ARRIVALS] = "%s arrivals",
		[RECORD_BURST] = "bursts of %s",
		[RECORD_INTERVAL] = "one in %s",
		[RECORD_PRODUCERS] = "%s producers",
		[RECORD_MESSAGES] = "%s messages",
	};
	const char *value = record->field[i], *before = *out ? ", " : "";
	char time[FORMAT_SIZE];

	if (i == RECORD_LOAD && !strcmp(record->field[RECORD_BUSY], "yes"))
		return;
	if (!*value || (fields[i].usual && !strcmp(value, fields[i].usual)))
		return;
	append(out, RECORD_SCENE, "%s", before);
	if (i == RECORD_INTERVAL)
		value = format_time(time, strtod(value, NULL));
	if (i == RECORD_CPUS)
		append(out, RECORD_SCENE, "%s",
		       !strcmp(value, "same")	     ? "one processor"
		       : !strcmp(value, "different") ? "two processors"
						     : "any processors");
	else if (words[i])
		append(out, RECORD_SCENE, words[i], value);
}

const char *record_scene(char *out, const struct record *record, unsigned int except)
{
	unsigned int i;

	out[0] = '\0';
	for (i = 0; i < RECORD_FIELDS; i++)
		if (i != RECORD_WHAT && i != RECORD_SYNC && !(except & RECORD_BIT(i)))
			append_scene(out, record, i);
	return out;
}

const char *record_size(const struct record *record)
{
	return record->field[RECORD_SIZE];
}
