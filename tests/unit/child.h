/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - a peer in another process
 *
 * The child is forked before the channel exists, receives its endpoint, and then does what the test
 * says; test and child tell each other how far they are with single bytes.
 */
#ifndef TESTS_UNIT_CHILD_H
#define TESTS_UNIT_CHILD_H

#include <sys/types.h>

#include "pair.h"

struct child {
	pid_t pid;
	int control; /* bytes to and from the child */
	int socket;  /* the handover's, on the parent's side */
};

/* What the child does; `control` is its end. Its return value is its exit status. */
typedef int child_act(struct shmipc_channel *channel, int control);

/* Fork a child, create pair->a with these options (NULL: pair_options()), hand the other endpoint to the child. */
void child_start(struct child *child, struct pair *pair, const struct shmipc_channel_options *options, child_act *act);

/* Fork only; the child receives with these options and acts; as another user. */
void child_fork(struct child *child, const struct shmipc_channel_options *options, child_act *act);

void child_fork_as(struct child *child, const struct shmipc_channel_options *options, child_act *act, uid_t uid,
		   gid_t gid);

/* One byte to the other side; one byte from it, -1: it is gone. */
void child_tell(int control, char byte);
int child_hear(int control);

/* Wait for its end. Returns the status as waitpid(2) has it. */
int child_end(struct child *child);
void child_kill(struct child *child);

/* In the child: leave with a status of its own that names the line. */
#define child_check(condition)                                                                                         \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			child_complain(__FILE__, __LINE__, #condition);                                                \
			return 1;                                                                                      \
		}                                                                                                      \
	} while (0)
void child_complain(const char *file, int line, const char *what);

/* Run a function in a forked child of its own and return its exit status, or -signal. */
int run_forked(int (*function)(void *argument), void *argument);

#endif /* TESTS_UNIT_CHILD_H */
