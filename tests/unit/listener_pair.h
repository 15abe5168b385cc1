/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener_pair.h - a listener in a folder of its own, and clients that connect to it
 */
#ifndef TESTS_UNIT_LISTENER_PAIR_H
#define TESTS_UNIT_LISTENER_PAIR_H

#include "shmipc/listener.h"
#include "worker.h"

/* A new folder, removed with what is in it when the process ends; a path in it. */
const char *folder_make(void);
void path_in(char path[108], const char *folder, const char *name);

/* Options with the pair's backend. */
struct shmipc_listener_options listener_options(const struct pair *pair);
struct shmipc_session_options client_options(const struct pair *pair);

/* Listen at a new path. */
struct shmipc_listener *listener_open(const struct pair *pair, const struct shmipc_listener_options *options);

/* Connect in a thread: worker_join() has what it said, session what came. */
struct connecting {
	struct worker worker;
	const char *address;
	struct shmipc_session_options options;
	int64_t deadline;
	struct shmipc_session *session;
};

void connecting_start(struct connecting *connecting, const struct pair *pair, const char *address);

/* A client of this listener, accepted: both sides. */
void listener_connect(struct pair *pair, struct shmipc_listener *listener, struct shmipc_session **client,
		      struct shmipc_session **server);

/* So many small sessions, one after the other; the call of a worker. Returns their count, or what one said. */
struct many {
	struct pair *pair;
	const char *address;
	struct shmipc_session **sessions;
	int count;
};

int connect_many(struct worker *worker);

/* A connected socket that says nothing; whether the other side has closed it. */
int connect_bare(const char *address);
bool is_hung_up(int fd);

/* A byte from the client on a stream of its own, and back. */
void echo_once(struct shmipc_session *client, struct shmipc_session *server);

#endif /* TESTS_UNIT_LISTENER_PAIR_H */
