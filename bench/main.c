// SPDX-License-Identifier: Apache-2.0
/*
 * shmipc-bench: what to run, in which order, how often; then the report. How a run is done is in run.c, what
 * happens in it in workload_*.c, over which transport in transport_*.c.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "figures.h"
#include "format.h"
#include "host.h"
#include "options.h"
#include "progress.h"
#include "report.h"
#include "results.h"
#include "ticks.h"

#define COUNT_LEAST 20
#define COUNT_MOST UINT64_C(20000000)
#define PACED_SECONDS 1
#define PACED_TRIAL 2000
#define TRACED_COUNT 64
#define COUNTED_COUNT 20000
#define COUNTER_FADES_NS 1200000000

struct bench {
	struct options options;
	struct host host;
	char *command; /* line, for the record */
	struct row *rows;
	unsigned int count;
	struct run *run;
	FILE *table;
	bool tracepoint, instructions; /* what can be counted here */
	bool unsettled;		       /* a counter may have been open a moment ago, ours or an earlier command's */
};

/* How long the measured part of a row takes when nobody says how many messages. */
static double target_ns(bool emulated)
{
	if (ticks_clock.instructions)
		return 30e6;
	return emulated ? 150e6 : 300e6;
}

/* Whole batches, with as many messages to warm up as make sense. */
static void set_count(struct plan *plan, uint64_t count)
{
	uint64_t batch = plan->burst > 1 ? plan->burst : (uint64_t)plan->batch * plan->streams, warmup = count / 10 + 4;

	if (warmup > 5000)
		warmup = 5000;
	plan->count = (count + batch - 1) / batch * batch;
	plan->warmup = (warmup + batch - 1) / batch * batch;
	plan->cooldown = ((warmup < 256 ? warmup : 256) + batch - 1) / batch * batch;
}

/* Why this row cannot be run, or NULL. */
static const char *reason_to_skip(const struct plan *plan)
{
	bool polls = plan->transport->flags & TRANSPORT_SPINS ||
		     (plan->transport->flags & TRANSPORT_SYNC && plan->sync == SYNC_POLLING);

	if (polls && plan->same_cpu)
		return "a side that spins keeps the other off their one processor";
	if (plan->transport->batch_most && plan->batch > plan->transport->batch_most)
		return "its ring is too short for such a batch";
	if (plan->transport->size_most && plan->size > plan->transport->size_most)
		return "it takes no message of that size";
	if (plan->streams > 1 && !plan->transport->open)
		return "it has one conversation";
	return workload_lacks(plan->workload, plan->transport);
}

/* What differs from row to row. */
struct setting {
	const struct transport *transport;
	enum sync_mode sync;
	const struct mix *size;
	bool touch;
	double rate;
	unsigned int load;
};

static void add_row(struct bench *b, const struct setting *s)
{
	const struct options *o = &b->options;
	struct row *row = &b->rows[b->count];
	char label[LABEL_SIZE], size[FORMAT_SIZE];
	struct plan *plan = &row->plan;
	const char *reason;

	memset(row, 0, sizeof(*row));
	row->load = s->load == LOAD_ALL ? load_all() : s->load;
	plan->workload = o->workload;
	plan->transport = s->transport;
	plan->sync = s->sync;
	plan->size = mix_largest(s->size);
	plan->mix = *s->size->name ? s->size : NULL;
	plan->batch = o->batch;
	plan->streams = o->streams;
	plan->sessions = o->sessions;
	plan->rate = s->rate;
	plan->burst = o->burst;
	plan->poisson = o->poisson;
	plan->threads[0] = o->threads[0];
	plan->threads[1] = o->threads[1];
	plan->touch = s->touch;
	plan->alternating = o->workload->alternating;
	plan->one_way = o->workload->transfers == 1;
	plan->same_cpu = o->cpus == CPUS_SAME || b->host.second_cpu < 0;
	plan->cpu[0] = o->cpus == CPUS_FREE ? -1 : b->host.first_cpu;
	plan->cpu[1] = o->cpus == CPUS_FREE ? -1 : plan->same_cpu ? b->host.first_cpu : b->host.second_cpu;
	plan->timeout_s = o->timeout_s;
	set_count(plan, o->count ? o->count : o->workload->count ? o->workload->count : COUNT_LEAST);
	reason = reason_to_skip(plan);
	if (reason)
		fprintf(stderr, "shmipc-bench: %s, %s, %s bytes skipped: %s\n", row_label(label, row), row_sync(row),
			row_size(size, row), reason);
	else
		b->count++;
}

