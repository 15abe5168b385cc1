// SPDX-License-Identifier: Apache-2.0
/* The command line. Everything about it that can be wrong is found here, before anything runs. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "workload.h"

#define SIZE_LIMIT (UINT64_C(64) << 20)
#define BATCH_LIMIT 65536
#define STREAMS_LIMIT 1024
#define COUNT_LIMIT UINT64_C(1000000000)
#define WEIGHT_LIMIT 1000000
#define RATE_LIMIT UINT64_C(100000000)
#define RATE_DEFAULT 10000
#define BURST_LIMIT 1000000
#define BURST_DEFAULT 64
#define INTERVAL_DEFAULT_S 1e-3

/* Options that have no letter. */
enum { OPTION_RATE = 256, OPTION_ARRIVALS, OPTION_BURST, OPTION_INTERVAL, OPTION_SESSIONS, OPTION_LOAD };

void options_reject(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "shmipc-bench: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (shmipc-bench --help tells more)\n");
	exit(2);
}

void options_list(FILE *out)
{
	const char *why;
	unsigned int i;

	fprintf(out, "workloads:\n");
	for (i = 0; i < workload_count; i++)
		fprintf(out, "  %-10s %s\n", workloads[i]->name, workloads[i]->summary);
	fprintf(out, "transports:\n");
	for (i = 0; i < transport_count; i++) {
		why = NULL;
		if (transports[i]->check && transports[i]->check(&why))
			fprintf(out, "  %-10s %s (not here: %s)\n", transports[i]->name, transports[i]->summary, why);
		else
			fprintf(out, "  %-10s %s%s\n", transports[i]->name, transports[i]->summary,
				transports[i]->flags & TRANSPORT_SYNC ? "; has sync modes" : "");
	}
}

void options_help(FILE *out)
{
	fprintf(out,
		"usage: shmipc-bench WORKLOAD [OPTION…]     measure, with two processes of its own\n"
		"       shmipc-bench vector --help               many processes to one: its own options\n"
		"       shmipc-bench report [-o FILE] [--svg DIR] [--markdown] FILE…   one page of HTML from JSON files\n"
		"       shmipc-bench compare [--threshold PERCENT] BEFORE AFTER   what has changed; exit status 1: for worse\n"
		"       shmipc-bench ratio [--base NAME] FILE…   one transport against another, from JSON files\n"
		"       shmipc-bench plot [--svg FILE] [--png FILE] [--text] FILE…   latency by size, with gnuplot\n"
		"       shmipc-bench --list | --help | --version\n\n"
		"  -t, --transport A,B     which; default and \"all\": those that work on this host\n"
		"  -l, --level LEVELS      channel, stream: which layer of shmipc; default channel for ping-pong and\n"
		"                          stream, stream for the others\n"
		"  -a, --api APIS          copy, place: of streams, write and read, or reserve and receive; default copy\n"
		"  -s, --size 64,4k,1m     bytes of a message; default 64; mix:64=70,1k=25,64k=5 or mix:rpc (log, bulk):\n"
		"                          many sizes, each with its share\n"
		"  -n, --count N           messages per row; default: as many as a short time holds\n"
		"  -c, --cpus WHERE        same: both sides on one processor; different: on two; free: where the\n"
		"                          scheduler likes; default: different where there are two\n"
		"  -y, --sync MODES        demand, adaptive, polling, timed: how a side of doorbell or memfd waits;\n"
		"                          a list runs each; default demand\n"
		"  -m, --touch all,none    write, read and check every byte (default), or none; a list runs each\n"
		"  -b, --batch N           stream, burst: publish N messages together; default 1\n"
		"  -N, --streams N         stream, rate, burst: N conversations; default 1\n"
		"      --sessions N        the same: spread over N connections; default 1\n"
		"  -P, --threads N[,M]     the same: side 0 has N threads and side 1 M, or N too; default 1\n"
		"      --rate 10k,50k      rate: requests a second, of all streams; default 10k; a list runs each\n"
		"      --arrivals WHEN     rate, burst: uniform (default), poisson: at random times, always the same ones\n"
		"      --burst N           burst: messages of one, of all streams; default 64\n"
		"      --interval T        burst: from one to the next, such as 500us; default 1ms\n"
		"      --load N,M          keep N processors busy with other work meanwhile, that of side 1 first; or all; a\n"
		"                          list runs each\n"
		"  -B, --busy              the same as --load all\n"
		"  -r, --repeat R          run everything R times, transports taking turns; report the median row\n"
		"  -V, --base NAME         compare the rest with this one, turn by turn; as the table names it\n"
		"  -j, --json FILE         write the figures there; - is standard output, and the table goes to\n"
		"                          standard error\n"
		"  -S, --syscalls-by WHO   who counts system calls: tracepoint (the kernel), transport (the code that\n"
		"                          makes them), ptrace (a tracer, which lets one side run at a time until it\n"
		"                          sleeps); default auto: the first of these that can\n"
		"  -T, --timeout S         give up on a run after that many seconds; default 120\n\n"
		"A message of ping-pong is one round trip. Exit status: 0, 1 when a run failed, 2 for a bad option.\n\n");
	options_list(out);
}

