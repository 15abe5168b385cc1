// SPDX-License-Identifier: Apache-2.0
/*
 * view.c - a channel's memory, for reading
 */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
/* Nobody can shrink it, or punch holes that a read would have to fill. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE)

/* More than the largest head there can be. */
#define HEAD_MAX (64u << 20)

/* Whether a path descriptor is of the memfd that the scan saw. Asks no file system that could keep us waiting. */
static bool is_same_memfd(int path_fd, const struct mapping *m, uint64_t *bytes)
{
	struct statx st;

	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO | STATX_SIZE, &st))
		return false;
	*bytes = st.stx_size;
	return S_ISREG(st.stx_mode) && st.stx_ino == m->inode &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == m->device;
}

/* Open a mapping's memfd for reading. -EPERM: not allowed. -ENOENT: it is not there any more. */
static int open_mapping(const struct mapping *m, uint64_t *bytes)
{
	char path[96];
	int place, fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)m->pid, m->address,
		 m->address + m->bytes);
	place = open(path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return errno == EACCES ? -EPERM : -errno;
	if (is_same_memfd(place, m, bytes)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	} else {
		fd = -ENOENT;
	}
	close(place);
	return fd == -EACCES ? -EPERM : fd;
}

/* Whether a mapping of it can never fault. */
static bool is_steady(int fd, uint64_t bytes)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && !fstat(fd, &st) && (uint64_t)st.st_size == bytes &&
	       (uint64_t)st.st_blocks * 512 >= bytes;
}

/* All of @size bytes, or an error. */
static int read_remote(const struct mapping *m, uint64_t offset, void *data, size_t size)
{
	struct iovec local = { .iov_base = data, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)(m->address + offset), .iov_len = size };
	ssize_t n = process_vm_readv(m->pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return errno == ESRCH || errno == EFAULT ? -ENOENT : -errno;
	return (size_t)n == size ? 0 : -ENOENT;
}

static int read_file(int fd, uint64_t offset, void *data, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size) {
		n = pread(fd, (char *)data + used, size - used, (off_t)(offset + used));
		if (n <= 0)
			return n ? -errno : -ENOENT;
		used += (size_t)n;
	}
	return 0;
}

static int copy_head(struct view *v, int e)
{
	const struct mapping *m = &v->at.side[e].head;
	uint64_t bytes = m->bytes;
	int fd = open_mapping(m, &bytes), r;

	if (fd == -EPERM)
		return read_remote(m, 0, v->head[e].base, v->head[e].bytes);
	if (fd < 0)
		return fd;
	r = bytes == v->head[e].bytes ? read_file(fd, 0, v->head[e].base, bytes) : -ENOENT;
	close(fd);
	return r;
}

static int open_memfd_head(struct view *v, int e)
{
	const struct mapping *m = &v->at.side[e].head;
	uint64_t bytes = m->bytes;
	void *base = MAP_FAILED;
	int fd = open_mapping(m, &bytes), r;

	if (fd < 0 && fd != -EPERM)
		return fd;
	if (bytes > HEAD_MAX) {
		if (fd >= 0)
			close(fd);
		return -EFBIG;
	}
	if (fd >= 0 && is_steady(fd, bytes))
		base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	v->head[e].bytes = bytes;
	if (base != MAP_FAILED) {
		v->head[e].base = base;
		v->head[e].mapped = true;
		return 0;
	}
	v->head[e].base = malloc(bytes);
	if (!v->head[e].base)
		return -ENOMEM;
	r = copy_head(v, e);
	if (r) {
		free(v->head[e].base);
		v->head[e].base = NULL;
	}
	return r;
}

/* Another process's descriptor: the very file, so that INFO and mmap see that channel. */
static int get_fd(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), got;

	if (pidfd < 0)
		return -errno;
	got = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (got < 0)
		got = -errno;
	close(pidfd);
	return got;
}

/* Whether that descriptor still is an endpoint of that channel; numbers are used again. */
static bool is_endpoint(int fd, const struct channel_at *at, uint32_t endpoint)
{
	struct shmipc_ioc_info info = { 0 };
	char path[64], name[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n <= 0)
		return false;
	name[n] = '\0';
	if (strcmp(name, "anon_inode:[shmipc]")) {
		char dev[32], mine[32];
		struct stat st;

		/* An ioctl may mean anything to another driver: only the module's device is asked. */
		if (fstat(fd, &st) || !S_ISCHR(st.st_mode) ||
		    !proc_file("/sys/class/misc/shmipc/dev", dev, sizeof(dev)))
			return false;
		snprintf(mine, sizeof(mine), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
		if (strcmp(dev, mine))
			return false;
	}
	return !ioctl(fd, SHMIPC_IOC_INFO, &info) && info.id == at->number && info.endpoint == endpoint;
}

static int open_endpoint(struct view *v)
{
	int e, fd, r = -ENOENT;

	for (e = 0; e < 2; e++) {
		if (!v->at.side[e].holder)
			continue;
		fd = get_fd(v->at.side[e].holder, v->at.side[e].fd);
		if (fd < 0) {
			r = fd;
			continue;
		}
		if (is_endpoint(fd, &v->at, (uint32_t)e)) {
			v->endpoint_fd = fd;
			v->endpoint_of = (uint32_t)e;
			return 0;
		}
		close(fd);
	}
	return r;
}

static int map_part(const struct view *v, int e, uint32_t part, uint64_t bytes, void **base)
{
	uint32_t lane = (uint32_t)e == v->endpoint_of ? SHMIPC_OWN : SHMIPC_PEER;

	*base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, v->endpoint_fd, (off_t)SHMIPC_MMAP(lane, part));
	return *base == MAP_FAILED ? -errno : 0;
}

