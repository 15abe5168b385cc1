// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/fdinfo/FD: every line a program may read, against what is true and what INFO says.
 */
#include <kselftest_harness.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

FIXTURE(fdinfo)
{
	struct endpoint ends[2];
	struct shmipc_ioc_info info;
	char text[8192];
};

FIXTURE_SETUP(fdinfo)
{
	struct shmipc_ioc_create request = create_request();

	request.head_size[1] = 3 * page_size();
	request.lane_max[1] = 1 << 21;
	ASSERT_EQ(0, channel_create(self->ends, &request));
}

FIXTURE_TEARDOWN(fdinfo)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

static long read_fdinfo(FIXTURE_DATA(fdinfo) *self, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return file_read(path, self->text, sizeof(self->text));
}

/* What stands behind "KEY:\t" in the line of that key, the @nth of them; NULL: there is none. */
static const char *find_value(const char *text, const char *key, int nth)
{
	static char value[256];
	size_t length = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) || line[length] != ':' || line[length + 1] != '\t')
			continue;
		if (nth--)
			continue;
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + length + 2, "\n"),
			 line + length + 2);
		return value;
	}
	return NULL;
}

#define EXPECT_VALUE(key, ...)                                                                     \
	do {                                                                                       \
		char expected[256];                                                                \
		const char *value = find_value(self->text, key, 0);                                \
		snprintf(expected, sizeof(expected), __VA_ARGS__);                                 \
		ASSERT_TRUE(value != NULL) TH_LOG("no line '%s' in:\n%s", key, self->text);        \
		EXPECT_STREQ(expected, value);                                                     \
	} while (0)

TEST_F(fdinfo, shows_a_new_channel)
{
	for (unsigned int i = 0; i < 2; i++) {
		size_t heads[] = { page_size(), 3 * page_size() };
		size_t limits[] = { 1 << 20, 1 << 21 };

		ASSERT_LT(0, read_fdinfo(self, self->ends[i].fd));
		ASSERT_EQ(0, endpoint_info(self->ends[i].fd, &self->info));
		EXPECT_VALUE("shmipc-channel", "%llu", (unsigned long long)self->info.id);
		EXPECT_VALUE("shmipc-endpoint", "%u", i);
		EXPECT_VALUE("shmipc-state", "new new");
		EXPECT_VALUE("shmipc-pid", "0 0");
		EXPECT_VALUE("shmipc-head", "%zu %zu", heads[i], heads[!i]);
		EXPECT_VALUE("shmipc-lane", "%zu %zu", heads[i], heads[!i]);
		EXPECT_VALUE("shmipc-lane-max", "%zu %zu", limits[i], limits[!i]);
		EXPECT_VALUE("shmipc-seq", "0 0");
		EXPECT_VALUE("shmipc-rung", "0 0");
		EXPECT_VALUE("shmipc-waiting", "0 0");
		EXPECT_VALUE("shmipc-rings", "0 0");
		EXPECT_VALUE("shmipc-sleeps", "0 0");
	}
}

TEST_F(fdinfo, shows_words_sleepers_and_counts)
{
	struct sleeper sleeper;
	uint32_t seq;

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	word_store(&self->ends[0].own->seq, 70);
	word_store(&self->ends[1].own->seq, UINT32_MAX - 1);
	seq = endpoint_arm(&self->ends[0]);
	SLEEPER_START(&sleeper, self->ends[0].fd, SHMIPC_IOC_WAIT, seq);
	ASSERT_LT(0, read_fdinfo(self, self->ends[1].fd));
	EXPECT_VALUE("shmipc-state", "bound bound");
	EXPECT_VALUE("shmipc-pid", "%d %d", getpid(), getpid());
	EXPECT_VALUE("shmipc-seq", "%u %u", UINT32_MAX - 1, seq);
	EXPECT_VALUE("shmipc-waiting", "0 1");
	EXPECT_VALUE("shmipc-sleeps", "0 1");
	ASSERT_EQ(0, endpoint_ring(&self->ends[1]));
	ASSERT_EQ(0, sleeper_join(&sleeper));
	ASSERT_LT(0, read_fdinfo(self, self->ends[0].fd));
	EXPECT_VALUE("shmipc-rung", "0 %u", seq);
	EXPECT_VALUE("shmipc-waiting", "0 0");
	EXPECT_VALUE("shmipc-rings", "0 1");
	EXPECT_VALUE("shmipc-sleeps", "1 0");
}

