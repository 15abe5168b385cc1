// SPDX-License-Identifier: Apache-2.0
/*
 * nursery.c - a process without threads that forks a new attacker for every round
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fdpass.h"
#include "round.h"

static void end_child(pid_t *child)
{
	if (*child <= 0)
		return;
	kill(*child, SIGKILL);
	waitpid(*child, NULL, 0);
	*child = 0;
}

void nursery_run(int socket)
{
	struct order order;
	pid_t child = 0;
	int fd, count;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		count = 1;
		n = fdpass_receive(socket, &order, sizeof(order), &fd, &count, NULL);
		if (n == -EAGAIN) {
			usleep(100);
			continue;
		}
		end_child(&child);
		if (n != (ssize_t)sizeof(order) || count != 1)
			_exit(0);
		child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			alarm(20);
			close(socket);
			attacker_run(&order, fd);
			_exit(0);
		}
		close(fd);
	}
}
