// SPDX-License-Identifier: GPL-2.0
/*
 * The module's limits: bytes of one user, bytes and channels in all. Exactly so much and no more, for
 * each user alone, and back to nothing when what was charged is gone. Whether it is gone shows in
 * whether the same can be had again under a limit that has no byte to spare.
 */
#include <kselftest_harness.h>

#include <grp.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

#define USER 4321
#define OTHER_USER 4322

static const char *const names[] = { "max_user_bytes", "max_bytes", "max_channels" };

FIXTURE(limits)
{
	struct actor actor; /* is USER */
	struct actor other; /* is OTHER_USER */
	uint64_t saved[3];
	size_t page;
};

static long become(void *argument)
{
	unsigned int id = *(unsigned int *)argument;

	if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
		return -errno;
	return 0;
}

FIXTURE_SETUP(limits)
{
	unsigned int user = USER;
	unsigned int other = OTHER_USER;

	self->page = page_size();
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, parameter_read(names[i], &self->saved[i]));
	}
	ASSERT_EQ(0, actor_start(&self->actor));
	ASSERT_EQ(0, actor_start(&self->other));
	ASSERT_EQ(0, actor_call(&self->actor, become, &user, sizeof(user)));
	ASSERT_EQ(0, actor_call(&self->other, become, &other, sizeof(other)));
}

FIXTURE_TEARDOWN(limits)
{
	actor_kill(&self->actor);
	actor_kill(&self->other);
	for (int i = 0; i < 3; i++)
		parameter_write(names[i], self->saved[i]);
}

/* A channel of the actor's: on a file that root has opened, so that the node's mode does not matter. */
struct held {
	int fd;
	unsigned int pages[2];
	unsigned int segment;
	unsigned int segment_pages;
	struct endpoint ends[2];
};

static long hold_there(void *argument)
{
	struct held *held = argument;
	struct shmipc_ioc_create create = create_request();
	long result;

	for (int i = 0; i < 2; i++) {
		create.head_size[i] = held->pages[i] * page_size();
		create.lane_max[i] = 1ull << 40;
	}
	result = CALL(held->fd, SHMIPC_IOC_CREATE, &create);
	if (result)
		return result;
	held->ends[0].fd = held->fd;
	held->ends[1].fd = create.peer_fd;
	for (int i = 0; i < 2 && !result; i++) {
		held->ends[i].own_size = create.head_size[i];
		held->ends[i].peer_size = create.head_size[!i];
		result = endpoint_map(&held->ends[i]);
	}
	return result;
}

static long release_there(void *argument)
{
	struct held *held = argument;

	endpoint_close(&held->ends[0]);
	endpoint_close(&held->ends[1]);
	return 0;
}

static long grow_there(void *argument)
{
	struct held *held = argument;

	return endpoint_grow(held->ends[0].fd, held->segment, held->segment_pages * page_size());
}

static long retire_there(void *argument)
{
	struct held *held = argument;

	return CALL(held->ends[0].fd, SHMIPC_IOC_RETIRE, held->segment);
}

/* Has the actor create a channel with heads of so many pages. */
static long hold(struct actor *actor, struct held *held, unsigned int pages0, unsigned int pages1)
{
	int fd = device_open();

	memset(held, 0, sizeof(*held));
	held->pages[0] = pages0;
	held->pages[1] = pages1;
	held->fd = actor_give(actor, fd);
	close(fd);
	if (held->fd < 0)
		return held->fd;
	return actor_call(actor, hold_there, held, sizeof(*held));
}

static long release(struct actor *actor, struct held *held)
{
	return actor_call(actor, release_there, held, sizeof(*held));
}

static long grow(struct actor *actor, struct held *held, unsigned int segment, unsigned int pages)
{
	held->segment = segment;
	held->segment_pages = pages;
	return actor_call(actor, grow_there, held, sizeof(*held));
}

static long retire(struct actor *actor, struct held *held, unsigned int segment)
{
	held->segment = segment;
	return actor_call(actor, retire_there, held, sizeof(*held));
}

