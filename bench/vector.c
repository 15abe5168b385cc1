// SPDX-License-Identifier: Apache-2.0
/*
 * shmipc-bench vector: many processes send short messages to one. The workload is that of mp::ipc_vector's
 * announcement (2007): 10,000 rounds, each of 155 messages of 1 to 155 bytes; 1,550,000 messages and 120,900,000 bytes
 * in all, shared among the producers.
 */
#include "vector.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "host.h"
#include "options.h"
#include "results.h"
#include "ticks.h"

#define PRODUCERS_MAX 256
#define REPEAT_MAX 99
#define LIST_MAX 16
#define TIMEOUT_S 120

static const struct carrier *const carriers[] = { &carrier_kmod,     &carrier_memfd, &carrier_stream,
						  &carrier_datagram, &carrier_pipe,  &carrier_semaphore };
#define CARRIERS (sizeof(carriers) / sizeof(carriers[0]))

/* What a side took of the host between the start and its end; of all writers, the sum. */
struct cost {
	double user_s, system_s;
	double faults, switches; /* page faults; context switches, wanted or not */
};

/* What the processes of a run tell the one that started them. */
struct vector_board {
	_Atomic unsigned int ready;
	int error; /* of any of them */
	struct cost reader_cost, writer_cost[PRODUCERS_MAX];
	uint64_t reader_done, writer_done[PRODUCERS_MAX];
	uint64_t calls[PRODUCERS_MAX];
	struct vector_tally tally;
};

struct result {
	double reader_s, writer_s; /* from the start until the reader has all; until the last writer is through */
	double calls;		   /* of all writers */
	double looks;
	struct cost reader, writers;
};

struct row {
	struct vector_run run;
	struct result taken[REPEAT_MAX], median;
	double runs_ns[REPEAT_MAX]; /* of a message, in the order of the turns */
};

struct settings {
	const struct carrier *carrier[LIST_MAX];
	unsigned int carrier_count;
	unsigned int producers[LIST_MAX];
	unsigned int producers_count;
	bool reader[2]; /* eager, resting */
	enum cpus_choice cpus;
	uint64_t rounds, memory_max;
	unsigned int repeat;
	const char *json;
};

static uint64_t rounds_of(const struct vector_run *run, unsigned int producer)
{
	return run->rounds / run->producers + (producer < run->rounds % run->producers);
}

static uint64_t messages_of(const struct vector_run *run)
{
	return run->rounds * VECTOR_LONGEST;
}

static uint64_t bytes_of(const struct vector_run *run)
{
	return run->rounds * (VECTOR_LONGEST * (VECTOR_LONGEST + 1) / 2);
}

/* The ends of two pipes: what is written there is nothing, that they are closed says it. */
struct gates {
	int start[2], end[2];
};

static void pass_gate(int gate)
{
	char byte;

	while (read(gate, &byte, 1) < 0 && errno == EINTR)
		;
}

/* Say that this process is ready, and wait for the start. */
static void await_start(struct vector_run *run, const struct gates *gates)
{
	atomic_fetch_add(&run->board->ready, 1);
	pass_gate(gates->start[0]);
}

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static struct cost read_cost(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (struct cost){
		.user_s = seconds_of(usage.ru_utime),
		.system_s = seconds_of(usage.ru_stime),
		.faults = (double)(usage.ru_minflt + usage.ru_majflt),
		.switches = (double)(usage.ru_nvcsw + usage.ru_nivcsw),
	};
}

static void add_cost(struct cost *sum, const struct cost *cost, double factor)
{
	sum->user_s += factor * cost->user_s;
	sum->system_s += factor * cost->system_s;
	sum->faults += factor * cost->faults;
	sum->switches += factor * cost->switches;
}

static struct cost cost_since(const struct cost *before)
{
	struct cost cost = read_cost();

	add_cost(&cost, before, -1);
	return cost;
}

