// SPDX-License-Identifier: Apache-2.0
/*
 * handover_rules.c - tests of who may hand what over, when, on which socket, and for how long
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

static void make_only(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);

	assert_code(shmipc_channel_create(&options, &pair->a), 0);
}

static void a_second_handover_is_ealready(struct pair *pair)
{
	int sockets[2];

	pair_open(pair, NULL, NULL);
	pair_sockets(sockets);
	assert_code(shmipc_channel_send(pair->a, sockets[0], FAR), -EALREADY);
	/* It took nothing out of the socket and put nothing in. */
	assert_int_equal(poll(&(struct pollfd){ .fd = sockets[1], .events = POLLIN }, 1, 0), 0);
	close(sockets[0]);
	close(sockets[1]);
}

static void a_received_endpoint_cannot_be_handed_on(struct pair *pair)
{
	int sockets[2];

	pair_open(pair, NULL, NULL);
	pair_sockets(sockets);
	assert_code(shmipc_channel_send(pair->b, sockets[0], FAR), -EALREADY);
	close(sockets[0]);
	close(sockets[1]);
}

static void after_a_failed_handover_the_endpoint_is_lost(struct pair *pair)
{
	int sockets[2];

	make_only(pair);
	pair_sockets(sockets);
	close(sockets[1]);
	assert_code(shmipc_channel_send(pair->a, sockets[0], FAR), -EPIPE);
	close(sockets[0]);
	pair_sockets(sockets);
	assert_code(shmipc_channel_send(pair->a, sockets[0], FAR), -EALREADY);
	close(sockets[0]);
	close(sockets[1]);
}

static void send_gives_up_at_its_deadline_and_not_before(struct pair *pair)
{
	int sockets[2];
	int64_t deadline;

	make_only(pair);
	pair_sockets(sockets);
	deadline = soon(60);
	assert_code(shmipc_channel_send(pair->a, sockets[0], deadline), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
	close(sockets[0]);
	close(sockets[1]);
}

static void receive_gives_up_at_its_deadline_and_not_before(struct pair *pair)
{
	struct shmipc_channel *channel = (void *)1;
	int sockets[2];
	int64_t deadline;

	(void)pair;
	pair_sockets(sockets);
	deadline = soon(60);
	assert_code(shmipc_channel_receive(sockets[0], NULL, deadline, &channel), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
	assert_null(channel);
	assert_code(shmipc_channel_receive(sockets[0], NULL, 0, &channel), -ETIMEDOUT);
	assert_code(shmipc_channel_receive(sockets[0], NULL, 1, &channel), -ETIMEDOUT);
	close(sockets[0]);
	close(sockets[1]);
}

static void what_is_no_unix_socket_is_refused(struct pair *pair)
{
	struct shmipc_channel *channel = (void *)1;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	make_only(pair);
	assert_code(shmipc_channel_send(pair->a, fds[0], FAR), -EINVAL);
	assert_code(shmipc_channel_receive(fds[0], NULL, FAR, &channel), -EINVAL);
	assert_null(channel);
	assert_code(shmipc_channel_receive(-1, NULL, FAR, &channel), -EBADF);
	assert_code(shmipc_channel_send(pair->a, -1, FAR), -EBADF);
	close(fds[0]);
	close(fds[1]);
}

static void pass_over(struct pair *pair, int type, int non_blocking)
{
	struct worker receiver;
	int sockets[2];

	make_only(pair);
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | non_blocking, 0, sockets), 0);
	proxy_receive(&receiver, &sockets[1]);
	assert_code(shmipc_channel_send(pair->a, sockets[0], FAR), 0);
	assert_code(worker_join(&receiver), 0);
	pair->b = receiver.channel;
	close(sockets[0]);
	close(sockets[1]);
	assert_code(pattern_push(pair->a, 300, 9, 0), 0);
	pattern_take(pair->b, 300, 9);
}

static void a_stream_socket_will_do(struct pair *pair)
{
	pass_over(pair, SOCK_STREAM, 0);
}

static void a_non_blocking_socket_will_do(struct pair *pair)
{
	pass_over(pair, SOCK_STREAM, SOCK_NONBLOCK);
}

static void a_seqpacket_socket_will_do(struct pair *pair)
{
	pass_over(pair, SOCK_SEQPACKET, 0);
}

static int get_passcred(int socket)
{
	socklen_t size = sizeof(int);
	int on = -1;

	assert_int_equal(getsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, &size), 0);
	return on;
}

