// SPDX-License-Identifier: GPL-2.0
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int device_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

long device_call(int fd, unsigned long command, uintptr_t argument)
{
	long result = ioctl(fd, command, argument);

	return result < 0 ? -errno : result;
}

struct shmipc_ioc_create create_request(void)
{
	struct shmipc_ioc_create request = {
		.head_size = { page_size(), page_size() },
		.lane_max = { 1 << 20, 1 << 20 },
		.peer_fd = (__s32)POISON_32,
	};

	return request;
}

int channel_create(struct endpoint ends[2], const struct shmipc_ioc_create *request)
{
	struct shmipc_ioc_create create = request ? *request : create_request();
	int fd = device_open();
	long result;

	memset(ends, 0, 2 * sizeof(*ends));
	ends[0].fd = -1;
	ends[1].fd = -1;
	if (fd < 0)
		return fd;
	result = CALL(fd, SHMIPC_IOC_CREATE, &create);
	if (result < 0) {
		close(fd);
		return (int)result;
	}
	ends[0].fd = fd;
	ends[1].fd = create.peer_fd;
	for (int i = 0; i < 2; i++) {
		ends[i].own_size = create.head_size[i];
		ends[i].peer_size = create.head_size[!i];
	}
	return 0;
}

int channel_create_bound(struct endpoint ends[2])
{
	int result = channel_create(ends, NULL);

	for (int i = 0; i < 2 && !result; i++)
		result = endpoint_map(&ends[i]);
	return result;
}

int part_map(int fd, unsigned int lane, unsigned int part, size_t size, int protection,
	     void **address)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, fd, (off_t)SHMIPC_MMAP(lane, part));

	if (at == MAP_FAILED)
		return -errno;
	*address = at;
	return 0;
}

int endpoint_map(struct endpoint *end)
{
	void *own = NULL;
	void *peer = NULL;
	int result;

	result = part_map(end->fd, SHMIPC_OWN, SHMIPC_HEAD, end->own_size, PROT_READ | PROT_WRITE,
			  &own);
	if (result)
		return result;
	result = part_map(end->fd, SHMIPC_PEER, SHMIPC_HEAD, end->peer_size, PROT_READ, &peer);
	if (result) {
		munmap(own, end->own_size);
		return result;
	}
	end->own = own;
	end->peer = peer;
	return 0;
}

void endpoint_unmap(struct endpoint *end)
{
	if (end->own)
		munmap(end->own, end->own_size);
	if (end->peer)
		munmap((void *)(uintptr_t)end->peer, end->peer_size);
	end->own = NULL;
	end->peer = NULL;
}

void endpoint_close(struct endpoint *end)
{
	endpoint_unmap(end);
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
}

int endpoint_info(int fd, struct shmipc_ioc_info *info)
{
	memset(info, POISON, sizeof(*info));
	return (int)CALL(fd, SHMIPC_IOC_INFO, info);
}

uint32_t endpoint_state(int fd)
{
	struct shmipc_ioc_info info;

	return endpoint_info(fd, &info) ? UINT32_MAX : info.state;
}

int endpoint_grow(int fd, unsigned int segment, size_t size)
{
	struct shmipc_ioc_grow grow = { .size = size, .segment = segment };

	return (int)CALL(fd, SHMIPC_IOC_GROW, &grow);
}

uint32_t word_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void word_store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

uint32_t endpoint_arm(struct endpoint *end)
{
	uint32_t seq = (word_load(&end->own->seq) + 1) | 1;

	word_store(&end->own->seq, seq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return seq;
}

void endpoint_disarm(struct endpoint *end)
{
	word_store(&end->own->seq, (word_load(&end->own->seq) | 1) + 1);
}

bool endpoint_take_duty(struct endpoint *end)
{
	uint32_t seq;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	seq = word_load(&end->peer->seq);
	if (!(seq & 1) || seq == word_load(&end->own->rung))
		return false;
	word_store(&end->own->rung, seq);
	return true;
}

long endpoint_ring(struct endpoint *end)
{
	if (!endpoint_take_duty(end))
		return 0;
	return CALL(end->fd, SHMIPC_IOC_RING, 0);
}
