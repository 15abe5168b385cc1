// SPDX-License-Identifier: Apache-2.0
/*
 * handshake.c - tests of what two honest sides agree on, and of sides that cannot agree
 *
 * How large a session may be is handshake_limits.c's, other protocols are handshake_versions.c's, liars
 * handshake_hostile.c's. Each test also checks that no descriptor and no mapping is left.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel/endpoint.h"
#include "shake.h"

static void both_sides_agree_and_messages_go_both_ways(struct pair *pair)
{
	struct shake shake;

	shake_open(&shake, pair);
	shake_run(&shake);
	assert_code(shake.result[CLIENT], 0);
	assert_code(shake.result[SERVER], 0);
	shake_close(&shake);
	assert_int_equal(stats_of(pair->a).backend, pair->backend);
	assert_int_equal(stats_of(pair->b).backend, pair->backend);
	assert_code(pattern_push(pair->a, 50, 1, 0), 0);
	assert_code(pattern_push(pair->b, 5000, 2, 0), 0);
	pattern_take(pair->b, 50, 1);
	pattern_take(pair->a, 5000, 2);
}

static void bytes_that_come_one_at_a_time_will_do(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	int message;
	size_t i;

	shake_open(&shake, pair);
	for (message = EXCHANGE; message < MESSAGES; message++) {
		shake_take(&shake, SENDER(message), &parcel);
		for (i = 0; i < parcel.size; i++) {
			assert_code(shake_step(&shake, RECEIVER(message)), -EAGAIN);
			shake_give_some(&shake, RECEIVER(message), &parcel, i, i + 1);
		}
		shake_step(&shake, RECEIVER(message));
		parcel_drop(&parcel);
	}
	assert_code(shake.result[CLIENT], 0);
	assert_code(shake.result[SERVER], 0);
	shake_close(&shake);
	assert_code(pattern_push(pair->a, 5000, 1, 0), 0);
	pattern_take(pair->b, 5000, 1);
}

static void each_hears_who_the_other_is(struct pair *pair)
{
	struct shmipc_peer peer;
	struct shake shake;
	int i;

	shake_open(&shake, pair);
	shake_run(&shake);
	shake_close(&shake);
	for (i = 0; i < 2; i++) {
		memset(&peer, 0xa5, sizeof(peer));
		assert_code(shmipc_channel_peer(i ? pair->b : pair->a, &peer), 0);
		assert_int_equal(peer.pid, getpid());
		assert_int_equal(peer.uid, geteuid());
		assert_int_equal(peer.gid, getegid());
	}
}

static void the_socket_is_left_as_it_was(struct pair *pair)
{
	struct shake shake;
	int i, on;

	shake_open(&shake, pair);
	shake_run(&shake);
	for (i = 0; i < 2; i++) {
		socklen_t size = sizeof(on);

		handshake_take(&shake.side[i], i ? &pair->b : &pair->a, &(struct session_limits){ 0 });
		handshake_fini(&shake.side[i]);
		shake.result[i] = -EIO;
		on = -1;
		assert_int_equal(getsockopt(shake.near[i], SOL_SOCKET, SO_PASSCRED, &on, &size), 0);
		assert_int_equal(on, 0);
	}
	shake_close(&shake);
}

static void what_follows_the_answer_is_left_in_the_socket(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	char rest[8];

	shake_open(&shake, pair);
	shake_until(&shake, ANSWER, &parcel);
	memcpy(parcel.bytes + parcel.size, "rest", 4);
	parcel.size += 4;
	shake_give(&shake, CLIENT, &parcel);
	assert_code(shake.result[CLIENT], 0);
	assert_int_equal(recv(shake.near[CLIENT], rest, sizeof(rest), MSG_DONTWAIT), 4);
	assert_memory_equal(rest, "rest", 4);
	shake_close(&shake);
}

static void the_module_is_preferred_where_both_have_it(struct pair *pair)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.backend = SHMIPC_BACKEND_AUTO;
	shake.options[SERVER].channel.backend = SHMIPC_BACKEND_AUTO;
	unsetenv("SHMIPC_BACKEND");
	shake_begin(&shake, FAR);
	shake_until(&shake, HELLO, &parcel);
	hello = parcel_hello(&parcel);
	assert_int_equal(hello.backends, region_kmod_usable() ? WIRE_KMOD | WIRE_MEMFD : WIRE_MEMFD);
	hello.backends = WIRE_KMOD | WIRE_MEMFD;
	parcel_set_hello(&parcel, &hello);
	shake_give(&shake, SERVER, &parcel);
	shake_take(&shake, SERVER, &parcel);
	hello = parcel_hello(&parcel);
	assert_int_equal(hello.backends, WIRE_KMOD | WIRE_MEMFD);
	assert_int_equal(hello.choice, WIRE_KMOD);
	shake_close(&shake);
}

static void a_client_that_cannot_after_all_offers_memfd(struct pair *pair)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;

	if (region_kmod_usable())
		skip_because("the module can be used here");
	(void)pair;
	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.backend = SHMIPC_BACKEND_AUTO;
	shake.options[SERVER].channel.backend = SHMIPC_BACKEND_AUTO;
	unsetenv("SHMIPC_BACKEND");
	shake_begin(&shake, FAR);
	/* As if the device had gone between the hello and the choice. */
	shake.side[CLIENT].backends |= WIRE_KMOD;
	shake_until(&shake, WELCOME, &parcel);
	hello = parcel_hello(&parcel);
	assert_int_equal(hello.choice, WIRE_KMOD);
	shake_finish(&shake, WELCOME, &parcel);
	assert_code(shake.result[CLIENT], 0);
	assert_code(shake.result[SERVER], 0);
	shake_close(&shake);
	assert_int_equal(stats_of(pair->a).backend, SHMIPC_BACKEND_MEMFD);
}