static uint64_t parse_number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || *end || errno || *text == '-' || value < least || value > most)
		options_reject("%s: '%s' is not a number from %llu to %llu", option, text, (unsigned long long)least,
			       (unsigned long long)most);
	return value;
}

/* A size as people write it. */
static size_t parse_bytes(const char *text)
{
	unsigned long long value;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'm' || *end == 'M')
		shift = 20;
	if (end == text || errno || *text == '-' || end[!!shift] || !value || value > SIZE_LIMIT >> shift)
		options_reject("--size: '%s' is not a size from 1 to %llum, such as 64, 4k or 1m", text,
			       (unsigned long long)SIZE_LIMIT >> 20);
	return value << shift;
}

/* "64=70", a part of a mix. */
static void parse_part(struct mix *mix, const char *text)
{
	const char *weight = strchr(text, '=');
	size_t used = strlen(mix->name);
	char size[24];

	if (!weight)
		options_reject("--size: '%s' is neither one of the mixes %s nor a size and its share, such as 64=70",
			       text, mix_names());
	snprintf(size, sizeof(size), "%.*s", (int)(weight - text), text);
	if (!mix_add(mix, parse_bytes(size), parse_number("--size", weight + 1, 1, WEIGHT_LIMIT)))
		options_reject("--size: more than %d sizes in a mix", MIX_MOST);
	snprintf(mix->name + used, sizeof(mix->name) - used, "%s%s", used ? "," : "", text);
}

/* A mix goes on with every part that follows: "mix:64=70,1k=25,64k=5" is three items of the list. */
static void parse_size(struct options *o, const char *text)
{
	struct mix *last = o->size_count ? &o->size[o->size_count - 1] : NULL, *mix = &o->size[o->size_count];

	if (strchr(text, '=') && strncmp(text, "mix:", 4)) {
		if (!last || !strchr(last->name, '='))
			options_reject("--size: '%s' belongs to no mix; one begins with mix:", text);
		parse_part(last, text);
		return;
	}
	memset(mix, 0, sizeof(*mix));
	o->size_count++;
	if (strncmp(text, "mix:", 4))
		mix_add(mix, parse_bytes(text), 1);
	else if (!mix_find(mix, text + 4))
		parse_part(mix, text + 4);
}

static void parse_touch(struct options *o, const char *text)
{
	bool touch = !strcmp(text, "all");

	if (!touch && strcmp(text, "none"))
		options_reject("--touch: '%s' is none of all, none", text);
	if (!o->touch_count || (o->touch_count == 1 && o->touch[0] != touch))
		o->touch[o->touch_count++] = touch;
}

static void parse_rate(struct options *o, const char *text)
{
	unsigned long long value, unit = 1;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end == 'k' || *end == 'K')
		unit = 1000;
	else if (*end == 'm' || *end == 'M')
		unit = 1000000;
	if (end == text || errno || *text == '-' || end[unit > 1] || !value || value > RATE_LIMIT / unit)
		options_reject("--rate: '%s' is not a number a second from 1 to %llum, such as 500, 10k or 1m", text,
			       (unsigned long long)RATE_LIMIT / 1000000);
	o->rate[o->rate_count++] = value * unit;
}

