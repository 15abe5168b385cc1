// SPDX-License-Identifier: Apache-2.0
/*
 * lies_in_frames.c - bytes that fall back: slots without frames, frames without slots, and frames that say something else
 */
#include "liar.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/frame.h"

static void announce(struct liar *liar, uint32_t id, uint32_t n)
{
	uint32_t words[2] = { n, n };

	liar_say(liar, id, MSG_FALLBACK | (draw(liar, 2) ? MSG_LAST : 0), words,
		 draw(liar, 16) ? sizeof(n) : draw(liar, 9));
}

static void send_bytes(struct liar *liar, const void *data, size_t size)
{
	send(liar->socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void frame(struct liar *liar, uint32_t id, uint32_t said, uint32_t size)
{
	static unsigned char bytes[FRAME_HEADER + 40000];

	frame_encode(bytes, id, said);
	send_bytes(liar, bytes, FRAME_HEADER + size);
}

static void announce_without_a_frame(struct liar *liar)
{
	static const uint32_t sizes[] = { 0, 1, FALLBACK_BYTES, FALLBACK_BYTES + 1, INT32_MAX, UINT32_MAX };

	announce(liar, liar_id(liar), draw(liar, 3) ? 1 + draw(liar, FALLBACK_BYTES) : sizes[draw(liar, 6)]);
}

static void send_honest_frames(struct liar *liar)
{
	uint32_t i, id = liar_open(liar), size;

	for (i = draw(liar, 8); i > 0; i--) {
		size = 1 + draw(liar, FALLBACK_BYTES);
		frame(liar, id, size, size);
		announce(liar, id, size);
	}
}

static void send_a_frame_of_another_length(struct liar *liar)
{
	uint32_t id = liar_open(liar), size = 1 + draw(liar, 4000);

	frame(liar, id, size + draw(liar, 3) - 1, size);
	announce(liar, id, size);
}

static void send_a_frame_of_another_stream(struct liar *liar)
{
	uint32_t id = liar_open(liar), size = 1 + draw(liar, 4000);

	frame(liar, draw(liar, 3) ? liar_id(liar) : 0, size, size);
	announce(liar, id, size);
}

static void send_frames_without_slots(struct liar *liar)
{
	uint32_t size = draw(liar, 4) ? draw(liar, 4000) : 0;

	frame(liar, draw(liar, 2) ? liar_id(liar) : 0, size, size);
}

static void send_the_frame_late_and_in_parts(struct liar *liar)
{
	unsigned char bytes[FRAME_HEADER + 100] = { 0 };
	uint32_t id = liar_open(liar), at = 0, step;

	announce(liar, id, 100);
	liar_say(liar, id, MSG_DATA, "behind it", 9);
	frame_encode(bytes, id, 100);
	while (at < sizeof(bytes)) {
		step = 1 + draw(liar, 60);
		if (step > sizeof(bytes) - at)
			step = (uint32_t)sizeof(bytes) - at;
		send_bytes(liar, bytes + at, step);
		at += step;
		if (draw(liar, 4) == 0)
			liar_say(liar, liar_id(liar), MSG_DATA, "meanwhile", 9);
		if (draw(liar, 40) == 0)
			return; /* and never the rest */
	}
}

static void send_garbage(struct liar *liar)
{
	unsigned char bytes[300];
	uint32_t i, n = draw(liar, sizeof(bytes));

	for (i = 0; i < n; i++)
		bytes[i] = (unsigned char)rng_next(&liar->rng);
	send_bytes(liar, bytes, n);
	announce(liar, liar_id(liar), 1 + draw(liar, 300));
}

static void shut_the_socket(struct liar *liar)
{
	if (draw(liar, 4) == 0)
		shutdown(liar->socket, draw(liar, 2) ? SHUT_WR : SHUT_RDWR);
	announce_without_a_frame(liar);
}

static void send_descriptors(struct liar *liar)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * 4)];
	} control = { .room = { 0 } };
	unsigned char bytes[FRAME_HEADER + 10] = { 0 };
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)
	};
	int fds[4] = { liar->socket, 0, 1, 2 };
	uint32_t id = liar_open(liar);

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	frame_encode(bytes, id, 10);
	sendmsg(liar->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	announce(liar, id, 10);
}

const struct lie lies_in_frames[] = {
	{ "a slot without its frame", announce_without_a_frame, false },
	{ "honest frames, more than allowed", send_honest_frames, false },
	{ "honest frames, more than allowed, and deaf", send_honest_frames, true },
	{ "a frame of another length", send_a_frame_of_another_length, false },
	{ "a frame of another stream", send_a_frame_of_another_stream, false },
	{ "frames without slots", send_frames_without_slots, false },
	{ "a frame that comes late and in parts", send_the_frame_late_and_in_parts, false },
	{ "garbage in the socket", send_garbage, false },
	{ "a socket that is shut", shut_the_socket, false },
	{ "descriptors with a frame", send_descriptors, false },
	{ NULL, NULL, false },
};
