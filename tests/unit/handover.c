// SPDX-License-Identifier: Apache-2.0
/*
 * handover.c - tests of send and receive on both backends, with forged fields, descriptors and ends.
 * What memory a memfd handover accepts is handover_memory.c's.
 *
 * Each test also checks that no descriptor and no mapping is left on either side: see pair.c.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

static void both_sides_agree_and_messages_go_both_ways(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 50, 1, 0), 0);
	assert_code(pattern_push(pair->b, 5000, 2, 0), 0);
	pattern_take(pair->b, 50, 1);
	pattern_take(pair->a, 5000, 2);
}

static void a_forwarded_handover_is_as_good(struct pair *pair)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_until_answer(&proxy, pair, &packet);
	packet_give(proxy.up[1], &packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(sent, 0);
	assert_code(received, 0);
	assert_code(pattern_push(pair->a, 5000, 1, 0), 0);
	pattern_take(pair->b, 5000, 1);
}

/* Forward an offer with one thing changed: receive refuses it, and send hears that. */
static void refuse_offer(struct pair *pair, void (*change)(struct packet *packet))
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_open(&proxy, pair, NULL);
	packet_take(proxy.up[1], &packet);
	change(&packet);
	packet_give(proxy.down[1], &packet);
	worker_join(&proxy.receiver);
	/* Where the offer was not understood at all there need not be an answer. */
	proxy_hang_up(&proxy.down[0]);
	if (poll(&(struct pollfd){ .fd = proxy.down[1], .events = POLLIN }, 1, 0) == 1 &&
	    recv(proxy.down[1], &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
		packet_take(proxy.down[1], &packet);
		assert_int_equal(packet.count, 0);
		assert_int_equal(packet.wire.status, -EPROTO);
		packet_give(proxy.up[1], &packet);
		sent = worker_join(&proxy.sender);
		assert_code(sent, -EPROTO);
	} else {
		proxy_hang_up(&proxy.up[1]);
		sent = worker_join(&proxy.sender);
		assert_code(sent, -EPIPE);
	}
	received = proxy.receiver.result;
	assert_code(received, -EPROTO);
	assert_null(proxy.receiver.channel);
	proxy_hang_up(&proxy.up[0]);
	proxy_hang_up(&proxy.up[1]);
	proxy_hang_up(&proxy.down[1]);
	/* For another round in the same test. */
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
}

#define CHANGE(name, statement)                                                                                        \
	static void name(struct packet *packet)                                                                        \
	{                                                                                                              \
		statement;                                                                                             \
	}

CHANGE(flip_magic_low, packet->wire.magic ^= 1)
CHANGE(flip_magic_high, packet->wire.magic ^= 1ull << 63)
CHANGE(flip_version, packet->wire.version ^= 1)
CHANGE(flip_version_high, packet->wire.version ^= 1u << 31)
CHANGE(flip_zero, packet->wire.zero ^= 1u << 17)
CHANGE(set_status_positive, packet->wire.status = 1)
CHANGE(set_status_enormous, packet->wire.status = -4096)
CHANGE(set_status_negative, packet->wire.status = -EIO)
CHANGE(set_backend_auto, packet->wire.backend = SHMIPC_BACKEND_AUTO)
CHANGE(set_backend_unknown, packet->wire.backend = 3)
CHANGE(flip_backend_high, packet->wire.backend ^= 1u << 30)
CHANGE(set_backend_other, packet->wire.backend ^= SHMIPC_BACKEND_KMOD ^ SHMIPC_BACKEND_MEMFD)
CHANGE(set_slots_zero, packet->wire.slots = 0)
CHANGE(flip_slots, packet->wire.slots ^= 1)
CHANGE(double_slots, packet->wire.slots *= 2)
CHANGE(set_slots_huge, packet->wire.slots = 1u << 31)
CHANGE(set_slices_zero, packet->wire.slices = 0)
CHANGE(flip_slices, packet->wire.slices ^= 1)
CHANGE(halve_slices, packet->wire.slices /= 2)
CHANGE(set_segment_zero, packet->wire.segment_bytes = 0)
CHANGE(set_segment_beyond_max, packet->wire.segment_bytes = packet->wire.memory_max + 1)
CHANGE(flip_segment_high, packet->wire.segment_bytes ^= 1ull << 62)
CHANGE(set_memory_zero, packet->wire.memory_max = 0)
CHANGE(flip_memory_high, packet->wire.memory_max ^= 1ull << 62)

static void an_offer_with_a_wrong_field_is_eproto(struct pair *pair)
{
	static void (*const changes[])(struct packet *) = {
		flip_magic_low,	     flip_magic_high,	  flip_version,
		flip_version_high,   flip_zero,		  set_status_positive,
		set_status_enormous, set_status_negative, set_backend_auto,
		set_backend_unknown, flip_backend_high,	  set_backend_other,
		set_slots_zero,	     flip_slots,	  double_slots,
		set_slots_huge,	     set_slices_zero,	  flip_slices,
		halve_slices,	     set_segment_zero,	  set_segment_beyond_max,
		flip_segment_high,   set_memory_zero,	  flip_memory_high,
	};
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		print_message("# change %zu\n", i);
		refuse_offer(pair, changes[i]);
	}
}