static void limit_user_to(FIXTURE_DATA(limits) *self, unsigned int pages)
{
	if (parameter_write("max_user_bytes", pages * self->page))
		abort();
}

TEST_F(limits, a_user_may_hold_exactly_so_much)
{
	struct held held;
	struct held more;

	limit_user_to(self, 10);
	EXPECT_EQ(-EDQUOT, hold(&self->actor, &held, 6, 5));
	ASSERT_EQ(0, hold(&self->actor, &held, 6, 4));
	EXPECT_EQ(-EDQUOT, hold(&self->actor, &more, 1, 1));
	EXPECT_EQ(-EDQUOT, grow(&self->actor, &held, 0, 1));
	ASSERT_EQ(0, release(&self->actor, &held));
	/* All of it is back. */
	EXPECT_EQ(0, hold(&self->actor, &held, 4, 6));
}

TEST_F(limits, a_refused_create_keeps_nothing)
{
	struct held held;

	limit_user_to(self, 10);
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(-EDQUOT, hold(&self->actor, &held, 11, 1));
		/* The first head fits, the second does not. */
		EXPECT_EQ(-EDQUOT, hold(&self->actor, &held, 10, 1));
	}
	EXPECT_EQ(0, hold(&self->actor, &held, 5, 5));
}

TEST_F(limits, a_grown_segment_counts_until_it_is_retired)
{
	struct held held;

	limit_user_to(self, 10);
	ASSERT_EQ(0, hold(&self->actor, &held, 1, 1));
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(-EDQUOT, grow(&self->actor, &held, 0, 9));
		ASSERT_EQ(0, grow(&self->actor, &held, 0, 8));
		EXPECT_EQ(-EDQUOT, grow(&self->actor, &held, 1, 1));
		ASSERT_EQ(0, retire(&self->actor, &held, 0));
	}
}

static long map_peers_segment_there(void *argument)
{
	struct held *held = argument;
	void *at;
	long result = part_map(held->ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(held->segment),
			       held->segment_pages * page_size(), PROT_READ, &at);

	held->ends[1].peer = at;
	return result;
}

static long unmap_peers_segment_there(void *argument)
{
	struct held *held = argument;

	return munmap((void *)(uintptr_t)held->ends[1].peer, held->segment_pages * page_size());
}

TEST_F(limits, a_retired_segment_counts_until_it_is_unmapped)
{
	struct held held;

	limit_user_to(self, 10);
	ASSERT_EQ(0, hold(&self->actor, &held, 1, 1));
	ASSERT_EQ(0, grow(&self->actor, &held, 0, 8));
	ASSERT_EQ(0, actor_call(&self->actor, map_peers_segment_there, &held, sizeof(held)));
	ASSERT_EQ(0, retire(&self->actor, &held, 0));
	EXPECT_EQ(-EDQUOT, grow(&self->actor, &held, 1, 1));
	held.segment_pages = 8;
	ASSERT_EQ(0, actor_call(&self->actor, unmap_peers_segment_there, &held, sizeof(held)));
	EXPECT_EQ(0, grow(&self->actor, &held, 1, 8));
}

TEST_F(limits, what_a_tool_still_maps_counts_after_both_ends_died)
{
	struct held held;
	struct held more;
	void *at;
	int fd;

	limit_user_to(self, 10);
	/* The tool is this process: root, with a copy of endpoint 0. */
	fd = device_open();
	ASSERT_LE(0, fd);
	memset(&held, 0, sizeof(held));
	held.pages[0] = 9;
	held.pages[1] = 1;
	held.fd = actor_give(&self->actor, fd);
	ASSERT_EQ(0, actor_call(&self->actor, hold_there, &held, sizeof(held)));
	ASSERT_EQ(0, part_map(fd, SHMIPC_OWN, SHMIPC_HEAD, 9 * self->page, PROT_READ, &at));
	ASSERT_EQ(0, release(&self->actor, &held));
	EXPECT_EQ(-EDQUOT, hold(&self->actor, &more, 1, 1));
	munmap(at, 9 * self->page);
	close(fd);
	EXPECT_EQ(0, hold(&self->actor, &held, 5, 5));
}