static void parse_load(struct options *o, const char *text)
{
	o->load[o->load_count++] = strcmp(text, "all") ? parse_number("--load", text, 0, LOAD_MOST) : LOAD_ALL;
}

static double parse_interval(const char *text)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 } };
	unsigned long long value;
	unsigned int i;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	for (i = 0; i < 3; i++)
		if (end != text && !errno && *text != '-' && value && !strcmp(end, units[i].name) &&
		    value * units[i].seconds <= 10)
			return value * units[i].seconds;
	options_reject("--interval: '%s' is not a time from 1us to 10s, such as 500us or 10ms", text);
}

static bool is_among(const char *word, const char *const *list, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!strcmp(list[i], word))
			return true;
	return false;
}

/* Adds to a list whose items stay where they are: in the arguments. */
static void add_word(const char **list, unsigned int *count, const char *word)
{
	if (!is_among(word, list, *count))
		list[(*count)++] = word;
}

static void parse_transport(struct options *o, const char *text)
{
	unsigned int i;

	for (i = 0; i < transport_count && strcmp(transports[i]->name, text); i++)
		;
	if (!strcmp(text, "all"))
		o->all_transports = true;
	else if (i < transport_count)
		add_word(o->name, &o->name_count, text);
	else
		options_reject("--transport: there is no '%s'; --list shows what there is", text);
}

static void parse_level(struct options *o, const char *text)
{
	if (strcmp(text, "channel") && strcmp(text, "stream"))
		options_reject("--level: '%s' is none of channel, stream", text);
	add_word(o->level, &o->level_count, text);
}

static void parse_api(struct options *o, const char *text)
{
	if (strcmp(text, "copy") && strcmp(text, "place"))
		options_reject("--api: '%s' is none of copy, place", text);
	add_word(o->api, &o->api_count, text);
}

/* Is @transport, by what it is and not by its name, one of those that were asked for? The channel has one api. */
static bool is_wanted(const struct options *o, const struct transport *transport)
{
	if (!transport->level)
		return true;
	return is_among(transport->level, o->level, o->level_count) &&
	       (!strcmp(transport->level, "channel") || is_among(transport->api, o->api, o->api_count));
}

static void add_named(struct options *o, const char *name)
{
	unsigned int i, added = 0;

	for (i = 0; i < transport_count; i++) {
		const struct transport *transport = transports[i];

		if (strcmp(transport->name, name) || !is_wanted(o, transport))
			continue;
		o->transport[o->transport_count++] = transport;
		added++;
	}
	if (!added)
		options_reject("--transport: '%s' is nothing of that level and api", name);
}

static void add_all(struct options *o)
{
	unsigned int i;

	for (i = 0; i < transport_count; i++)
		if (is_wanted(o, transports[i]))
			o->transport[o->transport_count++] = transports[i];
}

/* Names, levels and apis are known: what transports are that? */
static void choose_transports(struct options *o)
{
	unsigned int i;

	if (!o->name_count)
		o->all_transports = true;
	if (!o->api_count)
		add_word(o->api, &o->api_count, "copy");
	if (!o->level_count)
		add_word(o->level, &o->level_count, o->workload->level);
	if (o->all_transports)
		add_all(o);
	for (i = 0; i < o->name_count && !o->all_transports; i++)
		add_named(o, o->name[i]);
}

static void parse_sync(struct options *o, const char *text)
{
	unsigned int i, mode;

	for (mode = 0; mode < SYNC_MODES; mode++)
		if (!strcmp(text, sync_name(mode)))
			break;
	if (mode == SYNC_MODES)
		options_reject("--sync: '%s' is none of demand, adaptive, polling, timed", text);
	for (i = 0; i < o->sync_count; i++)
		if (o->sync[i] == mode)
			return;
	o->sync[o->sync_count++] = mode;
}