/* Removes transports that do not work on this host; asked for by name, that is an error. */
static void check_transports(struct options *o)
{
	unsigned int i, kept = 0;
	const char *why = NULL;

	for (i = 0; i < o->transport_count; i++) {
		const struct transport *transport = o->transport[i];

		if (!transport->check || !transport->check(&why))
			o->transport[kept++] = transport;
		else if (o->all_transports)
			fprintf(stderr, "shmipc-bench: %s left out: %s\n", transport->name, why);
		else
			options_reject("--transport: %s does not work here: %s", transport->name, why);
	}
	o->transport_count = kept;
}

/* Was the same done there? */
static bool is_alike(const struct plan *a, const struct plan *b)
{
	return a->size == b->size && a->mix == b->mix && a->touch == b->touch && a->rate == b->rate;
}

/* What @row is to be compared with: the row of that name that did the same, if possible in the same sync mode. */
static unsigned int find_base(const struct bench *b, const struct row *row)
{
	unsigned int i, found = b->count;
	char label[LABEL_SIZE];

	for (i = 0; i < b->count && b->options.base; i++) {
		const struct row *other = &b->rows[i];

		if (!is_alike(&other->plan, &row->plan) || other->load != row->load ||
		    strcmp(row_label(label, other), b->options.base))
			continue;
		if (found == b->count || other->plan.sync == row->plan.sync)
			found = i;
	}
	return found;
}

/* Splits off the lowest digit of *@n, of a number system of its own for each digit. */
static size_t take_digit(size_t *n, size_t base)
{
	size_t digit = *n % base;

	*n /= base;
	return digit;
}

/* Every combination: transports and their modes side by side, the load changing least. */
static void plan_rows(struct bench *b)
{
	const struct options *o = &b->options;
	size_t all = (size_t)o->sync_count * o->transport_count * o->touch_count * o->size_count * o->rate_count *
		     o->load_count;
	size_t i, n;

	b->rows = calloc(all + 1, sizeof(*b->rows));
	if (!b->rows)
		abort();
	for (i = 0; i < all; i++) {
		struct setting s;
		size_t sync;

		n = i;
		sync = take_digit(&n, o->sync_count);
		s.sync = o->sync[sync];
		s.transport = o->transport[take_digit(&n, o->transport_count)];
		s.touch = o->touch[take_digit(&n, o->touch_count)];
		s.size = &o->size[take_digit(&n, o->size_count)];
		s.rate = o->rate[take_digit(&n, o->rate_count)];
		s.load = o->load[take_digit(&n, o->load_count)];
		if (!sync || s.transport->flags & TRANSPORT_SYNC)
			add_row(b, &s);
	}
	if (!b->count)
		options_reject("nothing is left to run");
	for (i = 0; o->base && i < b->count; i++)
		if (find_base(b, &b->rows[i]) == b->count)
			options_reject("--base: '%s' is not among what is run", o->base);
}

/*
 * For a second after the last counter was closed the kernel still looks for counters at each context switch (perf keeps
 * its static key that long): some 200 instructions a round trip. Where instructions are the measure that is waited for,
 * which takes no time there: the clock of an idle guest jumps. On a real clock it drowns.
 */
static void settle(struct bench *b, enum probe_mode mode)
{
	static const struct timespec fades = { COUNTER_FADES_NS / 1000000000, COUNTER_FADES_NS % 1000000000 };

	if (mode != PROBE_TIME) {
		b->unsettled = true;
	} else if (b->unsettled && ticks_clock.instructions) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &fades, NULL);
		b->unsettled = false;
	}
}

static int execute(struct bench *b, const struct row *row, const struct plan *plan, enum probe_mode mode)
{
	char size[FORMAT_SIZE], label[LABEL_SIZE];
	int rc = load_set(row->load, plan->cpu);

	if (rc) {
		fprintf(stderr, "shmipc-bench: --load: %s\n", strerror(-rc));
		return rc;
	}
	settle(b, mode);
	rc = run_execute(b->run, plan, mode);
	if (!rc)
		return 0;
	progress_clear();
	fprintf(stderr, "shmipc-bench: %s %s, %s, %s bytes: %s\n", plan->workload->name, row_label(label, row),
		row_sync(row), row_size(size, row), b->run->error);
	return rc;
}

/* What a run of @plan takes: the shorter one of two, because one disturbance can be longer than a short run. */
static int time_run(struct bench *b, const struct row *row, const struct plan *plan, double *ns)
{
	double second;
	int rc;

	rc = execute(b, row, plan, PROBE_TIME);
	if (rc)
		return rc;
	*ns = figures_typical_ns(plan, b->run);
	rc = execute(b, row, plan, PROBE_TIME);
	second = figures_typical_ns(plan, b->run);
	if (!rc && second < *ns)
		*ns = second;
	return rc;
}

static int run_row(struct bench *b, struct row *row)
{
	int rc = execute(b, row, &row->plan, PROBE_TIME);

	if (!rc)
		figures_from_run(row, b->run);
	return rc;
}

