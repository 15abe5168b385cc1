// SPDX-License-Identifier: Apache-2.0
/* The list of transports, and what several of them need to be set up. */
#include "transport.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const struct transport transport_doorbell, transport_memfd, transport_uds, transport_uds_epoll,
	transport_eventfd, transport_futex, transport_pipe, transport_spin;

/* In the order in which they are run and reported. */
const struct transport *const transports[] = {
	&transport_doorbell, &transport_memfd, &transport_uds,  &transport_uds_epoll,
	&transport_eventfd,  &transport_futex, &transport_pipe, &transport_spin,
};
const unsigned int transport_count = sizeof(transports) / sizeof(transports[0]);

const struct transport *transport_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < transport_count; i++)
		if (!strcmp(transports[i]->name, name))
			return transports[i];
	return NULL;
}

const char *sync_name(enum sync_mode mode)
{
	static const char *const names[SYNC_MODES] = {
		[SYNC_DEMAND] = "demand",
		[SYNC_ADAPTIVE] = "adaptive",
		[SYNC_POLLING] = "polling",
		[SYNC_TIMED] = "timed",
	};

	return names[mode];
}

int wiring_map(struct wiring *wiring, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	wiring->memory = memory;
	wiring->memory_size = size;
	return 0;
}

void wiring_init(struct wiring *wiring)
{
	memset(wiring, 0, sizeof(*wiring));
	memset(wiring->fd, -1, sizeof(wiring->fd));
}

void wiring_fini(struct wiring *wiring)
{
	unsigned int i;

	for (i = 0; i < WIRING_FDS; i++)
		if (wiring->fd[i] >= 0)
			close(wiring->fd[i]);
	if (wiring->memory)
		munmap(wiring->memory, wiring->memory_size);
	wiring_init(wiring);
}
