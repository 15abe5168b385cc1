// SPDX-License-Identifier: GPL-2.0
/*
 * mmap(): which parts may be mapped how. What may be done to a mapping afterwards is
 * mapping_changes.c's.
 */
#include <kselftest_harness.h>

#include <fcntl.h>

#include "endpoint.h"

FIXTURE(mapping)
{
	struct endpoint ends[2];
	size_t page;
	int fd;
};

FIXTURE_SETUP(mapping)
{
	struct shmipc_ioc_create request = create_request();

	self->page = page_size();
	request.head_size[0] = 4 * self->page;
	request.head_size[1] = 2 * self->page;
	ASSERT_EQ(0, channel_create(self->ends, &request));
	self->fd = self->ends[0].fd;
}

FIXTURE_TEARDOWN(mapping)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

/* mmap(2) as it is: 0 or -errno; what was mapped is unmapped again. */
static int try_map(int fd, uint64_t offset, size_t size, int protection, int flags)
{
	void *at = mmap(NULL, size, protection, flags, fd, (off_t)offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, size);
	return 0;
}

#define OWN_HEAD SHMIPC_MMAP(SHMIPC_OWN, SHMIPC_HEAD)
#define PEER_HEAD SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_HEAD)

TEST_F(mapping, offsets_are_those_of_the_contract)
{
	EXPECT_EQ(0ull, OWN_HEAD);
	EXPECT_EQ(1ull << 40, PEER_HEAD);
	EXPECT_EQ(33ull << 41 | 1ull << 40, SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_SEGMENT(32u)));
}

TEST_F(mapping, the_own_head_is_writable_and_the_peer_reads_it)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	word_store(&self->ends[0].own->seq, 0x12345678);
	word_store(&self->ends[1].own->rung, 0x87654321);
	EXPECT_EQ(0x12345678u, word_load(&self->ends[1].peer->seq));
	EXPECT_EQ(0x87654321u, word_load(&self->ends[0].peer->rung));
	EXPECT_EQ(0u, word_load(&self->ends[0].peer->seq));
	/* To the last byte. */
	((char *)self->ends[0].own)[4 * self->page - 1] = 77;
	EXPECT_EQ(77, ((const char *)self->ends[1].peer)[4 * self->page - 1]);
}

TEST_F(mapping, the_own_head_may_be_mapped_for_reading_too)
{
	void *at;

	ASSERT_EQ(0, part_map(self->fd, SHMIPC_OWN, SHMIPC_HEAD, 4 * self->page, PROT_READ, &at));
	/* That binds nobody. */
	EXPECT_EQ(0u, endpoint_state(self->fd));
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	word_store(&self->ends[0].own->seq, 4);
	EXPECT_EQ(4u, word_load(at));
}

TEST_F(mapping, a_part_may_be_mapped_more_than_once)
{
	void *again;

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, part_map(self->fd, SHMIPC_OWN, SHMIPC_HEAD, 4 * self->page,
			      PROT_READ | PROT_WRITE, &again));
	word_store(again, 99);
	EXPECT_EQ(99u, word_load(&self->ends[0].own->seq));
}

