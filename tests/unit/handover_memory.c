// SPDX-License-Identifier: Apache-2.0
/*
 * handover_memory.c - tests of the memory that a memfd handover accepts: none that could change, shrink,
 * fault or be written behind our back
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

/* Memory as it has to be, but for what the arguments leave out. */
static int make_memory(uint64_t size, uint64_t allocated, int seals)
{
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (allocated)
		assert_int_equal(posix_fallocate(fd, 0, (off_t)allocated), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int whole(uint64_t bytes)
{
	return make_memory(bytes, bytes, ALL_SEALS);
}

static int write_sealed(uint64_t bytes)
{
	return make_memory(bytes, bytes, ALL_SEALS | F_SEAL_WRITE);
}

static int unsealed(uint64_t bytes)
{
	return make_memory(bytes, bytes, 0);
}

static int without_shrink(uint64_t bytes)
{
	return make_memory(bytes, bytes, ALL_SEALS & ~F_SEAL_SHRINK);
}

static int without_grow(uint64_t bytes)
{
	return make_memory(bytes, bytes, ALL_SEALS & ~F_SEAL_GROW);
}

static int without_future_write(uint64_t bytes)
{
	return make_memory(bytes, bytes, ALL_SEALS & ~F_SEAL_FUTURE_WRITE);
}

static int without_seal(uint64_t bytes)
{
	return make_memory(bytes, bytes, ALL_SEALS & ~F_SEAL_SEAL);
}

static int truncated(uint64_t bytes)
{
	return make_memory(bytes - 4096, bytes - 4096, ALL_SEALS);
}

static int empty(uint64_t bytes)
{
	(void)bytes;
	return make_memory(0, 0, ALL_SEALS);
}

static int too_large(uint64_t bytes)
{
	return make_memory(bytes + 4096, bytes + 4096, ALL_SEALS);
}

static int one_byte_short(uint64_t bytes)
{
	return make_memory(bytes - 1, bytes - 1, ALL_SEALS);
}

static int all_holes(uint64_t bytes)
{
	return make_memory(bytes, 0, ALL_SEALS);
}

static int one_hole(uint64_t bytes)
{
	return make_memory(bytes, bytes - 4096, ALL_SEALS);
}

static int write_only(uint64_t bytes)
{
	char path[64];
	int fd, memory = unsealed(bytes);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, ALL_SEALS), 0);
	close(memory);
	return fd;
}

/* A new file without a name, all of it there. */
static int file_like(char *path, uint64_t bytes)
{
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(posix_fallocate(fd, 0, (off_t)bytes), 0);
	return fd;
}

static int regular_file(uint64_t bytes)
{
	char path[] = "/var/tmp/shmipc-test-XXXXXX";

	return file_like(path, bytes);
}

static int tmpfs_file(uint64_t bytes)
{
	char path[] = "/dev/shm/shmipc-test-XXXXXX";

	return file_like(path, bytes);
}

static int pipe_end(uint64_t bytes)
{
	int fds[2];

	(void)bytes;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	return fds[0];
}

static int unix_socket(uint64_t bytes)
{
	(void)bytes;
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int dev_zero(uint64_t bytes)
{
	(void)bytes;
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static int event_fd(uint64_t bytes)
{
	(void)bytes;
	return eventfd(0, EFD_CLOEXEC);
}

static int directory(uint64_t bytes)
{
	(void)bytes;
	return open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int huge_pages(uint64_t bytes)
{
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

	if (fd < 0)
		skip_because("no memfds of huge pages here");
	if (ftruncate(fd, 2 << 20))
		skip_because("no huge pages here");
	fcntl(fd, F_ADD_SEALS, ALL_SEALS);
	(void)bytes;
	return fd;
}

static uint64_t size_of(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	assert_true(size > 4096);
	return (uint64_t)size;
}

/* Put this memory into the offer: receive says so, and tells send. */
static void offer(struct pair *pair, int (*make)(uint64_t bytes), int expected)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_open(&proxy, pair, NULL);
	packet_take(proxy.up[1], &packet);
	packet_replace(&packet, 1, make(size_of(packet.fds[1])));
	packet_give(proxy.down[1], &packet);
	packet_take(proxy.down[1], &packet);
	assert_int_equal(packet.wire.status, expected);
	packet_give(proxy.up[1], &packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(received, expected);
	assert_code(sent, expected);
	if (expected)
		assert_null(pair->b);
}

/* Put it into the answer: send says so. */
static void answer(struct pair *pair, int (*make)(uint64_t bytes), int expected)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_until_answer(&proxy, pair, &packet);
	packet_replace(&packet, 0, make(size_of(packet.fds[0])));
	packet_give(proxy.up[1], &packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(received, 0);
	assert_code(sent, expected);
}

static void close_both(struct pair *pair)
{
	shmipc_channel_destroy(pair->a);
	shmipc_channel_destroy(pair->b);
	pair->a = pair->b = NULL;
}

#define REFUSED(kind)                                                                                                  \
	static void kind##_is_refused_in_an_offer_and_an_answer(struct pair *pair)                                     \
	{                                                                                                              \
		offer(pair, kind, -EPROTO);                                                                            \
		close_both(pair);                                                                                      \
		answer(pair, kind, -EPROTO);                                                                           \
	}

REFUSED(unsealed)
REFUSED(without_shrink)
REFUSED(without_grow)
REFUSED(without_future_write)
REFUSED(without_seal)
REFUSED(truncated)
REFUSED(empty)
REFUSED(too_large)
REFUSED(one_byte_short)
REFUSED(all_holes)
REFUSED(one_hole)
REFUSED(write_only)
REFUSED(regular_file)
REFUSED(tmpfs_file)
REFUSED(pipe_end)
REFUSED(unix_socket)
REFUSED(dev_zero)
REFUSED(event_fd)
REFUSED(directory)

static void huge_pages_are_refused_in_an_offer(struct pair *pair)
{
	int fd = huge_pages(0);

	close(fd);
	offer(pair, huge_pages, -EPROTO);
}

static void memory_with_every_seal_and_page_is_taken(struct pair *pair)
{
	offer(pair, whole, 0);
	close_both(pair);
	answer(pair, whole, 0);
	close_both(pair);
	/* More seals than needed do no harm: a lane that nobody writes to. */
	offer(pair, write_sealed, 0);
}

#define ON_OFFERS(kind) ON_MEMFD(kind##_is_refused_in_an_offer_and_an_answer)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_MEMFD(memory_with_every_seal_and_page_is_taken),
		ON_OFFERS(unsealed),
		ON_OFFERS(without_shrink),
		ON_OFFERS(without_grow),
		ON_OFFERS(without_future_write),
		ON_OFFERS(without_seal),
		ON_OFFERS(truncated),
		ON_OFFERS(empty),
		ON_OFFERS(too_large),
		ON_OFFERS(one_byte_short),
		ON_OFFERS(all_holes),
		ON_OFFERS(one_hole),
		ON_OFFERS(write_only),
		ON_OFFERS(regular_file),
		ON_OFFERS(tmpfs_file),
		ON_OFFERS(pipe_end),
		ON_OFFERS(unix_socket),
		ON_OFFERS(dev_zero),
		ON_OFFERS(event_fd),
		ON_OFFERS(directory),
		ON_MEMFD(huge_pages_are_refused_in_an_offer),
	};

	return RUN_TESTS(tests, argc, argv);
}
