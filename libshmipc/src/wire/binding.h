/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binding.h - a listening socket at an address, and what is left of it in the file system
 */
#ifndef SHMIPC_BINDING_H
#define SHMIPC_BINDING_H

#include <stdint.h>
#include <sys/types.h>

#include "address.h"

/* A path that this process has bound; directory -1: none, an abstract name or somebody else's. */
struct binding {
	int directory;
	dev_t dev;
	ino_t ino;
	char name[ADDRESS_TEXT]; /* in the directory */
};

/**
 * binding_listen - bind and listen
 * @mode: permissions of the path, which nobody can connect to before it has them
 * @backlog: for listen(2)
 * @binding: filled; the caller's, until binding_fini()
 *
 * A socket at the path that nobody listens on is replaced.
 *
 * Returns the socket, non-blocking. -EADDRINUSE: somebody listens there, or it is no socket. -EBUSY: the directory's
 * lock is taken, and was for a second. Else as socket(2), bind(2), listen(2).
 */
int binding_listen(const struct address *address, uint32_t mode, int backlog, struct binding *binding);

/**
 * binding_fini - give it up
 * @remove: and unlink the path, if what is there is still the socket that was bound
 */
void binding_fini(struct binding *binding, bool remove);

#endif /* SHMIPC_BINDING_H */
