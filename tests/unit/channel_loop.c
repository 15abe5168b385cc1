// SPDX-License-Identifier: Apache-2.0
/*
 * channel_loop.c - tests of the descriptor in somebody's event loop: poll, select and epoll, level and
 * edge, with arm and disarm
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "worker.h"

static short poll_now(struct shmipc_channel *channel, int milliseconds)
{
	struct pollfd poll_fd = { .fd = shmipc_channel_fd(channel), .events = POLLIN };

	assert_true(poll_fd.fd >= 0);
	assert_true(poll(&poll_fd, 1, milliseconds) >= 0);
	return poll_fd.revents;
}

static void an_armed_endpoint_is_silent_until_a_message_comes(struct pair *pair)
{
	int i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 50; i++) {
		assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
		assert_int_equal(poll_now(pair->b, i == 0 ? 20 : 0), 0);
		assert_code(pattern_push(pair->a, 100, 1, 0), 0);
		assert_int_equal(poll_now(pair->b, 20000), POLLIN);
		assert_int_equal(poll_now(pair->b, 0), POLLIN); /* level */
		assert_code(shmipc_channel_disarm(pair->b), 0);
		pattern_take(pair->b, 100, 1);
	}
	assert_int_equal(stats_of(pair->a).rings, 50);
}

static void what_is_there_already_keeps_from_arming(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 100, 1, 0), 0);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 1);
	pattern_take(pair->b, 100, 1);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE | SHMIPC_WRITABLE), 1); /* reserve never failed */
}

static void arming_again_and_disarming_twice_does_no_harm(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	assert_code(pattern_push(pair->a, 100, 1, 0), 0);
	assert_int_equal(poll_now(pair->b, 20000), POLLIN);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 1);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	pattern_take(pair->b, 100, 1);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
}

static void a_bell_that_rang_before_disarm_is_not_heard_after_the_next_arm(struct pair *pair)
{
	int i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 20; i++) {
		assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
		assert_code(pattern_push(pair->a, 10, 1, 0), 0);
		assert_code(shmipc_channel_disarm(pair->b), 0);
		pattern_take(pair->b, 10, 1);
		assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
		assert_int_equal(poll_now(pair->b, 0), 0);
		assert_code(shmipc_channel_disarm(pair->b), 0);
	}
}

static void an_armed_endpoint_is_rung_once_for_many_messages(struct pair *pair)
{
	uint32_t i;

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	for (i = 0; i < 50; i++)
		assert_code(pattern_push(pair->a, 10, i, 0), 0);
	assert_int_equal(stats_of(pair->a).rings, 1);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	for (i = 0; i < 50; i++)
		pattern_take(pair->b, 10, i);
}

static void waiting_on_an_armed_endpoint_is_ebusy_in_every_mode(struct pair *pair)
{
	static const enum shmipc_sync modes[] = { SHMIPC_SYNC_DEMAND, SHMIPC_SYNC_ADAPTIVE, SHMIPC_SYNC_POLLING,
						  SHMIPC_SYNC_TIMED };
	size_t i;

	for (i = 0; i < 4; i++) {
		struct shmipc_channel_options options = pair_options(pair);

		options.sync = modes[i];
		pair_open(pair, &options, &options);
		assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, soon(50)), -EBUSY);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_WRITABLE, 0), -EBUSY);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, 0), -EBUSY);
		/* It stays armed. */
		assert_code(pattern_push(pair->a, 10, 1, 0), 0);
		assert_int_equal(poll_now(pair->b, 20000), POLLIN);
		assert_code(shmipc_channel_disarm(pair->b), 0);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
		shmipc_channel_destroy(pair->a);
		shmipc_channel_destroy(pair->b);
	}
	pair->a = pair->b = NULL;
}

static void room_is_reported_to_an_event_loop_that_asked_for_it(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	uint32_t n = 0;

	options.slots = 16;
	pair_open(pair, &options, NULL);
	while (!pattern_push(pair->a, 10, n, 0))
		n++;
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE), 0);
	pattern_take(pair->b, 10, 0);
	assert_int_equal(poll_now(pair->a, 20), 0); /* it did not ask */
	while (!pattern_push(pair->a, 10, n, 0))
		n++;
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE | SHMIPC_WRITABLE), 0);
	assert_int_equal(poll_now(pair->a, 20), 0);
	pattern_take(pair->b, 10, 1);
	assert_int_equal(poll_now(pair->a, 20000), POLLIN);
	assert_code(shmipc_channel_disarm(pair->a), 0);
	assert_code(pattern_push(pair->a, 10, n, 0), 0);
}

