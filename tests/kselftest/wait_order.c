// SPDX-License-Identifier: GPL-2.0
/*
 * When several ends of a wait are true at the same time: rung or withdrawn comes before dead, dead
 * before a signal, a signal before the deadline.
 *
 * To make them true at the same time, sleeper and test run on one processor and the test with a
 * real-time priority: what it does between two sleeps of its own, the sleeper sees at once.
 */
#include <kselftest_harness.h>

#include <sched.h>
#include <signal.h>

#include "endpoint.h"
#include "sleeper.h"

FIXTURE(order)
{
	struct endpoint ends[2];
	struct endpoint *end;
	struct endpoint *peer;
	struct shmipc_ioc_wait wait;
	struct sleeper sleeper;
};

FIXTURE_SETUP(order)
{
	cpu_set_t one;

	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
	self->peer = &self->ends[1];
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	count_signals(SIGUSR1, 0);
	self->wait.seq = endpoint_arm(self->end);
}

FIXTURE_TEARDOWN(order)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

/* Puts the sleeper to sleep until @ms from now and gets ahead of it; false: no such priority here. */
static bool start(FIXTURE_DATA(order) *self, unsigned int ms)
{
	struct sched_param priority = { .sched_priority = 10 };

	self->wait.deadline_ns = now_ns() + ms * MS;
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait);
	return !sched_setscheduler(0, SCHED_FIFO, &priority);
}

#define FAR_AWAY 600000

static void rung(FIXTURE_DATA(order) *self)
{
	endpoint_ring(self->peer);
}

static void withdrawn(FIXTURE_DATA(order) *self)
{
	endpoint_disarm(self->end);
	CALL(self->end->fd, SHMIPC_IOC_KICK, 0);
}

static void dead(FIXTURE_DATA(order) *self)
{
	endpoint_unmap(self->peer);
}

static void signalled(FIXTURE_DATA(order) *self)
{
	pthread_kill(self->sleeper.thread, SIGUSR1);
}

static void expired(FIXTURE_DATA(order) *self)
{
	while (now_ns() < self->wait.deadline_ns + 20 * MS)
		;
}

typedef void event(FIXTURE_DATA(order) *self);

/* Lets both happen and returns how the wait ended. */
static long both(FIXTURE_DATA(order) *self, event *first, event *second)
{
	first(self);
	second(self);
	return sleeper_join(&self->sleeper);
}

#define START_OR_SKIP(ms)                                                                          \
	do {                                                                                       \
		if (!start(self, ms))                                                              \
			SKIP(return, "no real-time priority: %s", strerror(errno));                \
	} while (0)

/* Deadlines that expire: long enough for the test to get ready. */
#define SOON 300

TEST_F(order, rung_before_dead)
{
	START_OR_SKIP(FAR_AWAY);
	EXPECT_EQ(0, both(self, rung, dead));
}

TEST_F(order, rung_before_dead_though_it_died_first)
{
	uint32_t seq = self->wait.seq;

	START_OR_SKIP(FAR_AWAY);
	/* It takes the duty, dies, and never rings. */
	word_store(&self->peer->own->rung, seq);
	dead(self);
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(order, rung_before_signal)
{
	START_OR_SKIP(FAR_AWAY);
	EXPECT_EQ(0, both(self, rung, signalled));
	EXPECT_EQ(1, signals_handled);
}

TEST_F(order, rung_before_signal_though_the_signal_came_first)
{
	START_OR_SKIP(FAR_AWAY);
	EXPECT_EQ(0, both(self, signalled, rung));
	EXPECT_EQ(1, signals_handled);
}

TEST_F(order, rung_before_deadline)
{
	START_OR_SKIP(SOON);
	EXPECT_EQ(0, both(self, expired, rung));
}

TEST_F(order, withdrawn_before_dead)
{
	START_OR_SKIP(FAR_AWAY);
	EXPECT_EQ(0, both(self, dead, withdrawn));
}

TEST_F(order, withdrawn_before_signal)
{
	START_OR_SKIP(FAR_AWAY);
	EXPECT_EQ(0, both(self, signalled, withdrawn));
	EXPECT_EQ(1, signals_handled);
}

TEST_F(order, withdrawn_before_deadline)
{
	START_OR_SKIP(SOON);
	EXPECT_EQ(0, both(self, expired, withdrawn));
}

TEST_F(order, dead_before_signal)
{
	START_OR_SKIP(FAR_AWAY);
	EXPECT_EQ(-EPIPE, both(self, signalled, dead));
	EXPECT_EQ(1, signals_handled);
}

TEST_F(order, dead_before_deadline)
{
	START_OR_SKIP(SOON);
	EXPECT_EQ(-EPIPE, both(self, expired, dead));
}

TEST_F(order, signal_before_deadline)
{
	START_OR_SKIP(SOON);
	EXPECT_EQ(-EINTR, both(self, expired, signalled));
	EXPECT_EQ(1, signals_handled);
}

/* The same where nobody sleeps, because the deadline has passed already. */

TEST_F(order, rung_before_a_past_deadline)
{
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
	self->wait.deadline_ns = now_ns();
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
}

TEST_F(order, withdrawn_before_a_past_deadline)
{
	endpoint_disarm(self->end);
	EXPECT_EQ(0, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
}

TEST_F(order, dead_before_a_past_deadline)
{
	dead(self);
	EXPECT_EQ(-EPIPE, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
}

TEST_F(order, the_argument_is_checked_before_anything)
{
	dead(self);
	self->wait.flags = 1u << 31;
	EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
	EXPECT_EQ(-EINVAL, CALL(self->end->fd, SHMIPC_IOC_WAIT, 2));
}

TEST_HARNESS_MAIN
