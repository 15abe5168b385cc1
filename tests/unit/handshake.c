// SPDX-License-Identifier: Apache-2.0
/*
 * handshake.c - tests of what two honest sides agree on, and of peers of other protocols and revisions
 *
 * What comes from liars is handshake_hostile.c's. Each test also checks that no descriptor and no mapping is left.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel/endpoint.h"
#include "shake.h"

/* Change a hello that is under way. */
static void change_hello(struct parcel *parcel, const struct wire_hello *hello)
{
	struct wire_header header;

	assert_code(header_decode(parcel->bytes, &header), 0);
	hello_encode(parcel->bytes, header.type, hello);
}

static struct wire_hello read_hello(const struct parcel *parcel)
{
	struct wire_hello hello;

	assert_int_equal(parcel->size, WIRE_HELLO_SIZE);
	hello_decode(parcel->bytes, &hello);
	return hello;
}

static void both_sides_agree_and_messages_go_both_ways(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
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

static void the_older_protocols_header_comes_first(struct pair *pair)
{
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	static const unsigned char exchanged[] = { 0, 0, 0, 8, 0x77, 0x58, 16, 4 };
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, EXCHANGE, &parcel);
	assert_int_equal(parcel.size, 8);
	assert_memory_equal(parcel.bytes, exchange, 8);
	shake_give(&shake, SERVER, &parcel);
	shake_take(&shake, SERVER, &parcel);
	assert_int_equal(parcel.size, 8);
	assert_memory_equal(parcel.bytes, exchanged, 8);
	shake_close(&shake);
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

static void each_hears_the_others_limits(struct pair *pair)
{
	struct session_limits limits;
	struct shake shake;
	struct parcel parcel;
	int i;

	shake_prepare(&shake, pair);
	for (i = 0; i < 2; i++) {
		shake.options[i].window = 5000u + (uint32_t)i;
		shake.options[i].private_max = (7ull << 32) + (uint32_t)i;
		shake.options[i].streams_max = 90u + (uint32_t)i;
	}
	shake_begin(&shake, FAR);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
	for (i = 0; i < 2; i++) {
		assert_code(shake.result[i], 0);
		memset(&limits, 0xa5, sizeof(limits));
		handshake_take(&shake.side[i], i ? &pair->b : &pair->a, &limits);
		shake.result[i] = -EIO;
		assert_int_equal(limits.window, 5001 - i);
		assert_int_equal(limits.private_max, (7ull << 32) + 1 - (uint32_t)i);
		assert_int_equal(limits.streams_max, 91 - i);
	}
	shake_close(&shake);
}

static void each_hears_who_the_other_is(struct pair *pair)
{
	struct shmipc_peer peer;
	struct shake shake;
	struct parcel parcel;
	int i;

	shake_open(&shake, pair);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
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
	struct parcel parcel;
	int i, on;

	shake_open(&shake, pair);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
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

static void a_lane_is_no_larger_than_the_server_allows(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.memory_max = 4 << 20;
	shake.options[CLIENT].channel.segment_bytes = 2 << 20;
	shake.options[SERVER].channel.memory_max = 1 << 20;
	shake_begin(&shake, FAR);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
	shake_close(&shake);
	assert_non_null(pair->a);
	assert_non_null(pair->b);
	assert_int_equal(pair->a->geometry.memory_max, 1 << 20);
	assert_int_equal(pair->a->geometry.segment_bytes, 1 << 20);
	assert_int_equal(pair->b->geometry.memory_max, 1 << 20);
}

static void each_lane_starts_with_what_its_side_asked_for(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.segment_bytes = 2 << 20;
	shake.options[SERVER].channel.segment_bytes = 5000;
	shake_begin(&shake, FAR);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
	shake_close(&shake);
	assert_int_equal(stats_of(pair->a).memory_bytes, pair->a->geometry.head_bytes + (2 << 20));
	assert_int_equal(stats_of(pair->b).memory_bytes, pair->b->geometry.head_bytes + 8192);
	/* And grows to as much. */
	assert_code(pattern_push(pair->b, 5 << 20, 1, 0), 0);
	pattern_take(pair->a, 5 << 20, 1);
	/* A server that has more to begin with does not get it. */
	shake_prepare(&shake, pair);
	shake.options[SERVER].channel.segment_bytes = 2 << 20;
	shake_begin(&shake, FAR);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
	shake_close(&shake);
	assert_int_equal(stats_of(pair->b).memory_bytes, stats_of(pair->a).memory_bytes);
}

static void a_lane_is_no_larger_than_the_client_wants(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[CLIENT].channel.memory_max = 1 << 20;
	shake_begin(&shake, FAR);
	shake_until(&shake, EXCHANGE, &parcel);
	shake_finish(&shake, EXCHANGE, &parcel);
	shake_close(&shake);
	assert_int_equal(pair->b->geometry.memory_max, 1 << 20);
}

static void an_offer_of_more_than_the_server_said_is_emsgsize_on_both_sides(struct pair *pair)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;

	shake_prepare(&shake, pair);
	shake.options[SERVER].channel.memory_max = 1 << 20;
	shake_begin(&shake, FAR);
	shake_until(&shake, WELCOME, &parcel);
	hello = read_hello(&parcel);
	assert_int_equal(hello.memory_max, 1 << 20);
	hello.memory_max = 2 << 20;
	change_hello(&parcel, &hello);
	shake_finish(&shake, WELCOME, &parcel);
	assert_code(shake.result[SERVER], -EMSGSIZE);
	assert_code(shake.result[CLIENT], -EMSGSIZE);
	shake_close(&shake);
}

static void revision_and_features_may_be_of_later_times(struct pair *pair)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;
	int message;

	shake_open(&shake, pair);
	for (message = EXCHANGE; message < MESSAGES; message++) {
		shake_take(&shake, SENDER(message), &parcel);
		if (message == HELLO || message == WELCOME) {
			hello = read_hello(&parcel);
			hello.revision = 77;
			hello.optional = 0xffffffff;
			hello.backends |= 0xfffffffc;
			change_hello(&parcel, &hello);
			/* And there may be more of it. */
			memset(parcel.bytes + parcel.size, 0xff, WIRE_HELLO_MAX - parcel.size);
			parcel.size = message == HELLO ? WIRE_HELLO_MAX : WIRE_HELLO_SIZE + 1;
			put32(parcel.bytes, (uint32_t)parcel.size);
		}
		shake_give(&shake, RECEIVER(message), &parcel);
	}
	assert_code(shake.result[CLIENT], 0);
	assert_code(shake.result[SERVER], 0);
	shake_close(&shake);
}

