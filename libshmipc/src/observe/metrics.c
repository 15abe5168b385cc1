// SPDX-License-Identifier: Apache-2.0
/*
 * metrics.c - the counters of all sessions of this process, as Prometheus text
 *
 * The format wants all sessions' values of one metric together, so the counters are copied first: what is printed is
 * one moment for each session, and the same sessions for each metric, whatever comes and goes meanwhile.
 *
 * Locking: the sessions' list is locked while it is copied, and nothing is while text is written.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../session/internal.h"
#include "shmipc/observe.h"

enum kind { COUNTER, GAUGE };

/* A metric: the field that holds it, by its place in struct shmipc_session_stats. */
static const struct metric {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *help;
} metrics[] = {
#define OF_SESSION(kind, name, field, help)                                                                            \
	{                                                                                                              \
		name, kind, offsetof(struct shmipc_session_stats, field), help                                         \
	}
#define OF_CHANNEL(kind, name, field, help) OF_SESSION(kind, name, channel.field, help)
	OF_SESSION(GAUGE, "streams", streams, "Streams open, half-open ones included."),
	OF_SESSION(COUNTER, "streams_opened_total", streams_opened, "Streams opened by this side."),
	OF_SESSION(COUNTER, "streams_accepted_total", streams_accepted, "Streams opened by the peer."),
	OF_SESSION(COUNTER, "streams_refused_total", streams_refused, "Streams of the peer refused for want of room."),
	OF_SESSION(COUNTER, "streams_reset_total", streams_reset, "Streams reset by either side."),
	OF_SESSION(COUNTER, "written_bytes_total", bytes_written, "Bytes written by the application."),
	OF_SESSION(COUNTER, "read_bytes_total", bytes_read, "Bytes read by the application."),
	OF_SESSION(COUNTER, "writes_waited_total", writes_waited, "Writes that met a full ring, lane or window."),
	OF_SESSION(COUNTER, "fallback_messages_sent_total", fallback_sent, "Messages sent through the control socket."),
	OF_SESSION(COUNTER, "fallback_sent_bytes_total", fallback_sent_bytes, "Their bytes."),
	OF_SESSION(COUNTER, "fallback_messages_received_total", fallback_received,
		   "Messages received through the control socket."),
	OF_SESSION(COUNTER, "fallback_received_bytes_total", fallback_received_bytes, "Their bytes."),
	OF_SESSION(COUNTER, "exhaustions_total", exhaustions, "Times the lane had no memory left."),
	OF_SESSION(COUNTER, "errors_total", errors, "Ends for another reason than a close."),
	OF_SESSION(COUNTER, "restarts_total", restarts, "Hot restarts asked for or answered."),
	OF_SESSION(COUNTER, "restarts_failed_total", restarts_failed, "Hot restarts that failed."),
	OF_SESSION(GAUGE, "private_bytes", private_bytes, "Small and fallen-back bytes held for readers."),
	OF_SESSION(GAUGE, "unread_bytes", unread_bytes, "Bytes that arrived and were not read."),
	OF_SESSION(COUNTER, "leads_total", leads, "Times a thread harvested for all."),
	OF_SESSION(COUNTER, "follows_total", follows, "Times a thread waited for another that did."),
	OF_CHANNEL(COUNTER, "messages_sent_total", messages_sent, "Messages put into the ring."),
	OF_CHANNEL(COUNTER, "messages_sent_bytes_total", bytes_sent, "Their bytes."),
	OF_CHANNEL(COUNTER, "messages_received_total", messages_received, "Messages taken from the ring."),
	OF_CHANNEL(COUNTER, "messages_received_bytes_total", bytes_received, "Their bytes."),
	OF_CHANNEL(COUNTER, "rings_total", rings, "Times the peer was asleep and was rung for."),
	OF_CHANNEL(COUNTER, "sleeps_total", sleeps, "Times this side announced a sleep, or was armed."),
	OF_CHANNEL(COUNTER, "waits_total", waits, "Times it then slept in the kernel."),
	OF_CHANNEL(COUNTER, "spins_won_total", spins_won, "Waits that ended while spinning."),
	OF_CHANNEL(COUNTER, "spins_lost_total", spins_lost, "Spins after which it slept all the same."),
	OF_CHANNEL(COUNTER, "barriers_paid_total", barriers_paid, "Sleeps that paid for the peer's barrier."),
	OF_CHANNEL(COUNTER, "system_calls_total", system_calls, "System calls made for messages and memory."),
	OF_CHANNEL(COUNTER, "growths_total", growths, "Segments added to the own lane."),
	OF_CHANNEL(COUNTER, "retires_total", retires, "Segments given back."),
	OF_CHANNEL(GAUGE, "lent_slices", slices_lent, "Slices that the peer holds."),
	OF_CHANNEL(GAUGE, "lent_bytes", bytes_lent, "Their bytes."),
	OF_CHANNEL(GAUGE, "memory_bytes", memory_bytes, "Shared memory of the own lane."),
	OF_CHANNEL(GAUGE, "bookkeeping_bytes", private_bytes, "Private memory of the channel."),
	OF_CHANNEL(GAUGE, "inbound_messages", depth_in, "Messages in the ring that this side has to take."),
	OF_CHANNEL(GAUGE, "outbound_messages", depth_out, "Messages in the ring that the peer has to take."),
#undef OF_CHANNEL
#undef OF_SESSION
};

#define METRICS (sizeof(metrics) / sizeof(metrics[0]))

