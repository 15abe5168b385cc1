// SPDX-License-Identifier: Apache-2.0
/*
 * The limit: two processes that watch shared memory and never call the system. Nothing can be faster that carries the
 * same bytes, and nothing can afford it: both processors are busy even when there is nothing to do.
 */
#include "bare_ring.h"

static int begin_spin(struct end *end, size_t len, void **buf)
{
	struct bare_end *spin = (struct bare_end *)end;

	while (!bare_has_room(&spin->out))
		;
	*buf = bare_payload(&spin->out, len);
	return 0;
}

static int send_spin(struct end *end, size_t len, unsigned int flags)
{
	bare_send(&((struct bare_end *)end)->out, len, flags & SEND_MORE);
	return 0;
}

static int receive_spin(struct end *end, const void **buf, size_t *len)
{
	struct bare_end *spin = (struct bare_end *)end;

	while (!bare_has_message(&spin->in))
		;
	*len = bare_slot(&spin->in)->len;
	*buf = bare_payload(&spin->in, *len);
	return 0;
}

static int done_spin(struct end *end)
{
	bare_done(&((struct bare_end *)end)->in);
	return 0;
}

const struct transport transport_spin = {
	.name = "spin",
	.summary = "bare shared memory by hand, both sides spinning, no system call",
	.flags = TRANSPORT_SPINS | TRANSPORT_SYSCALLS,
	.batch_most = BARE_BATCH,
	.end_size = sizeof(struct bare_end),
	.prepare = bare_map,
	.attach = bare_attach,
	.begin = begin_spin,
	.send = send_spin,
	.receive = receive_spin,
	.done = done_spin,
};