static void refuse_changed(struct pair *pair, int message, const struct wire_hello *to, int expected)
{
	struct shake shake;
	struct parcel parcel;
	int side = RECEIVER(message);

	shake_open(&shake, pair);
	shake_until(&shake, message, &parcel);
	change_hello(&parcel, to);
	shake_give(&shake, side, &parcel);
	assert_code(shake.result[side], expected);
	assert_null(shake.side[side].channel);
	shake_take(&shake, side, &parcel);
	/* And the other side is told. */
	shake_give(&shake, 1 - side, &parcel);
	assert_code(shake.result[1 - side], expected);
	shake_close(&shake);
}

/* The honest hello of either side. */
static struct wire_hello hello_of(struct pair *pair, int message)
{
	struct wire_hello hello;
	struct shake shake;
	struct parcel parcel;

	shake_open(&shake, pair);
	shake_until(&shake, message, &parcel);
	hello = read_hello(&parcel);
	shake_close(&shake);
	return hello;
}

static void a_required_feature_that_is_unknown_is_eprotonosupport_on_both_sides(struct pair *pair)
{
	struct wire_hello hello;
	int message, bit;

	for (message = HELLO; message <= WELCOME; message++) {
		hello = hello_of(pair, message);
		for (bit = 0; bit < 32; bit++) {
			hello.required = 1u << bit;
			refuse_changed(pair, message, &hello, -EPROTONOSUPPORT);
		}
	}
}

