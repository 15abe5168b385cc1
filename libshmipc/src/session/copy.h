/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.h - what a forked child has of its parent's sessions: memory, to be freed when their handles are closed there
 *
 * No lane is mapped in the child, no thread of the parent's runs, and descriptors are shared. So nothing is said to the peer, no
 * shared memory is looked at, and no descriptor is changed: they are closed.
 *
 * References. Tables, lists and queues have some, which nobody gives up in a child; closing the session's handle does, so
 * that the last handle of session and streams frees all of it.
 *
 * Locking. A lock that was held when the child was forked is never let go, and what it protects may be half changed: that is
 * left alone, and its memory lost to the child.
 */
#ifndef SHMIPC_SESSION_COPY_H
#define SHMIPC_SESSION_COPY_H

#include "internal.h"

/* Give up what the session holds of its streams. The caller has a reference. */
void copy_close(struct shmipc_session *session);

/* Give up a stream's reference; the last one frees what arrived for it too. */
void copy_put_stream(struct shmipc_stream *stream);

#endif /* SHMIPC_SESSION_COPY_H */
