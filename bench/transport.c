// SPDX-License-Identifier: Apache-2.0
/* The list of transports, and what several of them need to be set up. */
#include "transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern const struct transport transport_doorbell, transport_memfd, transport_doorbell_stream,
	transport_doorbell_stream_place, transport_memfd_stream, transport_memfd_stream_place, transport_uds,
	transport_uds_epoll, transport_uds_uring, transport_uds_seqpacket, transport_uds_dgram, transport_tcp,
	transport_pipe, transport_mqueue, transport_vm_readv, transport_eventfd, transport_futex, transport_semaphore,
	transport_spin, transport_zmq, transport_nng;

/* In the order in which they are run and reported. */
const struct transport *const transports[] = {
	&transport_doorbell,
	&transport_doorbell_stream,
	&transport_doorbell_stream_place,
	&transport_memfd,
	&transport_memfd_stream,
	&transport_memfd_stream_place,
	&transport_uds,
	&transport_uds_epoll,
#ifdef BENCH_URING
	&transport_uds_uring,
#endif
	&transport_uds_seqpacket,
	&transport_uds_dgram,
	&transport_tcp,
	&transport_pipe,
	&transport_mqueue,
	&transport_vm_readv,
	&transport_eventfd,
	&transport_futex,
	&transport_semaphore,
	&transport_spin,
#ifdef BENCH_ZMQ
	&transport_zmq,
#endif
#ifdef BENCH_NNG
	&transport_nng,
#endif
};
const unsigned int transport_count = sizeof(transports) / sizeof(transports[0]);

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

/* Bound to an address of no length a Unix socket gets a name that nobody else has. */
int wiring_listen(struct wiring *wiring)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(name.sun_family);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	wiring->fd[0] = fd;
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, size) || listen(fd, SOMAXCONN))
		return -errno;
	memset(&name, 0, sizeof(name));
	size = sizeof(name);
	if (getsockname(fd, (struct sockaddr *)&name, &size))
		return -errno;
	snprintf(wiring->address, sizeof(wiring->address), "@%.*s", WIRING_ADDRESS - 2, name.sun_path + 1);
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
