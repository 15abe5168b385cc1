/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel_view.h - a channel as people and machines are shown it: its name, its state, its sides
 */
#ifndef SHMIPCCTL_CHANNEL_VIEW_H
#define SHMIPCCTL_CHANNEL_VIEW_H

#include <jansson.h>

#include "decode.h"
#include "host.h"
#include "session_view.h"
#include "grid.h"
#include "view.h"

enum channel_state {
	CHANNEL_LIVE,
	CHANNEL_NEW,	 /* its second endpoint was not handed over yet, or is not bound */
	CHANNEL_STOPPED, /* a process of it is stopped (job control, debugger) */
	CHANNEL_HUNG_UP, /* one side is gone; what it sent can still be read */
	CHANNEL_CORRUPT, /* a lane's record makes no sense */
	CHANNEL_UNSEEN,	 /* its memory may not be looked at */
};

/* One endpoint: what it sends, what its owner is. */
struct side_facts {
	bool readable; /* the lane was decoded: the facts below are there */
	struct lane_facts lane;
	bool has_session;
	struct session_view session;
	struct process process; /* pid 0: nobody */
};

struct channel_view {
	struct view view;
	enum channel_state state;
	const char *reason; /* CORRUPT, UNSEEN: why; else NULL */
	struct side_facts side[2];
	uint32_t streams; /* open, by the sessions; 0 for a bare channel */
	uint64_t memory;  /* bytes of both lanes */
};

/* Look at a channel. channel_close() ends it. */
void channel_open(struct channel_view *channel, const struct channel_at *at, const struct host *host);
void channel_close(struct channel_view *channel);

/* Look again at one that is open. False: it is gone. */
bool channel_again(struct channel_view *channel, const struct host *host);

/**
 * channel_update - take over what a later scan says of an open channel: owners, states, segments
 *
 * False, and nothing is done: this is another channel, or it has a lane that it had not, and is to be opened anew.
 */
bool channel_update(struct channel_view *channel, const struct channel_at *at);

#define CHANNEL_NAME 32

/* Its id in 16 hex digits; "kmod:NUMBER" where the id is not known. */
const char *channel_name(const struct channel_view *channel, char *name);

/* The same for a table: 8 digits. */
const char *channel_short_name(const struct channel_view *channel, char *name);

const char *channel_state_name(enum channel_state state);
enum grid_colour channel_state_colour(enum channel_state state);

/* "pid comm" of a side, "-" without; at most 64 bytes. */
const char *side_name(const struct side_facts *side, char *name);

/* Whether a channel is the one that a user named: the first digits of its id, "kmod:NUMBER", or "pid:PID". */
bool channel_matches(const struct channel_view *channel, const char *wanted);

/* All that is known, as JSON; NULL: out of memory. */
json_t *channel_json(const struct channel_view *channel);

/* A document's first members: what it is, when, and how many processes could not be looked at. */
json_t *document_json(const char *command, const struct host *host);

/* Print and free a document, on a line of its own if it is one of many. Returns an exit status. */
int print_json(json_t *document, bool one_line);

/* All channels of the host, opened. */
struct channel_list {
	struct host host;
	struct channel_view *channels;
	size_t count;
};

/* Scan and open; pid 0: all. wanted NULL: all. Returns 0 or -errno; channels_free() in any case. */
int channels_open(struct channel_list *list, pid_t pid, const char *wanted);
void channels_free(struct channel_list *list);

/* Say on stderr how many processes could not be looked at, if any. */
void tell_hidden(const struct host *host);

/* Open the one channel that a user named. Explains on stderr what is wrong and returns NULL. */
struct channel_view *channel_find(struct channel_list *list, const char *wanted);

#endif /* SHMIPCCTL_CHANNEL_VIEW_H */