static void limits_out_of_bounds_are_eproto_on_both_sides(struct pair *pair)
{
	int message;

	for (message = HELLO; message <= WELCOME; message++) {
		const struct wire_hello honest = hello_of(pair, message);
		struct wire_hello hello;

#define REFUSE(change)                                                                                                 \
	do {                                                                                                           \
		hello = honest;                                                                                        \
		hello.change;                                                                                          \
		print_message("# %s of message %d\n", #change, message);                                               \
		refuse_changed(pair, message, &hello, -EPROTO);                                                        \
	} while (0)
		REFUSE(revision = 0);
		REFUSE(streams_max = 0);
		REFUSE(streams_max = (1u << 24) + 1);
		REFUSE(window = 4095);
		REFUSE(window = (1ull << 30) + 1);
		REFUSE(window = UINT64_MAX);
		REFUSE(private_max = 65535);
		REFUSE(private_max = (1ull << 40) + 1);
		REFUSE(memory_max = 4095);
		REFUSE(memory_max = 0);
		REFUSE(memory_max = (1ull << 36) + 1);
		REFUSE(memory_max = UINT64_MAX);
		if (message == HELLO)
			REFUSE(choice = WIRE_MEMFD);
		else
			REFUSE(choice = 0);
		if (message == WELCOME) {
			REFUSE(choice = WIRE_KMOD | WIRE_MEMFD);
			REFUSE(choice = 4);
			REFUSE(backends = 0);
		}
#undef REFUSE
	}
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
	hello = read_hello(&parcel);
	assert_int_equal(hello.backends, region_kmod_usable() ? WIRE_KMOD | WIRE_MEMFD : WIRE_MEMFD);
	hello.backends = WIRE_KMOD | WIRE_MEMFD;
	change_hello(&parcel, &hello);
	shake_give(&shake, SERVER, &parcel);
	shake_take(&shake, SERVER, &parcel);
	hello = read_hello(&parcel);
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
	hello = read_hello(&parcel);
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

static void give_bytes(struct shake *shake, int side, const unsigned char *bytes, size_t size)
{
	struct parcel parcel = { .size = size };

	memcpy(parcel.bytes, bytes, size);
	shake_give(shake, side, &parcel);
}

static void a_client_of_the_older_protocol_is_eprotonosupport(struct pair *pair)
{
	static const unsigned char by_path[] = { 0, 0, 0, 20, 0x77, 0x58, 2, 0 };
	static const unsigned char exchange[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	static const unsigned char second[2][8] = { { 0, 0, 0, 0x3b, 0x77, 0x58, 3, 5 },
						    { 0, 0, 0, 0x3b, 0x77, 0x58, 3, 0 } };
	struct shake shake;
	struct parcel parcel;
	int i;

	shake_open(&shake, pair);
	give_bytes(&shake, SERVER, by_path, 8);
	assert_code(shake.result[SERVER], -EPROTONOSUPPORT);
	/* Nothing is said that it would not understand. */
	assert_int_equal(recv(shake.far[SERVER], &parcel, 1, MSG_DONTWAIT), -1);
	shake_close(&shake);
	for (i = 0; i < 2; i++) {
		shake_open(&shake, pair);
		give_bytes(&shake, SERVER, exchange, 8);
		shake_take(&shake, SERVER, &parcel);
		assert_int_equal(parcel.bytes[6], 16);
		give_bytes(&shake, SERVER, second[i], 8);
		assert_code(shake.result[SERVER], -EPROTONOSUPPORT);
		assert_int_equal(recv(shake.far[SERVER], &parcel, 1, MSG_DONTWAIT), -1);
		shake_close(&shake);
	}
}

static void a_server_of_the_older_protocol_is_eprotonosupport(struct pair *pair)
{
	unsigned char exchanged[] = { 0, 0, 0, 8, 0x77, 0x58, 3, 4 };
	struct shake shake;
	struct parcel parcel;

	for (exchanged[6] = 2; exchanged[6] <= 3; exchanged[6]++) {
		shake_open(&shake, pair);
		shake_until(&shake, EXCHANGE, &parcel);
		give_bytes(&shake, CLIENT, exchanged, 8);
		assert_code(shake.result[CLIENT], -EPROTONOSUPPORT);
		assert_int_equal(recv(shake.far[CLIENT], &parcel, 1, MSG_DONTWAIT), -1);
		shake_close(&shake);
	}
}

static void what_one_side_gives_up_with_the_other_returns(struct pair *pair)
{
	struct shake shake;
	struct parcel parcel;
	int message, side;

	/* Instead of each message after the exchange. */
	for (message = HELLO; message < MESSAGES; message++) {
		side = RECEIVER(message);
		shake_open(&shake, pair);
		shake_until(&shake, message, &parcel);
		parcel_drop(&parcel);
		parcel.size = error_encode(parcel.bytes, -EDQUOT);
		shake_give(&shake, side, &parcel);
		assert_code(shake.result[side], -EDQUOT);
		/* That is the last word. */
		assert_int_equal(recv(shake.far[side], &parcel, 1, MSG_DONTWAIT), -1);
		shake_close(&shake);
	}
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
		ON_BOTH(the_older_protocols_header_comes_first),
		ON_BOTH(bytes_that_come_one_at_a_time_will_do),
		ON_BOTH(each_hears_the_others_limits),
		ON_BOTH(each_hears_who_the_other_is),
		ON_BOTH(the_socket_is_left_as_it_was),
		ON_BOTH(what_follows_the_answer_is_left_in_the_socket),
		ON_BOTH(a_lane_is_no_larger_than_the_server_allows),
		ON_BOTH(each_lane_starts_with_what_its_side_asked_for),
		ON_BOTH(a_lane_is_no_larger_than_the_client_wants),
		ON_BOTH(an_offer_of_more_than_the_server_said_is_emsgsize_on_both_sides),
		ON_BOTH(revision_and_features_may_be_of_later_times),
		ON_MEMFD(a_required_feature_that_is_unknown_is_eprotonosupport_on_both_sides),
		ON_MEMFD(limits_out_of_bounds_are_eproto_on_both_sides),
		ON_MEMFD(the_module_is_preferred_where_both_have_it),
		ON_MEMFD(a_client_that_cannot_after_all_offers_memfd),
		ON_MEMFD(a_client_that_may_use_nothing_else_gives_up_and_says_so),
		ON_BOTH(no_backend_in_common_is_eopnotsupp_on_both_sides),
		ON_MEMFD(an_environment_that_names_no_backend_is_einval),
		ON_MEMFD(a_client_of_the_older_protocol_is_eprotonosupport),
		ON_MEMFD(a_server_of_the_older_protocol_is_eprotonosupport),
		ON_BOTH(what_one_side_gives_up_with_the_other_returns),
		ON_MEMFD(what_is_no_connected_unix_stream_socket_is_einval),
	};

	return RUN_TESTS(tests, argc, argv);
}
