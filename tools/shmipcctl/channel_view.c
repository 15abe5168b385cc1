// SPDX-License-Identifier: Apache-2.0
/*
 * channel_view.c - a channel as people and machines are shown it
 */
#include "channel_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "units.h"

static const char *explain_unseen(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return "its memory may not be looked at: only root and who may trace its processes may";
	case -ENOENT:
	case -ESRCH:
	case -EBADF:
		return "it went away";
	case -ENOMEM:
		return "no memory to look at it";
	default:
		return "its memory cannot be mapped";
	}
}

/* The owner of a lane: seen by the scan, or, if it may not be looked at, by the lane's own word. */
static void find_owner(struct channel_view *c, int e, const struct host *host)
{
	struct side *side = &c->view.at.side[e];
	const struct image *lane = &c->view.pair.lane[e];
	const struct process *p = host_process(host, side->pid);

	if (!p && !lane->fault && side->state == SIDE_GONE && c->view.at.backend == SHMIPC_BACKEND_MEMFD) {
		p = host_process(host, lane->record.pid);
		if (p && p->hidden)
			side->state = SIDE_UNSEEN;
		else
			p = NULL;
	}
	c->side[e].process = p ? *p : (struct process){ 0 };
}

static void look_at_side(struct channel_view *c, int e, uint32_t now)
{
	const struct image *lane = &c->view.pair.lane[e], *peer = &c->view.pair.lane[!e];
	struct side_facts *side = &c->side[e];

	side->readable = !lane->fault;
	side->lane = (struct lane_facts){ .queue = 0 };
	side->has_session = session_view_read(lane, &side->session);
	if (side->readable)
		decode_lane(lane, peer, now, &side->lane);
}

static bool is_stopped(const struct side_facts *side)
{
	return side->process.state == 'T' || side->process.state == 't';
}

static void judge(struct channel_view *c)
{
	const struct side *sides = c->view.at.side;
	int e;

	c->reason = NULL;
	for (e = 0; e < 2; e++) {
		const struct image *lane = &c->view.pair.lane[e];

		if (!lane->fault || !lane->head.base)
			continue;
		c->state = CHANNEL_CORRUPT;
		c->reason = lane->fault;
		return;
	}
	if (c->view.error) {
		c->state = CHANNEL_UNSEEN;
		c->reason = explain_unseen(c->view.error);
	} else if (sides[0].state == SIDE_GONE || sides[1].state == SIDE_GONE) {
		c->state = CHANNEL_HUNG_UP;
	} else if (sides[0].state == SIDE_NONE || sides[1].state == SIDE_NONE) {
		c->state = CHANNEL_NEW;
	} else if (is_stopped(&c->side[0]) || is_stopped(&c->side[1])) {
		c->state = CHANNEL_STOPPED;
	} else {
		c->state = CHANNEL_LIVE;
	}
}

static void look(struct channel_view *c, const struct host *host)
{
	uint32_t now = now_ms();
	int e;

	c->streams = 0;
	c->memory = 0;
	for (e = 0; e < 2; e++) {
		find_owner(c, e, host);
		look_at_side(c, e, now);
		if (c->side[e].session.streams > c->streams)
			c->streams = c->side[e].session.streams;
		c->memory += c->side[e].readable &&
					     c->side[e].lane.counters.memory_bytes > c->view.at.side[e].lane_bytes &&
					     !c->view.pair.lane[e].segments_known
				     ? c->side[e].lane.counters.memory_bytes
				     : c->view.at.side[e].lane_bytes;
	}
	judge(c);
}

void channel_open(struct channel_view *c, const struct channel_at *at, const struct host *host)
{
	memset(c, 0, sizeof(*c));
	view_open(&c->view, at);
	look(c, host);
}

bool channel_again(struct channel_view *c, const struct host *host)
{
	if (view_refresh(&c->view))
		return false;
	look(c, host);
	return true;
}

static bool is_same(const struct channel_at *a, const struct channel_at *b)
{
	int e;

	if (a->backend != b->backend || (a->backend == SHMIPC_BACKEND_KMOD ? a->number != b->number : a->id != b->id))
		return false;
	for (e = 0; e < 2; e++)
		if (a->side[e].head.inode != b->side[e].head.inode || a->side[e].head_bytes != b->side[e].head_bytes ||
		    (a->side[e].state == SIDE_NONE) != (b->side[e].state == SIDE_NONE))
			return false;
	return true;
}

