// SPDX-License-Identifier: GPL-2.0
/*
 * poll, select and epoll: readable when the endpoint is not armed, when it is rung, when its peer is
 * dead, and at no other time; woken by what makes it so; edge-triggered once for each edge.
 *
 * Who must be woken polls without a timeout: poll and select look again when theirs is over, and would
 * make up for a wake-up that did not come. So it is the test that times out.
 */
#include <kselftest_harness.h>

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "endpoint.h"
#include "sleeper.h"

FIXTURE(poll)
{
	struct endpoint ends[2];
	struct endpoint *end;
	struct endpoint *peer;
	int epoll;
};

FIXTURE_SETUP(poll)
{
	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
	self->peer = &self->ends[1];
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->epoll);
}

FIXTURE_TEARDOWN(poll)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	close(self->epoll);
}

/* What is reported when everything is asked for; POLLRDNORM is POLLIN by another name. */
static int poll_now(int fd)
{
	struct pollfd file = { .fd = fd, .events = 0x7fff };
	int result = poll(&file, 1, 0);

	return result < 0 ? -errno : file.revents & ~POLLRDNORM;
}

static int epoll_add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .fd = fd } };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* The events of the one file that is watched; 0 if @ms pass without. */
static int epoll_next(int epoll, int ms)
{
	struct epoll_event event[2];
	int count = epoll_wait(epoll, event, 2, ms);

	if (count < 0)
		return -errno;
	return count ? (int)event[0].events & ~EPOLLRDNORM : 0;
}

TEST_F(poll, an_endpoint_that_is_not_armed_is_readable)
{
	EXPECT_EQ(POLLIN, poll_now(self->end->fd));
	endpoint_arm(self->end);
	endpoint_disarm(self->end);
	EXPECT_EQ(POLLIN, poll_now(self->end->fd));
}

TEST_F(poll, an_armed_one_is_not)
{
	for (int i = 0; i < 5; i++) {
		endpoint_arm(self->end);
		EXPECT_EQ(0, poll_now(self->end->fd));
		EXPECT_EQ(0, poll_now(self->end->fd));
	}
}

TEST_F(poll, an_armed_one_is_when_it_was_rung)
{
	endpoint_arm(self->end);
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_EQ(POLLIN, poll_now(self->end->fd));
	EXPECT_EQ(POLLIN, poll_now(self->end->fd));
	endpoint_arm(self->end);
	EXPECT_EQ(0, poll_now(self->end->fd));
}

TEST_F(poll, an_armed_one_is_when_the_duty_was_taken)
{
	endpoint_arm(self->end);
	ASSERT_TRUE(endpoint_take_duty(self->peer));
	EXPECT_EQ(POLLIN, poll_now(self->end->fd));
}

TEST_F(poll, a_rung_for_another_seq_says_nothing)
{
	uint32_t seq = endpoint_arm(self->end);

	for (uint32_t wrong = 1; wrong < 70; wrong++) {
		word_store(&self->peer->own->rung, seq + wrong);
		ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
		EXPECT_EQ(0, poll_now(self->end->fd));
	}
}

TEST_F(poll, the_own_rung_and_the_peers_seq_say_nothing)
{
	uint32_t seq = endpoint_arm(self->end);

	word_store(&self->end->own->rung, seq);
	word_store(&self->peer->own->seq, seq);
	EXPECT_EQ(0, poll_now(self->end->fd));
	word_store(&self->peer->own->seq, 0);
	EXPECT_EQ(0, poll_now(self->end->fd));
}

TEST_F(poll, a_dead_peer_is_readable_and_hung_up)
{
	endpoint_arm(self->end);
	endpoint_unmap(self->peer);
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(self->end->fd));
	endpoint_disarm(self->end);
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(self->end->fd));
}

TEST_F(poll, hang_up_is_reported_unasked)
{
	struct pollfd file = { .fd = self->end->fd, .events = 0 };

	EXPECT_EQ(0, poll(&file, 1, 0));
	endpoint_unmap(self->peer);
	EXPECT_EQ(1, poll(&file, 1, 0));
	EXPECT_EQ(POLLHUP, file.revents);
}

TEST_F(poll, an_unbound_endpoint_can_be_polled)
{
	struct endpoint ends[2];

	ASSERT_EQ(0, channel_create(ends, NULL));
	/* Its seq is 0, which is even. */
	EXPECT_EQ(POLLIN, poll_now(ends[0].fd));
	close(ends[1].fd);
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(ends[0].fd));
}

TEST_F(poll, a_file_that_is_no_endpoint_is_never_readable)
{
	int fd = device_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, poll_now(fd) & (POLLIN | POLLHUP | POLLOUT));
}

/* One thread that rings, or ends the peer, after a while. */
struct later {
	struct endpoint *peer;
	bool die;
	pthread_t thread;
};

static void *act_later(void *argument)
{
	struct later *later = argument;

	sleep_ms(50);
	if (later->die)
		endpoint_unmap(later->peer);
	else
		endpoint_ring(later->peer);
	return NULL;
}

static void start_later(struct later *later, struct endpoint *peer, bool die)
{
	later->peer = peer;
	later->die = die;
	if (pthread_create(&later->thread, NULL, act_later, later))
		abort();
}

