/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/dispatcher.h - threads that drive sessions and listeners, and run their callbacks
 *
 * Callbacks of different streams run in parallel, as far as there are threads; those of one stream never do. A callback that
 * takes its time holds up its own stream alone.
 *
 * Threads. Every function may be called from any thread; close from none of its own.
 *
 * Fork. A forked child has none of the threads: there every call returns -EPERM; close frees what is private.
 */
#ifndef SHMIPC_DISPATCHER_H
#define SHMIPC_DISPATCHER_H

#include "shmipc/listener.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct shmipc_dispatcher;

/**
 * shmipc_dispatcher_create - start threads
 * @threads: how many; 0: one for each processor that this process may use, at most 1024
 * @dispatcher: where it goes; the caller's, until close
 *
 * They block all signals. Since 0.1.
 *
 * Returns 0. -EINVAL: more than 1024. -EAGAIN: the system has no more threads. -ENOMEM, -EMFILE, -ENFILE.
 */
int shmipc_dispatcher_create(unsigned int threads, struct shmipc_dispatcher **dispatcher);

/**
 * shmipc_dispatcher_add_session - drive a session from now on, until it ends
 * @session: its callbacks should be set; stays the caller's
 *
 * It may be closed at any time, also in a callback. Since 0.1.
 *
 * Returns 0. -EALREADY: it is driven. -ENOMEM; or why the session ended.
 */
int shmipc_dispatcher_add_session(struct shmipc_dispatcher *dispatcher, struct shmipc_session *session);

/**
 * shmipc_dispatcher_add_listener - accept sessions from now on, until the listener is shut down
 * @listener: stays the caller's, who closes it after the dispatcher, or after shutdown and remove
 * @on_session: called with each; it sets callbacks, and adds it to a dispatcher, or closes it. May run in
 *	several threads at a time, each with another session
 * @arg: for on_session
 *
 * Since 0.1. Returns 0. -EALREADY, -ENOMEM.
 */
int shmipc_dispatcher_add_listener(struct shmipc_dispatcher *dispatcher, struct shmipc_listener *listener,
				   void (*on_session)(struct shmipc_listener *listener, struct shmipc_session *session,
						      void *arg),
				   void *arg);

/**
 * shmipc_dispatcher_remove_listener - accept no more; returns when no callback of it runs, but one that calls this
 *
 * Since 0.1. Returns 0, or -ENOENT: it was not added.
 */
int shmipc_dispatcher_remove_listener(struct shmipc_dispatcher *dispatcher, struct shmipc_listener *listener);

/**
 * shmipc_dispatcher_close - stop: running callbacks end, no more are called
 * @dispatcher: or NULL
 *
 * Sessions live on, undriven. Since 0.1.
 */
void shmipc_dispatcher_close(struct shmipc_dispatcher *dispatcher);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* SHMIPC_DISPATCHER_H */