static_assert(sizeof(struct shmipc_session_stats) - offsetof(struct shmipc_session_stats, streams) +
			      sizeof(struct shmipc_channel_stats) -
			      offsetof(struct shmipc_channel_stats, messages_sent) ==
		      METRICS * sizeof(uint64_t),
	      "a counter without a metric");

/* What is known of a session at one moment. */
struct view {
	uint64_t number;
	bool server;
	bool ended;
	bool healthy;
	struct shmipc_peer peer;
	char address[sizeof(((struct session_record *)NULL)->address)];
	struct shmipc_session_stats stats;
};

struct views {
	struct view *view; /* NULL: they are counted only */
	size_t count, room;
};

static void look(struct shmipc_session *session, void *arg)
{
	struct views *views = arg;
	struct view *view = &views->view[views->count];

	if (!views->view || views->count >= views->room) {
		views->count++;
		return;
	}
	view->stats.size = sizeof(view->stats);
	if (shmipc_session_stats(session, &view->stats)) /* a forked child sees its parent's sessions */
		return;
	view->number = session->number;
	view->server = session->server;
	view->ended = shmipc_session_error(session) != 0;
	view->healthy = shmipc_session_is_healthy(session);
	shmipc_session_peer(session, &view->peer);
	memcpy(view->address, session->record->address, sizeof(view->address));
	view->address[sizeof(view->address) - 1] = '\0';
	views->count++;
}

/* In the order of their numbers; the list has the youngest first. */
static int compare_views(const void *a, const void *b)
{
	uint64_t x = ((const struct view *)a)->number, y = ((const struct view *)b)->number;

	return (x > y) - (x < y);
}

/* All sessions. Returns false if there is no memory for them. */
static bool take_views(struct views *views)
{
	*views = (struct views){ 0 };
	do {
		free(views->view);
		views->view = NULL;
		views->count = 0;
		session_for_each(look, views);
		views->room = views->count + views->count / 8 + 8; /* some may come meanwhile */
		views->view = calloc(views->room, sizeof(*views->view));
		if (!views->view)
			return false;
		views->count = 0;
		session_for_each(look, views);
	} while (views->count > views->room);
	qsort(views->view, views->count, sizeof(*views->view), compare_views);
	return true;
}

struct text {
	char *to;
	size_t size, used; /* used: as if there were room for all */
};

static void add_char(struct text *text, char c)
{
	if (text->used + 1 < text->size)
		text->to[text->used] = c;
	text->used++;
}

__attribute__((__format__(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	char line[256];
	va_list arguments;
	int length, i;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	for (i = 0; i < length && i < (int)sizeof(line) - 1; i++)
		add_char(text, line[i]);
}

/* How many bytes at @s are one character of UTF-8; 0: none is. The NUL at the end stops every one. */
static unsigned int utf8_length(const unsigned char *s)
{
	uint32_t least, value;
	unsigned int length, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
	value = s[0] & (0xffu >> (length + 1));
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	return value < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : length;
}

/* A label's value: escaped as the format wants it, in UTF-8 whatever it was. */
static void add_escaped(struct text *text, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	unsigned int length;

	while (*s) {
		length = utf8_length(s);
		if (*s == '\\' || *s == '"' || *s == '\n')
			add_char(text, '\\');
		if (length == 0)
			add_char(text, '?');
		else if (*s == '\n')
			add_char(text, 'n');
		else
			add(text, "%.*s", (int)length, (const char *)s);
		s += length ? length : 1;
	}
}

static void add_head(struct text *text, const char *name, enum kind kind, const char *help)
{
	add(text, "# HELP shmipc_session_%s %s\n", name, help);
	add(text, "# TYPE shmipc_session_%s %s\n", name, kind == COUNTER ? "counter" : "gauge");
}

static void add_sample(struct text *text, const char *name, const struct view *view, uint64_t value)
{
	add(text, "shmipc_session_%s{session=\"%llu\",role=\"%s\",backend=\"%s\",peer_pid=\"%d\",address=\"", name,
	    (unsigned long long)view->number, view->server ? "server" : "client",
	    view->stats.channel.backend == SHMIPC_BACKEND_KMOD ? "kmod" : "memfd", (int)view->peer.pid);
	add_escaped(text, view->address);
	add(text, "\"} %llu\n", (unsigned long long)value);
}

static uint64_t read_metric(const struct metric *metric, const struct view *view)
{
	uint64_t value;

	memcpy(&value, (const char *)&view->stats + metric->offset, sizeof(value));
	return value;
}

static void add_all(struct text *text, const struct views *views)
{
	size_t m, i;

	add_head(text, "up", GAUGE, "1 until the session ends.");
	for (i = 0; i < views->count; i++)
		add_sample(text, "up", &views->view[i], !views->view[i].ended);
	add_head(text, "healthy", GAUGE, "1 while it is up and did not fall back a short time ago.");
	for (i = 0; i < views->count; i++)
		add_sample(text, "healthy", &views->view[i], views->view[i].healthy);
	for (m = 0; m < METRICS; m++) {
		add_head(text, metrics[m].name, metrics[m].kind, metrics[m].help);
		for (i = 0; i < views->count; i++)
			add_sample(text, metrics[m].name, &views->view[i], read_metric(&metrics[m], &views->view[i]));
	}
}

size_t shmipc_metrics(char *text, size_t size)
{
	struct text out = { .to = text, .size = size };
	struct views views;

	if (take_views(&views))
		add_all(&out, &views);
	else
		add(&out, "# no memory to look at the sessions\n");
	free(views.view);
	if (size)
		text[out.used < size ? out.used : size - 1] = '\0';
	return out.used;
}
