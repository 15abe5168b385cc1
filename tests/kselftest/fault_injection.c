// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation and every copy from and to user memory inside a call fails once, one after the
 * other: the call fails with an error that says so, leaves nothing behind, and succeeds when it is
 * repeated. Needs a kernel with fault injection (/proc/self/fail-nth).
 *
 * "Nothing behind" is checked by limits that have room for exactly what the repeated call needs.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include "endpoint.h"
#include "parameter.h"

#define NTH "/proc/self/fail-nth"
/* More sites than any call has. */
#define SITES 500

static const char *const names[] = { "max_user_bytes", "max_bytes", "max_channels" };

FIXTURE(faults)
{
	int nth; /* NTH, open; -1: this kernel has none */
	uint64_t saved[3];
	struct endpoint ends[2];
	int fd;
	size_t size;
	struct shmipc_ioc_create create;
	void *at;
	int epoll;
};

FIXTURE_SETUP(faults)
{
	static const char *const settings[] = {
		"/sys/kernel/debug/failslab/ignore-gfp-wait",
		"/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait",
		"/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem",
	};
	static const char *const numbers[] = {
		"/sys/kernel/debug/fail_page_alloc/min-order",
		"/sys/kernel/debug/failslab/verbose",
		"/sys/kernel/debug/fail_page_alloc/verbose",
		"/sys/kernel/debug/fail_usercopy/verbose",
	};

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, parameter_read(names[i], &self->saved[i]));
	}
	self->size = 4 * page_size();
	self->ends[0].fd = -1;
	self->ends[1].fd = -1;
	self->fd = -1;
	self->nth = open(NTH, O_RDWR | O_CLOEXEC);
	if (self->nth < 0)
		return;
	/* Allocations that may wait fail too. */
	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++)
		file_write(settings[i], "N");
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		file_write(numbers[i], "0");
}

FIXTURE_TEARDOWN(faults)
{
	for (int i = 0; i < 3; i++)
		parameter_write(names[i], self->saved[i]);
	close(self->nth);
}

/* From here on the @nth site of this thread that can fail does; 0: none. */
static void arm_fault(int fd, int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", nth);

	/* Switching it off copies from user memory, which may be what fails. */
	while (pwrite(fd, text, (size_t)length, 0) != length)
		;
}

/* Whether the fault came before this call. */
static bool fault_came(int fd)
{
	char text[16] = "";

	/* If it is this very read that fails, it did not. */
	return pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
}

typedef long operation(FIXTURE_DATA(faults) *self);
typedef void cleaner(FIXTURE_DATA(faults) *self);

struct walk {
	operation *prepare; /* all anew for each site */
	operation *act; /* what is to fail */
	cleaner *clean;
	int failures;
	int sites;
	long bad_result; /* of the first one that went wrong */
	int bad_site;
};

static bool is_failure_of_memory(long result)
{
	return result == -ENOMEM || result == -EFAULT || result == -ENFILE || result == -EMFILE;
}

static void run_walk(FIXTURE_DATA(faults) *self, struct walk *walk)
{
	for (int site = 1; site <= SITES; site++) {
		long result = walk->prepare(self);
		bool came;

		if (result) {
			walk->bad_result = result;
			walk->bad_site = site;
			return;
		}
		arm_fault(self->nth, site);
		result = walk->act(self);
		came = fault_came(self->nth);
		arm_fault(self->nth, 0);
		if (result && !(came && is_failure_of_memory(result)))
			goto bad;
		if (result) {
			walk->failures++;
			result = walk->act(self);
			if (result)
				goto bad;
		}
		walk->clean(self);
		if (!came)
			return;
		walk->sites++;
		continue;
bad:
		walk->bad_result = result;
		walk->bad_site = site;
		walk->clean(self);
		return;
	}
}

#define EXPECT_GOOD_WALK(walk)                                                                     \
	do {                                                                                       \
		TH_LOG("%d sites, %d of them fail the call", (walk)->sites, (walk)->failures);     \
		EXPECT_EQ(0, (walk)->bad_result) {                                                 \
			TH_LOG("at site %d", (walk)->bad_site);                                    \
		}                                                                                  \
		EXPECT_LT(0, (walk)->sites);                                                       \
		EXPECT_GT(SITES, (walk)->sites);                                                   \
	} while (0)

#define SKIP_WITHOUT_INJECTION()                                                                   \
	do {                                                                                       \
		if (self->nth < 0)                                                                 \
			SKIP(return, "this kernel has no " NTH);                                   \
	} while (0)

static long do_nothing(FIXTURE_DATA(faults) *self)
{
	(void)self;
	return 0;
}

static long open_file(FIXTURE_DATA(faults) *self)
{
	self->fd = device_open();
	return self->fd < 0 ? self->fd : 0;
}

static void close_all(FIXTURE_DATA(faults) *self)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
}

TEST_F_TIMEOUT(faults, open_survives_each, 120)
{
	struct walk walk = { .prepare = do_nothing, .act = open_file, .clean = close_all };

	SKIP_WITHOUT_INJECTION();
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
}

static long create_here(FIXTURE_DATA(faults) *self)
{
	long result = CALL(self->fd, SHMIPC_IOC_CREATE, &self->create);

	if (!result) {
		self->ends[0].fd = self->fd;
		self->ends[1].fd = self->create.peer_fd;
		self->fd = -1;
	}
	return result;
}

static long prepare_create(FIXTURE_DATA(faults) *self)
{
	self->create = create_request();
	self->create.head_size[0] = self->size;
	self->create.head_size[1] = self->size;
	return open_file(self);
}