static void parse_list(struct options *o, const char *option, char *text, void (*parse)(struct options *, const char *))
{
	unsigned int items = 0;
	char *item, *rest = text;

	if (!*text)
		options_reject("%s: the list is empty", option);
	while ((item = strsep(&rest, ","))) {
		if (!*item || ++items > OPTIONS_LIST)
			options_reject("%s: an empty item, or more than %d", option, OPTIONS_LIST);
		parse(o, item);
	}
}

static unsigned int parse_word(const char *option, const char *text, const char *const *words)
{
	unsigned int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	options_reject("%s: '%s' is not known", option, text);
}

static void parse_threads(struct options *o, char *text)
{
	const char *sender = strsep(&text, ",");

	o->threads[0] = parse_number("--threads", sender, 1, STREAMS_LIMIT);
	o->threads[1] = text ? parse_number("--threads", text, 1, STREAMS_LIMIT) : o->threads[0];
}

/* Whether it was one that takes a list. A list replaces the default, where there is one; others that are given again add up. */
static bool parse_list_option(struct options *o, int c, char *value)
{
	const struct {
		int c;
		const char *option;
		void (*parse)(struct options *, const char *);
		unsigned int *count; /* to begin anew, or NULL */
	} lists[] = {
		{ 't', "--transport", parse_transport, NULL },
		{ 'l', "--level", parse_level, NULL },
		{ 's', "--size", parse_size, &o->size_count },
		{ 'y', "--sync", parse_sync, &o->sync_count },
		{ 'm', "--touch", parse_touch, &o->touch_count },
		{ 'a', "--api", parse_api, NULL },
		{ OPTION_LOAD, "--load", parse_load, &o->load_count },
		{ OPTION_RATE, "--rate", parse_rate, &o->rate_count },
	};
	unsigned int i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (lists[i].c != c)
			continue;
		if (lists[i].count)
			*lists[i].count = 0;
		parse_list(o, lists[i].option, value, lists[i].parse);
		return true;
	}
	return false;
}

static void parse_option(struct options *o, int c, char *value)
{
	static const char *const cpus[] = { "same", "different", "free", NULL };
	static const char *const arrivals[] = { "uniform", "poisson", NULL };
	static const char *const by[] = { "auto", "tracepoint", "transport", "ptrace", NULL };

	if (parse_list_option(o, c, value))
		return;
	switch (c) {
	case 'n':
		o->count = parse_number("--count", value, 1, COUNT_LIMIT);
		break;
	case 'c':
		o->cpus = CPUS_SAME + parse_word("--cpus", value, cpus);
		break;
	case 'b':
		o->batch = parse_number("--batch", value, 1, BATCH_LIMIT);
		break;
	case 'N':
		o->streams = parse_number("--streams", value, 1, STREAMS_LIMIT);
		break;
	case 'P':
		parse_threads(o, value);
		break;
	case 'B':
		o->load[0] = LOAD_ALL;
		o->load_count = 1;
		break;
	case OPTION_ARRIVALS:
		o->poisson = parse_word("--arrivals", value, arrivals);
		o->arrivals = value;
		break;
	case OPTION_BURST:
		o->burst = parse_number("--burst", value, 1, BURST_LIMIT);
		break;
	case OPTION_INTERVAL:
		o->interval_s = parse_interval(value);
		break;
	case OPTION_SESSIONS:
		o->sessions = parse_number("--sessions", value, 1, STREAMS_LIMIT);
		break;
	case 'r':
		o->repeat = parse_number("--repeat", value, 1, 99);
		break;
	case 'V':
		o->base = value;
		break;
	case 'j':
		o->json = value;
		break;
	case 'T':
		o->timeout_s = parse_number("--timeout", value, 1, 86400);
		break;
	case 'S':
		o->syscalls_by = parse_word("--syscalls-by", value, by);
		break;
	case 'h':
		options_help(stdout);
		exit(0);
	default:
		options_reject("that is not an option, or its value is missing");
	}
}