TEST_F(limits, each_user_has_his_own)
{
	struct held held;
	struct held others;

	limit_user_to(self, 4);
	ASSERT_EQ(0, hold(&self->actor, &held, 2, 2));
	EXPECT_EQ(-EDQUOT, hold(&self->actor, &others, 1, 1));
	ASSERT_EQ(0, hold(&self->other, &others, 2, 2));
	EXPECT_EQ(-EDQUOT, hold(&self->other, &held, 1, 1));
}

static long map_there(void *argument)
{
	struct held *held = argument;

	return endpoint_map(&held->ends[0]);
}

TEST_F(limits, create_charges_the_creator_and_grow_the_grower)
{
	struct shmipc_ioc_create create = create_request();
	struct held held = { .segment = 0 };
	struct endpoint ends[2];

	/* Made by root, bound by both users; what each grows is his own. */
	create.head_size[0] = 6 * self->page;
	create.head_size[1] = 6 * self->page;
	create.lane_max[0] = 1ull << 40;
	create.lane_max[1] = 1ull << 40;
	ASSERT_EQ(0, channel_create(ends, &create));
	limit_user_to(self, 4);
	for (int i = 0; i < 2; i++) {
		struct actor *actor = i ? &self->other : &self->actor;
		struct held more;

		held.ends[0] = ends[i];
		held.ends[0].fd = actor_give(actor, ends[i].fd);
		ASSERT_LE(0, held.ends[0].fd);
		/* Mapping a head of six pages costs him nothing. */
		ASSERT_EQ(0, actor_call(actor, map_there, &held, sizeof(held)));
		EXPECT_EQ(-EDQUOT, grow(actor, &held, 0, 5));
		EXPECT_EQ(0, grow(actor, &held, 0, 4));
		EXPECT_EQ(-EDQUOT, hold(actor, &more, 1, 1));
	}
	endpoint_close(&ends[0]);
	endpoint_close(&ends[1]);
}

TEST_F(limits, a_killed_users_charge_is_released)
{
	struct held held;
	unsigned int user = USER;

	limit_user_to(self, 10);
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, hold(&self->actor, &held, 2, 2));
		ASSERT_EQ(0, grow(&self->actor, &held, 3, 6));
		EXPECT_EQ(-EDQUOT, grow(&self->actor, &held, 4, 1));
		actor_kill(&self->actor);
		ASSERT_EQ(0, actor_start(&self->actor));
		ASSERT_EQ(0, actor_call(&self->actor, become, &user, sizeof(user)));
	}
}

TEST_F(limits, a_lowered_limit_takes_nothing_away_but_gives_nothing_more)
{
	struct held held;
	struct held more;

	limit_user_to(self, 10);
	ASSERT_EQ(0, hold(&self->actor, &held, 5, 5));
	limit_user_to(self, 4);
	EXPECT_EQ(-EDQUOT, hold(&self->actor, &more, 1, 1));
	EXPECT_EQ(-EDQUOT, grow(&self->actor, &held, 0, 1));
	ASSERT_EQ(0, release(&self->actor, &held));
	EXPECT_EQ(-EDQUOT, hold(&self->actor, &held, 4, 1));
	EXPECT_EQ(0, hold(&self->actor, &held, 2, 2));
}

