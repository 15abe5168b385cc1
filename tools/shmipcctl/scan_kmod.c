// SPDX-License-Identifier: Apache-2.0
/*
 * scan_kmod.c - finds the module's channels by the descriptors that processes have of them
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "units.h"

static enum side_state parse_state(const char *word)
{
	if (!strncmp(word, "dead", 4))
		return SIDE_GONE;
	return strncmp(word, "bound", 5) ? SIDE_NONE : SIDE_LIVE;
}

static void parse_segment(const char *line, uint64_t *segment_bytes)
{
	unsigned int number;
	uint64_t bytes;

	if (sscanf(line, "%u %" SCNu64, &number, &bytes) == 2 && number < SHMIPC_SEGMENTS)
		segment_bytes[number] = bytes;
}

/* One line, "shmipc-KEY:\tOWN PEER"; unknown ones are left alone. */
static void parse_line(const char *line, struct channel_at *c, struct side *own, struct side *peer, pid_t pids[2])
{
	const char *value = strchr(line, '\t');
	uint64_t a = 0, b = 0;
	int n;

	if (!value++)
		return;
	n = sscanf(value, "%" SCNu64 " %" SCNu64, &a, &b);
	if (!strncmp(line, "channel:", 8))
		c->number = a;
	else if (!strncmp(line, "own-segment:", 12))
		parse_segment(value, own->segment_bytes);
	else if (!strncmp(line, "peer-segment:", 13))
		parse_segment(value, peer->segment_bytes);
	else if (!strncmp(line, "state:", 6)) {
		own->state = parse_state(value);
		peer->state = parse_state(strchr(value, ' ') ? strchr(value, ' ') + 1 : "");
	}
	if (n != 2)
		return;
	if (!strncmp(line, "pid:", 4)) {
		pids[0] = (pid_t)a;
		pids[1] = (pid_t)b;
	} else if (!strncmp(line, "head:", 5)) {
		own->head_bytes = a;
		peer->head_bytes = b;
	} else if (!strncmp(line, "lane:", 5)) {
		own->lane_bytes = a;
		peer->lane_bytes = b;
	} else if (!strncmp(line, "lane-max:", 9)) {
		own->lane_max = a;
		peer->lane_max = b;
	} else if (!strncmp(line, "seq:", 4)) {
		own->seq = (uint32_t)a;
		peer->seq = (uint32_t)b;
	} else if (!strncmp(line, "rung:", 5)) {
		own->rung = (uint32_t)a;
		peer->rung = (uint32_t)b;
	} else if (!strncmp(line, "waiting:", 8)) {
		own->waiting = a;
		peer->waiting = b;
	} else if (!strncmp(line, "rings:", 6)) {
		own->rings = a;
		peer->rings = b;
	} else if (!strncmp(line, "sleeps:", 7)) {
		own->sleeps = a;
		peer->sleeps = b;
	}
}

bool fdinfo_parse(const char *text, struct channel_at *c, uint32_t *endpoint, pid_t pids[2])
{
	const char *line = strstr(text, "shmipc-endpoint:\t");

	memset(c, 0, sizeof(*c));
	c->backend = SHMIPC_BACKEND_KMOD;
	pids[0] = pids[1] = 0;
	if (!line || !strstr(text, "shmipc-channel:\t"))
		return false;
	*endpoint = line[strlen("shmipc-endpoint:\t")] == '1';
	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, "shmipc-", 7))
			parse_line(line + 7, c, &c->side[*endpoint], &c->side[!*endpoint], pids);
	c->side[*endpoint].pid = pids[0];
	c->side[!*endpoint].pid = pids[1];
	return true;
}

static struct channel_at *find_channel(struct host *host, uint64_t number)
{
	size_t i;

	/* The newest are the likeliest: the other end of one that was just seen. */
	for (i = host->count; i-- > 0;)
		if (host->channels[i].backend == SHMIPC_BACKEND_KMOD && host->channels[i].number == number)
			return &host->channels[i];
	return NULL;
}

static int add_endpoint(struct host *host, pid_t pid, int fd, const char *text)
{
	struct channel_at found, *c;
	uint32_t endpoint;
	pid_t pids[2];

	if (!fdinfo_parse(text, &found, &endpoint, pids))
		return 0;
	c = find_channel(host, found.number);
	if (!c) {
		c = host_add(host);
		if (!c)
			return -ENOMEM;
		*c = found;
	}
	if (!c->side[endpoint].holder) {
		c->side[endpoint].holder = pid;
		c->side[endpoint].fd = fd;
	} else if (!c->side[endpoint].other && pid != c->side[endpoint].holder) {
		c->side[endpoint].other = pid;
	}
	return 0;
}

/* Files of the device, under whatever name this process sees it, and endpoints that were handed over. */
static bool may_be_endpoint(int dir, const char *name)
{
	char target[256];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, "anon_inode:[shmipc]") || (n >= 7 && !strcmp(target + n - 7, "/shmipc"));
}

int scan_kmod(struct host *host, pid_t pid)
{
	char path[300], text[8192];
	struct dirent *entry;
	uint64_t fd;
	int r = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	while (!r && (entry = readdir(dir))) {
		if (!parse_number(entry->d_name, 0, INT32_MAX, &fd) || !may_be_endpoint(dirfd(dir), entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, (int)fd);
		if (proc_file(path, text, sizeof(text)))
			r = add_endpoint(host, pid, (int)fd, text);
	}
	closedir(dir);
	return r;
}