/* As many messages as a second brings, or as get through in a second where that is less: a short run tells. */
static int choose_paced_count(struct bench *b, struct row *row)
{
	double trial = fmin(fmax(row->plan.rate / 20, COUNT_LEAST), PACED_TRIAL), count;
	struct row tried = *row;
	int rc;

	set_count(&tried.plan, trial);
	if (tried.plan.count >= row->plan.rate * PACED_SECONDS) {
		row->plan = tried.plan;
		return 0;
	}
	rc = run_row(b, &tried);
	if (rc)
		return rc;
	count = fmin(row->plan.rate, tried.msgs_per_s) * PACED_SECONDS;
	set_count(&row->plan, fmin(fmax(count, trial), COUNT_MOST));
	return 0;
}

/* Finds a number of messages that takes the target time, by runs that take less. */
static int choose_count(struct bench *b, struct row *row)
{
	struct plan plan = row->plan;
	uint64_t count = COUNT_LEAST;
	double ns, target = target_ns(b->host.emulated);
	int rc;

	if (b->options.count || row->plan.workload->count)
		return 0;
	if (row->plan.workload->paced)
		return choose_paced_count(b, row);
	for (;;) {
		set_count(&plan, count);
		rc = time_run(b, row, &plan, &ns);
		if (rc)
			return rc;
		if (ns > target / 20 || count >= COUNT_MOST)
			break;
		count *= 8;
	}
	count = ns > 0 ? target / ns * plan.count : COUNT_MOST;
	set_count(&row->plan, count < COUNT_LEAST ? COUNT_LEAST : count > COUNT_MOST ? COUNT_MOST : count);
	return 0;
}

/*
 * Who counts the system calls of @row. The kernel's tracepoint is the judge where there is one. A transport
 * counts at the place of the call, in the timed run itself. A tracer sees all calls of any transport, but its
 * pace is not that of the timed run; it tells the truth where every side sleeps for every message.
 */
static enum syscalls_by choose_counter(const struct bench *b, const struct row *row)
{
	const struct transport *transport = row->plan.transport;
	bool may_spin = transport->flags & TRANSPORT_SPINS ||
			(transport->flags & TRANSPORT_SYNC && row->plan.sync != SYNC_DEMAND);

	if (b->options.syscalls_by != SYSCALLS_AUTO)
		return b->options.syscalls_by;
	if (b->tracepoint)
		return SYSCALLS_TRACEPOINT;
	if (row->plan.workload->paced) /* at a tracer's pace there is no schedule to keep to */
		return SYSCALLS_TRANSPORT;
	return row->syscalls_by || may_spin || transport->flags & TRANSPORT_THREADS ? SYSCALLS_TRANSPORT
										    : SYSCALLS_PTRACE;
}

/* A separate run of @row, of @most messages at most, to count in. */
static int count_in(struct bench *b, struct row *row, enum probe_mode mode, uint64_t most)
{
	struct plan plan = row->plan;
	int rc;

	if (plan.count > most)
		set_count(&plan, most);
	rc = execute(b, row, &plan, mode);
	if (!rc)
		figures_set_counted(row, &plan, b->run, mode);
	return rc;
}

/* What a timed run cannot count, because counting would disturb it. */
static int count_row(struct bench *b, struct row *row)
{
	enum syscalls_by by = choose_counter(b, row);
	int rc = 0;

	if (row->plan.workload->whole)
		return 0;
	if (by == SYSCALLS_PTRACE)
		rc = count_in(b, row, PROBE_PTRACE, TRACED_COUNT);
	else if (by == SYSCALLS_TRACEPOINT)
		rc = count_in(b, row, PROBE_TRACEPOINT, COUNTED_COUNT);
	if (!rc && b->instructions && !row->plan.workload->paced)
		rc = count_in(b, row, PROBE_INSTRUCTIONS, COUNTED_COUNT);
	return rc;
}

/* Row @i was run as often as it should be: what comes out, with what was not counted yet. */
static int show_row(struct bench *b, unsigned int i, struct row *taken)
{
	unsigned int repeat = b->options.repeat;
	int rc;

	figures_median(&b->rows[i], &taken[i * repeat], repeat);
	if (repeat > 1)
		progress_step(i, repeat);
	rc = count_row(b, &b->rows[i]);
	progress_clear();
	if (!rc)
		report_row(b->table, &b->rows[i]);
	return rc;
}

/*
 * Everything @repeat times, in turns, so that a slow minute of the host hits all alike. Each run goes to @taken. Where
 * there is one turn only, a row is shown as soon as it is there.
 */
