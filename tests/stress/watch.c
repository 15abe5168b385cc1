// SPDX-License-Identifier: Apache-2.0
/*
 * watch.c - starts processes, and tells one that hangs from one that is slow
 */
#include "watch.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "side.h"
#include "words.h"

struct board *board_create(void)
{
	void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(RUN_FAILED);
	}
	return p;
}

void board_arrive(struct board *board, unsigned int step)
{
	atomic_fetch_add(&board->arrived[step], 1);
	while (atomic_load(&board->arrived[step]) < 2)
		usleep(500);
}

void watch_start(struct watched *process, int (*body)(void *), void *argument)
{
	pid_t parent = getpid();

	fflush(NULL);
	*process = (struct watched){ .pid = fork() };
	if (process->pid < 0) {
		perror("fork");
		exit(RUN_FAILED);
	}
	if (process->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(RUN_FAILED);
	words_dump_on_signal();
	exit(body(argument));
}

bool watch_poll(struct watched *p)
{
	if (!p->over && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
		p->over = true;
	return p->over;
}

static void show_file(pid_t pid, const char *task, const char *name)
{
	char path[128], text[2048];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, task, name);
	file = fopen(path, "re");
	if (!file)
		return;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	if (n)
		fprintf(stderr, "#   %s/%s %s: %s%s", task, name, n > 60 ? "\n" : "", text,
			text[n - 1] == '\n' ? "" : "\n");
}

static void show_process(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	fprintf(stderr, "# process %d:\n", pid);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		show_file(pid, entry->d_name, "wchan");
		show_file(pid, entry->d_name, "syscall");
		show_file(pid, entry->d_name, "stack");
	}
	closedir(tasks);
}

static void end_hung(struct watched *processes, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (processes[i].over)
			continue;
		show_process(processes[i].pid);
		kill(processes[i].pid, SIGCONT);
		kill(processes[i].pid, SIGUSR1);
	}
	usleep(300000);
	for (i = 0; i < count; i++) {
		if (processes[i].over)
			continue;
		kill(processes[i].pid, SIGKILL);
		waitpid(processes[i].pid, &processes[i].status, 0);
		processes[i].over = true;
	}
}

static int judge(const struct watched *processes, int count, int expected)
{
	int i, verdict = RUN_PASSED;

	for (i = 0; i < count; i++) {
		int status = processes[i].status;

		if (WIFEXITED(status) && !WEXITSTATUS(status))
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == RUN_SKIPPED)
			return RUN_SKIPPED;
		if (WIFSIGNALED(status) && expected && WTERMSIG(status) == expected)
			continue;
		fprintf(stderr, "# process %d: %s %d\n", processes[i].pid, WIFSIGNALED(status) ? "signal" : "exit status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		verdict = RUN_FAILED;
	}
	return verdict;
}

int watch_all(struct watched *processes, int count, double patience, uint64_t (*progress)(void *), void *argument,
	      int expected)
{
	uint64_t last = progress(argument), now;
	int64_t since = clock_now();
	int i, over = 0, was_over = 0, pause = 200;

	for (;;) {
		for (over = i = 0; i < count; i++)
			over += watch_poll(&processes[i]);
		if (over == count)
			return judge(processes, count, expected);
		now = progress(argument);
		if (now != last || over != was_over)
			since = clock_now();
		last = now;
		was_over = over;
		if (clock_now() - since > (int64_t)(patience * 1e9)) {
			fprintf(stderr, "# no progress for %.1f s\n", patience);
			end_hung(processes, count);
			return RUN_HUNG;
		}
		usleep((useconds_t)pause);
		if (pause < 20000)
			pause *= 2;
	}
}
