// SPDX-License-Identifier: GPL-2.0
/*
 * GROW, SEGMENT and RETIRE: what they take and refuse, and when a segment's number, its bytes and
 * its pages are free again.
 */
#include <kselftest_harness.h>

#include "endpoint.h"

FIXTURE(segments)
{
	struct endpoint ends[2];
	struct endpoint *end;
	size_t page;
};

FIXTURE_SETUP(segments)
{
	self->page = page_size();
	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
}

FIXTURE_TEARDOWN(segments)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

/* The size of a segment, or -errno with the output untouched. */
static int64_t segment_size(int fd, unsigned int lane, unsigned int number)
{
	struct shmipc_ioc_segment segment = {
		.lane = lane,
		.segment = number,
		.size = POISON_64,
	};
	long result = CALL(fd, SHMIPC_IOC_SEGMENT, &segment);

	if (result && segment.size != POISON_64)
		return -EBADMSG;
	return result ? result : (int64_t)segment.size;
}

TEST_F(segments, grow_adds_one_that_both_sides_see)
{
	ASSERT_EQ(0, endpoint_grow(self->end->fd, 3, 5 * self->page));
	EXPECT_EQ(5 * (int64_t)self->page, segment_size(self->ends[0].fd, SHMIPC_OWN, 3));
	EXPECT_EQ(5 * (int64_t)self->page, segment_size(self->ends[1].fd, SHMIPC_PEER, 3));
	EXPECT_EQ(-ENOENT, segment_size(self->ends[1].fd, SHMIPC_OWN, 3));
	EXPECT_EQ(-ENOENT, segment_size(self->ends[0].fd, SHMIPC_PEER, 3));
	EXPECT_EQ(-ENOENT, segment_size(self->ends[0].fd, SHMIPC_OWN, 2));
}

TEST_F(segments, both_sides_have_numbers_of_their_own)
{
	ASSERT_EQ(0, endpoint_grow(self->ends[0].fd, 0, self->page));
	ASSERT_EQ(0, endpoint_grow(self->ends[1].fd, 0, 2 * self->page));
	EXPECT_EQ((int64_t)self->page, segment_size(self->ends[1].fd, SHMIPC_PEER, 0));
	EXPECT_EQ(2 * (int64_t)self->page, segment_size(self->ends[0].fd, SHMIPC_PEER, 0));
}

TEST_F(segments, all_numbers_can_be_used_and_no_more)
{
	for (unsigned int i = 0; i < SHMIPC_SEGMENTS; i++) {
		ASSERT_EQ(0, endpoint_grow(self->end->fd, i, self->page)) TH_LOG("segment %u", i);
	}
	for (unsigned int i = 0; i < SHMIPC_SEGMENTS; i++) {
		EXPECT_EQ(-EEXIST, endpoint_grow(self->end->fd, i, self->page));
	}
	for (int bit = 5; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, endpoint_grow(self->end->fd, 1u << bit, self->page))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(-ENOENT, segment_size(self->end->fd, SHMIPC_OWN, 1u << bit));
	}
	EXPECT_EQ(-EINVAL, endpoint_grow(self->end->fd, UINT32_MAX, self->page));
}

TEST_F(segments, grow_refuses_every_flag_bit)
{
	struct shmipc_ioc_grow grow = { .size = self->page };

	for (int bit = 0; bit < 32; bit++) {
		grow.flags = 1u << bit;
		EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_GROW, &grow))
			TH_LOG("bit %d", bit);
	}
	EXPECT_EQ(-ENOENT, segment_size(self->end->fd, SHMIPC_OWN, 0));
}

TEST_F(segments, grow_refuses_sizes_that_are_not_whole_pages)
{
	const size_t page = self->page;
	const uint64_t sizes[] = { 0, 1, page - 1, page + 1, 3 * page + page / 2,
				   UINT64_MAX, (1ull << 63) + 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EINVAL, endpoint_grow(self->end->fd, 0, sizes[i]))
			TH_LOG("size %llx", (unsigned long long)sizes[i]);
	}
	EXPECT_EQ(-ENOENT, segment_size(self->end->fd, SHMIPC_OWN, 0));
}