static void check_together(const struct options *o)
{
	unsigned int i;

	if (o->batch > 1 && o->workload->alternating)
		options_reject("--batch: %s has one message under way, so there is nothing to publish together",
			       o->workload->name);
	if ((o->streams > 1 || o->sessions > 1) && !o->workload->shared_out)
		options_reject("%s: %s has one conversation under way", o->sessions > 1 ? "--sessions" : "--streams",
			       o->workload->name);
	if (o->sessions > o->streams)
		options_reject("--sessions: more than there are streams");
	if (o->threads[0] > o->streams || o->threads[1] > o->streams)
		options_reject("--threads: more than there are streams");
	if (o->workload->paired && o->threads[0] != o->threads[1])
		options_reject("--threads: %s has as many at either side", o->workload->name);
	for (i = 0; i < o->size_count; i++)
		if (mix_largest(&o->size[i]) * o->batch > SIZE_LIMIT)
			options_reject("--batch: %u messages of %zu bytes are more than %llum at a time", o->batch,
				       mix_largest(&o->size[i]), (unsigned long long)SIZE_LIMIT >> 20);
}

/* What goes with a schedule only, and what a schedule is made of where nothing is said. */
static void check_schedule(struct options *o)
{
	const struct workload *workload = o->workload;

	if (o->rate_count && (!workload->paced || workload->bursts))
		options_reject("--rate: it is for the workload rate");
	if (o->arrivals && !workload->paced)
		options_reject("--arrivals: it is for the workloads rate and burst");
	if ((o->burst || o->interval_s > 0) && !workload->bursts)
		options_reject("%s: it is for the workload burst", o->burst ? "--burst" : "--interval");
	if (workload->bursts) {
		o->burst = o->burst ? o->burst : BURST_DEFAULT;
		o->rate[0] = o->burst / (o->interval_s > 0 ? o->interval_s : INTERVAL_DEFAULT_S);
		if (o->burst % o->streams)
			options_reject("--burst: %u messages cannot be shared out evenly among %u streams", o->burst,
				       o->streams);
	} else if (workload->paced && !o->rate_count) {
		o->rate[0] = RATE_DEFAULT;
	}
	o->rate_count = o->rate_count ? o->rate_count : 1;
}

void options_parse(struct options *o, const struct workload *workload, int argc, char **argv)
{
	static const struct option options[] = {
		{ "transport", required_argument, NULL, 't' },
		{ "level", required_argument, NULL, 'l' },
		{ "size", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "sync", required_argument, NULL, 'y' },
		{ "touch", required_argument, NULL, 'm' },
		{ "batch", required_argument, NULL, 'b' },
		{ "busy", no_argument, NULL, 'B' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ "timeout", required_argument, NULL, 'T' },
		{ "syscalls-by", required_argument, NULL, 'S' },
		{ "api", required_argument, NULL, 'a' },
		{ "base", required_argument, NULL, 'V' },
		{ "streams", required_argument, NULL, 'N' },
		{ "threads", required_argument, NULL, 'P' },
		{ "sessions", required_argument, NULL, OPTION_SESSIONS },
		{ "rate", required_argument, NULL, OPTION_RATE },
		{ "arrivals", required_argument, NULL, OPTION_ARRIVALS },
		{ "burst", required_argument, NULL, OPTION_BURST },
		{ "interval", required_argument, NULL, OPTION_INTERVAL },
		{ "load", required_argument, NULL, OPTION_LOAD },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	memset(o, 0, sizeof(*o));
	o->workload = workload;
	o->touch[0] = true;
	o->touch_count = o->load_count = 1;
	o->batch = o->repeat = o->threads[0] = o->threads[1] = 1;
	o->timeout_s = 120;
	mix_add(&o->size[0], 64, 1);
	o->size_count = 1;
	o->sync[0] = SYNC_DEMAND;
	o->sync_count = 1;
	while ((c = getopt_long(argc, argv, "t:l:a:s:n:c:y:m:b:N:P:Br:V:j:T:S:h", options, NULL)) != -1)
		parse_option(o, c, optarg);
	if (optind < argc)
		options_reject("'%s' is not an option", argv[optind]);
	o->sessions = o->sessions ? o->sessions : 1;
	o->streams = o->streams ? o->streams : o->sessions;
	choose_transports(o);
	check_together(o);
	check_schedule(o);
}