TEST_F(poll, a_poller_is_woken_by_a_ring)
{
	struct pollfd file = { .fd = self->end->fd, .events = POLLIN };
	struct later later;

	for (int i = 0; i < 5; i++) {
		endpoint_arm(self->end);
		start_later(&later, self->peer, false);
		EXPECT_EQ(1, poll(&file, 1, -1));
		EXPECT_EQ(POLLIN, file.revents);
		pthread_join(later.thread, NULL);
	}
}

TEST_F(poll, a_poller_is_woken_by_death)
{
	struct pollfd file = { .fd = self->end->fd, .events = POLLIN };
	struct later later;

	endpoint_arm(self->end);
	start_later(&later, self->peer, true);
	EXPECT_EQ(1, poll(&file, 1, -1));
	EXPECT_EQ(POLLIN | POLLHUP, file.revents);
	pthread_join(later.thread, NULL);
}

TEST_F(poll, a_poller_is_not_woken_by_a_ring_for_another_seq)
{
	struct pollfd file = { .fd = self->end->fd, .events = POLLIN };
	uint32_t seq = endpoint_arm(self->end);

	word_store(&self->peer->own->rung, seq + 2);
	ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
	EXPECT_EQ(0, poll(&file, 1, 100));
}

TEST_F(poll, a_poll_ends_by_its_timeout)
{
	struct pollfd file = { .fd = self->end->fd, .events = POLLIN };
	uint64_t begin = now_ns();

	endpoint_arm(self->end);
	EXPECT_EQ(0, poll(&file, 1, 50));
	EXPECT_LE(begin + 50 * MS, now_ns());
}

TEST_F(poll, select_says_the_same)
{
	struct timeval none = { 0, 0 };
	fd_set read_set;
	fd_set write_set;
	fd_set except_set;

	for (int armed = 0; armed < 2; armed++) {
		if (armed)
			endpoint_arm(self->end);
		FD_ZERO(&read_set);
		FD_SET(self->end->fd, &read_set);
		write_set = read_set;
		except_set = read_set;
		EXPECT_EQ(!armed, select(self->end->fd + 1, &read_set, &write_set, &except_set,
					 &none));
		EXPECT_EQ(!armed, !!FD_ISSET(self->end->fd, &read_set));
		EXPECT_FALSE(FD_ISSET(self->end->fd, &write_set));
		EXPECT_FALSE(FD_ISSET(self->end->fd, &except_set));
	}
}

TEST_F(poll, select_is_woken_by_a_ring)
{
	struct later later;
	fd_set read_set;

	endpoint_arm(self->end);
	FD_ZERO(&read_set);
	FD_SET(self->end->fd, &read_set);
	start_later(&later, self->peer, false);
	EXPECT_EQ(1, select(self->end->fd + 1, &read_set, NULL, NULL, NULL));
	pthread_join(later.thread, NULL);
}

TEST_F(poll, level_triggered_epoll_reports_until_it_is_armed_again)
{
	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, EPOLLIN));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 0));
	}
	endpoint_arm(self->end);
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	ASSERT_EQ(0, endpoint_ring(self->peer));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 0));
	}
	endpoint_arm(self->end);
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
}

TEST_F(poll, edge_triggered_epoll_reports_each_ring_once)
{
	endpoint_arm(self->end);
	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, EPOLLIN | EPOLLET));
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, endpoint_ring(self->peer));
		EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 20000));
		EXPECT_EQ(0, epoll_next(self->epoll, 0));
		/* A repeated ring is no edge. */
		ASSERT_EQ(0, CALL(self->peer->fd, SHMIPC_IOC_RING, 0));
		EXPECT_EQ(0, epoll_next(self->epoll, 0));
		endpoint_arm(self->end);
		EXPECT_EQ(0, epoll_next(self->epoll, 0));
	}
}

TEST_F(poll, edge_triggered_epoll_reports_a_ring_from_before_it_was_added)
{
	endpoint_arm(self->end);
	ASSERT_EQ(0, endpoint_ring(self->peer));
	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, EPOLLIN | EPOLLET));
	EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 0));
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
}

TEST_F(poll, edge_triggered_epoll_reports_death)
{
	endpoint_arm(self->end);
	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, EPOLLIN | EPOLLET));
	endpoint_unmap(self->peer);
	EXPECT_EQ(EPOLLIN | EPOLLHUP, epoll_next(self->epoll, 20000));
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
}

TEST_F(poll, one_shot_epoll_reports_once_until_it_is_set_again)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };

	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, event.events));
	EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 0));
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_MOD, self->end->fd, &event));
	EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 0));
}

TEST_F(poll, a_ring_wakes_everybody_who_watches)
{
	struct pollfd file = { .fd = self->end->fd, .events = POLLIN };
	struct sleeper sleeper;
	struct later later;

	endpoint_arm(self->end);
	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, EPOLLIN | EPOLLET));
	SLEEPER_START(&sleeper, self->end->fd, SHMIPC_IOC_WAIT, word_load(&self->end->own->seq));
	start_later(&later, self->peer, false);
	EXPECT_EQ(1, poll(&file, 1, -1));
	EXPECT_EQ(EPOLLIN, epoll_next(self->epoll, 20000));
	EXPECT_EQ(0, sleeper_join(&sleeper));
	pthread_join(later.thread, NULL);
}

TEST_F(poll, closing_a_watched_endpoint_takes_it_out)
{
	ASSERT_EQ(0, epoll_add(self->epoll, self->end->fd, EPOLLIN));
	endpoint_close(self->end);
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	EXPECT_EQ(POLLIN | POLLHUP, poll_now(self->peer->fd));
}

TEST_HARNESS_MAIN
