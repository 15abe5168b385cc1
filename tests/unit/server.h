/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - an echo server on a dispatcher, in this process or in one of its own
 *
 * It writes back what it reads, stream by stream, and closes what its clients have closed.
 */
#ifndef TESTS_UNIT_SERVER_H
#define TESTS_UNIT_SERVER_H

#include <sys/types.h>

#include "pair.h"
#include "shmipc/dispatcher.h"
#include "shmipc/pool.h"

struct server {
	char address[64];
	struct shmipc_listener *listener;
	struct shmipc_dispatcher *dispatcher;
	_Atomic int sessions; /* that live */
	_Atomic int accepted; /* sessions, ever */
	_Atomic int streams;  /* that are open */
	_Atomic int ended;    /* streams, ever */
	struct shmipc_session *_Atomic last_session;
	struct shmipc_stream *_Atomic last_stream;
	void (*_Atomic act)(struct server *server);
};

/* An address that nobody has. */
void server_name(char address[64]);

struct shmipc_session_options server_session_options(const struct pair *pair);
struct shmipc_listener_options server_options(const struct pair *pair);

/* Listen at server->address, which is made up where it is empty; or on a listening socket, -1: none. */
void server_start(struct server *server, const struct pair *pair, unsigned int threads, int socket);
/* Wait until its clients are gone, then stop. */
void server_stop(struct server *server);

/*
 * Have the server do something in a callback, of a session of its own: if it has one thread, no other callback runs.
 * It returns when that is done.
 */
void server_act(struct server *server, const struct pair *pair, void (*act)(struct server *server));

/* Only a listening socket at such an address: it takes connections, so many, and says nothing. */
int server_silent(const char *address, int backlog);

/* Both sides of a session over a pair of sockets. */
void server_sessions(const struct pair *pair, struct shmipc_session **client, struct shmipc_session **server);

/* The server as a process of its own, freshly executed. It listens when this returns. */
pid_t server_spawn(const struct pair *pair, const char *address);
void server_kill(pid_t pid);
/* What such a process does; main() calls it first, and goes on if it returns. */
void server_main(int argc, char **argv);

/* Pool options with the pair's backend. */
struct shmipc_pool_options pool_options(const struct pair *pair);
struct shmipc_pool_stats pool_stats_of(struct shmipc_pool *pool);

/* Write a message and read it back; 0, or -errno. */
int server_echo(struct shmipc_stream *stream, uint32_t tag, size_t size);
/* The same with a stream of a pool, taken and given back. */
int pool_echo(struct shmipc_pool *pool, uint32_t tag);

#endif /* TESTS_UNIT_SERVER_H */
