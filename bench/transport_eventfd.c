// SPDX-License-Identifier: Apache-2.0
/*
 * Payload in shared memory, an eventfd to wake the reader: what many do by hand. The counter of the eventfd is
 * the number of messages, so a reader that fell behind takes them all with one read(); a second pair counts free
 * slots, used only when the sides do not take turns.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bare_ring.h"

struct eventfd_end {
	struct bare_end bare;
	int data_out, data_in, room_out, room_in;
	uint32_t unsignalled;    /* messages written and not yet counted into data_out */
	uint32_t unreturned;     /* messages read and not yet counted into room_out */
	uint64_t messages, room; /* taken from data_in and room_in, not yet used */
};

/* fd[0], fd[1]: messages for side 0, side 1. fd[2], fd[3]: room for side 0, side 1 to write into. */
static int prepare_eventfd(struct wiring *wiring, const struct plan *plan)
{
	int i;

	for (i = 0; i < 4; i++) {
		wiring->fd[i] = eventfd(i < 2 ? 0 : bare_depth(plan), EFD_CLOEXEC);
		if (wiring->fd[i] < 0)
			return -errno;
	}
	return bare_map(wiring, plan);
}

static int attach_eventfd(struct end *end)
{
	struct eventfd_end *e = (struct eventfd_end *)end;
	const int *fd = end->wiring->fd;

	bare_attach(end);
	e->data_in = fd[end->side];
	e->data_out = fd[1 - end->side];
	e->room_in = fd[2 + end->side];
	e->room_out = fd[3 - end->side];
	return 0;
}

static int take(struct eventfd_end *e, int fd, uint64_t *count)
{
	e->bare.end.syscalls++;
	return read(fd, count, sizeof(*count)) == sizeof(*count) ? 0 : -errno;
}

static int give(struct eventfd_end *e, int fd, uint64_t count)
{
	e->bare.end.syscalls++;
	return write(fd, &count, sizeof(count)) == sizeof(count) ? 0 : -errno;
}

static int begin_eventfd(struct end *end, size_t len, void **buf)
{
	struct eventfd_end *e = (struct eventfd_end *)end;
	int rc;

	if (!e->bare.out.alternating) {
		if (!e->room) {
			rc = take(e, e->room_in, &e->room);
			if (rc)
				return rc;
		}
		e->room--;
	}
	if (!bare_has_room(&e->bare.out))
		return -EPROTO;
	*buf = bare_payload(&e->bare.out, len);
	return 0;
}

static int send_eventfd(struct end *end, size_t len, unsigned int flags)
{
	struct eventfd_end *e = (struct eventfd_end *)end;
	uint32_t count = ++e->unsignalled;

	if (!bare_send(&e->bare.out, len, flags & SEND_MORE))
		return 0;
	e->unsignalled = 0;
	return give(e, e->data_out, count);
}

static int receive_eventfd(struct end *end, const void **buf, size_t *len)
{
	struct eventfd_end *e = (struct eventfd_end *)end;
	int rc;

	if (!e->messages) {
		rc = take(e, e->data_in, &e->messages);
		if (rc)
			return rc;
	}
	e->messages--;
	if (!bare_has_message(&e->bare.in))
		return -EPROTO;
	*len = bare_slot(&e->bare.in)->len;
	*buf = bare_payload(&e->bare.in, *len);
	return 0;
}

/* Room is given back when all that one read() announced is used up: one call for many slots. */
static int done_eventfd(struct end *end)
{
	struct eventfd_end *e = (struct eventfd_end *)end;
	uint32_t count = ++e->unreturned;

	e->bare.in.next++;
	if (e->bare.in.alternating || e->messages)
		return 0;
	e->unreturned = 0;
	bare_give_back(&e->bare.in);
	return give(e, e->room_out, count);
}

const struct transport transport_eventfd = {
	.name = "eventfd",
	.summary = "payload in shared memory, blocking eventfd to wake",
	.flags = TRANSPORT_SYSCALLS,
	.batch_most = BARE_BATCH,
	.end_size = sizeof(struct eventfd_end),
	.prepare = prepare_eventfd,
	.attach = attach_eventfd,
	.begin = begin_eventfd,
	.send = send_eventfd,
	.receive = receive_eventfd,
	.done = done_eventfd,
};