CHANGE(drop_last, close(packet->fds[--packet->count]))
CHANGE(drop_all, packet_drop(packet))
CHANGE(add_one, packet_add(packet, dup(packet->fds[0])))
CHANGE(add_six, while (packet->count < PACKET_FDS - 1) packet_add(packet, dup(packet->fds[0])))

static int pipe_end(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	return fds[0];
}

CHANGE(first_is_a_pipe, packet_replace(packet, 0, pipe_end()))
CHANGE(first_is_a_memfd, packet_replace(packet, 0, memfd_create("x", MFD_CLOEXEC)))
CHANGE(first_is_an_eventfd, packet_replace(packet, 0, eventfd(0, EFD_CLOEXEC)))
CHANGE(first_is_a_file, packet_replace(packet, 0, open("/proc/self/exe", O_RDONLY | O_CLOEXEC)))
CHANGE(first_is_dev_null, packet_replace(packet, 0, open("/dev/null", O_RDWR | O_CLOEXEC)))
CHANGE(first_is_a_path, packet_replace(packet, 0, open("/", O_PATH | O_CLOEXEC)))
CHANGE(first_is_a_datagram_socket, packet_replace(packet, 0, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
CHANGE(first_is_a_stream_socket, packet_replace(packet, 0, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)))
CHANGE(first_is_an_inet_socket, packet_replace(packet, 0, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)))

static void an_offer_with_missing_or_surplus_descriptors_is_eproto(struct pair *pair)
{
	refuse_offer(pair, drop_last);
	refuse_offer(pair, drop_all);
	refuse_offer(pair, add_one);
	refuse_offer(pair, add_six);
}

static void an_offer_whose_first_descriptor_is_of_the_wrong_kind_is_eproto(struct pair *pair)
{
	refuse_offer(pair, first_is_a_pipe);
	refuse_offer(pair, first_is_a_memfd);
	refuse_offer(pair, first_is_an_eventfd);
	refuse_offer(pair, first_is_a_file);
	refuse_offer(pair, first_is_dev_null);
	refuse_offer(pair, first_is_a_path);
	refuse_offer(pair, first_is_a_datagram_socket);
	refuse_offer(pair, first_is_a_stream_socket);
	refuse_offer(pair, first_is_an_inet_socket);
}

static void an_offer_with_its_descriptors_swapped_is_eproto(struct pair *pair)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received, fd;

	proxy_open(&proxy, pair, NULL);
	packet_take(proxy.up[1], &packet);
	assert_int_equal(packet.count, 2);
	fd = packet.fds[0];
	packet.fds[0] = packet.fds[1];
	packet.fds[1] = fd;
	packet_give(proxy.down[1], &packet);
	packet_take(proxy.down[1], &packet);
	packet_give(proxy.up[1], &packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(received, -EPROTO);
	assert_code(sent, -EPROTO);
}

/* Let the offer through, and change the answer: send refuses it. */
static void change_answer(struct pair *pair, void (*change)(struct packet *packet), int expected)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_until_answer(&proxy, pair, &packet);
	assert_int_equal(packet.wire.status, 0);
	change(&packet);
	packet_give(proxy.up[1], &packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(sent, expected);
	assert_code(received, 0); /* it has answered */
	assert_code(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0), -ENOTCONN);
	shmipc_channel_destroy(pair->a);
	shmipc_channel_destroy(pair->b);
	pair->a = pair->b = NULL;
}

static void an_answer_with_a_wrong_field_is_eproto(struct pair *pair)
{
	static void (*const changes[])(struct packet *) = {
		flip_magic_low,	     flip_magic_high,	  flip_version,	    flip_version_high, flip_zero,
		set_status_positive, set_status_enormous, set_backend_auto, set_backend_other, set_slots_zero,
		double_slots,	     set_slices_zero,	  halve_slices,	    set_segment_zero,  flip_segment_high,
		set_memory_zero,     flip_memory_high,
	};
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		print_message("# change %zu\n", i);
		change_answer(pair, changes[i], -EPROTO);
	}
}

CHANGE(surplus_in_answer, packet_add(packet, eventfd(0, EFD_CLOEXEC)))

static void an_answer_with_surplus_descriptors_is_eproto(struct pair *pair)
{
	change_answer(pair, surplus_in_answer, -EPROTO);
}

static void an_answer_without_its_descriptor_is_eproto(struct pair *pair)
{
	change_answer(pair, drop_all, -EPROTO);
}

