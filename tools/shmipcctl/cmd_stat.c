// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_stat.c - shmipcctl stat: the counters of one channel, once or every so often
 */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "channel_view.h"
#include "command.h"
#include "rates.h"
#include "units.h"

static const struct option_spec options[] = {
	{ 'i', "interval", "TIME", "again every TIME (such as 1s or 500ms), with rates since the last time" },
	{ 'n', "count", "N",
	  "with --interval: stop after N times (default: when interrupted, or the channel is gone)" },
	{ 'j', "json", NULL, "print JSON: a document, with --interval one a line; schema/stat.json describes it" },
	{ 0 },
};

static const struct grid_column columns[] = {
	{ "", false, false, 0 },
	{ "ENDPOINT 0", true, false, 0 },
	{ "ENDPOINT 1", true, false, 0 },
};

static volatile sig_atomic_t interrupted;

static void note_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

enum { AS_COUNT, AS_BYTES, AS_AGE };

static void add_value(struct grid *table, bool readable, uint64_t value, int as)
{
	char text[UNITS_MAX];

	if (!readable)
		grid_add(table, GRID_DIM, "-");
	else if (as == AS_COUNT)
		grid_add(table, GRID_PLAIN, "%" PRIu64, value);
	else
		grid_add(table, GRID_PLAIN, "%s", as == AS_BYTES ? format_bytes(text, value) : format_age(text, value));
}

#define ROW(name, member, as)                                                                                          \
	do {                                                                                                           \
		grid_add(table, GRID_PLAIN, "%s", name);                                                               \
		add_value(table, c->side[0].readable, c->side[0].lane.member, as);                                     \
		add_value(table, c->side[1].readable, c->side[1].lane.member, as);                                     \
	} while (0)

static void add_rows(struct grid *table, const struct channel_view *c)
{
	int e;

	ROW("messages sent", counters.messages_sent, AS_COUNT);
	ROW("bytes sent", counters.bytes_sent, AS_BYTES);
	ROW("messages received", counters.messages_received, AS_COUNT);
	ROW("bytes received", counters.bytes_received, AS_BYTES);
	ROW("wake-ups of the peer", counters.rings, AS_COUNT);
	ROW("sleeps", counters.sleeps, AS_COUNT);
	ROW("queue to the peer", queue, AS_COUNT);
	ROW("slices lent", lent, AS_COUNT);
	ROW("bytes lent", lent_bytes, AS_BYTES);
	ROW("oldest lent", oldest_ms, AS_AGE);
	ROW("given back, not collected", returned, AS_COUNT);
	ROW("slices being written", writing, AS_COUNT);
	ROW("memory", counters.memory_bytes, AS_BYTES);
	ROW("memory free", free_bytes, AS_BYTES);
	ROW("growths", counters.growths, AS_COUNT);
	ROW("retired segments", counters.retires, AS_COUNT);
	grid_add(table, GRID_PLAIN, "waits");
	for (e = 0; e < 2; e++)
		grid_add(table, GRID_PLAIN, "%s, %s",
			 c->side[e].readable ? waiting_name(decode_waiting(c->side[e].lane.control.seq)) : "-",
			 c->side[e].readable ? sync_name(c->view.pair.lane[e].record.sync) : "-");
}

#define SESSION_ROW(name, member, as)                                                                                  \
	do {                                                                                                           \
		grid_add(table, GRID_PLAIN, "%s", name);                                                               \
		add_value(table, c->side[0].has_session, c->side[0].session.member, as);                               \
		add_value(table, c->side[1].has_session, c->side[1].session.member, as);                               \
	} while (0)

static void add_session(struct grid *table, const struct channel_view *c)
{
	int e;

	grid_add(table, GRID_PLAIN, "session");
	for (e = 0; e < 2; e++)
		if (c->side[e].has_session)
			grid_add(table, GRID_PLAIN, "%s, %s", c->side[e].session.server ? "server" : "client",
				 session_state_name(c->side[e].session.state));
		else
			grid_add(table, GRID_DIM, "-");
	SESSION_ROW("open streams", streams, AS_COUNT);
	SESSION_ROW("streams opened", opened, AS_COUNT);
	SESSION_ROW("streams accepted", accepted, AS_COUNT);
	SESSION_ROW("streams refused", refused, AS_COUNT);
	SESSION_ROW("streams reset", reset, AS_COUNT);
	SESSION_ROW("writes that waited", writes_waited, AS_COUNT);
	SESSION_ROW("times out of memory", exhaustions, AS_COUNT);
	SESSION_ROW("fallback bytes sent", fallback_sent_bytes, AS_BYTES);
	SESSION_ROW("fallback bytes received", fallback_received_bytes, AS_BYTES);
}