TEST_F(segments, grow_stops_exactly_at_the_lanes_limit)
{
	struct shmipc_ioc_info info;
	uint64_t room;

	ASSERT_EQ(0, endpoint_info(self->end->fd, &info));
	room = info.lane_max[0] - info.lane_size[0];
	EXPECT_EQ(-EFBIG, endpoint_grow(self->end->fd, 0, room + self->page));
	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, room - self->page));
	EXPECT_EQ(-EFBIG, endpoint_grow(self->end->fd, 1, 2 * self->page));
	EXPECT_EQ(0, endpoint_grow(self->end->fd, 1, self->page));
	EXPECT_EQ(-EFBIG, endpoint_grow(self->end->fd, 2, self->page));
	/* The peer's lane has a limit of its own. */
	EXPECT_EQ(0, endpoint_grow(self->ends[1].fd, 2, self->page));
}

TEST_F(segments, grow_refuses_sizes_whose_sum_wraps)
{
	const uint64_t sizes[] = { 1ull << 40, 1ull << 63, -(uint64_t)self->page,
				   -2 * (uint64_t)self->page };
	struct shmipc_ioc_create request = create_request();
	struct endpoint ends[2];

	request.lane_max[0] = UINT64_MAX;
	ASSERT_EQ(0, channel_create(ends, &request));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		long result = endpoint_grow(self->end->fd, 0, sizes[i]);

		EXPECT_TRUE(result == -EFBIG || result == -EINVAL) TH_LOG("%ld", result);
		/* Without a limit that stops it, something else must. */
		result = endpoint_grow(ends[0].fd, 0, sizes[i]);
		EXPECT_TRUE(result == -EFBIG || result == -EINVAL || result == -ENOMEM ||
			    result == -ENOSPC || result == -EDQUOT)
			TH_LOG("size %llx: %ld", (unsigned long long)sizes[i], result);
	}
	EXPECT_EQ(0, endpoint_grow(ends[0].fd, 0, self->page));
}

TEST_F(segments, a_lane_with_no_room_beyond_its_head_cannot_grow)
{
	struct shmipc_ioc_create request = create_request();
	struct endpoint ends[2];

	request.lane_max[0] = request.head_size[0];
	ASSERT_EQ(0, channel_create(ends, &request));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	EXPECT_EQ(-EFBIG, endpoint_grow(ends[0].fd, 0, self->page));
}

TEST_F(segments, pages_are_zeroed_also_when_they_were_used_before)
{
	for (int round = 0; round < 8; round++) {
		const size_t size = 64 * self->page;
		unsigned char *at;

		ASSERT_EQ(0, endpoint_grow(self->end->fd, 1, size));
		ASSERT_EQ(0, part_map(self->end->fd, SHMIPC_OWN, SHMIPC_SEGMENT(1), size,
				      PROT_READ | PROT_WRITE, (void **)&at));
		for (size_t i = 0; i < size; i++) {
			ASSERT_EQ(0, at[i]) TH_LOG("round %d, byte %zu", round, i);
		}
		memset(at, 0xff, size);
		munmap(at, size);
		ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 1));
	}
}

TEST_F(segments, a_segment_carries_bytes_from_its_owner_to_the_peer)
{
	const size_t size = 16 * self->page;
	unsigned char *own;
	const unsigned char *peer;

	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, size));
	ASSERT_EQ(0, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), size,
			      PROT_READ | PROT_WRITE, (void **)&own));
	ASSERT_EQ(0, part_map(self->ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(0), size, PROT_READ,
			      (void **)&peer));
	for (size_t i = 0; i < size; i++)
		own[i] = (unsigned char)(i * 7 + i / self->page);
	for (size_t i = 0; i < size; i++) {
		ASSERT_EQ((unsigned char)(i * 7 + i / self->page), peer[i]);
	}
}

TEST_F(segments, a_retired_one_is_gone_for_both)
{
	void *at;

	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 0));
	EXPECT_EQ(-ENOENT, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 0));
	EXPECT_EQ(-ENOENT, segment_size(self->ends[0].fd, SHMIPC_OWN, 0));
	EXPECT_EQ(-ENOENT, segment_size(self->ends[1].fd, SHMIPC_PEER, 0));
	EXPECT_EQ(-ENOENT, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), self->page,
				    PROT_READ | PROT_WRITE, &at));
	EXPECT_EQ(-ENOENT, part_map(self->ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(0), self->page,
				    PROT_READ, &at));
	EXPECT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
}

