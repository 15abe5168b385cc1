// SPDX-License-Identifier: Apache-2.0
/*
 * Payload in shared memory, a futex to wake: the obvious scheme, well made. The futex word is a flag that the
 * sleeper sets and the waker clears, so that a wake-up is a system call only when somebody sleeps.
 *
 * waker                                   sleeper
 *   publish, or give back     (A)           flag := 1               (C)
 *   full barrier                            full barrier
 *   if (LOAD flag)            (B)           look again              (D)
 *     flag := 0, futex_wake                 futex_wait(flag == 1)   (E)
 *
 * Either (D) sees (A), or (B) sees (C). In the second case the flag is cleared before the wake, so (E), which
 * compares in the kernel, either returns at once or sleeps early enough to be woken.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bare_ring.h"

struct futex_end {
	struct bare_end bare;
	struct counts counts;
};

static long futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* After publishing or giving back. */
static void wake(struct futex_end *f, _Atomic uint32_t *flag)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(flag, memory_order_relaxed)) /* (B) */
		return;
	atomic_store_explicit(flag, 0, memory_order_relaxed);
	f->bare.end.syscalls++;
	f->counts.rings++;
	futex(flag, FUTEX_WAKE, 1);
}

/* Sleeps until @ready says yes for @ring; @flag is the word on which the other side will look for a sleeper. */
static int wait_ready(struct futex_end *f, struct bare_ring *ring, bool (*ready)(struct bare_ring *),
		      _Atomic uint32_t *flag)
{
	while (!ready(ring)) {
		atomic_store_explicit(flag, 1, memory_order_relaxed); /* (C) */
		f->counts.sleeps++;
		atomic_thread_fence(memory_order_seq_cst);
		if (ready(ring)) { /* (D) */
			atomic_store_explicit(flag, 0, memory_order_relaxed);
			return 0;
		}
		f->bare.end.syscalls++;
		if (futex(flag, FUTEX_WAIT, 1) == 0) /* (E) */
			f->counts.wakes++;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

static int begin_futex(struct end *end, size_t len, void **buf)
{
	struct futex_end *f = (struct futex_end *)end;
	int rc = wait_ready(f, &f->bare.out, bare_has_room, &f->bare.out.lane->room_wanted);

	*buf = bare_payload(&f->bare.out, len);
	return rc;
}

static int send_futex(struct end *end, size_t len, unsigned int flags)
{
	struct futex_end *f = (struct futex_end *)end;

	if (bare_send(&f->bare.out, len, flags & SEND_MORE)) /* (A) */
		wake(f, &f->bare.out.lane->data_wanted);
	return 0;
}

static int receive_futex(struct end *end, const void **buf, size_t *len)
{
	struct futex_end *f = (struct futex_end *)end;
	int rc;

	/* Nothing may be kept back while asleep: the producer could be waiting for it. */
	if (!f->bare.in.alternating && f->bare.in.published != f->bare.in.next && !bare_has_message(&f->bare.in)) {
		bare_give_back(&f->bare.in);
		wake(f, &f->bare.in.lane->room_wanted);
	}
	rc = wait_ready(f, &f->bare.in, bare_has_message, &f->bare.in.lane->data_wanted);
	if (rc)
		return rc;
	*len = bare_slot(&f->bare.in)->len;
	*buf = bare_payload(&f->bare.in, *len);
	return 0;
}

static int done_futex(struct end *end)
{
	struct futex_end *f = (struct futex_end *)end;

	if (bare_done(&f->bare.in)) /* (A) */
		wake(f, &f->bare.in.lane->room_wanted);
	return 0;
}

static void count_futex(struct end *end, struct counts *counts)
{
	const struct futex_end *f = (const struct futex_end *)end;

	counts->wakes = f->counts.wakes;
	counts->rings = f->counts.rings;
	counts->sleeps = f->counts.sleeps;
}

const struct transport transport_futex = {
	.name = "futex",
	.summary = "payload in shared memory, futex wait and wake",
	.flags = TRANSPORT_SYSCALLS,
	.batch_most = BARE_BATCH,
	.end_size = sizeof(struct futex_end),
	.prepare = bare_map,
	.attach = bare_attach,
	.begin = begin_futex,
	.send = send_futex,
	.receive = receive_futex,
	.done = done_futex,
	.count = count_futex,
};
