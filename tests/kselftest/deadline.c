// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlines and signals: a wait never ends early, a restarted one keeps its deadline, and whether it
 * is restarted is the handler's SA_RESTART's affair.
 *
 * "In time" is generous everywhere: the machine may be slow and busy. "Early" is exact.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#include "endpoint.h"
#include "sleeper.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

FIXTURE(deadline)
{
	struct endpoint ends[2];
	struct endpoint *end;
	struct endpoint *peer;
	struct shmipc_ioc_wait wait;
	struct sleeper sleeper;
};

FIXTURE_SETUP(deadline)
{
	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
	self->peer = &self->ends[1];
	self->wait.seq = endpoint_arm(self->end);
}

FIXTURE_TEARDOWN(deadline)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

#define LATE (5000 * MS)

TEST_F(deadline, in_the_past_times_out_at_once)
{
	const uint64_t past[] = { 0, 1, MS, now_ns() - 1, now_ns() };

	for (unsigned int i = 0; i < ARRAY_SIZE(past); i++) {
		self->wait.deadline_ns = past[i];
		EXPECT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait))
			TH_LOG("deadline %llu", (unsigned long long)past[i]);
	}
}

TEST_F(deadline, never_ends_early)
{
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t after;

		/* 0 to 5 ms away, at all sorts of fractions. */
		self->wait.deadline_ns = now_ns() + i * 50021;
		ASSERT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
		after = now_ns();
		ASSERT_LE(self->wait.deadline_ns, after);
		EXPECT_GT(self->wait.deadline_ns + LATE, after);
	}
}

TEST_F(deadline, is_absolute)
{
	self->wait.deadline_ns = now_ns() + 200 * MS;
	sleep_ms(150);
	ASSERT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
	EXPECT_LE(self->wait.deadline_ns, now_ns());
	/* A second call with the same one ends at once. */
	EXPECT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
	EXPECT_GT(self->wait.deadline_ns + LATE, now_ns());
}

TEST_F(deadline, far_away_is_as_good_as_none)
{
	const uint64_t far[] = { now_ns() + 3600000 * MS, INT64_MAX - 1, INT64_MAX,
				 (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(far); i++) {
		self->wait.seq = endpoint_arm(self->end);
		self->wait.deadline_ns = far[i];
		SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait);
		EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 30))
			TH_LOG("deadline %llx", (unsigned long long)far[i]);
		ASSERT_EQ(0, endpoint_ring(self->peer));
		ASSERT_EQ(0, sleeper_join(&self->sleeper));
	}
}

TEST_F(deadline, does_not_keep_a_ring_waiting)
{
	self->wait.deadline_ns = now_ns() + 3600000 * MS;
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait);
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(deadline, a_ring_on_the_way_to_a_timeout_is_still_sent)
{
	struct shmipc_ioc_wait past = { .flags = SHMIPC_WAIT_RING };

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, self->wait.seq);
	past.seq = endpoint_arm(self->peer);
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	EXPECT_EQ(-ETIMEDOUT, CALL(self->peer->fd, SHMIPC_IOC_WAIT_UNTIL, &past));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(deadline, without_the_ring_flag_nothing_is_rung)
{
	struct shmipc_ioc_wait past = { .flags = 0 };

	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT, self->wait.seq);
	past.seq = endpoint_arm(self->peer);
	/* A duty that is not the sleeper's seq, or looking at it would satisfy the wait by itself. */
	word_store(&self->peer->own->rung, self->wait.seq + 2);
	EXPECT_EQ(-ETIMEDOUT, CALL(self->peer->fd, SHMIPC_IOC_WAIT_UNTIL, &past));
	EXPECT_TRUE(sleeper_sleeps_for(&self->sleeper, 50));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(0, sleeper_join(&self->sleeper));
}

TEST_F(deadline, bytes_of_the_argument_stay_as_they_were)
{
	struct shmipc_ioc_wait before;

	self->wait.deadline_ns = now_ns() + MS;
	before = self->wait;
	ASSERT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
	EXPECT_EQ(0, memcmp(&before, &self->wait, sizeof(before)));
}

