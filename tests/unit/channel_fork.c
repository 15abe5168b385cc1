// SPDX-License-Identifier: Apache-2.0
/*
 * channel_fork.c - tests of a forked child of a process that has channels: every call is -EPERM there,
 * the lanes are not mapped, and the parent's channel is unharmed whatever the child does
 */
#include "channel/endpoint.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "worker.h"

static int every_call_is_eperm(void *argument)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };
	struct shmipc_message message = { .slot = 0 };
	struct shmipc_buffer buffer = { .slot = 0 };
	struct pair *pair = argument;
	struct shmipc_peer peer;
	int sockets[2];

	pair_sockets(sockets);
	child_check(shmipc_channel_reserve(pair->a, 10, 0, &buffer) == -EPERM);
	child_check(shmipc_channel_submit(pair->a, &buffer, 1, 0) == -EPERM);
	child_check(shmipc_channel_cancel(pair->a, &buffer) == -EPERM);
	child_check(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0) == -EPERM);
	child_check(shmipc_channel_ring(pair->a) == -EPERM);
	child_check(shmipc_channel_peek(pair->a, &message) == -EPERM);
	child_check(shmipc_channel_release(pair->a, &message) == -EPERM);
	child_check(shmipc_channel_keep(pair->a, &message) == -EPERM);
	child_check(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR) == -EPERM);
	child_check(shmipc_channel_kick(pair->a) == -EPERM);
	child_check(shmipc_channel_fd(pair->a) == -EPERM);
	child_check(shmipc_channel_arm(pair->a, SHMIPC_READABLE) == -EPERM);
	child_check(shmipc_channel_disarm(pair->a) == -EPERM);
	child_check(shmipc_channel_grow(pair->a, 100) == -EPERM);
	child_check(shmipc_channel_shrink(pair->a) == -EPERM);
	child_check(shmipc_channel_peer(pair->a, &peer) == -EPERM);
	child_check(shmipc_channel_stats(pair->a, &stats) == -EPERM);
	child_check(shmipc_channel_send(pair->a, sockets[0], FAR) == -EPERM);
	child_check(shmipc_channel_send(pair->b, sockets[0], FAR) == -EPERM);
	return 0;
}

static void in_a_forked_child_every_call_is_eperm(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_int_equal(run_forked(every_call_is_eperm, pair), 0);
	assert_code(pattern_push(pair->a, 2000, 1, 0), 0);
	pattern_take(pair->b, 2000, 1);
}

static int send_is_eperm(void *argument)
{
	struct pair *pair = argument;
	int sockets[2];

	pair_sockets(sockets);
	child_check(shmipc_channel_send(pair->a, sockets[0], FAR) == -EPERM);
	return 0;
}

static void a_forked_child_cannot_hand_its_parents_endpoint_over(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	int sent = 1, received = 1;

	assert_code(shmipc_channel_create(&options, &pair->a), 0);
	assert_int_equal(run_forked(send_is_eperm, pair), 0);
	pair_hand_over(pair->a, &options, &sent, &received, &pair->b);
	assert_code(sent, 0);
	assert_code(received, 0);
}

static int count_mappings(void *argument)
{
	(void)argument;
	return count_lane_mappings();
}

static void lanes_are_not_mapped_in_a_forked_child(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 1 << 20, 1, 0), 0);
	pattern_take(pair->b, 1 << 20, 1);
	assert_true(count_lane_mappings() >= 6);
	assert_int_equal(run_forked(count_mappings, NULL), 0);
}

static int touch_lane(void *argument)
{
	volatile struct lane_words *words = ((struct pair *)argument)->a->own.words;

	return load_relaxed(&words->cons) == 0x12345 ? 0 : 0;
}

static void touching_a_lane_in_a_forked_child_is_a_segmentation_fault(struct pair *pair)
{
	int r;

	pair_open(pair, NULL, NULL);
	r = run_forked(touch_lane, pair);
	assert_true(r == -SIGSEGV || r > 0); /* a sanitizer reports it, and exits */
}

