// SPDX-License-Identifier: Apache-2.0
/*
 * shmipc-bench vector: many processes send short messages to one. The workload is that of mp::ipc_vector's
 * announcement (2007): 10,000 rounds, each of 155 messages of 1 to 155 bytes; 1,550,000 messages and 120,900,000 bytes
 * in all, shared among the producers.
 */
#include "vector_run.h"

#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "host.h"
#include "options.h"
#include "results.h"

#define REPEAT_MAX 99
#define LIST_MAX 16

static const struct carrier *const carriers[] = { &carrier_kmod,     &carrier_memfd, &carrier_stream,
						  &carrier_datagram, &carrier_pipe,  &carrier_semaphore };
#define CARRIERS (sizeof(carriers) / sizeof(carriers[0]))

struct row {
	struct vector_run run;
	struct vector_result taken[REPEAT_MAX], median;
	double runs_ns[REPEAT_MAX]; /* of a message, in the order of the turns */
};

struct settings {
	const struct carrier *carrier[LIST_MAX];
	unsigned int carrier_count;
	unsigned int producers[LIST_MAX];
	unsigned int producers_count;
	bool reader[VECTOR_READERS];
	enum cpus_choice cpus;
	int nice; /* the reader's */
	bool own_groups;
	uint64_t rounds, memory_max;
	unsigned int repeat;
	const char *json;
};

static int compare(const void *a, const void *b)
{
	double x = ((const struct vector_result *)a)->reader_s, y = ((const struct vector_result *)b)->reader_s;

	return (x > y) - (x < y);
}

static const char *const reader_names[VECTOR_READERS] = {
	[READER_EAGER] = "eager",
	[READER_RESTING] = "resting",
	[READER_POLLING] = "polling",
};

static void print_row(FILE *out, const struct row *row)
{
	double messages = (double)vector_messages(&row->run);
	const struct vector_result *m = &row->median;

	fprintf(out, "%-13s %-8s %5u %10.1f %10.1f %10.2f %10.1f ", row->run.carrier->name,
		reader_names[row->run.reader], row->run.producers, m->writer_s * 1e3, m->reader_s * 1e3,
		messages / m->reader_s / 1e6, (double)vector_bytes(&row->run) / m->reader_s / 1e6);
	if (m->calls >= 0)
		fprintf(out, "%10.4f\n", m->calls / messages);
	else
		fprintf(out, "%10s\n", "-");
}

static json_t *cost_to_json(const struct vector_cost *cost)
{
	return json_pack("{s:f, s:f, s:f, s:f}", "user_s", cost->user_s, "system_s", cost->system_s, "page_faults",
			 cost->faults, "context_switches", cost->switches);
}

static const char *cpus_name(const struct vector_run *run)
{
	return run->reader_cpu < 0 ? "free" : "different";
}

static json_t *row_to_json(const struct row *row, unsigned int repeat)
{
	double messages = (double)vector_messages(&row->run), calls = row->median.calls / messages;
	json_t *runs = json_array();
	unsigned int i;

	for (i = 0; i < repeat; i++)
		json_array_append_new(runs, json_real(row->runs_ns[i]));
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:o, s:o, s:o, s:o}",
		"workload", "vector", "carrier", row->run.carrier->name, "reader", reader_names[row->run.reader],
		"cpus", cpus_name(&row->run), "groups", row->run.own_groups ? "own" : "one", "nice",
		row->run.reader_nice, "producers", (int)row->run.producers, "messages",
		(json_int_t)vector_messages(&row->run), "bytes", (json_int_t)vector_bytes(&row->run), "writer_s",
		row->median.writer_s, "reader_s", row->median.reader_s, "msgs_per_s", messages / row->median.reader_s,
		"bytes_per_s", (double)vector_bytes(&row->run) / row->median.reader_s, "looks", row->median.looks,
		"low_ns", row->taken[repeat / 4].reader_s * 1e9 / messages, "high_ns",
		row->taken[repeat - 1 - repeat / 4].reader_s * 1e9 / messages, "repeats", (int)repeat, "runs_ns", runs,
		"writer_syscalls_per_msg", calls >= 0 ? json_real(calls) : json_null(), "reader_cost",
		cost_to_json(&row->median.reader), "writers_cost", cost_to_json(&row->median.writers));
}

static int write_json(const struct settings *s, const char *command, const struct host *host, const struct row *rows,
		      unsigned int count)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < count; i++)
		json_array_append_new(list, row_to_json(&rows[i], s->repeat));
	return results_write(s->json, command, host, list);
}