TEST_F(mapping, the_peers_parts_are_never_writable)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	ASSERT_EQ(0, endpoint_grow(self->ends[1].fd, 0, self->page));
	EXPECT_EQ(-EACCES, try_map(self->fd, PEER_HEAD, 2 * self->page, PROT_READ | PROT_WRITE,
				   MAP_SHARED));
	EXPECT_EQ(-EACCES, try_map(self->fd, PEER_HEAD, 2 * self->page, PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EACCES, try_map(self->fd, SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_SEGMENT(0)),
				   self->page, PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(0, try_map(self->fd, PEER_HEAD, 2 * self->page, PROT_READ, MAP_SHARED));
	/* A refused one binds nobody. */
	EXPECT_EQ(0u, endpoint_state(self->fd) & SHMIPC_STATE_BOUND);
}

TEST_F(mapping, nothing_is_executable)
{
	EXPECT_EQ(-EPERM, try_map(self->fd, PEER_HEAD, 2 * self->page, PROT_READ | PROT_EXEC,
				  MAP_SHARED));
	EXPECT_EQ(-EPERM, try_map(self->fd, OWN_HEAD, 4 * self->page, PROT_READ | PROT_EXEC,
				  MAP_SHARED));
	EXPECT_EQ(-EPERM, try_map(self->fd, OWN_HEAD, 4 * self->page,
				  PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EPERM, try_map(self->fd, OWN_HEAD, 4 * self->page, PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(0u, endpoint_state(self->fd));
}

TEST_F(mapping, nothing_is_private)
{
	EXPECT_EQ(-EINVAL, try_map(self->fd, OWN_HEAD, 4 * self->page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try_map(self->fd, OWN_HEAD, 4 * self->page, PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try_map(self->fd, PEER_HEAD, 2 * self->page, PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(0u, endpoint_state(self->fd));
}

TEST_F(mapping, the_length_is_the_parts_size)
{
	for (size_t pages = 1; pages <= 8; pages++) {
		EXPECT_EQ(pages == 4 ? 0 : -EINVAL,
			  try_map(self->fd, OWN_HEAD, pages * self->page, PROT_READ, MAP_SHARED))
			TH_LOG("%zu pages", pages);
		EXPECT_EQ(pages == 2 ? 0 : -EINVAL,
			  try_map(self->fd, PEER_HEAD, pages * self->page, PROT_READ, MAP_SHARED))
			TH_LOG("%zu pages", pages);
	}
}

TEST_F(mapping, the_offset_is_a_parts_begin)
{
	for (int bit = __builtin_ctzl(self->page); bit < SHMIPC_MMAP_PEER_SHIFT; bit++) {
		EXPECT_EQ(-EINVAL, try_map(self->fd, OWN_HEAD | 1ull << bit, 4 * self->page,
					   PROT_READ, MAP_SHARED))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(-EINVAL, try_map(self->fd, PEER_HEAD | 1ull << bit, 2 * self->page,
					   PROT_READ, MAP_SHARED))
			TH_LOG("bit %d", bit);
	}
}

TEST_F(mapping, parts_that_do_not_exist_are_not_found)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->fd, 5, self->page));
	for (unsigned int part = 1; part < 64; part++) {
		int expected = part == SHMIPC_SEGMENT(5) ? 0 : -ENOENT;

		EXPECT_EQ(expected, try_map(self->fd, SHMIPC_MMAP(SHMIPC_OWN, part), self->page,
					    PROT_READ, MAP_SHARED))
			TH_LOG("part %u", part);
		EXPECT_EQ(-ENOENT, try_map(self->fd, SHMIPC_MMAP(SHMIPC_PEER, part), self->page,
					   PROT_READ, MAP_SHARED))
			TH_LOG("part %u", part);
	}
	/* High bits are not cut off: these would name the head or segment 5 without them. */
	for (int bit = 6; bit < 63 - SHMIPC_MMAP_PART_SHIFT; bit++) {
		EXPECT_EQ(-ENOENT, try_map(self->fd, SHMIPC_MMAP(SHMIPC_OWN, 1ull << bit),
					   4 * self->page, PROT_READ, MAP_SHARED))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(-ENOENT, try_map(self->fd, SHMIPC_MMAP(SHMIPC_OWN, 6 | 1ull << bit),
					   self->page, PROT_READ, MAP_SHARED))
			TH_LOG("bit %d", bit);
	}
	EXPECT_NE(0, try_map(self->fd, 1ull << 63, 4 * self->page, PROT_READ, MAP_SHARED));
}

TEST_F(mapping, a_segment_is_mapped_by_its_own_size)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->fd, 31, 3 * self->page));
	for (size_t pages = 1; pages < 6; pages++) {
		EXPECT_EQ(pages == 3 ? 0 : -EINVAL,
			  try_map(self->fd, SHMIPC_MMAP(SHMIPC_OWN, SHMIPC_SEGMENT(31)),
				  pages * self->page, PROT_READ | PROT_WRITE, MAP_SHARED));
	}
}

TEST_F(mapping, a_dead_endpoint_maps_nothing_writable)
{
	void *at;

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->fd, 0, self->page));
	endpoint_unmap(&self->ends[0]);
	EXPECT_EQ(-EPIPE, part_map(self->fd, SHMIPC_OWN, SHMIPC_HEAD, 4 * self->page,
				   PROT_READ | PROT_WRITE, &at));
	EXPECT_EQ(-EPIPE, part_map(self->fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), self->page,
				   PROT_READ | PROT_WRITE, &at));
	EXPECT_EQ(0, part_map(self->fd, SHMIPC_OWN, SHMIPC_HEAD, 4 * self->page, PROT_READ, &at));
	EXPECT_EQ(0, part_map(self->fd, SHMIPC_PEER, SHMIPC_HEAD, 2 * self->page, PROT_READ, &at));
}

