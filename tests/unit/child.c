// SPDX-License-Identifier: Apache-2.0
/*
 * child.c - forks peers, and sees to it that none outlives its test
 */
#include "child.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void child_complain(const char *file, int line, const char *what)
{
	dprintf(STDERR_FILENO, "# child: %s:%d: not so: %s\n", file, line, what);
}

void child_tell(int control, char byte)
{
	if (send(control, &byte, 1, MSG_NOSIGNAL) != 1)
		dprintf(STDERR_FILENO, "# nobody hears '%c'\n", byte);
}

int child_hear(int control)
{
	struct pollfd poll_fd = { .fd = control, .events = POLLIN };
	char byte;

	if (poll(&poll_fd, 1, 20000) != 1)
		return -2;
	return read(control, &byte, 1) == 1 ? byte : -1;
}

void child_fork(struct child *child, const struct shmipc_channel_options *options, child_act *act)
{
	child_fork_as(child, options, act, geteuid(), getegid());
}

void child_fork_as(struct child *child, const struct shmipc_channel_options *options, child_act *act, uid_t uid,
		   gid_t gid)
{
	int control[2], socket[2];
	struct shmipc_channel *channel;
	pid_t parent = getpid();
	int r;

	pair_sockets(control);
	pair_sockets(socket);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid) {
		close(control[1]);
		close(socket[1]);
		child->control = control[0];
		child->socket = socket[0];
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGALRM, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	alarm(60);
	close(control[0]);
	close(socket[0]);
	if ((gid != getegid() && setgid(gid)) || (uid != geteuid() && setuid(uid)))
		_exit(3);
	r = shmipc_channel_receive(socket[1], options, FAR, &channel);
	if (r) {
		dprintf(STDERR_FILENO, "# child: receive says %d\n", r);
		_exit(2);
	}
	close(socket[1]);
	_exit(act(channel, control[1]));
}

void child_start(struct child *child, struct pair *pair, const struct shmipc_channel_options *options, child_act *act)
{
	struct shmipc_channel_options defaults = pair_options(pair);

	child_fork(child, options ? options : &defaults, act);
	assert_code(shmipc_channel_create(options ? options : &defaults, &pair->a), 0);
	assert_code(shmipc_channel_send(pair->a, child->socket, FAR), 0);
	close(child->socket);
	child->socket = -1;
}

int child_end(struct child *child)
{
	int status = -1;

	close(child->control);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	return status;
}

void child_kill(struct child *child)
{
	int status;

	kill(child->pid, SIGKILL);
	status = child_end(child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int run_forked(int (*function)(void *argument), void *argument)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGALRM, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		alarm(60);
		_exit(function(argument));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
