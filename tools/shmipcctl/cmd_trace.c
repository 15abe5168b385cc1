// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_trace.c - shmipcctl trace: the module's tracepoints, decoded
 *
 * Traces in an instance of its own, so that nobody else's tracing is changed, and takes it away again.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel_view.h"
#include "command.h"
#include "trace_line.h"
#include "units.h"

#define TRACING "/sys/kernel/tracing"

static const struct option_spec options[] = {
	{ 'e', "event", "NAME", "only create, ring, wait, hangup, grow or retire; may be given more than once" },
	{ 'c', "channel", "NUMBER", "only the channel that the module calls so (kmod:NUMBER)" },
	{ 'n', "count", "N", "stop after N events" },
	{ 't', "time", "TIME", "stop after TIME" },
	{ 'j', "json", NULL, "print JSON: an object a line, one each event; schema/trace.json describes it" },
	{ 0 },
};

static const char *const names[] = { "create", "ring", "wait", "hangup", "grow", "retire" };
#define NAMES (sizeof(names) / sizeof(*names))

struct wish {
	bool event[NAMES];
	bool some; /* not all events */
	uint64_t channel, count, ms;
	bool only_channel, json;
};

static volatile sig_atomic_t quit;

static void note_signal(int signal)
{
	(void)signal;
	quit = 1;
}

static int put(const char *folder, const char *file, const char *text)
{
	char path[256];
	int fd, r = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

static int switch_on(const char *folder, const struct wish *wish)
{
	char file[64], filter[64];
	size_t i;
	int r = 0;

	snprintf(filter, sizeof(filter), "channel == %" PRIu64, wish->channel);
	for (i = 0; i < NAMES && !r; i++) {
		if (wish->some && !wish->event[i])
			continue;
		snprintf(file, sizeof(file), "events/shmipc/shmipc_%s/filter", names[i]);
		if (wish->only_channel)
			r = put(folder, file, filter);
		snprintf(file, sizeof(file), "events/shmipc/shmipc_%s/enable", names[i]);
		if (!r)
			r = put(folder, file, "1");
	}
	return r;
}

static int show(const char *line, const struct wish *wish, uint64_t *first_us)
{
	struct trace_event event;
	const char *channel, *endpoint;
	char text[160];

	if (!trace_parse(line, &event))
		return 0;
	if (wish->json) {
		print_json(trace_json(&event), true);
		return 1;
	}
	if (!*first_us) {
		*first_us = event.us;
		printf("%12s %3s %-22s %-8s %8s %s  %s\n", "SECONDS", "CPU", "PROCESS", "EVENT", "CHANNEL", "END",
		       "WHAT");
	}
	channel = trace_field(&event, "channel");
	endpoint = trace_field(&event, "endpoint");
	trace_explain(&event, text, sizeof(text));
	printf("%12.6f %3d %7d %-14.14s %-8s %8s %3s  %s\n", (double)(event.us - *first_us) / 1e6, event.cpu, event.pid,
	       event.comm, event.name, channel ? channel : "?", endpoint ? endpoint : "-", text);
	return 1;
}

/* Whole lines of what was read so far; the rest stays in front. Returns how many events were shown. */
static uint64_t show_lines(char *buffer, size_t *used, const struct wish *wish, uint64_t left, uint64_t *first_us)
{
	char *line = buffer, *end;
	uint64_t shown = 0;

	while (shown < left && (end = memchr(line, '\n', *used - (size_t)(line - buffer)))) {
		*end = '\0';
		shown += (uint64_t)show(line, wish, first_us);
		line = end + 1;
	}
	*used -= (size_t)(line - buffer);
	memmove(buffer, line, *used);
	return shown;
}

static int follow(const char *folder, const struct wish *wish)
{
	uint64_t left = wish->count ? wish->count : UINT64_MAX, first_us = 0;
	int64_t deadline = wish->ms ? now_ns() + (int64_t)wish->ms * 1000000 : INT64_MAX;
	char path[256], buffer[16384];
	size_t used = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/trace_pipe", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return trouble("cannot read the trace: %m");
	while (!quit && left && now_ns() < deadline) {
		n = read(fd, buffer + used, sizeof(buffer) - used);
		if (n <= 0) {
			struct pollfd p = { .fd = fd, .events = POLLIN };

			/* Short, since some kernels wake a reader of an instance only when its buffer is half full. */
			poll(&p, 1, 100);
			continue;
		}
		used += (size_t)n;
		left -= show_lines(buffer, &used, wish, left, &first_us);
		fflush(stdout);
		if (used == sizeof(buffer))
			used = 0; /* no line is that long */
	}
	close(fd);
	return STATUS_OK;
}

static int explain(int error)
{
	if (access("/sys/module/shmipc", F_OK))
		return trouble("the module is not loaded, and channels on memfd have no tracepoints");
	if (geteuid())
		return trouble("tracing is root's");
	if (access(TRACING "/events", F_OK))
		return trouble("there is no tracefs: mount -t tracefs tracefs " TRACING);
	return trouble("cannot trace: %s", strerror(-error));
}

static int trace(const struct wish *wish)
{
	struct sigaction action = { .sa_handler = note_signal };
	char folder[64];
	int r;

	snprintf(folder, sizeof(folder), TRACING "/instances/shmipcctl-%d", (int)getpid());
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
	if (mkdir(folder, 0700))
		return explain(-errno);
	r = switch_on(folder, wish);
	r = r ? explain(r) : follow(folder, wish);
	put(folder, "events/enable", "0");
	rmdir(folder);
	return r;
}

static int take_event(struct wish *wish, const char *name)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		if (strcmp(name, names[i]))
			continue;
		wish->event[i] = wish->some = true;
		return 0;
	}
	return wrong_usage(&command_trace, "no event '%s'", name);
}

static int run(int argc, char **argv)
{
	struct wish wish = { .some = false };
	int key;

	while ((key = command_next(&command_trace, argc, argv)) != -1) {
		if (key == 'c') {
			wish.channel = number_argument(&command_trace, "channel", 0, UINT64_MAX - 1);
			wish.only_channel = true;
		} else if (key == 'n') {
			wish.count = number_argument(&command_trace, "count", 1, UINT64_MAX - 1);
		} else if (key == 't') {
			wish.ms = age_argument(&command_trace, "time");
		} else if (key == 'j') {
			wish.json = true;
		} else if (take_event(&wish, optarg)) {
			return STATUS_TROUBLE;
		}
	}
	if (optind < argc)
		return wrong_usage(&command_trace, "unexpected argument '%s'", argv[optind]);
	return trace(&wish);
}

const struct command command_trace = {
	.name = "trace",
	.summary = "the module's tracepoints as they happen, decoded",
	.arguments = "",
	.details =
		"Shows channels made, doorbells rung, waits and how they ended, segments added and given up, and hang-ups, "
		"until interrupted. Uses a trace instance of its own and disturbs no other tracing. Channels on memfd "
		"have no tracepoints: strace -e futex shows their sleeps.",
	.options = options,
	.examples = "  shmipcctl trace --event ring --event wait --channel 12 --time 5s\n",
	.run = run,
};
