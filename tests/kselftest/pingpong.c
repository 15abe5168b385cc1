// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes, many round trips, all ways to wait: no wake-up is lost and no ring is needless. The
 * protocol is the one of linux/shmipc.h. Nobody has a timeout: when one is over, a wait looks again, which
 * would make up for a lost wake-up. So it shows as a test that never ends.
 *
 * looking_before_announcing_loses_wake_ups is the negative control: the same game with the last look
 * in the wrong place must lose some, or the rest of this file proves nothing.
 */
#include <kselftest_harness.h>

#include <poll.h>
#include <sched.h>

#include "actor.h"
#include "endpoint.h"
#include "sleeper.h"

enum way { WAY_WAIT, WAY_RING_WAIT, WAY_UNTIL, WAY_POLL };

FIXTURE(pingpong)
{
	struct endpoint ends[2];
	struct actor other;
};

FIXTURE_VARIANT(pingpong)
{
	enum way ways[2];
	int same_cpu;
};

FIXTURE_VARIANT_ADD(pingpong, wait) { .ways = { WAY_WAIT, WAY_WAIT } };
FIXTURE_VARIANT_ADD(pingpong, ring_wait) { .ways = { WAY_RING_WAIT, WAY_RING_WAIT } };
FIXTURE_VARIANT_ADD(pingpong, ring_wait_on_one_cpu)
{
	.ways = { WAY_RING_WAIT, WAY_RING_WAIT },
	.same_cpu = 1,
};
FIXTURE_VARIANT_ADD(pingpong, until) { .ways = { WAY_UNTIL, WAY_UNTIL } };
FIXTURE_VARIANT_ADD(pingpong, poll) { .ways = { WAY_POLL, WAY_POLL } };
FIXTURE_VARIANT_ADD(pingpong, poll_against_ring_wait) { .ways = { WAY_POLL, WAY_RING_WAIT } };
FIXTURE_VARIANT_ADD(pingpong, wait_against_until) { .ways = { WAY_WAIT, WAY_UNTIL } };

FIXTURE_SETUP(pingpong)
{
	ASSERT_EQ(0, channel_create(self->ends, NULL));
	ASSERT_EQ(0, actor_start(&self->other));
	ASSERT_EQ(0, endpoint_map(&self->ends[0]));
	if (variant && variant->same_cpu) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(0, &one);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
		ASSERT_EQ(0, sched_setaffinity(self->other.pid, sizeof(one), &one));
	}
}