static int run_turns(struct bench *b, struct row *taken)
{
	unsigned int repeat = b->options.repeat, i, r;
	int rc = 0;

	for (r = 0; r < repeat && !rc; r++) {
		for (i = 0; i < b->count && !rc; i++) {
			progress_step(i, r);
			if (!r)
				rc = choose_count(b, &b->rows[i]);
			if (rc)
				return rc;
			taken[i * repeat + r] = b->rows[i];
			rc = run_row(b, &taken[i * repeat + r]);
			if (!rc && repeat == 1)
				rc = show_row(b, i, taken);
		}
	}
	return rc;
}

static void compare_all(struct bench *b, const struct row *taken)
{
	unsigned int repeat = b->options.repeat, i, base;

	for (i = 0; i < b->count; i++) {
		base = find_base(b, &b->rows[i]);
		if (base < b->count && base != i)
			figures_compare(&b->rows[i], &b->rows[base], &taken[i * repeat], &taken[base * repeat], repeat);
	}
}

static int run_all(struct bench *b)
{
	unsigned int repeat = b->options.repeat, i;
	struct row *taken = calloc((size_t)b->count * repeat, sizeof(*taken));
	int rc = taken ? 0 : -1;

	progress_begin(b->count, repeat);
	if (!rc)
		rc = run_turns(b, taken);
	if (!rc)
		compare_all(b, taken);
	for (i = 0; i < b->count && repeat > 1 && !rc; i++)
		rc = show_row(b, i, taken);
	free(taken);
	return rc;
}

/* Better now than after minutes of measuring. */
static void check_json(const char *path)
{
	FILE *f = path && strcmp(path, "-") ? fopen(path, "ae") : NULL;

	if (f)
		fclose(f);
	else if (path && strcmp(path, "-"))
		options_reject("--json: '%s' cannot be written: %s", path, strerror(errno));
}

/* Finds out about the host, and what of the options can be done on it. */
static void prepare(struct bench *b)
{
	struct options *o = &b->options;
	sigset_t set;

	host_describe(&b->host);
	if (o->cpus == CPUS_DIFFERENT && b->host.second_cpu < 0)
		options_reject("--cpus different: there is only one processor to run on");
	check_transports(o);
	check_json(o->json);
	b->unsettled = true;
	b->tracepoint = probe_works(PROBE_TRACEPOINT);
	if (o->syscalls_by == SYSCALLS_TRACEPOINT && !b->tracepoint)
		options_reject("--syscalls-by tracepoint: not here; it needs root and tracefs");
	ticks_init(b->host.cpus, b->host.emulated);
	b->instructions = !ticks_clock.instructions && probe_works(PROBE_INSTRUCTIONS);
	b->table = o->json && !strcmp(o->json, "-") ? stderr : stdout;
	/* run_execute() waits for it. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int finish(struct bench *b)
{
	int rc;

	report_against(b->table, b->rows, b->count);
	report_legend(b->table, b->rows, b->count);
	if (!b->options.json)
		return 0;
	rc = report_json(b->options.json, b->command, &b->host, b->rows, b->count);
	if (rc)
		fprintf(stderr, "shmipc-bench: %s: %s\n", b->options.json, strerror(-rc));
	return rc;
}

static int measure(const struct workload *workload, int argc, char **argv)
{
	struct bench b = { .command = results_command(argc, argv) };
	int rc;

	options_parse(&b.options, workload, argc, argv);
	prepare(&b);
	host_print(&b.host, b.table);
	plan_rows(&b);
	b.run = run_create();
	if (!b.run)
		abort();
	report_head(b.table, workload);
	rc = run_all(&b);
	load_set(0, b.rows[0].plan.cpu);
	if (!rc)
		rc = finish(&b);
	run_destroy(b.run);
	free(b.rows);
	free(b.command);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	const struct workload *workload = workload_find(command);

	if (workload)
		return measure(workload, argc - 1, argv + 1);
	if (!strcmp(command, "plot"))
		return plot_main(argc - 1, argv + 1);
	if (!strcmp(command, "vector"))
		return vector_main(argc - 1, argv + 1);
	if (!strcmp(command, "ratio"))
		return ratio_main(argc - 1, argv + 1);
	if (!strcmp(command, "report"))
		return page_main(argc - 1, argv + 1);
	if (!strcmp(command, "compare"))
		return compare_main(argc - 1, argv + 1);
	if (!strcmp(command, "--help") || !strcmp(command, "-h") || !strcmp(command, "help"))
		options_help(stdout);
	else if (!strcmp(command, "--list"))
		options_list(stdout);
	else if (!strcmp(command, "--version"))
		printf("shmipc-bench %s\n", BENCH_VERSION);
	else
		options_reject(*command ? "there is no command or workload '%s'" : "a workload is missing%s", command);
	return 0;
}
