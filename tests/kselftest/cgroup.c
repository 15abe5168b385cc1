// SPDX-License-Identifier: GPL-2.0
/*
 * The memory cgroup: shared pages are charged to the group of whoever made them, stay charged for as
 * long as they are there, and a group that is full gets ENOMEM, not the OOM killer.
 */
#include <kselftest_harness.h>

#include <sys/stat.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

#define ROOT "/sys/fs/cgroup"
#define GROUP ROOT "/shmipc-selftest"
#define MB (1l << 20)
/* Counting is done in batches on each processor. */
#define SLACK (2 * MB)

FIXTURE(cgroup)
{
	struct actor actor; /* in the group */
	const char *missing;
	uint64_t max_user_bytes;
};

static long join_there(void *argument)
{
	(void)argument;
	return file_write(GROUP "/cgroup.procs", "0");
}

FIXTURE_SETUP(cgroup)
{
	self->missing = NULL;
	ASSERT_EQ(0, parameter_read("max_user_bytes", &self->max_user_bytes));
	ASSERT_EQ(0, actor_start(&self->actor));
	file_write(ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0700) && errno != EEXIST)
		self->missing = "no cgroup v2 at " ROOT;
	else if (access(GROUP "/memory.current", R_OK))
		self->missing = "no memory controller in cgroup v2";
	if (self->missing)
		return;
	ASSERT_EQ(0, file_write(GROUP "/memory.max", "max"));
	ASSERT_EQ(0, actor_call(&self->actor, join_there, NULL, 0));
	ASSERT_EQ(0, parameter_write("max_user_bytes", 1ull << 40));
}

FIXTURE_TEARDOWN(cgroup)
{
	parameter_write("max_user_bytes", self->max_user_bytes);
	actor_kill(&self->actor);
	/* The group is busy until its last process is quite gone. */
	for (int i = 0; i < 100 && rmdir(GROUP) && errno == EBUSY; i++) {
		sleep_ms(20);
	}
}

#define SKIP_WITHOUT_GROUP()                                                                       \
	do {                                                                                       \
		if (self->missing)                                                                 \
			SKIP(return, "%s", self->missing);                                         \
	} while (0)

static long charged(void)
{
	char text[32];

	return file_read(GROUP "/memory.current", text, sizeof(text)) < 0 ? -1 : atol(text);
}

/* A counter of memory.events. */
static long count_event(const char *name)
{
	char text[512];
	const char *line;

	if (file_read(GROUP "/memory.events", text, sizeof(text)) < 0)
		return -1;
	line = strstr(text, name);
	return line ? atol(line + strlen(name)) : -1;
}

struct work {
	struct endpoint ends[2];
	size_t head_size;
	unsigned int segment;
	size_t segment_size;
};

static long create_there(void *argument)
{
	struct work *work = argument;
	struct shmipc_ioc_create request = create_request();
	long result;

	for (int i = 0; i < 2; i++) {
		request.head_size[i] = work->head_size;
		request.lane_max[i] = 1ull << 40;
	}
	result = channel_create(work->ends, &request);
	for (int i = 0; i < 2 && !result; i++)
		result = endpoint_map(&work->ends[i]);
	return result;
}

static long map_there(void *argument)
{
	struct work *work = argument;

	return endpoint_map(&work->ends[0]);
}

static long grow_there(void *argument)
{
	struct work *work = argument;

	return endpoint_grow(work->ends[0].fd, work->segment, work->segment_size);
}

static long retire_there(void *argument)
{
	struct work *work = argument;

	return CALL(work->ends[0].fd, SHMIPC_IOC_RETIRE, work->segment);
}

static long close_there(void *argument)
{
	struct work *work = argument;

	endpoint_close(&work->ends[0]);
	endpoint_close(&work->ends[1]);
	return 0;
}

static long in_group(FIXTURE_DATA(cgroup) *self, actor_function *function, struct work *work)
{
	return actor_call(&self->actor, function, work, sizeof(*work));
}