TEST_F(deadline, a_signal_without_restart_interrupts)
{
	const unsigned long commands[] = { SHMIPC_IOC_WAIT, SHMIPC_IOC_RING_WAIT,
					   SHMIPC_IOC_WAIT_UNTIL };

	count_signals(SIGUSR1, 0);
	self->wait.deadline_ns = now_ns() + 3600000 * MS;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		uintptr_t argument = commands[i] == SHMIPC_IOC_WAIT_UNTIL ?
					     (uintptr_t)&self->wait :
					     self->wait.seq;

		sleeper_start(&self->sleeper, self->end->fd, commands[i], argument);
		ASSERT_EQ(0, pthread_kill(self->sleeper.thread, SIGUSR1));
		EXPECT_EQ(-EINTR, sleeper_join(&self->sleeper)) TH_LOG("%lx", commands[i]);
		EXPECT_EQ((int)i + 1, signals_handled);
	}
	/* An interrupted wait leaves the place to the next. */
	self->wait.deadline_ns = now_ns();
	EXPECT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
}

TEST_F(deadline, a_signal_with_restart_does_not_end_a_wait)
{
	const unsigned long commands[] = { SHMIPC_IOC_WAIT, SHMIPC_IOC_RING_WAIT,
					   SHMIPC_IOC_WAIT_UNTIL };

	count_signals(SIGUSR1, SA_RESTART);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		uintptr_t argument;

		self->wait.seq = endpoint_arm(self->end);
		self->wait.deadline_ns = now_ns() + 3600000 * MS;
		argument = commands[i] == SHMIPC_IOC_WAIT_UNTIL ? (uintptr_t)&self->wait :
								  self->wait.seq;
		signals_handled = 0;
		sleeper_start(&self->sleeper, self->end->fd, commands[i], argument);
		for (int n = 1; n <= 10; n++) {
			ASSERT_EQ(0, pthread_kill(self->sleeper.thread, SIGUSR1));
			while (signals_handled < n)
				sched_yield();
			ASSERT_TRUE(task_falls_asleep(self->sleeper.tid, 10000));
		}
		EXPECT_FALSE(sleeper_done(&self->sleeper)) TH_LOG("%lx", commands[i]);
		ASSERT_EQ(0, endpoint_ring(self->peer));
		EXPECT_EQ(0, sleeper_join(&self->sleeper));
	}
}

TEST_F(deadline, a_restarted_wait_keeps_its_deadline)
{
	count_signals(SIGUSR1, SA_RESTART);
	self->wait.deadline_ns = now_ns() + 300 * MS;
	SLEEPER_START(&self->sleeper, self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait);
	/* So often that a deadline counted anew from each restart would never come. */
	while (!sleeper_done(&self->sleeper)) {
		pthread_kill(self->sleeper.thread, SIGUSR1);
		sleep_ms(5);
		ASSERT_GT(self->wait.deadline_ns + LATE, now_ns());
	}
	EXPECT_EQ(-ETIMEDOUT, sleeper_join(&self->sleeper));
	EXPECT_LE(self->wait.deadline_ns, self->sleeper.returned_ns);
	EXPECT_LT(5, signals_handled);
}