static void the_socket_is_left_as_it_was(struct pair *pair)
{
	struct worker receiver;
	int sockets[2], on = 1, flags;
	char byte = 'q';

	make_only(pair);
	pair_sockets(sockets);
	assert_int_equal(setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	flags = fcntl(sockets[0], F_GETFL);
	proxy_receive(&receiver, &sockets[1]);
	assert_code(shmipc_channel_send(pair->a, sockets[0], FAR), 0);
	assert_code(worker_join(&receiver), 0);
	pair->b = receiver.channel;
	assert_int_equal(get_passcred(sockets[0]), 0);
	assert_int_equal(get_passcred(sockets[1]), 1);
	assert_int_equal(fcntl(sockets[0], F_GETFL), flags);
	/* Nothing is left unread, and what comes behind the handover is the caller's. */
	assert_int_equal(recv(sockets[0], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(recv(sockets[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(send(sockets[0], "z", 1, 0), 1);
	assert_int_equal(recv(sockets[1], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'z');
	close(sockets[0]);
	close(sockets[1]);
}

static void several_channels_can_go_over_one_socket(struct pair *pair)
{
	struct shmipc_channel *from[4], *to[4];
	int sockets[2], i;

	pair_sockets(sockets);
	for (i = 0; i < 4; i++) {
		struct worker receiver;

		make_only(pair);
		from[i] = pair->a;
		proxy_receive(&receiver, &sockets[1]);
		assert_code(shmipc_channel_send(from[i], sockets[0], FAR), 0);
		assert_code(worker_join(&receiver), 0);
		to[i] = receiver.channel;
	}
	for (i = 0; i < 4; i++)
		assert_code(pattern_push(from[i], 200, (uint32_t)i, 0), 0);
	for (i = 3; i >= 0; i--)
		pattern_take(to[i], 200, (uint32_t)i);
	for (i = 0; i < 4; i++) {
		shmipc_channel_destroy(from[i]);
		shmipc_channel_destroy(to[i]);
	}
	pair->a = NULL;
	close(sockets[0]);
	close(sockets[1]);
}

static void before_the_handover_every_call_is_enotconn(struct pair *pair)
{
	struct shmipc_channel_stats stats = { .size = sizeof(stats) };
	struct shmipc_message message;
	struct shmipc_buffer buffer;
	struct shmipc_peer peer;

	make_only(pair);
	assert_code(shmipc_channel_reserve(pair->a, 10, 0, &buffer), -ENOTCONN);
	assert_code(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0), -ENOTCONN);
	assert_code(shmipc_channel_ring(pair->a), -ENOTCONN);
	assert_code(shmipc_channel_peek(pair->a, &message), -ENOTCONN);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR), -ENOTCONN);
	assert_code(shmipc_channel_kick(pair->a), -ENOTCONN);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE), -ENOTCONN);
	assert_code(shmipc_channel_disarm(pair->a), -ENOTCONN);
	assert_code(shmipc_channel_grow(pair->a, 100), -ENOTCONN);
	assert_code(shmipc_channel_shrink(pair->a), -ENOTCONN);
	assert_code(shmipc_channel_peer(pair->a, &peer), -ENOTCONN);
	assert_code(shmipc_channel_stats(pair->a, &stats), 0);
	assert_int_equal(stats.messages_sent, 0);
	assert_true(stats.memory_bytes > 0);
}

static void an_endpoint_that_is_never_handed_over_can_be_destroyed(struct pair *pair)
{
	make_only(pair);
}

static void destroying_nothing_does_nothing(struct pair *pair)
{
	(void)pair;
	shmipc_channel_destroy(NULL);
}

static void receivers_create_only_options_are_not_looked_at(struct pair *pair)
{
	struct shmipc_channel_options a = pair_options(pair), b = a;

	a.slots = 64;
	a.slices = 128;
	a.segment_bytes = 65536;
	a.memory_max = 1 << 20;
	b.slots = 16384;
	b.slices = 16384;
	b.segment_bytes = 4096;
	b.memory_max = 2 << 20;
	b.backend = pair->backend == SHMIPC_BACKEND_KMOD ? SHMIPC_BACKEND_MEMFD : SHMIPC_BACKEND_KMOD;
	pair_open(pair, &a, &b);
	assert_int_equal(stats_of(pair->a).memory_bytes, stats_of(pair->b).memory_bytes);
	assert_int_equal(stats_of(pair->b).backend, pair->backend);
	assert_code(pattern_push(pair->b, 500000, 3, 0), 0);
	pattern_take(pair->a, 500000, 3);
}

static void more_memory_than_the_receiver_allows_is_emsgsize_on_both_sides(struct pair *pair)
{
	struct shmipc_channel_options a = pair_options(pair), b = a;
	int sent = 1, received = 1;

	a.memory_max = 1 << 20;
	b.memory_max = (1 << 20) - 4096;
	assert_code(shmipc_channel_create(&a, &pair->a), 0);
	pair_hand_over(pair->a, &b, &sent, &received, &pair->b);
	assert_code(received, -EMSGSIZE);
	assert_code(sent, -EMSGSIZE);
	assert_null(pair->b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_second_handover_is_ealready),
		ON_BOTH(a_received_endpoint_cannot_be_handed_on),
		ON_BOTH(after_a_failed_handover_the_endpoint_is_lost),
		ON_BOTH(send_gives_up_at_its_deadline_and_not_before),
		ON_MEMFD(receive_gives_up_at_its_deadline_and_not_before),
		ON_BOTH(what_is_no_unix_socket_is_refused),
		ON_BOTH(a_stream_socket_will_do),
		ON_BOTH(a_non_blocking_socket_will_do),
		ON_BOTH(a_seqpacket_socket_will_do),
		ON_BOTH(the_socket_is_left_as_it_was),
		ON_BOTH(several_channels_can_go_over_one_socket),
		ON_BOTH(before_the_handover_every_call_is_enotconn),
		ON_BOTH(an_endpoint_that_is_never_handed_over_can_be_destroyed),
		ON_MEMFD(destroying_nothing_does_nothing),
		ON_BOTH(more_memory_than_the_receiver_allows_is_emsgsize_on_both_sides),
		ON_BOTH(receivers_create_only_options_are_not_looked_at),
	};

	return RUN_TESTS(tests, argc, argv);
}