static void __attribute__((noreturn)) help(void)
{
	unsigned int i;

	printf("shmipc-bench vector [OPTION…]: messages of 1 to 155 bytes from many processes to one\n\n"
	       "  --carrier LIST     which of these, by name (all that work here):\n");
	for (i = 0; i < CARRIERS; i++)
		printf("                       %-13s %s\n", carriers[i]->name, carriers[i]->summary);
	printf("  --producers LIST   how many processes push (1)\n"
	       "  --reader LIST      eager: takes what is there at once, again and again; resting: sleeps for a moment\n"
	       "                     after each look, the vector in timed sync; polling: the vector's, never sleeps\n"
	       "                     (eager,resting)\n"
	       "  --cpus WHERE       different: the reader has a processor of its own, the writers share the others; free:\n"
	       "                     where the kernel puts them (free)\n"
	       "  --groups WHICH     one: all are of one scheduling group; own: each has one of its own, as services have,\n"
	       "                     where the kernel has autogroup enabled (one)\n"
	       "  --nice N           the reader's, and of its group if it has one of its own: -20 is the highest precedence,\n"
	       "                     and needs CAP_SYS_NICE (0)\n"
	       "  --rounds N         of 155 messages, all producers together (10000)\n"
	       "  --memory BYTES     that a producer of the vector may use (16m)\n"
	       "  --repeat N         times, in turns; the median is shown (1)\n"
	       "  --json FILE        the rows, and the host\n");
	exit(0);
}

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end != text && *end == 'k')
		n <<= 10, end++;
	else if (end != text && *end == 'm')
		n <<= 20, end++;
	if (end == text || *end || n < least || n > most)
		options_reject("vector: '%s' is not a number from %llu to %llu", text, (unsigned long long)least,
			       (unsigned long long)most);
	return n;
}

static int parse_nice(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < -20 || n > 19)
		options_reject("vector: '%s' is not a number from -20 to 19", text);
	return (int)n;
}

static void add_carrier(struct settings *s, const char *name)
{
	const char *why = "";
	unsigned int i;

	for (i = 0; i < CARRIERS; i++)
		if (!strcmp(carriers[i]->name, name))
			break;
	if (i == CARRIERS)
		options_reject("vector: there is no carrier '%s'", name);
	if (carriers[i]->check && carriers[i]->check(&why))
		options_reject("vector: %s does not work here: %s", name, why);
	s->carrier[s->carrier_count++] = carriers[i];
}

static void add_reader(struct settings *s, const char *name)
{
	unsigned int i;

	for (i = 0; i < VECTOR_READERS; i++)
		if (!strcmp(reader_names[i], name))
			break;
	if (i == VECTOR_READERS)
		options_reject("vector: a reader is eager, resting or polling, not '%s'", name);
	s->reader[i] = true;
}

static void add_item(struct settings *s, int option, const char *item)
{
	if (s->carrier_count == LIST_MAX || s->producers_count == LIST_MAX)
		options_reject("vector: the list is too long at '%s'", item);
	if (option == 'c')
		add_carrier(s, item);
	else if (option == 'p')
		s->producers[s->producers_count++] = (unsigned int)parse_number(item, 1, VECTOR_PRODUCERS_MAX);
	else
		add_reader(s, item);
}

static void add_list(struct settings *s, int option, char *list)
{
	char *item, *rest = list;

	while ((item = strsep(&rest, ",")))
		add_item(s, option, item);
}

static void choose_cpus(struct settings *s, const char *word)
{
	if (!strcmp(word, "different"))
		s->cpus = CPUS_DIFFERENT;
	else if (!strcmp(word, "free"))
		s->cpus = CPUS_FREE;
	else
		options_reject("vector: --cpus is different or free, not '%s'", word);
}

static void choose_groups(struct settings *s, const char *word)
{
	s->own_groups = !strcmp(word, "own");
	if (!s->own_groups && strcmp(word, "one"))
		options_reject("vector: --groups is one or own, not '%s'", word);
}

static void set_defaults(struct settings *s)
{
	const char *why;
	unsigned int i;

	if (!s->carrier_count)
		for (i = 0; i < CARRIERS; i++)
			if (!carriers[i]->check || !carriers[i]->check(&why))
				s->carrier[s->carrier_count++] = carriers[i];
	if (!s->producers_count)
		s->producers[s->producers_count++] = 1;
	if (!s->reader[READER_EAGER] && !s->reader[READER_RESTING] && !s->reader[READER_POLLING])
		s->reader[READER_EAGER] = s->reader[READER_RESTING] = true;
}

