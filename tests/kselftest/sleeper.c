// SPDX-License-Identifier: GPL-2.0
#include "sleeper.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "endpoint.h"

volatile int signals_handled;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (nanosleep(&time, &time))
		;
}

static void count_signal(int signal)
{
	(void)signal;
	signals_handled++;
}

void count_signals(int signal, int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

bool task_asleep(pid_t tid)
{
	char path[64];
	char text[256];
	const char *state;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = 0;
	state = strrchr(text, ')');
	return state && state[1] == ' ' && state[2] == 'S';
}

bool task_falls_asleep(pid_t tid, unsigned int ms)
{
	uint64_t until = now_ns() + ms * MS;

	while (!task_asleep(tid)) {
		if (now_ns() > until)
			return false;
		sched_yield();
	}
	return true;
}

static void *run_call(void *argument)
{
	struct sleeper *sleeper = argument;

	/* Nothing between this and the call can sleep. */
	__atomic_store_n(&sleeper->tid, gettid(), __ATOMIC_RELEASE);
	sleeper->result = device_call(sleeper->fd, sleeper->command, sleeper->argument);
	sleeper->returned_ns = now_ns();
	__atomic_store_n(&sleeper->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

void sleeper_start(struct sleeper *sleeper, int fd, unsigned long command, uintptr_t argument)
{
	pid_t tid;

	memset(sleeper, 0, sizeof(*sleeper));
	sleeper->fd = fd;
	sleeper->command = command;
	sleeper->argument = argument;
	if (pthread_create(&sleeper->thread, NULL, run_call, sleeper))
		abort();
	while (!(tid = __atomic_load_n(&sleeper->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	while (!sleeper_done(sleeper) && !task_asleep(tid))
		sched_yield();
}

bool sleeper_done(struct sleeper *sleeper)
{
	return __atomic_load_n(&sleeper->done, __ATOMIC_ACQUIRE);
}

bool sleeper_sleeps_for(struct sleeper *sleeper, unsigned int ms)
{
	sleep_ms(ms);
	return !sleeper_done(sleeper) && task_asleep(sleeper->tid);
}

long sleeper_join(struct sleeper *sleeper)
{
	pthread_join(sleeper->thread, NULL);
	return sleeper->result;
}
