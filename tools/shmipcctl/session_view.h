/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_view.h - what a session says of itself in its lane's tool page
 *
 * Pure. A bare channel says nothing there.
 */
#ifndef SHMIPCCTL_SESSION_VIEW_H
#define SHMIPCCTL_SESSION_VIEW_H

#include "image.h"

struct session_view {
	uint32_t role; /* 0: client, 1: server */
	uint32_t state;
	uint32_t streams; /* open */
};

/* False: there is no session on this channel, or none that this tool knows. */
bool session_view_read(const struct image *lane, struct session_view *view);

const char *session_role_name(uint32_t role);

#endif /* SHMIPCCTL_SESSION_VIEW_H */