FIXTURE_TEARDOWN(pingpong)
{
	actor_kill(&self->other);
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

/* Behind the words: how many messages its owner has sent. */
static uint32_t *sent_by(const struct shmipc_words *words)
{
	return (uint32_t *)(uintptr_t)words + 16;
}

struct play {
	struct endpoint end;
	enum way way;
	uint32_t rounds;
	int first;
	int broken; /* look, then announce, then sleep: the obvious, wrong order */
	uint32_t played;
	uint32_t lost;
	uint64_t announced;
};

/* The wrong order. A sleep that ends by its deadline was a lost wake-up. */
static long wait_wrongly_for(struct play *play, uint32_t count)
{
	struct endpoint *end = &play->end;
	long result = endpoint_ring(end);

	while (!result && word_load(sent_by(end->peer)) < count) {
		struct shmipc_ioc_wait wait = { .flags = 0 };

		/* The window, held open for a moment. */
		sleep_ms(play->played % 3);
		wait.seq = endpoint_arm(end);
		wait.deadline_ns = now_ns() + 500 * MS;
		result = CALL(end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
		endpoint_disarm(end);
		if (result == -ETIMEDOUT) {
			play->lost++;
			result = 0;
		}
	}
	return result;
}

/* Sleeps until the peer has sent @count messages; rings for what was sent before. */
static long wait_for(struct play *play, uint32_t count)
{
	struct endpoint *end = &play->end;

	/* RING_WAIT rings itself; whoever does not use it rings before. */
	bool ring = endpoint_take_duty(end);

	if (ring && play->way != WAY_RING_WAIT && play->way != WAY_UNTIL) {
		long result = CALL(end->fd, SHMIPC_IOC_RING, 0);

		if (result)
			return result;
		ring = false;
	}
	for (;;) {
		struct shmipc_ioc_wait wait = { .deadline_ns = UINT64_MAX };
		struct pollfd file = { .fd = end->fd, .events = POLLIN };
		uint32_t seq = endpoint_arm(end);
		long result = 0;

		play->announced++;
		if (word_load(sent_by(end->peer)) >= count) {
			endpoint_disarm(end);
			return ring ? CALL(end->fd, SHMIPC_IOC_RING, 0) : 0;
		}
		wait.seq = seq;
		wait.flags = ring ? SHMIPC_WAIT_RING : 0;
		switch (play->way) {
		case WAY_WAIT:
			result = CALL(end->fd, SHMIPC_IOC_WAIT, seq);
			break;
		case WAY_RING_WAIT:
			result = CALL(end->fd, ring ? SHMIPC_IOC_RING_WAIT : SHMIPC_IOC_WAIT, seq);
			break;
		case WAY_UNTIL:
			result = CALL(end->fd, SHMIPC_IOC_WAIT_UNTIL, &wait);
			break;
		case WAY_POLL:
			result = poll(&file, 1, -1) == 1 ? 0 : -EINTR;
			break;
		}
		ring = false;
		endpoint_disarm(end);
		if (result)
			return result;
	}
}

static long play_rounds(struct play *play)
{
	uint32_t *sent = sent_by(play->end.own);
	long result;

	while (play->played < play->rounds && !play->lost) {
		if (!play->first || play->played) {
			uint32_t count = play->played + !play->first;

			result = play->broken ? wait_wrongly_for(play, count) : wait_for(play, count);
			if (result)
				return result;
		}
		play->played++;
		word_store(sent, play->played);
		/* The last message of the one who does not wait any more. */
		if (play->played == play->rounds)
			return endpoint_ring(&play->end);
	}
	return 0;
}

static long play_there(void *argument)
{
	struct play *play = argument;
	long result = endpoint_map(&play->end);

	return result ? result : play_rounds(play);
}

TEST_F_TIMEOUT(pingpong, no_wake_up_is_lost_and_no_ring_needless, 100)
{
	struct play here = { .end = self->ends[0], .first = 1, .rounds = 5000 };
	struct play there = { .end = self->ends[1], .rounds = 5000 };
	struct shmipc_ioc_info info;

	here.way = variant->ways[0];
	there.way = variant->ways[1];
	ASSERT_EQ(0, actor_post(&self->other, play_there, &there, sizeof(there)));
	EXPECT_EQ(0, play_rounds(&here));
	/* What the other sends last, this side does not wait for. */
	EXPECT_EQ(0, actor_result(&self->other, &there, sizeof(there)));
	EXPECT_EQ(5000u, here.played);
	EXPECT_EQ(5000u, there.played);
	ASSERT_EQ(0, endpoint_info(self->ends[0].fd, &info));
	/* One ring for each message and for each announced sleep, at most. */
	EXPECT_GE(5000u, info.rings[0]);
	EXPECT_GE(5000u, info.rings[1]);
	EXPECT_GE(there.announced, info.rings[0]);
	EXPECT_GE(here.announced, info.rings[1]);
}

TEST(looking_before_announcing_loses_wake_ups)
{
	struct endpoint ends[2];
	struct actor other;
	struct play here = { .first = 1, .rounds = 1000, .broken = 1 };
	struct play there = { .rounds = 1000 };

	ASSERT_EQ(0, channel_create(ends, NULL));
	ASSERT_EQ(0, actor_start(&other));
	ASSERT_EQ(0, endpoint_map(&ends[0]));
	here.end = ends[0];
	there.end = ends[1];
	ASSERT_EQ(0, actor_post(&other, play_there, &there, sizeof(there)));
	EXPECT_EQ(0, play_rounds(&here));
	EXPECT_LT(0u, here.lost);
	actor_kill(&other);
}

TEST_HARNESS_MAIN