static int destroy_both(void *argument)
{
	struct pair *pair = argument;
	int fds = count_fds();

	shmipc_channel_destroy(pair->a);
	shmipc_channel_destroy(pair->b);
	child_check(count_fds() < fds);
	return 0;
}

static void destroy_in_a_forked_child_harms_nobody(struct pair *pair)
{
	struct worker reader;

	pair_open(pair, NULL, NULL);
	worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
	worker_await_sleep(&reader);
	assert_int_equal(run_forked(destroy_both, pair), 0);
	sleep_ms(20);
	assert_false(reader.over);
	assert_code(pattern_push(pair->a, 2000, 1, 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	pattern_take(pair->b, 2000, 1);
	/* It can still grow, which on memfd goes over the socket that the child closed its copy of. */
	assert_code(pattern_push(pair->a, 1 << 20, 2, 0), 0);
	pattern_take(pair->b, 1 << 20, 2);
}

static int just_exit(void *argument)
{
	(void)argument;
	return 0;
}

static void a_forked_child_that_exits_harms_nobody(struct pair *pair)
{
	struct shmipc_message message;

	pair_open(pair, NULL, NULL);
	assert_int_equal(run_forked(just_exit, NULL), 0);
	assert_code(shmipc_channel_peek(pair->b, &message), -EAGAIN);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, soon(20)), -ETIMEDOUT);
	assert_code(pattern_push(pair->a, 10, 1, 0), 0);
	pattern_take(pair->b, 10, 1);
}

static int use_own_channel(void *argument)
{
	struct pair own = { .backend = ((struct pair *)argument)->backend };
	struct worker reader;

	pair_open(&own, NULL, NULL);
	worker_wait(&reader, own.b, SHMIPC_READABLE, FAR);
	worker_await_sleep(&reader);
	child_check(pattern_push(own.a, 1 << 20, 1, 0) == 0);
	child_check(worker_join(&reader) == SHMIPC_READABLE);
	pattern_take(own.b, 1 << 20, 1);
	child_check(shmipc_channel_push(((struct pair *)argument)->a, "x", 1, 0, 0, 0) == -EPERM);
	shmipc_channel_destroy(own.a);
	child_check(shmipc_channel_wait(own.b, SHMIPC_READABLE, FAR) == -EPIPE);
	shmipc_channel_destroy(own.b);
	return 0;
}

static void a_forked_child_can_have_channels_of_its_own(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_int_equal(run_forked(use_own_channel, pair), 0);
	assert_code(pattern_push(pair->a, 10, 1, 0), 0);
	pattern_take(pair->b, 10, 1);
}

static int fork_many(void *argument)
{
	struct pair *pair = argument;
	int i;

	for (i = 0; i < 30; i++)
		if (run_forked(every_call_is_eperm, pair))
			return 2;
	return 0;
}

static int call_fork_many(struct worker *worker)
{
	return fork_many(worker->argument);
}

static void forking_in_the_midst_of_traffic_harms_nobody(struct pair *pair)
{
	struct worker forker = { .call = call_fork_many, .argument = pair };
	uint32_t i = 0;

	pair_open(pair, NULL, NULL);
	worker_start(&forker);
	do {
		assert_code(pattern_push(pair->a, i % 3000, i, 0), 0);
		assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
		pattern_take(pair->b, i % 3000, i);
		i++;
	} while (!forker.over);
	assert_code(worker_join(&forker), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH_FORKING(in_a_forked_child_every_call_is_eperm),
		ON_BOTH_FORKING(a_forked_child_cannot_hand_its_parents_endpoint_over),
		ON_BOTH_FORKING(lanes_are_not_mapped_in_a_forked_child),
		ON_BOTH_FORKING(touching_a_lane_in_a_forked_child_is_a_segmentation_fault),
		ON_BOTH_FORKING(destroy_in_a_forked_child_harms_nobody),
		ON_BOTH_FORKING(a_forked_child_that_exits_harms_nobody),
		ON_BOTH_FORKING(a_forked_child_can_have_channels_of_its_own),
		ON_BOTH_FORKING(forking_in_the_midst_of_traffic_harms_nobody),
	};

	return RUN_TESTS(tests, argc, argv);
}