CHANGE(answer_is_enomem, packet_drop(packet); packet->wire.status = -ENOMEM)
CHANGE(answer_is_enomem_with_descriptors, packet->wire.status = -ENOMEM)

static void the_error_that_receive_met_is_what_send_returns(struct pair *pair)
{
	change_answer(pair, answer_is_enomem, -ENOMEM);
	change_answer(pair, answer_is_enomem_with_descriptors, -ENOMEM);
}

static void a_message_may_come_in_pieces(struct pair *pair)
{
	struct packet packet, piece;
	struct proxy proxy;
	int sent, received;
	size_t i;

	proxy_open(&proxy, pair, NULL);
	packet_take(proxy.up[1], &packet);
	for (i = 0; i < packet.size; i++) {
		piece = packet;
		memcpy(&piece.wire, (char *)&packet.wire + i, 1);
		piece.size = 1;
		if (i)
			piece.count = 0;
		packet_give(proxy.down[1], &piece);
		if (i % 16 == 0)
			sleep_ms(2);
	}
	packet_take(proxy.down[1], &packet);
	packet_give(proxy.up[1], &packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(sent, 0);
	assert_code(received, 0);
}

static void descriptors_with_a_later_byte_are_eproto(struct pair *pair)
{
	struct packet packet, piece;
	struct proxy proxy;
	int sent, received;

	proxy_open(&proxy, pair, NULL);
	packet_take(proxy.up[1], &packet);
	piece = packet;
	piece.size = 1;
	piece.count = 0;
	packet_give(proxy.down[1], &piece);
	memmove(&packet.wire, (char *)&packet.wire + 1, packet.size - 1);
	packet.size--;
	sleep_ms(5);
	packet_give(proxy.down[1], &packet);
	worker_join(&proxy.receiver);
	proxy_hang_up(&proxy.up[1]);
	sent = worker_join(&proxy.sender);
	received = proxy.receiver.result;
	assert_code(received, -EPROTO);
	assert_code(sent, -EPIPE);
	proxy_hang_up(&proxy.up[0]);
	proxy_hang_up(&proxy.down[0]);
	proxy_hang_up(&proxy.down[1]);
}

static void a_message_that_breaks_off_is_epipe(struct pair *pair)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_open(&proxy, pair, NULL);
	packet_take(proxy.up[1], &packet);
	packet.size = 20;
	packet_give(proxy.down[1], &packet);
	proxy_hang_up(&proxy.down[1]);
	proxy_hang_up(&proxy.up[1]);
	proxy_close(&proxy, &sent, &received);
	assert_code(received, -EPIPE);
	assert_code(sent, -EPIPE);
	assert_null(pair->b);
}

static void a_hang_up_before_any_byte_is_epipe_on_both_sides(struct pair *pair)
{
	struct proxy proxy;
	int sent, received;

	proxy_open(&proxy, pair, NULL);
	proxy_hang_up(&proxy.down[1]);
	proxy_hang_up(&proxy.up[1]);
	proxy_close(&proxy, &sent, &received);
	assert_code(received, -EPIPE);
	assert_code(sent, -EPIPE);
}

static void a_hang_up_before_the_answer_is_epipe_for_the_sender(struct pair *pair)
{
	struct packet packet;
	struct proxy proxy;
	int sent, received;

	proxy_until_answer(&proxy, pair, &packet);
	proxy_hang_up(&proxy.up[1]);
	packet_drop(&packet);
	proxy_close(&proxy, &sent, &received);
	assert_code(sent, -EPIPE);
	assert_code(received, 0);
	/* The one who holds the endpoint learns that there is nobody. */
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), -EPIPE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(both_sides_agree_and_messages_go_both_ways),
		ON_BOTH(a_forwarded_handover_is_as_good),
		ON_BOTH(an_offer_with_a_wrong_field_is_eproto),
		ON_BOTH(an_offer_with_missing_or_surplus_descriptors_is_eproto),
		ON_BOTH(an_offer_whose_first_descriptor_is_of_the_wrong_kind_is_eproto),
		ON_MEMFD(an_offer_with_its_descriptors_swapped_is_eproto),
		ON_BOTH(an_answer_with_a_wrong_field_is_eproto),
		ON_BOTH(an_answer_with_surplus_descriptors_is_eproto),
		ON_MEMFD(an_answer_without_its_descriptor_is_eproto),
		ON_BOTH(the_error_that_receive_met_is_what_send_returns),
		ON_BOTH(a_message_may_come_in_pieces),
		ON_BOTH(descriptors_with_a_later_byte_are_eproto),
		ON_BOTH(a_message_that_breaks_off_is_epipe),
		ON_BOTH(a_hang_up_before_any_byte_is_epipe_on_both_sides),
		ON_BOTH(a_hang_up_before_the_answer_is_epipe_for_the_sender),
	};

	return RUN_TESTS(tests, argc, argv);
}
