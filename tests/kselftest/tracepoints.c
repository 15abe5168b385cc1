// SPDX-License-Identifier: GPL-2.0
/*
 * The module's tracepoints: they exist, fire once for what happens, and say what happened.
 */
#include <kselftest_harness.h>

#include <signal.h>
#include <sys/stat.h>

#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

#define TRACING "/sys/kernel/tracing"
#define INSTANCE TRACING "/instances/shmipc-selftest"

FIXTURE(tracepoints)
{
	const char *missing;
	struct endpoint ends[2];
	struct endpoint *end;
	struct endpoint *peer;
	char channel[64]; /* "channel=N ", as every line has it */
	char text[65536];
	struct sleeper sleeper;
};

FIXTURE_SETUP(tracepoints)
{
	struct shmipc_ioc_info info;

	self->missing = NULL;
	self->ends[0].fd = -1;
	self->ends[1].fd = -1;
	if (access(TRACING "/events", F_OK)) {
		self->missing = "no tracefs at " TRACING;
		return;
	}
	ASSERT_TRUE(!mkdir(INSTANCE, 0700) || errno == EEXIST);
	ASSERT_EQ(0, file_write(INSTANCE "/events/shmipc/enable", "1"));
	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
	self->peer = &self->ends[1];
	ASSERT_EQ(0, endpoint_info(self->end->fd, &info));
	snprintf(self->channel, sizeof(self->channel), "channel=%llu ",
		 (unsigned long long)info.id);
}

FIXTURE_TEARDOWN(tracepoints)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	file_write(INSTANCE "/events/shmipc/enable", "0");
	rmdir(INSTANCE);
}

#define SKIP_WITHOUT_TRACING()                                                                     \
	do {                                                                                       \
		if (self->missing)                                                                 \
			SKIP(return, "%s", self->missing);                                         \
	} while (0)

/* Lines of this channel's @event that contain @what. */
static int count_lines(FIXTURE_DATA(tracepoints) *self, const char *event, const char *what)
{
	int count = 0;
	char *rest = self->text;
	char *line;

	if (file_read(INSTANCE "/trace", self->text, sizeof(self->text)) < 0)
		return -1;
	while ((line = strsep(&rest, "\n"))) {
		const char *found = strstr(line, event);

		if (line[0] == '#' || !found || found[strlen(event)] != ':')
			continue;
		count += strstr(line, self->channel) && strstr(line, what);
	}
	return count;
}

TEST_F(tracepoints, create_fires_once)
{
	SKIP_WITHOUT_TRACING();
	EXPECT_EQ(1, count_lines(self, "shmipc_create", "head_size=4096,4096"));
}

TEST_F(tracepoints, a_ring_says_for_what_and_whether_it_found_somebody)
{
	char text[64];
	uint32_t seq;

	SKIP_WITHOUT_TRACING();
	seq = endpoint_arm(self->end);
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, seq);
	ASSERT_EQ(0, endpoint_ring(self->peer));
	ASSERT_EQ(0, sleeper_join(&self->sleeper));
	snprintf(text, sizeof(text), "endpoint=1 rung=%u found=1", seq);
	EXPECT_EQ(1, count_lines(self, "shmipc_ring", text));
	snprintf(text, sizeof(text), "endpoint=0 seq=%u end=rung slept=1", seq);
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", text));

	seq = endpoint_arm(self->end);
	ASSERT_EQ(0, endpoint_ring(self->peer));
	snprintf(text, sizeof(text), "endpoint=1 rung=%u found=0", seq);
	EXPECT_EQ(1, count_lines(self, "shmipc_ring", text));
	/* Repeated: nothing happens. */
	ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(2, count_lines(self, "shmipc_ring", ""));
}

TEST_F(tracepoints, a_wait_says_how_it_ended)
{
	struct shmipc_ioc_wait wait = { .deadline_ns = now_ns() + 20 * MS };

	SKIP_WITHOUT_TRACING();
	wait.seq = endpoint_arm(self->end);
	ASSERT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait));
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", "end=timeout slept=1"));

	count_signals(SIGUSR1, 0);
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, wait.seq);
	pthread_kill(self->sleeper.thread, SIGUSR1);
	ASSERT_EQ(-EINTR, sleeper_join(&self->sleeper));
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", "end=signal slept=1"));

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, wait.seq);
	endpoint_disarm(self->end);
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_KICK, 0));
	ASSERT_EQ(0, sleeper_join(&self->sleeper));
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", "end=withdrawn slept=1"));
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, wait.seq));
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", "end=withdrawn slept=0"));

	wait.seq = endpoint_arm(self->end);
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT, wait.seq));
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", "end=rung slept=0"));

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->end));
	endpoint_unmap(self->peer);
	ASSERT_EQ(-EPIPE, sleeper_join(&self->sleeper));
	EXPECT_EQ(1, count_lines(self, "shmipc_wait", "end=dead slept=1"));
}

TEST_F(tracepoints, a_hang_up_fires_once_for_each_end_and_says_why)
{
	SKIP_WITHOUT_TRACING();
	endpoint_unmap(self->peer);
	EXPECT_EQ(1, count_lines(self, "shmipc_hangup", "endpoint=1 reason=unmap"));
	endpoint_close(self->peer);
	endpoint_close(self->end);
	EXPECT_EQ(1, count_lines(self, "shmipc_hangup", "endpoint=0 reason=unmap"));
	EXPECT_EQ(2, count_lines(self, "shmipc_hangup", ""));
}

TEST_F(tracepoints, the_hang_up_of_an_unbound_endpoint_is_a_release)
{
	struct endpoint ends[2];
	struct shmipc_ioc_info info;

	SKIP_WITHOUT_TRACING();
	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, endpoint_info(ends[0].fd, &info));
	snprintf(self->channel, sizeof(self->channel), "channel=%llu ",
		 (unsigned long long)info.id);
	close(ends[1].fd);
	EXPECT_EQ(1, count_lines(self, "shmipc_hangup", "endpoint=1 reason=release"));
	close(ends[0].fd);
	EXPECT_EQ(1, count_lines(self, "shmipc_hangup", "endpoint=0 reason=release"));
}

TEST_F(tracepoints, grow_and_retire_name_the_segment)
{
	SKIP_WITHOUT_TRACING();
	ASSERT_EQ(0, endpoint_grow(self->end->fd, 9, page_size()));
	ASSERT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_RETIRE, 9));
	EXPECT_EQ(1, count_lines(self, "shmipc_grow", "endpoint=0 segment=9 size=4096"));
	EXPECT_EQ(1, count_lines(self, "shmipc_retire", "endpoint=0 segment=9 size=4096"));
}

TEST_HARNESS_MAIN
