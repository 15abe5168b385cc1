// SPDX-License-Identifier: Apache-2.0
/*
 * proc.c - what /proc says about processes
 */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "units.h"

bool proc_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 0;

	text[0] = '\0';
	if (fd < 0)
		return false;
	while (used + 1 < size && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	if (n < 0)
		used = 0;
	if (used && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	return n >= 0;
}

bool proc_field(const char *text, const char *key, char *value, size_t size)
{
	size_t length = strlen(key);
	const char *line;

	for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, key, length) || (line[length] != ':' && line[length] != '='))
			continue;
		line += length + 1;
		line += strspn(line, " \t");
		length = strcspn(line, "\n");
		if (length >= size)
			length = size - 1;
		memcpy(value, line, length);
		value[length] = '\0';
		return true;
	}
	return false;
}

bool proc_read(pid_t pid, struct process *p)
{
	char path[64], text[1024], *open, *close;
	struct stat st;
	int field = 3;
	char *at;

	*p = (struct process){ .pid = pid, .state = '?' };
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!proc_file(path, text, sizeof(text)))
		return false;
	/* pid (comm) state ppid ...; comm may hold anything, blanks and brackets too. */
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ')
		return false;
	sanitize_text(p->comm, sizeof(p->comm), open + 1, (size_t)(close - open - 1));
	p->state = close[2];
	for (at = close + 2; at && field < 22; field++)
		at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
	p->start = at ? strtoull(at, NULL, 10) : 0;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (!stat(path, &st))
		p->uid = st.st_uid;
	return true;
}

static int compare_pids(const void *a, const void *b)
{
	const pid_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

int proc_pids(pid_t **pids)
{
	size_t used = 0, room = 0;
	struct dirent *entry;
	pid_t *list = NULL, *more;
	uint64_t pid;
	DIR *dir = opendir("/proc");

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!parse_number(entry->d_name, 1, INT32_MAX, &pid))
			continue;
		if (used == room) {
			room = room ? room * 2 : 256;
			more = realloc(list, room * sizeof(*list));
			if (!more) {
				free(list);
				closedir(dir);
				return -ENOMEM;
			}
			list = more;
		}
		list[used++] = (pid_t)pid;
	}
	closedir(dir);
	if (used)
		qsort(list, used, sizeof(*list), compare_pids);
	*pids = list;
	return (int)used;
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

uint32_t now_ms(void)
{
	return (uint32_t)(now_ns() / 1000000);
}

int64_t realtime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}
