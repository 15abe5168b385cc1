// SPDX-License-Identifier: Apache-2.0
/*
 * region_memfd.c - shared pages from sealed memfds
 *
 * Each side makes its own lane: maps it writable, has every page allocated, then seals it against
 * shrinking, growing and any further writable mapping. The other side accepts nothing less, so
 * that no access to it can fault, and its own mapping cannot be made writable. One end of a
 * seqpacket socketpair beside them carries announcements of further segments, one message with one
 * descriptor each, and the doorbell's one-byte messages; its end-of-file is the hang-up.
 *
 * Locking: region->lock protects what was announced and not mapped yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../fdpass.h"
#include "region.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

/* What announces a segment; its memfd travels with it. */
struct announcement {
	uint32_t segment;
	uint32_t zero;
	uint64_t bytes;
};

/*
 * A signal ends an allocation, a profiler's as well as a stop (in Linux 6.1; no longer in 6.18), and the kernel takes back
 * what there is of it: small parts, so that some of them are done however many signals come.
 */
#define PART_BYTES 65536u

/* 0, or -errno. Of a tmpfs that is full it is -ENOMEM: that is memory that is not there. */
static int allocate(int fd, uint64_t bytes)
{
	uint64_t at = 0, part;
	int r = ftruncate(fd, (off_t)bytes) ? errno : 0;

	while (!r && at < bytes) {
		part = bytes - at < PART_BYTES ? bytes - at : PART_BYTES;
		r = posix_fallocate(fd, (off_t)at, (off_t)part); /* returns its error */
		if (r == EINTR)
			r = 0;
		else
			at += part;
	}
	return r == ENOSPC ? -ENOMEM : -r;
}

/* The name is for tools: a mapping is all that is left of the memfd once it was handed over. */
static int make_memory(const struct region *region, uint32_t part, uint64_t bytes, void **base, int *fd_out)
{
	char name[LAYOUT_NAME_MAX];
	int fd, r;

	if (part == SHMIPC_HEAD)
		snprintf(name, sizeof(name), LAYOUT_NAME_HEAD, region->channel, region->endpoint);
	else
		snprintf(name, sizeof(name), LAYOUT_NAME_SEGMENT, region->channel, region->endpoint, part - 1);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = allocate(fd, bytes);
	if (r)
		goto err_close;
	r = region_map(fd, 0, bytes, true, base);
	if (r)
		goto err_close;
	if (fcntl(fd, F_ADD_SEALS, SEALS)) {
		r = errno == EINVAL ? -EOPNOTSUPP : -errno; /* FUTURE_WRITE is of Linux 5.1 */
		goto err_unmap;
	}
	*fd_out = fd;
	return 0;
err_unmap:
	region_unmap(*base, bytes);
err_close:
	close(fd);
	return r;
}

/* Map memory that came from the peer, if it is what the peer cannot change or take away. */
static int map_foreign(int fd, uint64_t bytes, void **base)
{
	struct statfs fs;
	struct stat st;
	int seals, r;

	if (fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC)
		return -EPROTO;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EPROTO;
	if (fstat(fd, &st) || (uint64_t)st.st_size != bytes || (uint64_t)st.st_blocks * 512 < bytes)
		return -EPROTO;
	r = region_map(fd, 0, bytes, false, base);
	return r == -EACCES || r == -EPERM ? -EPROTO : r; /* a descriptor that may not be read */
}

static int create_memfd(struct region *region, const struct geometry *g, void **own)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -errno;
	region->fd = pair[0];
	region->peer_fd = pair[1];
	return make_memory(region, SHMIPC_HEAD, g->head_bytes, own, &region->head_fd);
}

static int offer_memfd(struct region *region, int *fds)
{
	fds[0] = region->peer_fd;
	fds[1] = region->head_fd;
	return 2;
}

/* One end of a pair like the one that create makes; who is at the other end is the sender's affair. */
static bool is_connected_seqpacket(int fd)
{
	socklen_t size = sizeof(int), name_size = sizeof(struct sockaddr_storage);
	struct sockaddr_storage name;
	int type = 0, domain = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET &&
	       !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX &&
	       !getpeername(fd, (struct sockaddr *)&name, &name_size);
}

