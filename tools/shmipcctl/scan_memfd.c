// SPDX-License-Identifier: Apache-2.0
/*
 * scan_memfd.c - finds memfd lanes by the mappings that processes have of them
 *
 * A mapping's line in /proc/PID/maps holds the memfd's name, hence channel, endpoint and part, and its
 * inode, which is the same in every process. Who has a lane's head mapped writable owns the lane.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host.h"
#include "shm/layout.h"

#define PREFIX "/memfd:shmipc-"

/* "16 hex digits-endpoint-part", then the end or " (deleted)". */
static bool parse_name(const char *name, struct mapping *m)
{
	unsigned int endpoint, segment;
	int n = 0;

	if (strspn(name, "0123456789abcdef") != 16 ||
	    sscanf(name, "%16" SCNx64 "-%1u-%n", &m->channel, &endpoint, &n) != 2 || !n || endpoint > 1)
		return false;
	m->endpoint = endpoint;
	name += n;
	if (!strncmp(name, "head", 4)) {
		m->part = SHMIPC_HEAD;
		name += 4;
	} else {
		if (sscanf(name, "%2u%n", &segment, &n) != 1 || segment >= SHMIPC_SEGMENTS)
			return false;
		m->part = SHMIPC_SEGMENT(segment);
		name += n;
	}
	return !*name || *name == ' ' || *name == '\n';
}

bool mapping_parse(const char *line, struct mapping *m)
{
	const char *name = strstr(line, PREFIX);
	unsigned int major_number, minor_number;
	uint64_t end, offset;
	char perms[5];

	*m = (struct mapping){ 0 };
	if (!name || sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &m->address, &end, perms,
			    &offset, &major_number, &minor_number, &m->inode) != 7)
		return false;
	if (offset || end <= m->address || strlen(perms) != 4 || perms[0] != 'r' || perms[3] != 's')
		return false;
	m->bytes = end - m->address;
	m->writable = perms[1] == 'w';
	m->device = makedev(major_number, minor_number);
	return parse_name(name + strlen(PREFIX), m);
}

/* The device that memfds are on: a name like theirs may be given to any file elsewhere. */
static dev_t memfd_device(void)
{
	static dev_t device;
	struct stat st;
	int fd;

	if (device)
		return device;
	fd = memfd_create("shmipcctl", MFD_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st))
		device = st.st_dev;
	if (fd >= 0)
		close(fd);
	return device;
}