static void parse(struct settings *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "carrier", required_argument, NULL, 'c' }, { "producers", required_argument, NULL, 'p' },
		{ "reader", required_argument, NULL, 'r' },  { "cpus", required_argument, NULL, 'u' },
		{ "nice", required_argument, NULL, 'i' },    { "groups", required_argument, NULL, 'g' },
		{ "rounds", required_argument, NULL, 'n' },  { "memory", required_argument, NULL, 'm' },
		{ "repeat", required_argument, NULL, 't' },  { "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },	     { NULL, 0, NULL, 0 },
	};
	int c;

	*s = (struct settings){ .rounds = 10000, .memory_max = 16 << 20, .repeat = 1 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			help();
		else if (c == 'c' || c == 'p' || c == 'r')
			add_list(s, c, optarg);
		else if (c == 'u')
			choose_cpus(s, optarg);
		else if (c == 'g')
			choose_groups(s, optarg);
		else if (c == 'i')
			s->nice = parse_nice(optarg);
		else if (c == 'n')
			s->rounds = parse_number(optarg, 1, 1000000000);
		else if (c == 'm')
			s->memory_max = parse_number(optarg, 65536, 1 << 30);
		else if (c == 't')
			s->repeat = (unsigned int)parse_number(optarg, 1, REPEAT_MAX);
		else if (c == 'j')
			s->json = optarg;
		else
			options_reject("vector: that is not an option, or its value is missing");
	}
	if (optind != argc)
		options_reject("vector: '%s' is too much", argv[optind]);
	set_defaults(s);
}

static unsigned int plan_rows(const struct settings *s, const struct host *host, struct row *rows)
{
	unsigned int count = 0, c, p, r;

	for (p = 0; p < s->producers_count; p++)
		for (r = 0; r < VECTOR_READERS; r++)
			for (c = 0; c < s->carrier_count; c++)
				if (s->reader[r] && (r != READER_POLLING || s->carrier[c]->polls))
					rows[count++].run = (struct vector_run){
						.carrier = s->carrier[c],
						.producers = s->producers[p],
						.reader = r,
						.reader_nice = s->nice,
						.own_groups = s->own_groups,
						.reader_cpu = s->cpus == CPUS_DIFFERENT ? host->first_cpu : -1,
						.rounds = s->rounds,
						.memory_max = s->memory_max,
					};
	return count;
}

/* The last one of @repeat turns is new. */
static void take_median(struct row *row, unsigned int repeat)
{
	row->runs_ns[repeat - 1] = row->taken[repeat - 1].reader_s * 1e9 / (double)vector_messages(&row->run);
	qsort(row->taken, repeat, sizeof(row->taken[0]), compare);
	row->median = row->taken[repeat / 2];
}

int vector_main(int argc, char **argv)
{
	struct settings s;
	struct host host;
	unsigned int count, i, t;
	struct row *rows;
	FILE *table;
	char *command = results_command(argc, argv);
	int r = 0;

	parse(&s, argc, argv);
	rows = calloc((size_t)s.carrier_count * s.producers_count * VECTOR_READERS, sizeof(*rows));
	if (!rows)
		abort();
	table = s.json && !strcmp(s.json, "-") ? stderr : stdout;
	host_describe(&host);
	if (s.cpus == CPUS_DIFFERENT && host.second_cpu < 0)
		options_reject("vector: --cpus different: there is only one processor to run on");
	count = plan_rows(&s, &host, rows);
	if (!count)
		options_reject("vector: a reader polls the vector alone");
	host_print(&host, table);
	fprintf(table, "%-13s %-8s %5s %10s %10s %10s %10s %10s\n", "carrier", "reader", "from", "writer ms",
		"reader ms", "M msgs/s", "MB/s", "calls/msg");
	for (t = 0; t < s.repeat && !r; t++) {
		for (i = 0; i < count && !r; i++) {
			r = vector_execute(&rows[i].run, &rows[i].taken[t]);
			if (r)
				fprintf(stderr, "shmipc-bench: vector over %s, %u producers: %s\n",
					rows[i].run.carrier->name, rows[i].run.producers, strerror(-r));
			take_median(&rows[i], t + 1);
			if (t + 1 == s.repeat && !r)
				print_row(table, &rows[i]);
		}
	}
	if (!r && s.json)
		r = write_json(&s, command, &host, rows, count);
	free(rows);
	free(command);
	return r ? 1 : 0;
}
