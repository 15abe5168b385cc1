// SPDX-License-Identifier: Apache-2.0
/*
 * host.c - which channels there are on this host
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct channel_at *host_add(struct host *host)
{
	size_t room = host->room ? host->room * 2 : 16;
	struct channel_at *more;

	if (host->count == host->room) {
		more = realloc(host->channels, room * sizeof(*more));
		if (!more)
			return NULL;
		host->channels = more;
		host->room = room;
	}
	memset(&host->channels[host->count], 0, sizeof(*host->channels));
	return &host->channels[host->count++];
}

void host_free(struct host *host)
{
	free(host->channels);
	free(host->processes);
	free(host->mappings);
	memset(host, 0, sizeof(*host));
}

const struct process *host_process(const struct host *host, pid_t pid)
{
	size_t low = 0, high = host->process_count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (host->processes[middle].pid == pid)
			return &host->processes[middle];
		if (host->processes[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* What a process has. One that is gone by now has nothing. */
static int scan_process(struct host *host, pid_t pid)
{
	struct process *p = &host->processes[host->process_count];
	int r;

	if (!proc_read(pid, p))
		return 0;
	host->process_count++;
	r = scan_memfd(host, pid);
	if (!r && host->module)
		r = scan_kmod(host, pid);
	if (r != -EACCES)
		return r;
	p->hidden = true;
	host->hidden++;
	return 0;
}

static bool concerns(const struct channel_at *channel, pid_t pid)
{
	int e;

	for (e = 0; e < 2; e++)
		if (channel->side[e].pid == pid || channel->side[e].other == pid || channel->side[e].holder == pid)
			return true;
	return false;
}

static void keep_only(struct host *host, pid_t pid)
{
	size_t i, kept = 0;

	for (i = 0; i < host->count; i++)
		if (concerns(&host->channels[i], pid))
			host->channels[kept++] = host->channels[i];
	host->count = kept;
}

/* Channels of which only some tool still has a copy. */
static void drop_ended(struct host *host)
{
	size_t i, kept = 0;

	for (i = 0; i < host->count; i++)
		if (host->channels[i].side[0].state != SIDE_GONE || host->channels[i].side[1].state != SIDE_GONE)
			host->channels[kept++] = host->channels[i];
	host->count = kept;
}

static int compare_channels(const void *a, const void *b)
{
	const struct channel_at *c = a, *d = b;

	if (c->backend != d->backend)
		return c->backend < d->backend ? -1 : 1;
	if (c->number != d->number)
		return c->number < d->number ? -1 : 1;
	return c->id < d->id ? -1 : c->id > d->id;
}

int host_scan(struct host *host, pid_t only)
{
	int64_t start = now_ns();
	pid_t *pids = NULL;
	int i, n, r = 0;

	memset(host, 0, sizeof(*host));
	host->module = !access("/sys/module/shmipc", F_OK);
	n = proc_pids(&pids);
	if (n < 0)
		return n;
	host->processes = calloc((size_t)n + 1, sizeof(*host->processes));
	if (!host->processes)
		r = -ENOMEM;
	for (i = 0; i < n && !r; i++)
		if (pids[i] != getpid()) /* looking is not having */
			r = scan_process(host, pids[i]);
	free(pids);
	if (!r)
		r = scan_memfd_match(host);
	if (!r)
		drop_ended(host);
	if (!r && only)
		keep_only(host, only);
	if (!r && host->count)
		qsort(host->channels, host->count, sizeof(*host->channels), compare_channels);
	host->took_ns = now_ns() - start;
	return r;
}