TEST_F(mapping, a_file_opened_for_reading_maps_nothing_writable)
{
	struct shmipc_ioc_create request = create_request();
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	void *at;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, CALL(fd, SHMIPC_IOC_CREATE, &request));
	EXPECT_EQ(-EACCES, part_map(fd, SHMIPC_OWN, SHMIPC_HEAD, self->page, PROT_READ | PROT_WRITE,
				    &at));
	ASSERT_EQ(0, part_map(fd, SHMIPC_OWN, SHMIPC_HEAD, self->page, PROT_READ, &at));
	EXPECT_EQ(-1, mprotect(at, self->page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0u, endpoint_state(fd));
	close(request.peer_fd);
	close(fd);
}

/* The two letters of a VmFlags line. */
static bool has_flag(const char *flags, const char *flag)
{
	for (const char *at = flags; (at = strstr(at, flag)); at++) {
		if (at[-1] == ' ' && (at[2] == ' ' || at[2] == '\n'))
			return true;
	}
	return false;
}

/* The VmFlags of the mapping at @address, as smaps prints them. */
static bool find_flags(const void *address, char *flags, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;
	unsigned long from;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%*x %*4s ", &from) == 1 && strchr(line, '-'))
			here = from == (unsigned long)address;
		if (here && !strncmp(line, "VmFlags:", 8)) {
			snprintf(flags, size, "%s", line);
			fclose(file);
			return true;
		}
	}
	fclose(file);
	return false;
}

TEST_F(mapping, smaps_shows_what_a_mapping_cannot_become)
{
	char flags[512];
	void *reading;

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, part_map(self->fd, SHMIPC_OWN, SHMIPC_HEAD, 4 * self->page, PROT_READ,
			      &reading));
	if (access("/proc/self/smaps", R_OK))
		SKIP(return, "this kernel has no /proc/self/smaps");
	for (int i = 0; i < 3; i++) {
		const void *at[] = { self->ends[0].own, self->ends[0].peer, reading };

		ASSERT_TRUE(find_flags(at[i], flags, sizeof(flags)));
		EXPECT_TRUE(has_flag(flags, "dc")) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_TRUE(has_flag(flags, "de")) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_TRUE(has_flag(flags, "dd")) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_TRUE(has_flag(flags, "sh") || i) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_FALSE(has_flag(flags, "ex")) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_FALSE(has_flag(flags, "me")) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_EQ(i == 0, has_flag(flags, "wr")) TH_LOG("mapping %d: %s", i, flags);
		EXPECT_EQ(i == 0, has_flag(flags, "mw")) TH_LOG("mapping %d: %s", i, flags);
	}
}

TEST_HARNESS_MAIN