static void select_works_too(struct pair *pair)
{
	struct timeval soon_time = { .tv_usec = 10000 }, far_time = { .tv_sec = 20 };
	fd_set set;
	int fd;

	pair_open(pair, NULL, NULL);
	fd = shmipc_channel_fd(pair->b);
	assert_true(fd >= 0 && fd < FD_SETSIZE);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	assert_int_equal(select(fd + 1, &set, NULL, NULL, &soon_time), 0);
	assert_code(pattern_push(pair->a, 100, 1, 0), 0);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	assert_int_equal(select(fd + 1, &set, NULL, NULL, &far_time), 1);
	assert_true(FD_ISSET(fd, &set));
	assert_code(shmipc_channel_disarm(pair->b), 0);
	pattern_take(pair->b, 100, 1);
}

static int call_poll(struct worker *worker)
{
	return poll_now(worker->channel, 20000);
}

static void a_loop_that_sleeps_in_poll_is_woken(struct pair *pair)
{
	struct worker worker;
	int i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 10; i++) {
		assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
		worker = (struct worker){ .call = call_poll, .channel = pair->b };
		worker_start(&worker);
		worker_await_sleep(&worker);
		assert_code(pattern_push(pair->a, 100, 1, 0), 0);
		assert_int_equal(worker_join(&worker), POLLIN);
		assert_code(shmipc_channel_disarm(pair->b), 0);
		pattern_take(pair->b, 100, 1);
	}
}

static int open_epoll(struct shmipc_channel *channel, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(epoll_ctl(fd, EPOLL_CTL_ADD, shmipc_channel_fd(channel), &event), 0);
	return fd;
}

/* A loop as its author would write it: sleep in epoll, disarm, drain, arm; 1: go on draining. */
struct loop {
	uint32_t epoll_events, count;
};

static int run_loop(struct worker *worker)
{
	const struct loop *loop = worker->argument;
	struct shmipc_message message;
	struct epoll_event event;
	uint32_t next = 0;
	int fd, r;

	fd = epoll_create1(EPOLL_CLOEXEC);
	event.events = loop->epoll_events;
	if (shmipc_channel_arm(worker->channel, SHMIPC_READABLE) ||
	    epoll_ctl(fd, EPOLL_CTL_ADD, shmipc_channel_fd(worker->channel), &event))
		return -1;
	while (next < loop->count) {
		if (epoll_wait(fd, &event, 1, 20000) != 1)
			return -2;
		do {
			r = shmipc_channel_disarm(worker->channel);
			while (!r && !(r = shmipc_channel_peek(worker->channel, &message))) {
				if (message.tag != next || !pattern_is(message.data, message.size, next))
					return -3;
				r = shmipc_channel_release(worker->channel, &message);
				next++;
			}
			if (r != -EAGAIN)
				return r;
			r = shmipc_channel_arm(worker->channel, SHMIPC_READABLE);
		} while (r == 1);
		if (r)
			return r;
	}
	close(fd);
	return 0;
}

