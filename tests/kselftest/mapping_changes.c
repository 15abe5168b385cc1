// SPDX-License-Identifier: GPL-2.0
/*
 * What a process may do to a mapping it has: mprotect, mremap, munmap of a part, madvise, fork, and
 * the side entrances (/proc/self/mem, process_vm_writev, ptrace, read into it). None may make the
 * peer's lane writable, anything executable, or let a process that is not bound write; and an
 * endpoint is alive for exactly as long as something writable is mapped.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "actor.h"
#include "endpoint.h"

FIXTURE(changes)
{
	struct endpoint ends[2];
	struct endpoint *end;
	size_t page;
	size_t size;
};

FIXTURE_SETUP(changes)
{
	struct shmipc_ioc_create request = create_request();

	self->page = page_size();
	self->size = 4 * self->page;
	request.head_size[0] = self->size;
	request.head_size[1] = self->size;
	ASSERT_EQ(0, channel_create(self->ends, &request));
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	self->end = &self->ends[0];
	memset((char *)self->ends[0].own + 8, 0x11, self->size - 8);
	memset((char *)self->ends[1].own + 8, 0x22, self->size - 8);
}

FIXTURE_TEARDOWN(changes)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

/* As the other end sees it. */
static bool is_alive(const struct endpoint *other)
{
	return !(endpoint_state(other->fd) & SHMIPC_STATE_PEER_DEAD);
}

/* Runs @touch in a forked child: true if it came through, false if a signal ended it. */
static bool child_can(void (*touch)(volatile char *), const void *address)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		touch((volatile char *)(uintptr_t)address);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void read_byte(volatile char *at)
{
	(void)at[8];
}

static void write_byte(volatile char *at)
{
	at[8] = 0x33;
}

static int protect(const void *at, size_t size, int protection)
{
	return mprotect((void *)(uintptr_t)at, size, protection) ? -errno : 0;
}

static int advise(const void *at, size_t size, int advice)
{
	return madvise((void *)(uintptr_t)at, size, advice) ? -errno : 0;
}

