// SPDX-License-Identifier: Apache-2.0
/*
 * session_view.c - what a session says of itself in its lane's tool page
 */
#include "session_view.h"

#include <string.h>

#include "units.h"

bool session_view_read(const struct image *lane, struct session_view *view)
{
	const struct session_record *record;
	char address[sizeof(record->address)];

	memset(view, 0, sizeof(*view));
	if (lane->fault)
		return false;
	record = image_tool_page(lane, LAYOUT_SESSION - LAYOUT_PAGE);
	if (load_acquire(&record->magic) != SESSION_RECORD_MAGIC || record->version != SESSION_RECORD_VERSION)
		return false;
	memcpy(address, record->address, sizeof(address));
	sanitize_text(view->address, sizeof(view->address), address, sizeof(address));
	view->server = record->server != 0;
	view->window = record->window;
	view->streams_max = record->streams_max;
	view->state = load_relaxed(&record->state);
	view->error = load_relaxed(&record->error);
	view->streams = load_relaxed(&record->streams);
	view->opened = load_relaxed(&record->streams_opened);
	view->accepted = load_relaxed(&record->streams_accepted);
	view->refused = load_relaxed(&record->streams_refused);
	view->reset = load_relaxed(&record->streams_reset);
	view->writes_waited = load_relaxed(&record->writes_waited);
	view->exhaustions = load_relaxed(&record->exhaustions);
	view->fallback_sent = load_relaxed(&record->fallback_sent);
	view->fallback_sent_bytes = load_relaxed(&record->fallback_sent_bytes);
	view->fallback_received = load_relaxed(&record->fallback_received);
	view->fallback_received_bytes = load_relaxed(&record->fallback_received_bytes);
	return true;
}

const char *session_state_name(uint32_t state)
{
	return state == SESSION_RECORD_ALIVE ? "alive" : state == SESSION_RECORD_ENDED ? "ended" : "invalid";
}
