// SPDX-License-Identifier: Apache-2.0
/*
 * session_view.c - what a session says of itself in its lane's tool page
 */
#include "session_view.h"

/* Where the record stands in the tool page, and what it begins with. */
#define RECORD_AT 2048u
#define RECORD_MAGIC 0x7373657363706d73ull
#define RECORD_VERSION 1u

struct session_words {
	_Atomic uint64_t magic;
	_Atomic uint32_t version;
	_Atomic uint32_t role;
	_Atomic uint32_t state;
	_Atomic uint32_t streams;
};

bool session_view_read(const struct image *lane, struct session_view *view)
{
	const struct session_words *words;

	*view = (struct session_view){ 0 };
	if (lane->fault)
		return false;
	words = image_tool_page(lane, RECORD_AT);
	if (load_acquire(&words->magic) != RECORD_MAGIC || load_relaxed(&words->version) != RECORD_VERSION)
		return false;
	view->role = load_relaxed(&words->role);
	view->state = load_relaxed(&words->state);
	view->streams = load_relaxed(&words->streams);
	return true;
}

const char *session_role_name(uint32_t role)
{
	return role == 0 ? "client" : role == 1 ? "server" : "invalid";
}
