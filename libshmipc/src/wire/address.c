// SPDX-License-Identifier: Apache-2.0
/*
 * address.c - addresses from text, and back
 */
#include "address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define NAME_AT offsetof(struct sockaddr_un, sun_path)

int address_parse(const char *text, struct address *a)
{
	size_t length = text ? strlen(text) : 0;

	memset(a, 0, sizeof(*a));
	a->name.sun_family = AF_UNIX;
	a->abstract = length && text[0] == '@';
	/* A path has its NUL in there; an abstract name begins with one instead. */
	if (!length || length >= sizeof(a->name.sun_path) || (a->abstract && length == 1))
		return -EINVAL;
	memcpy(a->name.sun_path, text, length);
	if (a->abstract)
		a->name.sun_path[0] = '\0';
	a->size = (socklen_t)(NAME_AT + length + (a->abstract ? 0 : 1));
	return 0;
}

void address_of(int socket, bool peer, char text[ADDRESS_TEXT])
{
	struct sockaddr_un name;
	socklen_t size = sizeof(name);
	int r;

	memset(text, 0, ADDRESS_TEXT);
	if (peer)
		r = getpeername(socket, (struct sockaddr *)&name, &size);
	else
		r = getsockname(socket, (struct sockaddr *)&name, &size);
	if (r || size <= NAME_AT || name.sun_family != AF_UNIX)
		return;
	if (size > sizeof(name))
		size = sizeof(name);
	memcpy(text, name.sun_path, size - NAME_AT);
	if (!text[0])
		text[0] = '@';
}