TEST_F(deadline, a_restarted_ring_wait_rings_once)
{
	const unsigned long commands[] = { SHMIPC_IOC_RING_WAIT, SHMIPC_IOC_WAIT_UNTIL };

	count_signals(SIGUSR1, SA_RESTART);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		struct shmipc_ioc_info info;
		struct shmipc_ioc_wait wait = { .deadline_ns = UINT64_MAX,
						.flags = SHMIPC_WAIT_RING };
		struct sleeper peer;

		/* The peer sleeps, is rung for once, and sleeps again for another seq. */
		SLEEPER_START(&peer, self->peer->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->peer));
		ASSERT_TRUE(endpoint_take_duty(self->end));
		wait.seq = endpoint_arm(self->end);
		sleeper_start(&self->sleeper, self->end->fd, commands[i],
			      i ? (uintptr_t)&wait : wait.seq);
		ASSERT_EQ(0, sleeper_join(&peer));
		SLEEPER_START(&peer, self->peer->fd, SHMIPC_IOC_WAIT, endpoint_arm(self->peer));
		signals_handled = 0;
		for (int n = 1; n <= 10; n++) {
			ASSERT_EQ(0, pthread_kill(self->sleeper.thread, SIGUSR1));
			while (signals_handled < n)
				sched_yield();
			ASSERT_TRUE(task_falls_asleep(self->sleeper.tid, 10000));
		}
		ASSERT_EQ(0, endpoint_info(self->end->fd, &info));
		EXPECT_EQ(2 * i + 1, info.rings[0]);
		EXPECT_FALSE(sleeper_done(&peer));
		ASSERT_EQ(0, endpoint_ring(self->peer));
		ASSERT_EQ(0, sleeper_join(&self->sleeper));
		ASSERT_EQ(0, endpoint_ring(self->end));
		ASSERT_EQ(0, sleeper_join(&peer));
	}
}

TEST_F(deadline, an_ignored_signal_and_a_stop_do_not_end_a_wait)
{
	pid_t child;
	int status;

	self->wait.deadline_ns = now_ns() + 400 * MS;
	child = fork();
	if (!child) {
		struct endpoint ends[2];
		struct shmipc_ioc_wait wait = self->wait;

		if (channel_create_bound(ends))
			_exit(1);
		wait.seq = endpoint_arm(&ends[0]);
		if (CALL(ends[0].fd, SHMIPC_IOC_WAIT_UNTIL, &wait) != -ETIMEDOUT)
			_exit(2);
		_exit(now_ns() < wait.deadline_ns ? 3 : 0);
	}
	ASSERT_TRUE(task_falls_asleep(child, 10000));
	kill(child, SIGCHLD);
	kill(child, SIGSTOP);
	ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	kill(child, SIGCONT);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(deadline, an_interval_timer_may_fire_all_the_time)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };

	count_signals(SIGVTALRM, SA_RESTART);
	count_signals(SIGALRM, SA_RESTART);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < 10; i++) {
		self->wait.deadline_ns = now_ns() + 20 * MS;
		EXPECT_EQ(-ETIMEDOUT, CALL(self->end->fd, SHMIPC_IOC_WAIT_UNTIL, &self->wait));
		EXPECT_LE(self->wait.deadline_ns, now_ns());
	}
	memset(&often, 0, sizeof(often));
	setitimer(ITIMER_REAL, &often, NULL);
	EXPECT_LT(0, signals_handled);
}

TEST_F(deadline, counts_in_the_initial_time_namespace)
{
	static const char offset[] = "monotonic 100000 0\n";
	const uint64_t offset_ns = 100000ull * 1000 * MS;
	int status;
	pid_t child;
	int fd;

	if (unshare(CLONE_NEWTIME))
		SKIP(return, "no time namespaces: %s", strerror(errno));
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)sizeof(offset) - 1, write(fd, offset, sizeof(offset) - 1));
	close(fd);
	self->wait.deadline_ns = now_ns() + 200 * MS;
	child = fork();
	if (!child) {
		struct endpoint ends[2];
		struct shmipc_ioc_wait wait = self->wait;
		uint64_t after;

		/* This clock runs ahead of the one that counts. */
		if (now_ns() < wait.deadline_ns + offset_ns / 2)
			_exit(1);
		if (channel_create_bound(ends))
			_exit(2);
		wait.seq = endpoint_arm(&ends[0]);
		if (CALL(ends[0].fd, SHMIPC_IOC_WAIT_UNTIL, &wait) != -ETIMEDOUT)
			_exit(3);
		after = now_ns() - offset_ns;
		_exit(after < wait.deadline_ns ? 4 : after > wait.deadline_ns + LATE ? 5 : 0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("step %d", WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