static int add_mapping(struct host *host, const struct mapping *m)
{
	size_t room = host->mapping_room ? host->mapping_room * 2 : 256;
	struct mapping *more;

	if (host->mapping_count == host->mapping_room) {
		more = realloc(host->mappings, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		host->mappings = more;
		host->mapping_room = room;
	}
	host->mappings[host->mapping_count++] = *m;
	return 0;
}

int scan_memfd(struct host *host, pid_t pid)
{
	char path[64], *line = NULL;
	struct mapping m;
	size_t room = 0;
	FILE *maps;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	setvbuf(maps, NULL, _IOFBF, 1 << 16);
	while (!r && getline(&line, &room, maps) > 0) {
		if (!mapping_parse(line, &m) || m.device != memfd_device())
			continue;
		m.pid = pid;
		r = add_mapping(host, &m);
	}
	free(line);
	fclose(maps);
	return r;
}

static int compare_mappings(const void *a, const void *b)
{
	const struct mapping *m = a, *n = b;

	if (m->channel != n->channel)
		return m->channel < n->channel ? -1 : 1;
	if (m->part != n->part)
		return m->part < n->part ? -1 : 1;
	if (m->endpoint != n->endpoint)
		return m->endpoint < n->endpoint ? -1 : 1;
	if (m->inode != n->inode)
		return m->inode < n->inode ? -1 : 1;
	if (m->writable != n->writable)
		return m->writable ? -1 : 1;
	return m->pid < n->pid ? -1 : m->pid > n->pid;
}

/* The mappings that name one channel; those of heads are in front. */
struct group {
	struct mapping *list;
	size_t count;
};

/* More than two processes with all their segments, and some tools, have. Who adds more by lying hides his own. */
#define GROUP_MAX 512

/* Whether a process has a lane of its own: who only reads is a tool. */
static bool is_party(const struct group *g, pid_t pid)
{
	size_t i;

	for (i = 0; i < g->count && g->list[i].part == SHMIPC_HEAD; i++)
		if (g->list[i].pid == pid && g->list[i].writable)
			return true;
	return false;
}

static void drop_onlookers(struct group *g)
{
	bool stays[GROUP_MAX];
	size_t i, kept = 0;

	for (i = 0; i < g->count; i++)
		stays[i] = is_party(g, g->list[i].pid);
	for (i = 0; i < g->count; i++)
		if (stays[i])
			g->list[kept++] = g->list[i];
	g->count = kept;
}

/* Whether a process has both memfds mapped. */
static bool maps_both(const struct group *g, pid_t pid, uint64_t a, uint64_t b)
{
	bool has_a = false, has_b = false;
	size_t i;

	for (i = 0; i < g->count; i++) {
		has_a |= g->list[i].pid == pid && g->list[i].inode == a;
		has_b |= g->list[i].pid == pid && g->list[i].inode == b;
	}
	return has_a && has_b;
}

static bool share_a_process(const struct group *g, uint64_t a, uint64_t b)
{
	size_t i;

	for (i = 0; i < g->count && g->list[i].part == SHMIPC_HEAD; i++)
		if (g->list[i].inode == a && maps_both(g, g->list[i].pid, a, b))
			return true;
	return false;
}

/* A lane, from the mappings of its head: the writable one comes first. */
static void fill_side(const struct group *g, const struct mapping *head, struct side *side)
{
	pid_t keeper = head->pid;
	size_t i;

	side->head = *head;
	side->state = head->writable ? SIDE_LIVE : SIDE_GONE;
	side->pid = head->writable ? head->pid : 0;
	side->head_bytes = head->bytes;
	side->lane_bytes = head->bytes;
	for (i = 0; i < g->count; i++) {
		const struct mapping *m = &g->list[i];

		if (m->inode == head->inode && m->pid != side->pid && !side->other)
			side->other = m->pid;
		/* Segments have no mark of the lane but their name: believed of whoever has the head. */
		if (m->part == SHMIPC_HEAD || m->endpoint != head->endpoint || m->pid != keeper ||
		    m->writable != head->writable || side->segment[m->part - 1].pid)
			continue;
		side->segment[m->part - 1] = *m;
		side->segment_bytes[m->part - 1] = m->bytes;
		side->lane_bytes += m->bytes;
	}
}

/* Each head of endpoint 0 with the first head of endpoint 1 that belongs to it; then what is left over. */
static int match_group(struct host *host, const struct group *g)
{
	uint64_t seen = 0, taken[64];
	size_t i, j, k, used = 0;
	struct channel_at *channel;

	for (i = 0; i < g->count && g->list[i].part == SHMIPC_HEAD; i++) {
		const struct mapping *head = &g->list[i], *peer = NULL;

		for (k = 0; k < used && taken[k] != head->inode; k++)
			;
		if (head->inode == seen || k < used)
			continue;
		seen = head->inode;
		for (j = i + 1; !head->endpoint && j < g->count && g->list[j].part == SHMIPC_HEAD && !peer; j++) {
			for (k = 0; k < used && taken[k] != g->list[j].inode; k++)
				;
			if (k == used && g->list[j].endpoint && share_a_process(g, head->inode, g->list[j].inode))
				peer = &g->list[j];
		}
		channel = host_add(host);
		if (!channel)
			return -ENOMEM;
		channel->backend = SHMIPC_BACKEND_MEMFD;
		channel->id = head->channel;
		fill_side(g, head, &channel->side[head->endpoint]);
		if (peer) {
			fill_side(g, peer, &channel->side[1]);
			if (used < sizeof(taken) / sizeof(*taken))
				taken[used++] = peer->inode;
		}
	}
	return 0;
}

int scan_memfd_match(struct host *host)
{
	struct group g;
	size_t i, length;
	int r = 0;

	if (host->mapping_count)
		qsort(host->mappings, host->mapping_count, sizeof(*host->mappings), compare_mappings);
	for (i = 0; i < host->mapping_count && !r; i += length) {
		g.list = &host->mappings[i];
		for (length = 1; i + length < host->mapping_count; length++)
			if (g.list[length].channel != g.list->channel)
				break;
		g.count = length < GROUP_MAX ? length : GROUP_MAX;
		drop_onlookers(&g);
		r = match_group(host, &g);
	}
	return r;
}