/* The reader (producer < 0) on a processor of its own, and the writers on the others; or wherever the kernel has them. */
static int place(const struct vector_run *run, int producer)
{
	cpu_set_t set;

	if (run->reader_cpu < 0)
		return 0;
	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	if (producer < 0) {
		CPU_ZERO(&set);
		CPU_SET(run->reader_cpu, &set);
	} else {
		CPU_CLR(run->reader_cpu, &set);
	}
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int write_all(struct vector_run *run, unsigned int producer, const struct gates *gates)
{
	uint64_t round, rounds = rounds_of(run, producer);
	unsigned char text[VECTOR_LONGEST];
	struct cost before;
	size_t size;
	int r;

	for (size = 0; size < sizeof(text); size++)
		text[size] = (unsigned char)('a' + size % 26);
	r = run->carrier->writer_open(run);
	await_start(run, gates);
	before = read_cost();
	for (round = 0; round < rounds && !r; round++)
		for (size = 1; size <= VECTOR_LONGEST && !r; size++)
			r = run->carrier->write(run, text, size);
	run->board->writer_done[producer] = ticks_monotonic_ns();
	run->board->writer_cost[producer] = cost_since(&before);
	run->board->calls[producer] = run->carrier->writer_calls(run);
	/* That a process ends is not timed: tearing its memory down would take the processors from those that push. */
	if (!r)
		pass_gate(gates->end[0]);
	return r;
}

static int read_all(struct vector_run *run, const struct gates *gates)
{
	struct vector_tally tally = { 0 };
	int r = run->carrier->reader_open(run);
	struct cost before;

	await_start(run, gates);
	before = read_cost();
	while (!r && tally.bytes < bytes_of(run)) {
		r = run->carrier->read(run, &tally);
		tally.looks++;
		if (run->resting)
			usleep(1);
	}
	run->board->reader_done = ticks_monotonic_ns();
	run->board->reader_cost = cost_since(&before);
	run->board->tally = tally;
	return r;
}

/* Start the reader (producer < 0) or a writer. */
static pid_t start_process(struct vector_run *run, int producer, const struct gates *gates)
{
	pid_t pid = fork();
	int r;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(TIMEOUT_S);
	close(gates->start[1]);
	close(gates->end[1]);
	r = place(run, producer);
	if (!r)
		r = producer < 0 ? read_all(run, gates) : write_all(run, (unsigned int)producer, gates);
	if (r)
		run->board->error = r;
	_exit(r ? 1 : 0);
}

static bool await_ready(const struct vector_run *run, unsigned int count)
{
	uint64_t until = ticks_monotonic_ns() + TIMEOUT_S * UINT64_C(1000000000);

	while (atomic_load(&run->board->ready) < count) {
		if (ticks_monotonic_ns() > until || run->board->error)
			return false;
		usleep(1000);
	}
	return true;
}

static void fill_result(const struct vector_run *run, uint64_t began, struct result *result)
{
	const struct vector_board *board = run->board;
	uint64_t last = 0;
	unsigned int i;

	*result = (struct result){ .reader = board->reader_cost };
	for (i = 0; i < run->producers; i++) {
		last = board->writer_done[i] > last ? board->writer_done[i] : last;
		add_cost(&result->writers, &board->writer_cost[i], 1);
		result->calls += board->calls[i] == UINT64_MAX ? NAN : (double)board->calls[i];
	}
	result->writer_s = (double)(last - began) / 1e9;
	result->reader_s = (double)(board->reader_done - began) / 1e9;
	result->looks = (double)board->tally.looks;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Wait for all, the reader before the writers may end; a process that failed takes the others with it. */
static bool reap(const pid_t *pid, unsigned int count, struct gates *gates)
{
	bool good = true;
	unsigned int i, left = count;
	int status;
	pid_t gone;

	while (left) {
		gone = waitpid(-1, &status, 0);
		if (gone < 0 && errno != EINTR)
			return false;
		for (i = 0; i < count && gone > 0; i++)
			left -= pid[i] == gone;
		if (gone == pid[0])
			close_end(&gates->end[1]);
		if (gone <= 0 || (WIFEXITED(status) && !WEXITSTATUS(status)))
			continue;
		for (i = 0; i < count && good; i++)
			kill(pid[i], SIGKILL);
		good = false;
	}
	return good;
}

/* 0, or -errno. */
static int run_once(struct vector_run *run, struct result *result)
{
	pid_t pid[PRODUCERS_MAX + 1];
	unsigned int count = 0, i;
	struct gates gates;
	uint64_t began = 0;
	bool good;
	int r;

	run->fd[0] = run->fd[1] = -1;
	run->board = mmap(NULL, sizeof(*run->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->board == MAP_FAILED || pipe(gates.start) || pipe(gates.end))
		return -errno;
	r = run->carrier->prepare(run);
	fflush(NULL);
	/* The vector's reader waits for its producers, so that it goes first and is not waited for. */
	for (i = 0; i <= run->producers && !r; i++) {
		pid[i] = start_process(run, (int)i - 1, &gates);
		r = pid[i] < 0 ? -errno : 0;
		count += !r;
	}
	good = !r && await_ready(run, count);
	began = ticks_monotonic_ns();
	for (i = 0; i < count; i++)
		if (!good)
			kill(pid[i], SIGKILL);
	close_end(&gates.start[1]);
	good = reap(pid, count, &gates) && good;
	for (i = 0; i < 2; i++) {
		close_end(&gates.start[i]);
		close_end(&gates.end[i]);
		close_end(&run->fd[i]);
	}
	if (run->carrier->cleanup)
		run->carrier->cleanup(run);
	if (good && (run->board->tally.bytes != bytes_of(run) ||
		     (run->board->tally.messages && run->board->tally.messages != messages_of(run))))
		r = -EBADMSG;
	else if (!good)
		r = r ? r : run->board->error ? run->board->error : -ECHILD;
	else
		fill_result(run, began, result);
	munmap(run->board, sizeof(*run->board));
	return r;
}

static int compare(const void *a, const void *b)
{
	double x = ((const struct result *)a)->reader_s, y = ((const struct result *)b)->reader_s;

	return (x > y) - (x < y);
}

static const char *reader_name(const struct vector_run *run)
{
	return run->resting ? "resting" : "eager";
}

static void print_row(FILE *out, const struct row *row)
{
	double messages = (double)messages_of(&row->run);
	const struct result *m = &row->median;

	fprintf(out, "%-13s %-8s %5u %10.1f %10.1f %10.2f %10.1f ", row->run.carrier->name, reader_name(&row->run),
		row->run.producers, m->writer_s * 1e3, m->reader_s * 1e3, messages / m->reader_s / 1e6,
		(double)bytes_of(&row->run) / m->reader_s / 1e6);
	if (m->calls >= 0)
		fprintf(out, "%10.4f\n", m->calls / messages);
	else
		fprintf(out, "%10s\n", "-");
}

static json_t *cost_to_json(const struct cost *cost)
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
	double messages = (double)messages_of(&row->run), calls = row->median.calls / messages;
	json_t *runs = json_array();
	unsigned int i;

	for (i = 0; i < repeat; i++)
		json_array_append_new(runs, json_real(row->runs_ns[i]));
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:o, s:o, s:o, s:o}",
		"workload", "vector", "carrier", row->run.carrier->name, "reader", reader_name(&row->run), "cpus",
		cpus_name(&row->run), "producers", (int)row->run.producers, "messages",
		(json_int_t)messages_of(&row->run), "bytes", (json_int_t)bytes_of(&row->run), "writer_s",
		row->median.writer_s, "reader_s", row->median.reader_s, "msgs_per_s", messages / row->median.reader_s,
		"bytes_per_s", (double)bytes_of(&row->run) / row->median.reader_s, "looks", row->median.looks, "low_ns",
		row->taken[repeat / 4].reader_s * 1e9 / messages, "high_ns",
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
	       "                     after each look, the vector in timed sync (both)\n"
	       "  --cpus WHERE       different: the reader has a processor of its own, the writers share the others; free:\n"
	       "                     where the kernel puts them (free)\n"
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

static void add_item(struct settings *s, int option, const char *item)
{
	if (s->carrier_count == LIST_MAX || s->producers_count == LIST_MAX)
		options_reject("vector: the list is too long at '%s'", item);
	if (option == 'c')
		add_carrier(s, item);
	else if (option == 'p')
		s->producers[s->producers_count++] = (unsigned int)parse_number(item, 1, PRODUCERS_MAX);
	else if (!strcmp(item, "eager"))
		s->reader[0] = true;
	else if (!strcmp(item, "resting"))
		s->reader[1] = true;
	else
		options_reject("vector: a reader is eager or resting, not '%s'", item);
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
	if (!s->reader[0] && !s->reader[1])
		s->reader[0] = s->reader[1] = true;
}

static void parse(struct settings *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "carrier", required_argument, NULL, 'c' }, { "producers", required_argument, NULL, 'p' },
		{ "reader", required_argument, NULL, 'r' },  { "cpus", required_argument, NULL, 'u' },
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
		for (r = 0; r < 2; r++)
			for (c = 0; c < s->carrier_count; c++)
				if (s->reader[r])
					rows[count++].run = (struct vector_run){
						.carrier = s->carrier[c],
						.producers = s->producers[p],
						.resting = r,
						.reader_cpu = s->cpus == CPUS_DIFFERENT ? host->first_cpu : -1,
						.rounds = s->rounds,
						.memory_max = s->memory_max,
					};
	return count;
}

/* The last one of @repeat turns is new. */
static void take_median(struct row *row, unsigned int repeat)
{
	row->runs_ns[repeat - 1] = row->taken[repeat - 1].reader_s * 1e9 / (double)messages_of(&row->run);
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
	rows = calloc((size_t)s.carrier_count * s.producers_count * 2, sizeof(*rows));
	if (!rows)
		abort();
	table = s.json && !strcmp(s.json, "-") ? stderr : stdout;
	host_describe(&host);
	if (s.cpus == CPUS_DIFFERENT && host.second_cpu < 0)
		options_reject("vector: --cpus different: there is only one processor to run on");
	host_print(&host, table);
	count = plan_rows(&s, &host, rows);
	fprintf(table, "%-13s %-8s %5s %10s %10s %10s %10s %10s\n", "carrier", "reader", "from", "writer ms",
		"reader ms", "M msgs/s", "MB/s", "calls/msg");
	for (t = 0; t < s.repeat && !r; t++) {
		for (i = 0; i < count && !r; i++) {
			r = run_once(&rows[i].run, &rows[i].taken[t]);
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
