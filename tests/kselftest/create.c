// SPDX-License-Identifier: GPL-2.0
/*
 * CREATE: what it makes, what it refuses, and that a refused one made nothing. Also what holds for
 * every command: unknown ones, unreadable arguments, files that are no endpoint yet.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "endpoint.h"

FIXTURE(create)
{
	int fd;
	struct shmipc_ioc_create request;
};

FIXTURE_SETUP(create)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->request = create_request();
}

FIXTURE_TEARDOWN(create)
{
	close(self->fd);
}

/* The lowest descriptor that is free: the same before and after if nothing leaked. */
static int lowest_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY);

	close(fd);
	return fd;
}

/* A refused create leaves a file that is no endpoint, and no descriptor behind. */
static bool made_nothing(int fd, int lowest)
{
	struct shmipc_ioc_info info;

	return endpoint_info(fd, &info) == -EINVAL && lowest_descriptor() == lowest;
}

TEST_F(create, makes_two_endpoints_with_zeroed_heads)
{
	struct shmipc_ioc_info info;
	void *head;

	self->request.head_size[0] = 2 * page_size();
	self->request.head_size[1] = 5 * page_size();
	ASSERT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
	ASSERT_LE(0, self->request.peer_fd);
	for (int i = 0; i < 2; i++) {
		int fd = i ? self->request.peer_fd : self->fd;
		size_t size = self->request.head_size[i];

		ASSERT_EQ(0, endpoint_info(fd, &info));
		EXPECT_EQ((uint32_t)i, info.endpoint);
		ASSERT_EQ(0, part_map(fd, SHMIPC_OWN, SHMIPC_HEAD, size, PROT_READ, &head));
		for (size_t at = 0; at < size; at++) {
			ASSERT_EQ(0, ((unsigned char *)head)[at]);
		}
		munmap(head, size);
	}
	close(self->request.peer_fd);
}

TEST_F(create, leaves_its_inputs_as_they_were)
{
	struct shmipc_ioc_create before = self->request;

	ASSERT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
	close(self->request.peer_fd);
	before.peer_fd = self->request.peer_fd;
	EXPECT_EQ(0, memcmp(&before, &self->request, sizeof(before)));
}

TEST_F(create, opens_the_peer_close_on_exec_for_reading_and_writing)
{
	ASSERT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->request.peer_fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->request.peer_fd, F_GETFL) & O_ACCMODE);
	close(self->request.peer_fd);
}

TEST_F(create, refuses_every_flag_bit)
{
	int lowest = lowest_descriptor();

	for (int bit = 0; bit < 32; bit++) {
		self->request.flags = 1u << bit;
		EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request))
			TH_LOG("bit %d", bit);
	}
	EXPECT_TRUE(made_nothing(self->fd, lowest));
	self->request.flags = 0;
	EXPECT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
}

TEST_F(create, refuses_every_reserved_bit)
{
	int lowest = lowest_descriptor();

	for (int bit = 0; bit < 4 * 64; bit++) {
		self->request.reserved[bit / 64] = 1ull << bit % 64;
		EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request))
			TH_LOG("bit %d", bit);
		self->request.reserved[bit / 64] = 0;
	}
	EXPECT_TRUE(made_nothing(self->fd, lowest));
	EXPECT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
}

TEST_F(create, refuses_heads_that_are_not_whole_pages)
{
	const size_t page = page_size();
	const size_t sizes[] = { 0, 1, page / 2, page - 1, page + 1, 2 * page - 8 };
	int lowest = lowest_descriptor();

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int end = 0; end < 2; end++) {
			self->request = create_request();
			self->request.head_size[end] = sizes[i];
			EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request))
				TH_LOG("head %d of %zu", end, sizes[i]);
		}
	}
	EXPECT_TRUE(made_nothing(self->fd, lowest));
}

TEST_F(create, refuses_a_lane_limit_below_the_head)
{
	const size_t page = page_size();
	const size_t limits[] = { 0, 1, page, 2 * page - 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		for (int end = 0; end < 2; end++) {
			self->request = create_request();
			self->request.head_size[end] = 2 * page;
			self->request.lane_max[end] = limits[i];
			EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request))
				TH_LOG("lane %d: %zu", end, limits[i]);
		}
	}
}