TEST_F(segments, a_number_is_in_use_until_the_last_mapping_is_gone)
{
	unsigned char *own;
	const unsigned char *peer;

	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
	ASSERT_EQ(0, part_map(self->ends[0].fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), self->page,
			      PROT_READ | PROT_WRITE, (void **)&own));
	ASSERT_EQ(0, part_map(self->ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(0), self->page,
			      PROT_READ, (void **)&peer));
	own[17] = 42;
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 0));
	EXPECT_EQ(-EEXIST, endpoint_grow(self->end->fd, 0, self->page));
	/* What is mapped stays, and works. */
	EXPECT_EQ(42, peer[17]);
	own[18] = 43;
	EXPECT_EQ(43, peer[18]);
	munmap(own, self->page);
	EXPECT_EQ(-EEXIST, endpoint_grow(self->end->fd, 0, self->page));
	EXPECT_EQ(42, peer[17]);
	munmap((void *)(uintptr_t)peer, self->page);
	EXPECT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
}

TEST_F(segments, a_retired_ones_bytes_count_until_the_last_mapping_is_gone)
{
	struct shmipc_ioc_info info;
	uint64_t room;
	void *at;

	ASSERT_EQ(0, endpoint_info(self->end->fd, &info));
	room = info.lane_max[0] - info.lane_size[0];
	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, room));
	ASSERT_EQ(0, part_map(self->ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(0), room, PROT_READ,
			      &at));
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 0));
	EXPECT_EQ(-EFBIG, endpoint_grow(self->end->fd, 1, self->page));
	munmap(at, room);
	EXPECT_EQ(0, endpoint_grow(self->end->fd, 1, room));
}

TEST_F(segments, segment_refuses_a_third_lane)
{
	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
	for (int bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, segment_size(self->end->fd, 1u << bit, 0))
			TH_LOG("bit %d", bit);
	}
}

TEST_F(segments, retire_takes_no_number_that_only_looks_like_one_in_use)
{
	const unsigned long in_use = 1;

	ASSERT_EQ(0, endpoint_grow(self->end->fd, in_use, self->page));
	for (int bit = 1; bit < 64; bit++) {
		unsigned long number = in_use | 1ul << bit;

		EXPECT_EQ(-ENOENT, CALL(self->end->fd, SHMIPC_IOC_RETIRE, number))
			TH_LOG("bit %d", bit);
	}
	EXPECT_EQ(-ENOENT, CALL(self->end->fd, SHMIPC_IOC_RETIRE, -1ul));
	EXPECT_EQ((int64_t)self->page, segment_size(self->end->fd, SHMIPC_OWN, in_use));
}

TEST_F(segments, only_the_bound_process_may_grow_and_retire)
{
	struct endpoint ends[2];

	ASSERT_EQ(0, channel_create(ends, NULL));
	EXPECT_EQ(-EPERM, endpoint_grow(ends[0].fd, 0, self->page));
	EXPECT_EQ(-EPERM, CALL(ends[0].fd, SHMIPC_IOC_RETIRE, 0));
	ASSERT_EQ(0, endpoint_map(&ends[1]));
	EXPECT_EQ(-EPERM, endpoint_grow(ends[0].fd, 0, self->page));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	EXPECT_EQ(0, endpoint_grow(ends[0].fd, 0, self->page));
	EXPECT_EQ(0, CALL(ends[0].fd, SHMIPC_IOC_RETIRE, 0));
}

TEST_F(segments, a_dead_endpoint_cannot_grow)
{
	endpoint_unmap(self->end);
	EXPECT_EQ(-EPIPE, endpoint_grow(self->end->fd, 0, self->page));
}

TEST_F(segments, an_endpoint_whose_peer_is_dead_can_grow_and_retire)
{
	endpoint_close(&self->ends[1]);
	EXPECT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 0));
}

TEST_F(segments, those_of_a_dead_endpoint_can_still_be_found_and_read)
{
	unsigned char *own;
	const unsigned char *peer;

	ASSERT_EQ(0, endpoint_grow(self->end->fd, 0, self->page));
	ASSERT_EQ(0, part_map(self->end->fd, SHMIPC_OWN, SHMIPC_SEGMENT(0), self->page,
			      PROT_READ | PROT_WRITE, (void **)&own));
	own[5] = 55;
	munmap(own, self->page);
	endpoint_close(self->end);
	EXPECT_EQ((int64_t)self->page, segment_size(self->ends[1].fd, SHMIPC_PEER, 0));
	ASSERT_EQ(0, part_map(self->ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(0), self->page,
			      PROT_READ, (void **)&peer));
	EXPECT_EQ(55, peer[5]);
}

TEST_HARNESS_MAIN