TEST_F(limits, all_bytes_together_are_limited)
{
	struct held held;
	struct held others;

	/* Nobody else may use the module meanwhile. */
	ASSERT_EQ(0, parameter_write("max_bytes", 10 * self->page));
	EXPECT_EQ(-ENOSPC, hold(&self->actor, &held, 6, 5));
	ASSERT_EQ(0, hold(&self->actor, &held, 3, 3));
	EXPECT_EQ(-ENOSPC, hold(&self->other, &others, 4, 1));
	ASSERT_EQ(0, hold(&self->other, &others, 2, 2));
	EXPECT_EQ(-ENOSPC, grow(&self->actor, &held, 0, 1));
	EXPECT_EQ(-ENOSPC, grow(&self->other, &others, 0, 1));
	ASSERT_EQ(0, release(&self->actor, &held));
	EXPECT_EQ(-ENOSPC, grow(&self->other, &others, 0, 7));
	EXPECT_EQ(0, grow(&self->other, &others, 0, 6));
	ASSERT_EQ(0, release(&self->other, &others));
	/* Nothing is left: all ten can be had at once. */
	EXPECT_EQ(0, hold(&self->actor, &held, 5, 5));
}

TEST_F(limits, channels_are_limited)
{
	struct held held[3];
	struct held more;

	ASSERT_EQ(0, parameter_write("max_channels", 3));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, hold(i % 2 ? &self->actor : &self->other, &held[i], 1, 1));
	}
	EXPECT_EQ(-ENOSPC, hold(&self->actor, &more, 1, 1));
	EXPECT_EQ(-ENOSPC, hold(&self->other, &more, 1, 1));
	ASSERT_EQ(0, release(&self->actor, &held[1]));
	ASSERT_EQ(0, hold(&self->other, &more, 1, 1));
	EXPECT_EQ(-ENOSPC, hold(&self->actor, &held[1], 1, 1));
	ASSERT_EQ(0, parameter_write("max_channels", 0));
	ASSERT_EQ(0, release(&self->other, &more));
	EXPECT_EQ(-ENOSPC, hold(&self->actor, &held[1], 1, 1));
}

TEST_F(limits, a_file_refused_for_a_limit_can_be_used_later)
{
	struct shmipc_ioc_create create = create_request();
	struct shmipc_ioc_info info;
	int fd = device_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, parameter_write("max_channels", 0));
	EXPECT_EQ(-ENOSPC, CALL(fd, SHMIPC_IOC_CREATE, &create));
	EXPECT_EQ(-EINVAL, endpoint_info(fd, &info));
	ASSERT_EQ(0, parameter_write("max_channels", 1));
	EXPECT_EQ(0, CALL(fd, SHMIPC_IOC_CREATE, &create));
}

static long count_oom_kills(void)
{
	static char text[16384];
	const char *line;

	if (file_read("/proc/vmstat", text, sizeof(text)) < 0)
		return -1;
	line = strstr(text, "\noom_kill ");
	return line ? atol(line + strlen("\noom_kill ")) : 0;
}

TEST_F_TIMEOUT(limits, more_than_the_machine_has_is_enomem_and_nobody_is_killed, 200)
{
	const long pages = sysconf(_SC_PHYS_PAGES);
	struct shmipc_ioc_create request = create_request();
	struct endpoint ends[2];
	long kills = count_oom_kills();

	if (!getenv("SHMIPC_GUEST"))
		SKIP(return, "takes all memory for a moment: for guests only");
	ASSERT_EQ(0, parameter_write("max_user_bytes", UINT64_MAX));
	ASSERT_EQ(0, parameter_write("max_bytes", UINT64_MAX));
	request.lane_max[0] = UINT64_MAX;
	ASSERT_EQ(0, channel_create(ends, &request));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	EXPECT_EQ(-ENOMEM, endpoint_grow(ends[0].fd, 0, (size_t)pages * self->page));
	/* So much that not even the list of pages fits. */
	EXPECT_EQ(-ENOMEM, endpoint_grow(ends[0].fd, 0, 1ul << 40));
	EXPECT_EQ(kills, count_oom_kills());
	EXPECT_EQ(0, endpoint_grow(ends[0].fd, 0, self->page));
}

TEST_F(limits, the_defaults_leave_room)
{
	for (int i = 0; i < 3; i++) {
		EXPECT_LT(0u, self->saved[i]) TH_LOG("%s", names[i]);
	}
	EXPECT_LE(1u << 20, self->saved[0]);
	EXPECT_LE(self->saved[0], self->saved[1]);
}

TEST_HARNESS_MAIN
