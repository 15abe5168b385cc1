// SPDX-License-Identifier: Apache-2.0
/*
 * region.c - what the two backends of a region have in common
 */
#include "region.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

void region_init(struct region *region, const struct region_ops *ops)
{
	int i;

	*region = (struct region){ .ops = ops, .fd = -1, .peer_fd = -1, .head_fd = -1 };
	pthread_mutex_init(&region->lock, NULL);
	for (i = 0; i < (int)SHMIPC_SEGMENTS; i++)
		region->pending[i].fd = -1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void region_fini(struct region *region)
{
	int i;

	close_fd(&region->fd);
	close_fd(&region->peer_fd);
	close_fd(&region->head_fd);
	for (i = 0; i < (int)SHMIPC_SEGMENTS; i++)
		close_fd(&region->pending[i].fd);
}

int region_map(int fd, uint64_t offset, uint64_t bytes, bool writable, void **base)
{
	void *p = mmap(NULL, bytes, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_POPULATE, fd,
		       (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	/* The module's mappings are so by themselves. */
	if (madvise(p, bytes, MADV_DONTFORK) || madvise(p, bytes, MADV_DONTDUMP)) {
		int r = -errno;

		munmap(p, bytes);
		return r;
	}
	*base = p;
	return 0;
}

void region_unmap(void *base, uint64_t bytes)
{
	if (base)
		munmap(base, bytes);
}