static void open_kmod(struct view *v)
{
	int e, r;

	v->error = open_endpoint(v);
	for (e = 0; e < 2 && !v->error; e++) {
		v->head[e].bytes = v->at.side[e].head_bytes;
		r = map_part(v, e, SHMIPC_HEAD, v->head[e].bytes, &v->head[e].base);
		v->head[e].mapped = !r;
		if (r) {
			v->head[e].base = NULL;
			v->error = r;
		}
	}
}

static void fill_image(struct view *v, int e)
{
	struct image *image = &v->pair.lane[e];
	uint32_t i;

	image_open(image, v->head[e].base, v->head[e].bytes);
	for (i = 0; i < SHMIPC_SEGMENTS; i++)
		image->segment[i] = (struct image_part){ .bytes = v->at.side[e].segment_bytes[i] };
	/* A reader maps segments when it meets them: only the owner, or the module, knows them all. */
	image->segments_known = v->at.backend == SHMIPC_BACKEND_KMOD || v->at.side[e].state == SIDE_LIVE;
}

void view_open(struct view *v, const struct channel_at *at)
{
	int e, r;

	memset(v, 0, sizeof(*v));
	v->at = *at;
	v->endpoint_fd = -1;
	if (at->backend == SHMIPC_BACKEND_KMOD) {
		open_kmod(v);
	} else {
		for (e = 0; e < 2; e++) {
			r = at->side[e].head.pid ? open_memfd_head(v, e) : 0;
			v->error = r ? r : v->error;
		}
	}
	for (e = 0; e < 2; e++)
		fill_image(v, e);
	/* A lane of the module's that nobody has written yet is not a broken one. */
	for (e = 0; e < 2; e++)
		if (at->backend == SHMIPC_BACKEND_KMOD && at->side[e].state == SIDE_NONE && v->pair.lane[e].fault)
			v->pair.lane[e].head.base = NULL;
	if (at->backend == SHMIPC_BACKEND_KMOD && !v->pair.lane[0].fault)
		v->at.id = v->pair.lane[0].record.channel;
}

void view_close(struct view *v)
{
	int e;

	for (e = 0; e < 2; e++) {
		if (v->head[e].mapped)
			munmap(v->head[e].base, v->head[e].bytes);
		else
			free(v->head[e].base);
		v->head[e].base = NULL;
	}
	if (v->endpoint_fd >= 0)
		close(v->endpoint_fd);
	v->endpoint_fd = -1;
}

int view_refresh(struct view *v)
{
	int e, r;

	for (e = 0; e < 2; e++) {
		if (!v->head[e].base || v->head[e].mapped)
			continue;
		r = copy_head(v, e);
		if (r)
			return r;
		fill_image(v, e);
	}
	return 0;
}

static ssize_t read_memfd(const struct view *v, int e, uint32_t segment, uint64_t offset, void *data, size_t size)
{
	const struct mapping *m = &v->at.side[e].segment[segment];
	uint64_t bytes;
	int fd, r;

	if (!m->pid)
		return -ENOENT;
	fd = open_mapping(m, &bytes);
	if (fd == -EPERM)
		r = read_remote(m, offset, data, size);
	else
		r = fd < 0 ? fd : read_file(fd, offset, data, size);
	if (fd >= 0)
		close(fd);
	return r ? r : (ssize_t)size;
}

ssize_t view_read(const struct view *v, int e, uint32_t segment, uint64_t offset, void *data, size_t size)
{
	const struct image *image = &v->pair.lane[e];
	void *base;
	int r;

	if (!image_has(image, segment, offset, 1))
		return -ENOENT;
	if (size > image->segment[segment].bytes - offset)
		size = image->segment[segment].bytes - offset;
	if (v->at.backend == SHMIPC_BACKEND_MEMFD)
		return read_memfd(v, e, segment, offset, data, size);
	r = map_part(v, e, SHMIPC_SEGMENT(segment), image->segment[segment].bytes, &base);
	if (r)
		return r;
	memcpy(data, (const char *)base + offset, size);
	munmap(base, image->segment[segment].bytes);
	return (ssize_t)size;
}

/* How often a moment of rest is waited for, and how long. */
#define REST_TRIES 20
#define REST_NS 500000

static bool copy_heads(struct snapshot *s, struct view *v)
{
	bool still = true;
	int e;

	for (e = 0; e < 2; e++)
		if (s->bytes[e])
			memcpy(s->bytes[e], v->head[e].base, v->head[e].bytes);
	if (view_refresh(v))
		return false;
	full_barrier();
	for (e = 0; e < 2; e++)
		if (s->bytes[e] && memcmp(s->bytes[e], v->head[e].base, v->head[e].bytes))
			still = false;
	return still;
}

int snapshot_take(struct snapshot *s, struct view *v)
{
	int e, tries;

	memset(s, 0, sizeof(*s));
	for (e = 0; e < 2; e++) {
		if (!v->pair.lane[e].head.base)
			continue;
		s->bytes[e] = malloc(v->head[e].bytes);
		if (!s->bytes[e])
			return -ENOMEM;
	}
	for (tries = 0; tries < REST_TRIES && !s->still; tries++) {
		if (tries)
			nanosleep(&(struct timespec){ .tv_nsec = REST_NS }, NULL);
		s->now_ms = now_ms();
		s->still = copy_heads(s, v);
	}
	for (e = 0; e < 2; e++) {
		image_open(&s->pair.lane[e], s->bytes[e], v->head[e].bytes);
		memcpy(s->pair.lane[e].segment, v->pair.lane[e].segment, sizeof(s->pair.lane[e].segment));
		s->pair.lane[e].segments_known = v->pair.lane[e].segments_known;
	}
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	free(s->bytes[0]);
	free(s->bytes[1]);
	s->bytes[0] = s->bytes[1] = NULL;
}
