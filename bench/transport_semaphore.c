// SPDX-License-Identifier: Apache-2.0
/*
 * Payload in shared memory, POSIX semaphores for what to wait for: one counts messages, one counts room, in each
 * direction. They call the system only where somebody waits.
 */
#include <errno.h>
#include <semaphore.h>

#include "bare_ring.h"

struct semaphores {
	sem_t messages __attribute__((aligned(BARE_SLOT)));
	sem_t room __attribute__((aligned(BARE_SLOT)));
};

struct semaphore_end {
	struct bare_end bare;
	struct semaphores *out, *in;
	uint32_t unposted; /* messages written and not yet counted */
};

static size_t rings_size(const struct plan *plan)
{
	return bare_size(plan, 0) + bare_size(plan, 1);
}

/* Behind the two rings lie the semaphores, of what side 0 and what side 1 sends. */
static struct semaphores *semaphores_of(const struct wiring *wiring, const struct plan *plan, int side)
{
	return (struct semaphores *)((unsigned char *)wiring->memory + rings_size(plan)) + side;
}

static int prepare_semaphore(struct wiring *wiring, const struct plan *plan)
{
	int rc = wiring_map(wiring, rings_size(plan) + 2 * sizeof(struct semaphores)), side;

	for (side = 0; side < 2 && !rc; side++) {
		struct semaphores *s = semaphores_of(wiring, plan, side);

		if (sem_init(&s->messages, 1, 0) || sem_init(&s->room, 1, bare_depth(plan)))
			rc = -errno;
	}
	return rc;
}

static int attach_semaphore(struct end *end)
{
	struct semaphore_end *s = (struct semaphore_end *)end;

	s->out = semaphores_of(end->wiring, end->plan, end->side);
	s->in = semaphores_of(end->wiring, end->plan, !end->side);
	return bare_attach(end);
}

static int take(sem_t *semaphore)
{
	while (sem_wait(semaphore))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int begin_semaphore(struct end *end, size_t len, void **buf)
{
	struct semaphore_end *s = (struct semaphore_end *)end;
	int rc = s->bare.out.alternating ? 0 : take(&s->out->room);

	if (rc)
		return rc;
	if (!bare_has_room(&s->bare.out))
		return -EPROTO;
	*buf = bare_payload(&s->bare.out, len);
	return 0;
}

static int send_semaphore(struct end *end, size_t len, unsigned int flags)
{
	struct semaphore_end *s = (struct semaphore_end *)end;

	s->unposted++;
	if (!bare_send(&s->bare.out, len, flags & SEND_MORE))
		return 0;
	for (; s->unposted; s->unposted--)
		if (sem_post(&s->out->messages))
			return -errno;
	return 0;
}

static int receive_semaphore(struct end *end, const void **buf, size_t *len)
{
	struct semaphore_end *s = (struct semaphore_end *)end;
	int rc = take(&s->in->messages);

	if (rc)
		return rc;
	if (!bare_has_message(&s->bare.in))
		return -EPROTO;
	*len = bare_slot(&s->bare.in)->len;
	*buf = bare_payload(&s->bare.in, *len);
	return 0;
}

static int done_semaphore(struct end *end)
{
	struct semaphore_end *s = (struct semaphore_end *)end;

	s->bare.in.next++;
	if (s->bare.in.alternating)
		return 0;
	bare_give_back(&s->bare.in);
	return sem_post(&s->in->room) ? -errno : 0;
}

const struct transport transport_semaphore = {
	.name = "semaphore",
	.summary = "payload in shared memory, POSIX semaphores to wake",
	.batch_most = BARE_BATCH,
	.end_size = sizeof(struct semaphore_end),
	.prepare = prepare_semaphore,
	.attach = attach_semaphore,
	.begin = begin_semaphore,
	.send = send_semaphore,
	.receive = receive_semaphore,
	.done = done_semaphore,
};
