/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_view.h - what a session says of itself in its lane's tool page
 *
 * Pure. A bare channel says nothing there.
 */
#ifndef SHMIPCCTL_SESSION_VIEW_H
#define SHMIPCCTL_SESSION_VIEW_H

#include "image.h"
#include "session/record.h"

struct session_view {
	bool server;
	uint32_t state; /* enum session_record_state, if it is one */
	int error;	/* why it ended: -errno */
	uint32_t streams, streams_max;
	char address[112]; /* printable */
	uint64_t window;
	uint64_t opened, accepted, refused, reset; /* streams */
	uint64_t writes_waited, exhaustions;
	uint64_t fallback_sent, fallback_sent_bytes, fallback_received, fallback_received_bytes;
};

/* False: there is no session on this channel, or none that this tool knows. */
bool session_view_read(const struct image *lane, struct session_view *view);

const char *session_state_name(uint32_t state);

#endif /* SHMIPCCTL_SESSION_VIEW_H */