static void no_message_is_lost_in_a_loop(struct pair *pair, uint32_t epoll_events)
{
	struct loop loop = { .epoll_events = epoll_events, .count = 20000 };
	struct worker worker = { .call = run_loop, .argument = &loop };
	uint32_t i;
	int r;

	pair_open(pair, NULL, NULL);
	worker.channel = pair->b;
	worker_start(&worker);
	for (i = 0; i < loop.count; i++) {
		while ((r = pattern_push(pair->a, i % 50 + (i % 97 ? 0 : 400), i, 0)) == -EAGAIN)
			assert_code(shmipc_channel_wait(pair->a, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
		assert_code(r, 0);
		if (i % 500 == 0)
			sleep_ms(1);
	}
	assert_code(worker_join(&worker), 0);
	assert_true(stats_of(pair->a).rings <= stats_of(pair->b).sleeps);
}

static void no_message_is_lost_in_a_level_triggered_loop(struct pair *pair)
{
	no_message_is_lost_in_a_loop(pair, EPOLLIN);
}

static void no_message_is_lost_in_an_edge_triggered_loop(struct pair *pair)
{
	no_message_is_lost_in_a_loop(pair, EPOLLIN | EPOLLET);
}

static void an_edge_triggered_loop_hears_every_arming_anew(struct pair *pair)
{
	struct epoll_event event;
	int fd, i;

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	fd = open_epoll(pair->b, EPOLLIN | EPOLLET);
	assert_int_equal(epoll_wait(fd, &event, 1, 10), 0);
	for (i = 0; i < 30; i++) {
		assert_code(pattern_push(pair->a, 100, 1, 0), 0);
		memset(&event, 0xa5, sizeof(event));
		assert_int_equal(epoll_wait(fd, &event, 1, 20000), 1);
		assert_int_equal(event.events, EPOLLIN);
		assert_code(shmipc_channel_disarm(pair->b), 0);
		pattern_take(pair->b, 100, 1);
		assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	}
	close(fd);
}

static void a_level_triggered_loop_may_drain_in_part_and_stay_unarmed(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	assert_code(pattern_push(pair->a, 10, 1, 0), 0);
	assert_code(pattern_push(pair->a, 10, 2, 0), 0);
	assert_int_equal(poll_now(pair->b, 20000), POLLIN);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	pattern_take(pair->b, 10, 1);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 1);
	pattern_take(pair->b, 10, 2);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
}

static void the_peers_end_is_pollhup_and_what_it_sent_is_there(struct pair *pair)
{
	struct shmipc_message message;
	struct epoll_event event;
	int fd;

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	fd = open_epoll(pair->b, EPOLLIN | EPOLLET);
	assert_code(pattern_push(pair->a, 10, 1, 0), 0);
	assert_int_equal(epoll_wait(fd, &event, 1, 20000), 1);
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
	assert_int_equal(epoll_wait(fd, &event, 1, 20000), 1);
	assert_true(event.events & EPOLLHUP);
	await(poll_now(pair->b, 20000) & POLLHUP);
	assert_code(shmipc_channel_disarm(pair->b), 0);
	pattern_take(pair->b, 10, 1);
	await(shmipc_channel_peek(pair->b, &message) == -EPIPE);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 1);
	assert_true(poll_now(pair->b, 0) & POLLHUP);
	close(fd);
}

static void a_loop_that_sleeps_in_poll_hears_the_peers_end(struct pair *pair)
{
	struct worker worker = { .call = call_poll };

	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_arm(pair->b, SHMIPC_READABLE), 0);
	worker.channel = pair->b;
	worker_start(&worker);
	worker_await_sleep(&worker);
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
	assert_true(worker_join(&worker) & POLLHUP);
}

static void the_descriptor_is_the_same_all_the_time_and_close_on_exec(struct pair *pair)
{
	int fd;

	pair_open(pair, NULL, NULL);
	fd = shmipc_channel_fd(pair->a);
	assert_true(fd >= 0);
	assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	pattern_take(pair->a, 10, 1);
	assert_int_equal(shmipc_channel_fd(pair->a), fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(an_armed_endpoint_is_silent_until_a_message_comes),
		ON_BOTH(what_is_there_already_keeps_from_arming),
		ON_BOTH(arming_again_and_disarming_twice_does_no_harm),
		ON_BOTH(a_bell_that_rang_before_disarm_is_not_heard_after_the_next_arm),
		ON_BOTH(an_armed_endpoint_is_rung_once_for_many_messages),
		ON_BOTH(waiting_on_an_armed_endpoint_is_ebusy_in_every_mode),
		ON_BOTH(room_is_reported_to_an_event_loop_that_asked_for_it),
		ON_BOTH(select_works_too),
		ON_BOTH(a_loop_that_sleeps_in_poll_is_woken),
		ON_BOTH(no_message_is_lost_in_a_level_triggered_loop),
		ON_BOTH(no_message_is_lost_in_an_edge_triggered_loop),
		ON_BOTH(an_edge_triggered_loop_hears_every_arming_anew),
		ON_BOTH(a_level_triggered_loop_may_drain_in_part_and_stay_unarmed),
		ON_BOTH(the_peers_end_is_pollhup_and_what_it_sent_is_there),
		ON_BOTH(a_loop_that_sleeps_in_poll_hears_the_peers_end),
		ON_BOTH(the_descriptor_is_the_same_all_the_time_and_close_on_exec),
	};

	return RUN_TESTS(tests, argc, argv);
}