TEST_F(fdinfo, shows_every_segment)
{
	char text[64];

	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	for (unsigned int i = 0; i < SHMIPC_SEGMENTS; i++) {
		ASSERT_EQ(0, endpoint_grow(self->ends[0].fd, i, (1 + i % 3) * page_size()));
	}
	for (int side = 0; side < 2; side++) {
		const char *key = side ? "shmipc-peer-segment" : "shmipc-own-segment";

		ASSERT_LT(0, read_fdinfo(self, self->ends[side].fd));
		for (int i = 0; i < SHMIPC_SEGMENTS; i++) {
			const char *value = find_value(self->text, key, i);

			ASSERT_TRUE(value != NULL);
			snprintf(text, sizeof(text), "%d %zu", i, (1 + i % 3) * page_size());
			EXPECT_STREQ(text, value);
		}
		EXPECT_TRUE(find_value(self->text, key, SHMIPC_SEGMENTS) == NULL);
	}
	ASSERT_EQ(0, CALL(self->ends[0].fd, SHMIPC_IOC_RETIRE, 0));
	ASSERT_LT(0, read_fdinfo(self, self->ends[0].fd));
	snprintf(text, sizeof(text), "1 %zu", 2 * page_size());
	EXPECT_STREQ(text, find_value(self->text, "shmipc-own-segment", 0));
}

TEST_F(fdinfo, shows_the_dead)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[1]));
	endpoint_unmap(&self->ends[1]);
	ASSERT_LT(0, read_fdinfo(self, self->ends[0].fd));
	EXPECT_VALUE("shmipc-state", "new dead");
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	endpoint_unmap(&self->ends[0]);
	for (int i = 0; i < 2; i++) {
		ASSERT_LT(0, read_fdinfo(self, self->ends[i].fd));
		EXPECT_VALUE("shmipc-state", "dead dead");
	}
}

static long read_there(void *argument)
{
	int fd = *(int *)argument;
	char path[64];
	char text[4096];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getppid(), fd);
	if (file_read(path, text, sizeof(text)) <= 0)
		return -errno;
	return find_value(text, "shmipc-channel", 0) ? 0 : -EBADMSG;
}

TEST_F(fdinfo, is_there_for_a_tool_that_has_no_descriptor)
{
	struct actor other;

	ASSERT_EQ(0, actor_start(&other));
	EXPECT_EQ(0, actor_call(&other, read_there, &self->ends[0].fd, sizeof(int)));
	actor_exit(&other);
}

TEST_F(fdinfo, shows_nothing_of_a_file_that_is_no_endpoint)
{
	int fd = device_open();

	ASSERT_LE(0, fd);
	ASSERT_LT(0, read_fdinfo(self, fd));
	EXPECT_TRUE(strstr(self->text, "shmipc-") == NULL);
	close(fd);
}

TEST_F(fdinfo, has_only_well_formed_lines)
{
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	ASSERT_EQ(0, endpoint_grow(self->ends[0].fd, 3, page_size()));
	ASSERT_LT(0, read_fdinfo(self, self->ends[0].fd));
	for (char *line = strtok(self->text, "\n"); line; line = strtok(NULL, "\n")) {
		size_t key = strspn(line, "abcdefghijklmnopqrstuvwxyz-_");

		EXPECT_LT(0u, key) TH_LOG("'%s'", line);
		EXPECT_EQ(0, strncmp(line + key, ":\t", 2)) TH_LOG("'%s'", line);
		EXPECT_TRUE(strstr(line, "  ") == NULL) TH_LOG("'%s'", line);
	}
}

TEST_HARNESS_MAIN
