// SPDX-License-Identifier: Apache-2.0
/*
 * worker.c - a thread and its state, as /proc tells it
 */
#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void *work(void *argument)
{
	struct worker *worker = argument;

	worker->tid = (pid_t)syscall(SYS_gettid);
	worker->result = worker->call(worker);
	worker->ended = now_ns();
	worker->over = true;
	return NULL;
}

void worker_start(struct worker *worker)
{
	worker->result = 0x5a5a;
	worker->tid = 0;
	worker->over = false;
	assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
	await(worker->tid);
}

static int call_wait(struct worker *worker)
{
	return shmipc_channel_wait(worker->channel, worker->events, worker->deadline);
}

void worker_wait(struct worker *worker, struct shmipc_channel *channel, unsigned int events, int64_t deadline)
{
	*worker = (struct worker){ .call = call_wait, .channel = channel, .events = events, .deadline = deadline };
	worker_start(worker);
}

static char read_state(pid_t tid)
{
	char path[64], text[256], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'X';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 'X';
	text[n] = '\0';
	end = strrchr(text, ')');
	return end ? end[2] : 'X';
}

bool worker_sleeps(struct worker *worker)
{
	int64_t until = FAR;
	int seen = 0;

	/* Some times in a row: not a page fault or a lock on the way there. */
	while (seen < 3) {
		seen = read_state(worker->tid) == 'S' ? seen + 1 : 0;
		if (worker->over)
			return false;
		if (now_ns() > until)
			fail_msg("the thread does not sleep");
		sleep_ms(2);
	}
	return true;
}

void worker_await_sleep(struct worker *worker)
{
	if (!worker_sleeps(worker))
		fail_msg("the thread does not sleep: its call has returned with %d", worker->result);
}

int worker_join(struct worker *worker)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	if (pthread_timedjoin_np(worker->thread, NULL, &until))
		fail_msg("the call does not return");
	return worker->result;
}

void worker_signal(struct worker *worker, int signal)
{
	pthread_kill(worker->thread, signal);
}
