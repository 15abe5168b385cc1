// SPDX-License-Identifier: Apache-2.0
/*
 * channel_json.c - channels as JSON; schema/channel.json says what it looks like
 */
#include "channel_view.h"
#include "command.h"

#include <stdlib.h>

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)(n > INT64_MAX ? INT64_MAX : n));
}

static json_t *counters_json(const struct counters *c)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "messages_sent", number(c->messages_sent),
			 "bytes_sent", number(c->bytes_sent), "messages_received", number(c->messages_received),
			 "bytes_received", number(c->bytes_received), "rings", number(c->rings), "sleeps",
			 number(c->sleeps), "growths", number(c->growths), "retires", number(c->retires),
			 "memory_bytes", number(c->memory_bytes));
}

static json_t *lane_json(const struct side_facts *side, const struct image *image)
{
	const struct lane_facts *f = &side->lane;

	return json_pack("{s:s,s:s,s:i,s:i,s:o,s:o,s:i,s:i,s:o,s:o,s:i,s:i,s:o,s:o}", "sync",
			 sync_name(image->record.sync), "waiting", waiting_name(decode_waiting(f->control.seq)),
			 "slots", (int)image->geometry.slots, "slices", (int)image->geometry.slices, "segment_bytes",
			 number(image->geometry.segment_bytes), "memory_max", number(image->geometry.memory_max),
			 "queue", (int)(f->queue), "lent_slices", (int)f->lent, "lent_bytes",
			 number(f->lent_bytes), "oldest_lent_ms", number(f->oldest_ms), "returned_slices",
			 (int)f->returned, "writing_slices", (int)f->writing, "free_bytes", number(f->free_bytes),
			 "counters", counters_json(&f->counters));
}

static json_t *process_json(const struct process *p)
{
	char state[2] = { p->state, '\0' };

	if (!p->pid)
		return json_null();
	return json_pack("{s:i,s:s,s:i,s:s}", "pid", (int)p->pid, "comm", p->comm, "uid", (int)p->uid, "state", state);
}

static json_t *session_json(const struct side_facts *side)
{
	const struct session_view *v = &side->session;

	if (!side->has_session)
		return json_null();
	return json_pack("{s:s,s:s,s:i,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "role",
			 v->server ? "server" : "client", "state", session_state_name(v->state), "error", v->error,
			 "address", v->address, "streams", number(v->streams), "streams_max", number(v->streams_max),
			 "window", number(v->window), "streams_opened", number(v->opened), "streams_accepted",
			 number(v->accepted), "streams_refused", number(v->refused), "streams_reset", number(v->reset),
			 "writes_waited", number(v->writes_waited), "exhaustions", number(v->exhaustions),
			 "fallback_sent", number(v->fallback_sent), "fallback_sent_bytes",
			 number(v->fallback_sent_bytes), "fallback_received", number(v->fallback_received),
			 "fallback_received_bytes", number(v->fallback_received_bytes));
}

static json_t *side_json(const struct channel_view *c, int e)
{
	static const char *const states[] = { "none", "live", "gone", "unseen" };
	const struct side_facts *side = &c->side[e];
	json_t *lane = side->readable ? lane_json(side, &c->view.pair.lane[e]) : json_null();

	return json_pack("{s:i,s:s,s:o,s:o,s:o,s:o}", "endpoint", e, "state", states[c->view.at.side[e].state],
			 "process", process_json(&side->process), "memory_bytes", number(c->view.at.side[e].lane_bytes),
			 "lane", lane, "session", session_json(side));
}

json_t *channel_json(const struct channel_view *c)
{
	char name[CHANNEL_NAME];
	bool kmod = c->view.at.backend == SHMIPC_BACKEND_KMOD;

	return json_pack("{s:s,s:s,s:o,s:s,s:o,s:o,s:o,s:[o,o]}", "channel", channel_name(c, name), "backend",
			 kmod ? "kmod" : "memfd", "kmod_number", kmod ? number(c->view.at.number) : json_null(),
			 "state", channel_state_name(c->state), "reason",
			 c->reason ? json_string(c->reason) : json_null(), "memory_bytes", number(c->memory), "streams",
			 number(c->streams), "endpoints", side_json(c, 0), side_json(c, 1));
}

json_t *document_json(const char *command, const struct host *host)
{
	return json_pack("{s:i,s:s,s:I,s:I}", "version", 1, "command", command, "time_ms", (json_int_t)realtime_ms(),
			 "hidden_processes", (json_int_t)(host ? host->hidden : 0));
}

int print_json(json_t *document, bool one_line)
{
	int r;

	if (!document)
		return trouble("out of memory");
	r = json_dumpf(document, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));
	json_decref(document);
	if (putchar('\n') == EOF || r)
		return trouble("cannot write the output: %m");
	return STATUS_OK;
}