TEST_F_TIMEOUT(faults, create_survives_each, 120)
{
	struct walk walk = { .prepare = prepare_create, .act = create_here, .clean = close_all };

	SKIP_WITHOUT_INJECTION();
	/* What a failed one keeps, the next one misses. */
	ASSERT_EQ(0, parameter_write("max_user_bytes", 2 * self->size));
	ASSERT_EQ(0, parameter_write("max_bytes", 2 * self->size));
	ASSERT_EQ(0, parameter_write("max_channels", 1));
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
	/* One for each page at least. */
	EXPECT_LE(8, walk.failures);
}

static long prepare_channel(FIXTURE_DATA(faults) *self)
{
	long result = prepare_create(self);

	return result ? result : create_here(self);
}

/* Where nothing else is: so page tables have to be made, which can fail, too. */
static long map_far(FIXTURE_DATA(faults) *self, unsigned int lane, int protection)
{
	void *at = mmap((void *)0x123400000000, self->size, protection, MAP_SHARED,
			self->ends[0].fd, (off_t)SHMIPC_MMAP(lane, SHMIPC_HEAD));

	if (at == MAP_FAILED)
		return -errno;
	self->at = at;
	return 0;
}

static long map_own(FIXTURE_DATA(faults) *self)
{
	return map_far(self, SHMIPC_OWN, PROT_READ | PROT_WRITE);
}

static void unmap_and_close(FIXTURE_DATA(faults) *self)
{
	if (self->at)
		munmap(self->at, self->size);
	self->at = NULL;
	close_all(self);
}

TEST_F_TIMEOUT(faults, binding_survives_each, 120)
{
	struct walk walk = { .prepare = prepare_channel, .act = map_own, .clean = unmap_and_close };

	SKIP_WITHOUT_INJECTION();
	/* A mapping that failed has not bound, still less killed, the endpoint: it can be repeated. */
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
}

static long map_peer(FIXTURE_DATA(faults) *self)
{
	return map_far(self, SHMIPC_PEER, PROT_READ);
}

TEST_F_TIMEOUT(faults, mapping_the_peers_survives_each, 120)
{
	struct walk walk = { .prepare = prepare_channel, .act = map_peer, .clean = unmap_and_close };

	SKIP_WITHOUT_INJECTION();
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
}

static long prepare_bound(FIXTURE_DATA(faults) *self)
{
	long result = prepare_channel(self);

	for (int i = 0; i < 2 && !result; i++) {
		self->ends[i].own_size = self->size;
		self->ends[i].peer_size = self->size;
		result = endpoint_map(&self->ends[i]);
	}
	return result;
}

static long grow_here(FIXTURE_DATA(faults) *self)
{
	return endpoint_grow(self->ends[0].fd, 0, self->size);
}

TEST_F_TIMEOUT(faults, grow_survives_each, 120)
{
	struct walk walk = { .prepare = prepare_bound, .act = grow_here, .clean = close_all };

	SKIP_WITHOUT_INJECTION();
	ASSERT_EQ(0, parameter_write("max_user_bytes", 3 * self->size));
	ASSERT_EQ(0, parameter_write("max_bytes", 3 * self->size));
	ASSERT_EQ(0, parameter_write("max_channels", 1));
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
	EXPECT_LE(4, walk.failures);
}

/* Calls that only copy. */
static long ask_here(FIXTURE_DATA(faults) *self)
{
	struct shmipc_ioc_info info;
	struct shmipc_ioc_segment segment = { .lane = SHMIPC_OWN };
	struct shmipc_ioc_wait wait = { .seq = 1 };
	long result = endpoint_info(self->ends[0].fd, &info);

	if (!result)
		result = CALL(self->ends[0].fd, SHMIPC_IOC_SEGMENT, &segment);
	if (!result)
		result = CALL(self->ends[0].fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
	return result;
}

static long prepare_segment(FIXTURE_DATA(faults) *self)
{
	long result = prepare_bound(self);

	return result ? result : grow_here(self);
}

TEST_F_TIMEOUT(faults, info_segment_and_wait_survive_each, 120)
{
	struct walk walk = { .prepare = prepare_segment, .act = ask_here, .clean = close_all };

	SKIP_WITHOUT_INJECTION();
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
	EXPECT_LE(3, walk.failures);
}

static long watch_here(FIXTURE_DATA(faults) *self)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->ends[0].fd, &event) ? -errno : 0;
}

static long prepare_watch(FIXTURE_DATA(faults) *self)
{
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	return prepare_bound(self);
}

static void close_watch(FIXTURE_DATA(faults) *self)
{
	close(self->epoll);
	close_all(self);
}

TEST_F_TIMEOUT(faults, epoll_survives_each, 120)
{
	struct walk walk = { .prepare = prepare_watch, .act = watch_here, .clean = close_watch };

	SKIP_WITHOUT_INJECTION();
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
}

static long read_fdinfo(FIXTURE_DATA(faults) *self)
{
	char path[64];
	char text[4096];
	long result;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ends[0].fd);
	result = file_read(path, text, sizeof(text));
	return result < 0 ? result : 0;
}

TEST_F_TIMEOUT(faults, fdinfo_survives_each, 120)
{
	struct walk walk = { .prepare = prepare_segment, .act = read_fdinfo, .clean = close_all };

	SKIP_WITHOUT_INJECTION();
	run_walk(self, &walk);
	EXPECT_GOOD_WALK(&walk);
}

TEST_HARNESS_MAIN
