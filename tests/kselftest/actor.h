/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another process that does what it is told: start it, have it call functions of the test program,
 * hand it descriptors, and end it in any way a process can end.
 *
 * The actor is forked, so function addresses hold on both sides; arguments travel as bytes, there
 * and back. It holds every descriptor that was open when it was started: a test that counts last
 * closes starts its actors first.
 */
#ifndef ACTOR_H
#define ACTOR_H

#include <stddef.h>
#include <sys/types.h>

/* Most bytes of an argument. */
#define ACTOR_ARGUMENT 512

struct actor {
	pid_t pid; /* 0: was reaped */
	int socket;
};

typedef long actor_function(void *argument);

int actor_start(struct actor *actor);

/*
 * Has the actor call @function with a copy of @argument, waits, copies the argument back, and
 * returns what the function returned; -EPIPE if the actor died over it.
 */
long actor_call(struct actor *actor, actor_function *function, void *argument, size_t size);

/* The two halves of actor_call(), for functions that block. */
int actor_post(struct actor *actor, actor_function *function, const void *argument, size_t size);
long actor_result(struct actor *actor, void *argument, size_t size);

/* Hands a copy of @fd over (SCM_RIGHTS); returns the descriptor's number in the actor. */
int actor_give(struct actor *actor, int fd);

/* Reaps the actor and returns its wait status. */
int actor_reap(struct actor *actor);
/* Lets it exit by itself. */
int actor_exit(struct actor *actor);
/* Kills it at once. */
int actor_kill(struct actor *actor);

/* Descriptors over a Unix socket: 0 or -errno, a descriptor or -errno. */
int descriptor_send(int socket, int fd);
int descriptor_receive(int socket);

#endif /* ACTOR_H */