bool channel_update(struct channel_view *c, const struct channel_at *at)
{
	uint64_t id = c->view.at.id;
	uint32_t i;
	int e;

	if (!is_same(&c->view.at, at))
		return false;
	c->view.at = *at;
	c->view.at.id = id;
	for (e = 0; e < 2; e++)
		for (i = 0; i < SHMIPC_SEGMENTS; i++)
			c->view.pair.lane[e].segment[i].bytes = at->side[e].segment_bytes[i];
	return true;
}

void channel_close(struct channel_view *c)
{
	view_close(&c->view);
}

const char *channel_name(const struct channel_view *c, char *name)
{
	if (c->view.at.id)
		snprintf(name, CHANNEL_NAME, "%016" PRIx64, c->view.at.id);
	else
		snprintf(name, CHANNEL_NAME, "kmod:%" PRIu64, c->view.at.number);
	return name;
}

const char *channel_short_name(const struct channel_view *c, char *name)
{
	channel_name(c, name);
	if (c->view.at.id)
		name[8] = '\0';
	return name;
}

const char *channel_state_name(enum channel_state state)
{
	static const char *const names[] = { "live", "new", "stopped", "hung-up", "corrupt", "unseen" };

	return names[state];
}

enum grid_colour channel_state_colour(enum channel_state state)
{
	static const enum grid_colour colours[] = {
		GRID_GREEN, GRID_PLAIN, GRID_YELLOW, GRID_YELLOW, GRID_RED, GRID_DIM
	};

	return colours[state];
}

const char *side_name(const struct side_facts *side, char *name)
{
	if (side->process.pid)
		snprintf(name, 64, "%d %s", (int)side->process.pid, side->process.comm);
	else
		snprintf(name, 64, "-");
	return name;
}

bool channel_matches(const struct channel_view *c, const char *wanted)
{
	char name[CHANNEL_NAME];
	uint64_t number;

	if (!strncmp(wanted, "pid:", 4))
		return parse_number(wanted + 4, 1, INT32_MAX, &number) &&
		       ((uint64_t)c->side[0].process.pid == number || (uint64_t)c->side[1].process.pid == number);
	if (!strncmp(wanted, "kmod:", 5))
		return c->view.at.backend == SHMIPC_BACKEND_KMOD &&
		       parse_number(wanted + 5, 0, UINT64_MAX - 1, &number) && c->view.at.number == number;
	return strlen(wanted) >= 4 && c->view.at.id && !strncmp(channel_name(c, name), wanted, strlen(wanted));
}

int channels_open(struct channel_list *list, pid_t pid, const char *wanted)
{
	size_t i;
	int r;

	memset(list, 0, sizeof(*list));
	r = host_scan(&list->host, pid);
	if (r || !list->host.count)
		return r;
	list->channels = calloc(list->host.count, sizeof(*list->channels));
	if (!list->channels)
		return -ENOMEM;
	for (i = 0; i < list->host.count; i++) {
		struct channel_view *c = &list->channels[list->count];

		channel_open(c, &list->host.channels[i], &list->host);
		if (wanted && !channel_matches(c, wanted))
			channel_close(c);
		else
			list->count++;
	}
	return 0;
}

void channels_free(struct channel_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		channel_close(&list->channels[i]);
	free(list->channels);
	host_free(&list->host);
	list->channels = NULL;
	list->count = 0;
}

void tell_hidden(const struct host *host)
{
	if (host->hidden)
		fprintf(stderr, "shmipcctl: %zu process%s may not be looked at%s\n", host->hidden,
			host->hidden == 1 ? "" : "es", geteuid() ? "; root sees more" : ", not by root either");
}

struct channel_view *channel_find(struct channel_list *list, const char *wanted)
{
	int r = channels_open(list, 0, wanted);

	if (r) {
		trouble("cannot look at this host's processes: %s", strerror(-r));
		return NULL;
	}
	if (list->count == 1)
		return &list->channels[0];
	if (list->count)
		trouble("'%s' fits %zu channels: give more digits", wanted, list->count);
	else
		trouble("no channel '%s' (shmipcctl list shows them)%s", wanted,
			list->host.hidden ? ", or one of processes that only root may look at" : "");
	return NULL;
}
