// SPDX-License-Identifier: Apache-2.0
/*
 * region_kmod.c - shared pages from the kernel module: one descriptor an endpoint, and the module
 * sees to the rest
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "region.h"

#define DEVICE "/dev/shmipc"

static int call(struct region *region, unsigned long command, void *argument)
{
	atomic_fetch_add_explicit(&region->system_calls, 1, memory_order_relaxed);
	return ioctl(region->fd, command, argument) < 0 ? -errno : 0;
}

/* No module, or not for us: another backend may do. Anything else is trouble of this process. */
static int explain_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
	case ENODEV:
		return -EOPNOTSUPP;
	case EPERM:
		return -EACCES;
	default:
		return -error;
	}
}

bool region_kmod_usable(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int create_kmod(struct region *region, const struct geometry *g, void **own)
{
	struct shmipc_ioc_create create = {
		.head_size = { g->head_bytes, g->head_bytes },
		.lane_max = { g->head_bytes + g->memory_max, g->head_bytes + g->memory_max },
	};
	int r;

	region->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (region->fd < 0)
		return explain_open(errno);
	r = call(region, SHMIPC_IOC_CREATE, &create);
	if (r)
		return r == -ENOTTY ? -EOPNOTSUPP : r;
	region->peer_fd = create.peer_fd;
	return region_map(region->fd, SHMIPC_MMAP(SHMIPC_OWN, SHMIPC_HEAD), g->head_bytes, true, own);
}

static int offer_kmod(struct region *region, int *fds)
{
	fds[0] = region->peer_fd;
	return 1;
}

/* Whether a descriptor that came from anywhere is an endpoint made by the module, and by no other driver. */
static bool is_endpoint(int fd)
{
	char path[32] = "/proc/self/fd/", name[64];
	int i = (int)strlen(path), digits = 1, n;
	ssize_t length;

	for (n = fd; n >= 10; n /= 10)
		digits++;
	path[i + digits] = '\0';
	for (n = fd; digits-- > 0; n /= 10)
		path[i + digits] = (char)('0' + n % 10);
	length = readlink(path, name, sizeof(name));
	return length == (ssize_t)strlen("anon_inode:[shmipc]") && !memcmp(name, "anon_inode:[shmipc]", (size_t)length);
}

static int accept_kmod(struct region *region, const struct geometry *g, int *fds, int count, void **own, void **peer,
		       int *reply)
{
	struct shmipc_ioc_info info = { 0 };
	int r;

	(void)reply;
	if (count != 1)
		return -EPROTO;
	region->fd = fds[0];
	fds[0] = -1;
	if (!is_endpoint(region->fd) || call(region, SHMIPC_IOC_INFO, &info) || info.abi < SHMIPC_ABI)
		return -EPROTO;
	if (info.head_size[0] != g->head_bytes || info.head_size[1] != g->head_bytes ||
	    info.lane_max[0] != g->head_bytes + g->memory_max || info.lane_max[1] != g->head_bytes + g->memory_max)
		return -EPROTO;
	r = region_map(region->fd, SHMIPC_MMAP(SHMIPC_OWN, SHMIPC_HEAD), g->head_bytes, true, own);
	if (r)
		return r == -EBUSY ? -EPROTO : r;
	r = region_map(region->fd, SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_HEAD), g->head_bytes, false, peer);
	if (r)
		return r;
	region->channel = lane_channel(*peer);
	region->endpoint = 1;
	return 0;
}

static int complete_kmod(struct region *region, const struct geometry *g, int *fds, int count, void **peer)
{
	(void)fds;
	close(region->peer_fd);
	region->peer_fd = -1;
	if (count != 0)
		return -EPROTO;
	return region_map(region->fd, SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_HEAD), g->head_bytes, false, peer);
}

static int identify_kmod(struct region *region, struct shmipc_peer *peer)
{
	struct shmipc_ioc_info info = { 0 };
	int r = call(region, SHMIPC_IOC_INFO, &info);

	if (r || !(info.state & SHMIPC_STATE_PEER_BOUND))
		return r ? r : -EPIPE;
	*peer = (struct shmipc_peer){ .pid = info.peer_pid, .uid = info.peer_uid, .gid = info.peer_gid };
	return 0;
}

static int add_kmod(struct region *region, uint32_t segment, uint64_t bytes, void **base)
{
	struct shmipc_ioc_grow grow = { .size = bytes, .segment = segment };
	int r = call(region, SHMIPC_IOC_GROW, &grow);

	if (r)
		return r == -EEXIST ? -EBADMSG : r;
	r = region_map(region->fd, SHMIPC_MMAP(SHMIPC_OWN, SHMIPC_SEGMENT(segment)), bytes, true, base);
	if (r)
		call(region, SHMIPC_IOC_RETIRE, (void *)(uintptr_t)segment);
	return r;
}

static int find_kmod(struct region *region, uint32_t segment, uint64_t most, void **base, uint64_t *bytes)
{
	struct shmipc_ioc_segment query = { .lane = SHMIPC_PEER, .segment = segment };
	int r = call(region, SHMIPC_IOC_SEGMENT, &query);

	if (r || query.size > most)
		return -EBADMSG;
	*bytes = query.size;
	r = region_map(region->fd, SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_SEGMENT(segment)), query.size, false, base);
	return r == -ENOENT || r == -EINVAL ? -EBADMSG : r; /* retired, or another one, in between */
}

static void remove_kmod(struct region *region, uint32_t segment, void *base, uint64_t bytes)
{
	call(region, SHMIPC_IOC_RETIRE, (void *)(uintptr_t)segment);
	region_unmap(base, bytes);
}

static void forget_kmod(struct region *region, uint32_t segment, void *base, uint64_t bytes)
{
	(void)region;
	(void)segment;
	region_unmap(base, bytes);
}

const struct region_ops region_kmod_ops = {
	.backend = SHMIPC_BACKEND_KMOD,
	.create = create_kmod,
	.offer = offer_kmod,
	.accept = accept_kmod,
	.complete = complete_kmod,
	.identify = identify_kmod,
	.add = add_kmod,
	.find = find_kmod,
	.remove = remove_kmod,
	.forget = forget_kmod,
};
