// SPDX-License-Identifier: Apache-2.0
/*
 * prometheus.c - the channels of a host in Prometheus' text format
 */
#include "prometheus.h"

#include <stddef.h>

const char *prometheus_escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 2 < size; text++) {
		if (*text == '\\' || *text == '"' || *text == '\n') {
			out[n++] = '\\';
			out[n++] = *text == '\n' ? 'n' : *text;
		} else {
			out[n++] = *text;
		}
	}
	out[n] = '\0';
	return out;
}

static double seconds(uint64_t ms)
{
	return (double)ms / 1000;
}

/* One number of a lane: what it is called, of what type, where it comes from. */
struct metric {
	const char *name, *type, *help;
	double (*value)(const struct lane_facts *facts);
};

#define VALUE(name, expression)                                                                                        \
	static double name(const struct lane_facts *f)                                                                 \
	{                                                                                                              \
		return (double)(expression);                                                                           \
	}

VALUE(messages_sent, f->counters.messages_sent)
VALUE(bytes_sent, f->counters.bytes_sent)
VALUE(messages_received, f->counters.messages_received)
VALUE(bytes_received, f->counters.bytes_received)
VALUE(rings, f->counters.rings)
VALUE(sleeps, f->counters.sleeps)
VALUE(growths, f->counters.growths)
VALUE(retires, f->counters.retires)
VALUE(queue, f->queue)
VALUE(lent, f->lent)
VALUE(lent_bytes, f->lent_bytes)
VALUE(memory, f->counters.memory_bytes)
VALUE(free_bytes, f->free_bytes)
VALUE(oldest, seconds(f->oldest_ms))

static const struct metric metrics[] = {
	{ "shmipc_messages_sent_total", "counter", "Messages submitted.", messages_sent },
	{ "shmipc_bytes_sent_total", "counter", "Payload bytes submitted.", bytes_sent },
	{ "shmipc_messages_received_total", "counter", "Messages received.", messages_received },
	{ "shmipc_bytes_received_total", "counter", "Payload bytes received.", bytes_received },
	{ "shmipc_wakeups_total", "counter", "Times that the peer was rung for.", rings },
	{ "shmipc_sleeps_total", "counter", "Times that a thread went to sleep.", sleeps },
	{ "shmipc_growths_total", "counter", "Segments added to the lane.", growths },
	{ "shmipc_retires_total", "counter", "Segments given back.", retires },
	{ "shmipc_queue_messages", "gauge", "Messages submitted and not received yet.", queue },
	{ "shmipc_lent_slices", "gauge", "Slices lent to the peer and not given back.", lent },
	{ "shmipc_lent_bytes", "gauge", "Payload bytes in them.", lent_bytes },
	{ "shmipc_memory_bytes", "gauge", "Memory of the lane.", memory },
	{ "shmipc_free_bytes", "gauge", "Payload memory that is free.", free_bytes },
};

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_labels(FILE *out, const struct channel_view *c, int e)
{
	char name[CHANNEL_NAME], comm[64];

	fprintf(out, "{channel=\"%s\",backend=\"%s\",endpoint=\"%d\",pid=\"%d\",comm=\"%s\"}", channel_name(c, name),
		c->view.at.backend == SHMIPC_BACKEND_KMOD ? "kmod" : "memfd", e, (int)c->side[e].process.pid,
		prometheus_escape(comm, sizeof(comm), c->side[e].process.comm));
}

static void write_metric(FILE *out, const struct channel_list *list, const struct metric *m, bool each)
{
	double sum = 0;
	size_t i;
	int e;

	write_head(out, m->name, m->type, m->help);
	for (i = 0; i < list->count; i++) {
		for (e = 0; e < 2; e++) {
			const struct side_facts *side = &list->channels[i].side[e];

			if (!side->readable)
				continue;
			sum += m->value(&side->lane);
			if (!each)
				continue;
			fputs(m->name, out);
			write_labels(out, &list->channels[i], e);
			fprintf(out, " %.17g\n", m->value(&side->lane));
		}
	}
	/* Sums would be a second series of the same: only where the parts are left out. */
	if (!each)
		fprintf(out, "%s %.17g\n", m->name, sum);
}

static void write_oldest(FILE *out, const struct channel_list *list, bool each)
{
	double most = 0;
	size_t i;
	int e;

	write_head(out, "shmipc_oldest_lent_seconds", "gauge", "Age of the oldest slice lent.");
	for (i = 0; i < list->count; i++)
		for (e = 0; e < 2; e++) {
			const struct side_facts *side = &list->channels[i].side[e];

			if (side->readable && most < oldest(&side->lane))
				most = oldest(&side->lane);
			if (!side->readable || !each)
				continue;
			fputs("shmipc_oldest_lent_seconds", out);
			write_labels(out, &list->channels[i], e);
			fprintf(out, " %.17g\n", oldest(&side->lane));
		}
	if (!each)
		fprintf(out, "shmipc_oldest_lent_seconds %.17g\n", most);
}

static void write_channels(FILE *out, const struct channel_list *list)
{
	static const char *const backends[] = { "memfd", "kmod" };
	size_t i, n;
	int b, s;

	write_head(out, "shmipc_channels", "gauge", "Channels by backend and state.");
	for (b = 0; b < 2; b++)
		for (s = 0; s <= CHANNEL_UNSEEN; s++) {
			for (i = n = 0; i < list->count; i++)
				n += (int)list->channels[i].state == s &&
				     (list->channels[i].view.at.backend == SHMIPC_BACKEND_KMOD) == b;
			fprintf(out, "shmipc_channels{backend=\"%s\",state=\"%s\"} %zu\n", backends[b],
				channel_state_name((enum channel_state)s), n);
		}
	write_head(out, "shmipc_streams", "gauge", "Open streams of all sessions.");
	for (i = n = 0; i < list->count; i++)
		n += list->channels[i].streams;
	fprintf(out, "shmipc_streams %zu\n", n);
}

void prometheus_write(FILE *out, const struct channel_list *list, bool module_loaded, bool each)
{
	size_t i;

	write_head(out, "shmipc_module_loaded", "gauge", "Whether the kernel module is loaded.");
	fprintf(out, "shmipc_module_loaded %d\n", module_loaded);
	write_head(out, "shmipc_hidden_processes", "gauge", "Processes that could not be looked at.");
	fprintf(out, "shmipc_hidden_processes %zu\n", list->host.hidden);
	write_head(out, "shmipc_scan_seconds", "gauge", "Time that it took to find the channels.");
	fprintf(out, "shmipc_scan_seconds %.6f\n", (double)list->host.took_ns / 1e9);
	write_channels(out, list);
	for (i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		write_metric(out, list, &metrics[i], each);
	write_oldest(out, list, each);
}