static void a_client_that_may_use_nothing_else_gives_up_and_says_so(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	if (region_kmod_usable())
		skip_because("the module can be used here");
	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.backend = SHMIPC_BACKEND_KMOD;
	shake.options[SERVER].channel.backend = SHMIPC_BACKEND_AUTO;
	unsetenv("SHMIPC_BACKEND");
	shake_begin(&shake, FAR);
	shake_until(&shake, WELCOME, &parcel);
	shake_give(&shake, CLIENT, &parcel);
	assert_code(shake.result[CLIENT], -EOPNOTSUPP);
	shake_take(&shake, CLIENT, &parcel);
	shake_give(&shake, SERVER, &parcel);
	assert_code(shake.result[SERVER], -EOPNOTSUPP);
	shake_close(&shake);
}

static void no_backend_in_common_is_eopnotsupp_on_both_sides(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[SERVER].channel.backend =
		pair->backend == SHMIPC_BACKEND_KMOD ? SHMIPC_BACKEND_MEMFD : SHMIPC_BACKEND_KMOD;
	shake_begin(&shake, FAR);
	shake_until(&shake, HELLO, &parcel);
	shake_give(&shake, SERVER, &parcel);
	assert_code(shake.result[SERVER], -EOPNOTSUPP);
	shake_take(&shake, SERVER, &parcel);
	shake_give(&shake, CLIENT, &parcel);
	assert_code(shake.result[CLIENT], -EOPNOTSUPP);
	shake_close(&shake);
}

static void an_environment_that_names_no_backend_is_einval(struct pair *pair)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;
	struct handshake handshake;
	int sockets[2];

	(void)pair;
	pair_sockets(sockets);
	setenv("SHMIPC_BACKEND", "nonsense", 1);
	assert_code(handshake_init(&handshake, sockets[0], false, &options, FAR), -EINVAL);
	unsetenv("SHMIPC_BACKEND");
	close(sockets[0]);
	close(sockets[1]);
}

static void what_is_no_connected_unix_stream_socket_is_einval(struct pair *pair)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;
	struct handshake handshake;
	int fds[6], pipes[2], pair_of[2];
	size_t i;

	(void)pair;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair_of), 0);
	fds[0] = pipes[0];
	fds[1] = pair_of[0];
	fds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[3] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[4] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[5] = -1;
	for (i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		assert_code(handshake_init(&handshake, fds[i], false, &options, FAR), -EINVAL);
	for (i = 0; i < 5; i++)
		close(fds[i]);
	close(pipes[1]);
	close(pair_of[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(both_sides_agree_and_messages_go_both_ways),
		ON_BOTH(bytes_that_come_one_at_a_time_will_do),
		ON_BOTH(each_hears_who_the_other_is),
		ON_BOTH(the_socket_is_left_as_it_was),
		ON_BOTH(what_follows_the_answer_is_left_in_the_socket),
		ON_MEMFD(the_module_is_preferred_where_both_have_it),
		ON_MEMFD(a_client_that_cannot_after_all_offers_memfd),
		ON_MEMFD(a_client_that_may_use_nothing_else_gives_up_and_says_so),
		ON_BOTH(no_backend_in_common_is_eopnotsupp_on_both_sides),
		ON_MEMFD(an_environment_that_names_no_backend_is_einval),
		ON_MEMFD(what_is_no_connected_unix_stream_socket_is_einval),
	};

	return RUN_TESTS(tests, argc, argv);
}