TEST_F(create, takes_any_lane_limit_from_the_head_up)
{
	const uint64_t limits[] = { page_size(), page_size() + 1, 1ull << 40, UINT64_MAX };
	struct shmipc_ioc_info info;

	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		int fd = device_open();

		self->request = create_request();
		self->request.lane_max[0] = limits[i];
		self->request.lane_max[1] = limits[i];
		ASSERT_EQ(0, CALL(fd, SHMIPC_IOC_CREATE, &self->request))
			TH_LOG("limit %llx", (unsigned long long)limits[i]);
		ASSERT_EQ(0, endpoint_info(fd, &info));
		EXPECT_EQ(limits[i], info.lane_max[0]);
		close(self->request.peer_fd);
		close(fd);
	}
}

TEST_F(create, refuses_heads_that_no_machine_has)
{
	const uint64_t sizes[] = { 1ull << 40, 1ull << 44, 1ull << 52, 1ull << 63,
				   -page_size(), (1ull << 63) + page_size() };
	int lowest = lowest_descriptor();

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int ends = 1; ends < 4; ends++) {
			long result;

			self->request = create_request();
			for (int end = 0; end < 2; end++) {
				self->request.lane_max[end] = UINT64_MAX;
				if (ends & 1 << end)
					self->request.head_size[end] = sizes[i];
			}
			result = CALL(self->fd, SHMIPC_IOC_CREATE, &self->request);
			EXPECT_TRUE(result == -EINVAL || result == -ENOMEM || result == -ENOSPC ||
				    result == -EDQUOT)
				TH_LOG("head %llx: %ld", (unsigned long long)sizes[i], result);
		}
	}
	EXPECT_TRUE(made_nothing(self->fd, lowest));
}

TEST_F(create, refuses_a_file_that_is_an_endpoint)
{
	struct shmipc_ioc_create again = create_request();
	int lowest;

	ASSERT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
	lowest = lowest_descriptor();
	EXPECT_EQ(-EBUSY, CALL(self->fd, SHMIPC_IOC_CREATE, &again));
	EXPECT_EQ(-EBUSY, CALL(self->request.peer_fd, SHMIPC_IOC_CREATE, &again));
	EXPECT_EQ(lowest, lowest_descriptor());
	close(self->request.peer_fd);
}

TEST_F(create, makes_nothing_when_the_result_cannot_be_written)
{
	struct shmipc_ioc_create *request;
	int lowest = lowest_descriptor();

	request = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	*request = self->request;
	mprotect(request, page_size(), PROT_READ);
	EXPECT_EQ(-EFAULT, CALL(self->fd, SHMIPC_IOC_CREATE, request));
	EXPECT_TRUE(made_nothing(self->fd, lowest));
	mprotect(request, page_size(), PROT_READ | PROT_WRITE);
	EXPECT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, request));
}

TEST_F(create, makes_nothing_when_no_descriptor_is_left)
{
	struct rlimit limit;
	struct rlimit none;
	int lowest = lowest_descriptor();

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = (rlim_t)lowest;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_TRUE(made_nothing(self->fd, lowest));
	EXPECT_EQ(0, CALL(self->fd, SHMIPC_IOC_CREATE, &self->request));
}

TEST_F(create, numbers_channels_uniquely)
{
	uint64_t ids[16];
	struct shmipc_ioc_info info;

	for (int i = 0; i < 16; i++) {
		struct endpoint ends[2];

		ASSERT_EQ(0, channel_create(ends, NULL));
		ASSERT_EQ(0, endpoint_info(ends[0].fd, &info));
		ids[i] = info.id;
		ASSERT_EQ(0, endpoint_info(ends[1].fd, &info));
		EXPECT_EQ(ids[i], info.id);
		for (int before = 0; before < i; before++) {
			EXPECT_NE(ids[before], ids[i]);
		}
		/* Half of them go at once: the numbers of the dead are not used again either. */
		if (i % 2) {
			endpoint_close(&ends[0]);
			endpoint_close(&ends[1]);
		}
	}
}

TEST_F(create, every_other_call_before_it_is_refused)
{
	struct shmipc_ioc_info info;
	struct shmipc_ioc_grow grow = { .size = page_size() };
	struct shmipc_ioc_segment segment = { .lane = SHMIPC_OWN };
	struct shmipc_ioc_wait wait = { .seq = 1 };
	void *at;

	EXPECT_EQ(-EINVAL, endpoint_info(self->fd, &info));
	EXPECT_EQ(POISON_32, info.abi);
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_GROW, &grow));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_SEGMENT, &segment));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_RETIRE, 0));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_WAIT, 1));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_RING_WAIT, 1));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	EXPECT_EQ(-EINVAL, CALL(self->fd, SHMIPC_IOC_KICK, 0));
	EXPECT_EQ(-EINVAL, part_map(self->fd, SHMIPC_OWN, SHMIPC_HEAD, page_size(),
				    PROT_READ | PROT_WRITE, &at));
}