static int accept_memfd(struct region *region, const struct geometry *g, int *fds, int count, void **own, void **peer,
			int *reply)
{
	int r;

	if (count != 2 || !is_connected_seqpacket(fds[0]))
		return -EPROTO;
	region->fd = fds[0];
	fds[0] = -1;
	/* The flag is the open file's, so the sender could have left it out. */
	if (fcntl(region->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	r = map_foreign(fds[1], g->head_bytes, peer);
	if (r)
		return r;
	region->channel = lane_channel(*peer);
	region->endpoint = 1;
	r = make_memory(region, SHMIPC_HEAD, g->head_bytes, own, &region->head_fd);
	if (r)
		return r;
	reply[0] = region->head_fd;
	return 1;
}

static int complete_memfd(struct region *region, const struct geometry *g, int *fds, int count, void **peer)
{
	close(region->peer_fd);
	region->peer_fd = -1;
	close(region->head_fd);
	region->head_fd = -1;
	if (count != 1)
		return -EPROTO;
	return map_foreign(fds[0], g->head_bytes, peer);
}

static int add_memfd(struct region *region, uint32_t segment, uint64_t bytes, void **base)
{
	struct announcement announcement = { .segment = segment, .bytes = bytes };
	int fd, r = make_memory(region, SHMIPC_SEGMENT(segment), bytes, base, &fd);

	if (r)
		return r;
	/* Of make_memory(), the message and the close; and an allocation for each part. */
	atomic_fetch_add_explicit(&region->system_calls, 8 + (bytes + PART_BYTES - 1) / PART_BYTES,
				  memory_order_relaxed);
	r = fdpass_send(region->fd, &announcement, sizeof(announcement), &fd, 1, false);
	close(fd);
	if (r >= 0)
		return 0;
	region_unmap(*base, bytes);
	return r == -ECONNRESET ? -EPIPE : r;
}

static void take_announcement_locked(struct region *region, const struct announcement *a, int fd)
{
	if (a->segment >= SHMIPC_SEGMENTS || region->pending[a->segment].fd >= 0) {
		region->broken = true;
		close(fd);
		return;
	}
	region->pending[a->segment].fd = fd;
	region->pending[a->segment].bytes = a->bytes;
}

/* At most this many messages a call: a peer that keeps sending does not keep us. */
#define DRAIN_MAX 256

/* Whether the other side has hung up: only then is a message empty. */
static bool drain_locked(struct region *region)
{
	struct announcement a;
	int fds[1], count, i;
	ssize_t n;

	for (i = 0; i < DRAIN_MAX; i++) {
		count = 1;
		atomic_fetch_add_explicit(&region->system_calls, 1, memory_order_relaxed);
		n = fdpass_receive(region->fd, &a, sizeof(a), fds, &count, NULL);
		/* A peer that died without reading what we sent: said once, and what it sent is still there. */
		if (n == -ECONNRESET)
			continue;
		if (n <= 0 && n != -EPROTO)
			return n == 0;
		if (n == (ssize_t)sizeof(a) && count == 1) {
			take_announcement_locked(region, &a, fds[0]);
			continue;
		}
		if (n != 1 || count)
			region->broken = true;
		fdpass_close(fds, count);
	}
	return false;
}

bool region_memfd_drain(struct region *region)
{
	bool hung_up;

	pthread_mutex_lock(&region->lock);
	hung_up = drain_locked(region);
	pthread_mutex_unlock(&region->lock);
	return hung_up;
}

static void drop_pending_locked(struct region *region, uint32_t segment)
{
	fdpass_close(&region->pending[segment].fd, 1);
	region->pending[segment].fd = -1;
}

static int find_memfd(struct region *region, uint32_t segment, uint64_t most, void **base, uint64_t *bytes)
{
	int r = -EBADMSG;

	pthread_mutex_lock(&region->lock);
	if (region->pending[segment].fd < 0)
		drain_locked(region);
	if (region->pending[segment].fd >= 0 && region->pending[segment].bytes <= most && !region->broken) {
		*bytes = region->pending[segment].bytes;
		r = map_foreign(region->pending[segment].fd, *bytes, base);
		if (r == -EPROTO || r == -EINVAL)
			r = -EBADMSG;
	}
	if (!r || r == -EBADMSG)
		drop_pending_locked(region, segment); /* else it is this process's trouble, and may pass */
	pthread_mutex_unlock(&region->lock);
	return r;
}

static void remove_memfd(struct region *region, uint32_t segment, void *base, uint64_t bytes)
{
	(void)region;
	(void)segment;
	region_unmap(base, bytes);
}

static void forget_memfd(struct region *region, uint32_t segment, void *base, uint64_t bytes)
{
	pthread_mutex_lock(&region->lock);
	if (!base) {
		drain_locked(region);
		drop_pending_locked(region, segment);
	}
	pthread_mutex_unlock(&region->lock);
	region_unmap(base, bytes);
}

const struct region_ops region_memfd_ops = {
	.backend = SHMIPC_BACKEND_MEMFD,
	.create = create_memfd,
	.offer = offer_memfd,
	.accept = accept_memfd,
	.complete = complete_memfd,
	.add = add_memfd,
	.find = find_memfd,
	.remove = remove_memfd,
	.forget = forget_memfd,
};