TEST_F(changes, the_peers_lane_cannot_be_made_writable)
{
	EXPECT_EQ(-EACCES, protect(self->end->peer, self->size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-EACCES, protect(self->end->peer, self->page, PROT_WRITE));
	EXPECT_FALSE(child_can(write_byte, self->end->peer));
	EXPECT_EQ(0x22, ((const char *)self->end->peer)[8]);
}

TEST_F(changes, nothing_can_be_made_executable)
{
	EXPECT_EQ(-EACCES, protect(self->end->peer, self->size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(-EACCES, protect(self->end->own, self->size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(-EACCES, protect(self->end->own, self->size, PROT_READ | PROT_WRITE | PROT_EXEC));
}

TEST_F(changes, a_reading_mapping_of_the_own_lane_stays_one)
{
	void *at;

	ASSERT_EQ(0, part_map(self->end->fd, SHMIPC_OWN, SHMIPC_HEAD, self->size, PROT_READ, &at));
	EXPECT_EQ(-EACCES, protect(at, self->size, PROT_READ | PROT_WRITE));
}

TEST_F(changes, a_reading_mapping_of_an_unbound_lane_cannot_be_made_writable)
{
	struct endpoint ends[2];
	void *at;

	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, part_map(ends[0].fd, SHMIPC_OWN, SHMIPC_HEAD, self->page, PROT_READ, &at));
	EXPECT_EQ(-EACCES, protect(at, self->page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0u, endpoint_state(ends[0].fd));
}

TEST_F(changes, the_own_lane_may_be_write_protected_for_a_while)
{
	ASSERT_EQ(0, protect(self->end->own, self->size, PROT_READ));
	EXPECT_TRUE(is_alive(&self->ends[1]));
	ASSERT_EQ(0, protect(self->end->own, self->size, PROT_READ | PROT_WRITE));
	word_store(&self->end->own->seq, 2);
	EXPECT_EQ(2u, word_load(&self->ends[1].peer->seq));
	ASSERT_EQ(0, protect(self->end->own, self->size, PROT_NONE));
	EXPECT_TRUE(is_alive(&self->ends[1]));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, write_protecting_a_part_is_refused_or_harmless)
{
	int result = protect(self->end->own, self->page, PROT_READ);

	EXPECT_TRUE(result == 0 || result == -EINVAL) TH_LOG("%d", result);
	EXPECT_TRUE(is_alive(&self->ends[1]));
	((char *)self->end->own)[self->page] = 1;
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, unmapping_a_part_is_refused_or_counted_right)
{
	char *own = (char *)self->end->own;

	for (size_t i = 0; i < 4; i++) {
		/* From the middle, so that pieces come into being and go. */
		char *piece = own + (i + 2) % 4 * self->page;
		int result = munmap(piece, self->page) ? -errno : 0;

		EXPECT_TRUE(result == 0 || result == -EINVAL) TH_LOG("%d", result);
		if (result)
			break;
		EXPECT_EQ(i < 3, is_alive(&self->ends[1])) TH_LOG("piece %zu", i);
	}
	munmap(own, self->size);
	EXPECT_FALSE(is_alive(&self->ends[1]));
	self->end->own = NULL;
}

TEST_F(changes, a_mapping_over_it_counts_as_unmapping)
{
	void *at = mmap(self->end->own, self->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ASSERT_EQ((uintptr_t)self->end->own, (uintptr_t)at);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, a_mapping_cannot_grow_or_be_doubled)
{
	void *own = self->end->own;

	EXPECT_EQ(-1, (intptr_t)mremap(own, self->size, 2 * self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(-1, (intptr_t)mremap(own, self->page, 2 * self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(-1, (intptr_t)mremap(own, 0, self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(-1, (intptr_t)mremap((void *)(uintptr_t)self->end->peer, self->size,
				       2 * self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(-1, (intptr_t)mremap(own, self->size, self->size,
				       MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */));
	EXPECT_TRUE(is_alive(&self->ends[1]));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, shrinking_is_refused_or_counted_right)
{
	void *at = mremap(self->end->own, self->size, self->page, 0);

	if (at == MAP_FAILED) {
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_TRUE(is_alive(&self->ends[1]));
	word_store(&self->end->own->seq, 6);
	EXPECT_EQ(6u, word_load(&self->ends[1].peer->seq));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, moving_is_refused_or_takes_everything_along)
{
	const void *const from[] = { self->end->own, self->end->peer };

	for (int i = 0; i < 2; i++) {
		char *to = mmap(NULL, self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		void *at = mremap((void *)(uintptr_t)from[i], self->size, self->size,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to);

		EXPECT_TRUE(is_alive(&self->ends[1]));
		if (at == MAP_FAILED) {
			EXPECT_EQ(EINVAL, errno);
			continue;
		}
		EXPECT_EQ(i ? 0x22 : 0x11, to[8]);
		EXPECT_EQ(i ? 0x22 : 0x11, to[self->size - 1]);
		if (i) {
			EXPECT_EQ(-EACCES, protect(to, self->size, PROT_READ | PROT_WRITE));
			self->end->peer = (void *)to;
		} else {
			to[9] = 0x44;
			EXPECT_EQ(0x44, ((const char *)self->ends[1].peer)[9]);
			self->end->own = (void *)to;
		}
	}
	/* WAIT reads the words at their new place, too. */
	word_store(&self->end->own->seq, 2);
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, 1));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, a_forked_child_has_no_mapping)
{
	static const char plain[16];

	EXPECT_TRUE(child_can(read_byte, plain));
	EXPECT_FALSE(child_can(read_byte, self->end->own));
	EXPECT_FALSE(child_can(read_byte, self->end->peer));
	EXPECT_FALSE(child_can(write_byte, self->end->own));
	EXPECT_EQ(0x11, ((const char *)self->ends[1].peer)[8]);
	EXPECT_TRUE(is_alive(&self->ends[1]));
}

TEST_F(changes, asking_for_inheritance_does_not_let_a_child_write)
{
	/* The kernel lets anybody take back any of these flags. */
	const int advices[] = { MADV_DOFORK, MADV_KEEPONFORK, MADV_DODUMP };

	for (unsigned int i = 0; i < ARRAY_SIZE(advices); i++) {
		int result = advise(self->end->own, self->size, advices[i]);

		EXPECT_TRUE(result == 0 || result == -EINVAL) TH_LOG("%d", result);
		EXPECT_FALSE(child_can(write_byte, self->end->own)) TH_LOG("advice %u", i);
	}
	EXPECT_EQ(0x11, ((const char *)self->ends[1].peer)[8]);
	EXPECT_TRUE(is_alive(&self->ends[1]));
}

static long unmap_region(void *argument)
{
	struct iovec *region = argument;

	return munmap(region->iov_base, region->iov_len) ? -errno : 0;
}

TEST_F(changes, asking_for_inheritance_does_not_let_a_child_keep_the_endpoint_alive)
{
	struct iovec region = { .iov_base = self->end->own, .iov_len = self->size };
	struct actor child;

	advise(self->end->own, self->size, MADV_DOFORK);
	ASSERT_EQ(0, actor_start(&child));
	/* Nor end its life: whatever the child unmaps is its own affair. */
	ASSERT_EQ(0, actor_call(&child, unmap_region, &region, sizeof(region)));
	EXPECT_TRUE(is_alive(&self->ends[1]));
	ASSERT_EQ(0, actor_exit(&child));
	EXPECT_TRUE(is_alive(&self->ends[1]));

	ASSERT_EQ(0, actor_start(&child));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
	actor_exit(&child);
}

TEST_F(changes, no_advice_loses_or_changes_what_is_there)
{
	/* Not MADV_HWPOISON and MADV_SOFT_OFFLINE (100, 101), which ask to lose it. */
	for (int advice = 0; advice < 100; advice++) {
		advise(self->end->own, self->size, advice);
		advise(self->end->peer, self->size, advice);
		for (size_t at = 8; at < self->size; at += 512) {
			ASSERT_EQ(0x11, ((const char *)self->end->own)[at])
				TH_LOG("advice %d", advice);
			ASSERT_EQ(0x22, ((const char *)self->end->peer)[at])
				TH_LOG("advice %d", advice);
			ASSERT_EQ(0x11, ((const char *)self->ends[1].peer)[at]);
		}
	}
	EXPECT_NE(0, advise(self->end->own, self->size, MADV_DODUMP));
	EXPECT_TRUE(is_alive(&self->ends[1]));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, advice_to_a_part_is_refused_or_harmless)
{
	char *own = (char *)self->end->own;

	/* Advice that gives a part of the mapping other flags, and so splits it. */
	advise(own + self->page, self->page, MADV_RANDOM);
	advise(own + 2 * self->page, self->page, MADV_SEQUENTIAL);
	EXPECT_TRUE(is_alive(&self->ends[1]));
	EXPECT_EQ(0x11, own[self->page]);
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, it_can_be_locked_and_unlocked)
{
	ASSERT_EQ(0, mlock(self->end->own, self->size));
	EXPECT_EQ(0x11, ((char *)self->end->own)[8]);
	ASSERT_EQ(0, munlock(self->end->own, self->size));
	EXPECT_TRUE(is_alive(&self->ends[1]));
	endpoint_unmap(self->end);
	EXPECT_FALSE(is_alive(&self->ends[1]));
}

TEST_F(changes, proc_mem_does_not_write_the_peers_lane)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char byte = 0x55;

	if (fd < 0)
		SKIP(return, "/proc/self/mem: %s", strerror(errno));
	EXPECT_EQ(-1, pwrite(fd, &byte, 1, (off_t)((uintptr_t)self->end->peer + 8)));
	EXPECT_EQ(0x22, ((const char *)self->end->peer)[8]);
	close(fd);
}

TEST_F(changes, another_process_does_not_write_the_peers_lane)
{
	char byte = 0x55;
	struct iovec from = { .iov_base = &byte, .iov_len = 1 };
	struct iovec to = { .iov_base = (char *)(uintptr_t)self->end->peer + 8, .iov_len = 1 };
	pid_t parent = getpid();
	int status;
	pid_t child = fork();

	if (!child)
		_exit(process_vm_writev(parent, &from, 1, &to, 1, 0) == 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0x22, ((const char *)self->end->peer)[8]);
}

TEST_F(changes, a_debugger_does_not_write_the_peers_lane)
{
	/* The child binds endpoint 0 of a new channel, so that it has the mapping; it is traced. */
	struct endpoint ends[2];
	const struct shmipc_words **shared;
	int status;
	pid_t child;

	shared = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, channel_create(ends, NULL));
	child = fork();
	if (!child) {
		if (endpoint_map(&ends[0]))
			_exit(1);
		*shared = ends[0].peer;
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, child, (char *)(uintptr_t)*shared + 8, 0x55));
	ptrace(PTRACE_CONT, child, NULL, NULL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(changes, a_system_call_does_not_write_the_peers_lane)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(-1, read(zero, (char *)(uintptr_t)self->end->peer + 8, 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0x22, ((const char *)self->end->peer)[8]);
	/* While one's own lane takes it. */
	EXPECT_EQ(8, read(zero, (char *)self->end->own + 8, 8));
	close(zero);
}

TEST_F(changes, a_page_lent_to_a_pipe_outlives_the_channel)
{
	struct iovec region = { .iov_base = self->end->own, .iov_len = self->size };
	char *copy = malloc(self->size);
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	/* The pages themselves go into the pipe, not their bytes. */
	ASSERT_EQ((ssize_t)self->size, vmsplice(pipes[1], &region, 1, 0));
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	/* Whoever gets memory now must not get these pages. */
	for (int i = 0; i < 64; i++) {
		struct endpoint ends[2];

		ASSERT_EQ(0, channel_create_bound(ends));
		memset(ends[0].own, 0x99, ends[0].own_size);
		memset(ends[1].own, 0x99, ends[1].own_size);
	}
	ASSERT_EQ((ssize_t)self->size, read(pipes[0], copy, self->size));
	for (size_t i = 8; i < self->size; i++) {
		ASSERT_EQ(0x11, copy[i]);
	}
	free(copy);
}

TEST_HARNESS_MAIN