TEST_F(create, unknown_commands_are_no_commands_of_this_device)
{
	const unsigned long known[] = { SHMIPC_IOC_CREATE, SHMIPC_IOC_INFO, SHMIPC_IOC_GROW,
					SHMIPC_IOC_SEGMENT, SHMIPC_IOC_RETIRE, SHMIPC_IOC_WAIT,
					SHMIPC_IOC_RING, SHMIPC_IOC_RING_WAIT,
					SHMIPC_IOC_WAIT_UNTIL, SHMIPC_IOC_KICK };
	unsigned char argument[256] = { 0 };
	struct endpoint ends[2];

	ASSERT_EQ(0, channel_create(ends, NULL));
	for (int i = 0; i < 2; i++) {
		int fd = i ? ends[0].fd : self->fd;

		for (unsigned int number = 0; number < 256; number++) {
			unsigned long command = _IO(SHMIPC_IOC_MAGIC, number);
			bool is_known = false;

			for (unsigned int k = 0; k < ARRAY_SIZE(known); k++)
				is_known |= known[k] == command;
			if (is_known)
				continue;
			EXPECT_EQ(-ENOTTY, CALL(fd, command, argument)) TH_LOG("%lx", command);
		}
		/* A known number with another size or direction is another command. */
		for (unsigned int k = 0; k < ARRAY_SIZE(known); k++) {
			EXPECT_EQ(-ENOTTY, CALL(fd, known[k] ^ 8 << _IOC_SIZESHIFT, argument));
			EXPECT_EQ(-ENOTTY, CALL(fd, known[k] ^ 1ul << _IOC_DIRSHIFT, argument));
			EXPECT_EQ(-ENOTTY, CALL(fd, known[k] ^ 1ul << _IOC_TYPESHIFT, argument));
		}
	}
}

TEST_F(create, unreadable_arguments_are_faults)
{
	const unsigned long commands[] = { SHMIPC_IOC_INFO, SHMIPC_IOC_GROW, SHMIPC_IOC_SEGMENT,
					   SHMIPC_IOC_WAIT_UNTIL };
	const uintptr_t nowhere[] = { 0, 1, UINTPTR_MAX & -page_size(), 1ul << 63 };
	struct endpoint ends[2];

	for (unsigned int n = 0; n < ARRAY_SIZE(nowhere); n++) {
		EXPECT_EQ(-EFAULT, CALL(self->fd, SHMIPC_IOC_CREATE, nowhere[n]));
	}
	ASSERT_EQ(0, channel_create_bound(ends));
	for (unsigned int c = 0; c < ARRAY_SIZE(commands); c++) {
		for (unsigned int n = 0; n < ARRAY_SIZE(nowhere); n++) {
			EXPECT_EQ(-EFAULT, CALL(ends[0].fd, commands[c], nowhere[n]))
				TH_LOG("%lx at %lx", commands[c], (unsigned long)nowhere[n]);
		}
	}
}

TEST_F(create, reading_and_writing_the_file_is_refused)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
}

#ifdef __x86_64__
/* ioctl through the entry of 32-bit programs; arguments must lie below 4 GB. */
static long call_32(int fd, unsigned long command, uintptr_t argument)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54), "b"(fd), "c"(command), "d"(argument)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

TEST_F(create, programs_of_32_bits_are_served)
{
	struct shmipc_ioc_create *request;
	struct shmipc_ioc_info *info;

	if (access("/proc/sys/abi/vsyscall32", F_OK))
		SKIP(return, "this kernel runs no 32-bit programs");
	request = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	info = (void *)((char *)request + 1024);
	*request = self->request;
	ASSERT_EQ(0, call_32(self->fd, SHMIPC_IOC_CREATE, (uintptr_t)request));
	memset(info, POISON, sizeof(*info));
	ASSERT_EQ(0, call_32(request->peer_fd, SHMIPC_IOC_INFO, (uintptr_t)info));
	EXPECT_EQ(SHMIPC_ABI, info->abi);
	EXPECT_EQ(1u, info->endpoint);
	EXPECT_EQ(-EPERM, call_32(self->fd, SHMIPC_IOC_WAIT, 1));
}
#endif

TEST_HARNESS_MAIN