TEST_F(cgroup, create_and_grow_charge_the_callers_group)
{
	struct work work = { .head_size = 8 * MB, .segment = 2, .segment_size = 16 * MB };
	long before;

	SKIP_WITHOUT_GROUP();
	before = charged();
	ASSERT_EQ(0, in_group(self, create_there, &work));
	EXPECT_LE(before + 16 * MB - SLACK, charged());
	EXPECT_GE(before + 16 * MB + SLACK, charged());
	ASSERT_EQ(0, in_group(self, grow_there, &work));
	EXPECT_LE(before + 32 * MB - SLACK, charged());
	ASSERT_EQ(0, in_group(self, retire_there, &work));
	EXPECT_GE(before + 16 * MB + SLACK, charged());
	ASSERT_EQ(0, in_group(self, close_there, &work));
	EXPECT_GE(before + SLACK, charged());
}

TEST_F(cgroup, what_another_group_makes_is_not_charged_here)
{
	struct endpoint ends[2];
	struct shmipc_ioc_create request = create_request();
	long before;

	SKIP_WITHOUT_GROUP();
	before = charged();
	request.head_size[0] = 16 * MB;
	request.lane_max[0] = 16 * MB;
	ASSERT_EQ(0, channel_create(ends, &request));
	EXPECT_GE(before + SLACK, charged());
}

TEST_F(cgroup, pages_stay_charged_while_somebody_else_maps_them)
{
	struct work work = { .head_size = page_size(), .segment_size = 16 * MB };
	struct shmipc_ioc_create request = create_request();
	struct endpoint ends[2];
	void *at;
	long before;
	int fd;

	SKIP_WITHOUT_GROUP();
	request.lane_max[0] = 1ull << 40;
	ASSERT_EQ(0, channel_create(ends, &request));
	ASSERT_EQ(0, endpoint_map(&ends[1]));
	fd = actor_give(&self->actor, ends[0].fd);
	ASSERT_LE(0, fd);
	work.ends[0] = ends[0];
	work.ends[0].fd = fd;
	work.ends[1].fd = -1;
	before = charged();
	ASSERT_EQ(0, in_group(self, map_there, &work));
	ASSERT_EQ(0, in_group(self, grow_there, &work));
	ASSERT_EQ(0, part_map(ends[1].fd, SHMIPC_PEER, SHMIPC_SEGMENT(0), 16 * MB, PROT_READ, &at));
	ASSERT_EQ(0, in_group(self, retire_there, &work));
	EXPECT_LE(before + 16 * MB - SLACK, charged());
	munmap(at, 16 * MB);
	EXPECT_GE(before + SLACK, charged());
}

TEST_F(cgroup, a_full_group_gets_enomem_and_nobody_is_killed)
{
	struct work work = { .head_size = page_size(), .segment_size = 64 * MB };
	char limit[32];
	long before;

	SKIP_WITHOUT_GROUP();
	ASSERT_EQ(0, in_group(self, create_there, &work));
	before = charged();
	snprintf(limit, sizeof(limit), "%ld", before + 16 * MB);
	ASSERT_EQ(0, file_write(GROUP "/memory.max", limit));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOMEM, in_group(self, grow_there, &work));
		/* The part that could be had was given back. */
		EXPECT_GE(before + SLACK, charged());
	}
	work.segment_size = 8 * MB;
	EXPECT_EQ(0, in_group(self, grow_there, &work));
	EXPECT_EQ(0, count_event("oom_kill "));
	ASSERT_EQ(0, in_group(self, close_there, &work));
	ASSERT_EQ(0, file_write(GROUP "/memory.max", "max"));
}

TEST_F(cgroup, a_full_group_creates_nothing)
{
	struct work work = { .head_size = 32 * MB };
	char limit[32];
	long before;

	SKIP_WITHOUT_GROUP();
	before = charged();
	/* Endpoint 0's head fits, endpoint 1's does not. */
	snprintf(limit, sizeof(limit), "%ld", before + 48 * MB);
	ASSERT_EQ(0, file_write(GROUP "/memory.max", limit));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOMEM, in_group(self, create_there, &work));
		EXPECT_GE(before + SLACK, charged());
	}
	work.head_size = 16 * MB;
	EXPECT_EQ(0, in_group(self, create_there, &work));
	EXPECT_EQ(0, count_event("oom_kill "));
	ASSERT_EQ(0, in_group(self, close_there, &work));
	ASSERT_EQ(0, file_write(GROUP "/memory.max", "max"));
}

TEST_HARNESS_MAIN