static void show_all(const struct channel_view *c)
{
	char name[CHANNEL_NAME], first[64], second[64];
	struct grid table;

	printf("channel %s, %s, %s%s%s\n", channel_name(c, name),
	       c->view.at.backend == SHMIPC_BACKEND_KMOD ? "kmod" : "memfd", channel_state_name(c->state),
	       c->reason ? ": " : "", c->reason ? c->reason : "");
	printf("endpoint 0: %s; endpoint 1: %s\n", side_name(&c->side[0], first), side_name(&c->side[1], second));
	grid_init(&table, columns, 3);
	add_rows(&table, c);
	if (c->side[0].has_session || c->side[1].has_session)
		add_session(&table, c);
	grid_print(&table, stdout, 0, wants_colour(stdout), 0, grid_rows(&table));
	grid_fini(&table);
}

static void show_rates(const struct rates *r, const struct channel_view *c, bool head)
{
	char a[UNITS_MAX], b[UNITS_MAX], d[UNITS_MAX], e[UNITS_MAX], f[UNITS_MAX], age[UNITS_MAX];

	if (head)
		printf("%10s %10s %10s %10s %7s %8s %9s %8s\n", "msg/s 0>1", "msg/s 1>0", "bytes/s", "wakes/s", "queue",
		       "lent", "oldest", "state");
	printf("%10s %10s %10s %10s %7u %8s %9s %8s\n", format_count(a, r->messages[0]),
	       format_count(b, r->messages[1]), format_bytes(d, (uint64_t)(r->bytes[0] + r->bytes[1])),
	       format_count(e, r->wakes), c->side[0].lane.queue + c->side[1].lane.queue,
	       format_bytes(f, c->side[0].lane.lent_bytes + c->side[1].lane.lent_bytes),
	       format_age(age, c->side[0].lane.oldest_ms > c->side[1].lane.oldest_ms ? c->side[0].lane.oldest_ms
										     : c->side[1].lane.oldest_ms),
	       channel_state_name(c->state));
}

static int show_json(const struct channel_view *c, const struct host *host, const struct rates *r, bool one_line)
{
	json_t *document = document_json("stat", host);

	json_object_set_new(document, "channel", channel_json(c));
	json_object_set_new(document, "rates", r ? rates_json(r) : json_null());
	return print_json(document, one_line);
}

/* How often to ask /proc whether the channel is still there, and whose. */
#define SCAN_NS 1000000000ll

/* Whether it is. */
static bool find_again(struct channel_view *c, struct host *host, int64_t *next)
{
	struct host fresh;
	bool found = false;
	size_t i;

	if (now_ns() < *next)
		return true;
	*next = now_ns() + SCAN_NS;
	if (host_scan(&fresh, 0)) {
		host_free(&fresh);
		return true;
	}
	for (i = 0; i < fresh.count && !found; i++)
		found = channel_update(c, &fresh.channels[i]);
	host_free(host);
	*host = fresh;
	return found;
}

static int watch(struct channel_view *c, struct host *host, uint64_t interval, uint64_t count, bool json)
{
	int64_t next = now_ns() + SCAN_NS;
	struct sample before, after;
	struct rates rates;
	uint64_t i;
	int r = STATUS_OK;

	signal(SIGINT, note_signal);
	signal(SIGTERM, note_signal);
	sample_take(&before, c);
	for (i = 0; (!count || i < count) && !interrupted && r == STATUS_OK; i++) {
		nanosleep(&(struct timespec){ (time_t)(interval / 1000), (long)(interval % 1000) * 1000000 }, NULL);
		if (interrupted)
			break;
		if (!find_again(c, host, &next) || !channel_again(c, host))
			return trouble("the channel is gone");
		sample_take(&after, c);
		rates_between(&before, &after, &rates);
		before = after;
		if (json)
			r = show_json(c, host, &rates, true);
		else
			show_rates(&rates, c, i % 20 == 0);
		fflush(stdout);
	}
	return r;
}

static int run(int argc, char **argv)
{
	uint64_t interval = 0, count = 0;
	struct channel_list list;
	struct channel_view *c;
	bool json = false;
	int key, r;

	while ((key = command_next(&command_stat, argc, argv)) != -1) {
		if (key == 'j')
			json = true;
		else if (key == 'i')
			interval = age_argument(&command_stat, "interval");
		else
			count = number_argument(&command_stat, "count", 1, 1000000000);
	}
	if (argc - optind != 1)
		return wrong_usage(&command_stat, "one channel is wanted");
	if (count && !interval)
		return wrong_usage(&command_stat, "--count wants --interval");
	c = channel_find(&list, argv[optind]);
	if (!c)
		r = STATUS_TROUBLE;
	else if (interval)
		r = watch(c, &list.host, interval, count, json);
	else if (json)
		r = show_json(c, &list.host, NULL, false);
	else
		show_all(c), r = STATUS_OK;
	channels_free(&list);
	return r;
}

const struct command command_stat = {
	.name = "stat",
	.summary = "the counters of one channel, once or every so often",
	.arguments = "CHANNEL",
	.details = "Shows what each endpoint has sent, received, lent and slept, as the lanes' counters say; with "
		   "--interval the rates between two looks. CHANNEL is as `shmipcctl list` shows it.",
	.options = options,
	.examples = "  shmipcctl stat 3f2a -i 1s\n  shmipcctl stat pid:4711 --json\n",
	.run = run,
};
