// SPDX-License-Identifier: Apache-2.0
/*
 * spin.c - how long a waiter spins before it sleeps
 *
 * To spin pays only while the peer runs on another processor, and soon answers. So the adaptive mode does not spin at
 * all where the peer last waited on this very processor, and otherwise keeps an account. A spin costs the time that it
 * takes. One that is won spares a sleep; what that is worth depends on who else wants the processor:
 *
 *	nobody		spin_ns: whatever is won pays, for the caller is spared the delay of a wake-up
 *	somebody	SLEEP_NS: only what takes less of the processor than a sleep would
 *
 * A spinner whose account is overdrawn leaves waits out, and time, in proportion to what was lost and for twice as long
 * each time, before it tries again. So in the long run one part in LEAVE_OUT_MAX is spun in vain, and no more.
 *
 * That somebody else wants the processor shows in this thread's having been preempted, or throttled. A hypervisor takes
 * processors away too, but then there is nobody to make room for: so the kernel is asked.
 */
#include "spin.h"

#include <sched.h>
#include <sys/resource.h>

#include "ready.h"

/* The least that a sleep and its wake-up cost, in processor time of both sides. */
#define SLEEP_NS 3000
/* In units of spin_ns: what an account may hold, and what it begins with again when it was overdrawn. */
#define CREDIT_MAX 16
#define CREDIT_AGAIN 2
#define LEAVE_OUT_MAX 64
/* How long a processor counts as shared after a preemption: for longer where one comes soon after the other. */
#define SHARED_MIN_NS 10000000ll
#define SHARED_MAX_NS 1000000000ll
#define SHARED_SOON 4
/* After which gap between two looks at the clock a spinning thread asks whether it was preempted; how often otherwise. */
#define GAP_NS 30000
#define ASK_NS 1000000
/* Looks without a pause, and what they take, about; looks with a pause between two of them, before the clock is read. */
#define LOOKS_TIGHT 256
#define TIGHT_NS 500
#define LOOKS_PAUSED 32
/* Every look for room takes the line that the consumer writes with each message: seldom, then, and for more at a time. */
#define PAUSES_FOR_ROOM 16

bool spin_leaves_out(struct spinner *s, int64_t now)
{
	if (s->leave_out) {
		s->leave_out--;
		return true;
	}
	if (now < s->hold_until)
		return true;
	s->hold_until = 0;
	return false;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void settle_account(struct spinner *s, int64_t spin_ns, int64_t gain, int64_t now)
{
	int64_t again = CREDIT_AGAIN * spin_ns, lost;

	s->credit = least(s->credit + gain, CREDIT_MAX * spin_ns);
	if (s->credit >= CREDIT_MAX * spin_ns)
		s->leave_next = 0;
	if (likely(s->credit >= 0))
		return;
	lost = again - s->credit;
	s->credit = again;
	s->leave_next = (uint32_t)least(s->leave_next ? 2 * s->leave_next : 1, LEAVE_OUT_MAX);
	s->leave_out = s->leave_next;
	s->hold_until = now + s->leave_next * lost;
}

/* Of a spin that took longer than it may, the rest was not spun. */
void spin_note_won(struct spinner *s, int64_t spin_ns, int64_t took, int64_t now)
{
	int64_t worth = s->shared ? least(SLEEP_NS, spin_ns) : spin_ns;

	count(&s->won, 1);
	settle_account(s, spin_ns, worth - least(took, spin_ns), now);
}

void spin_note_lost(struct spinner *s, int64_t spin_ns, int64_t took, int64_t now)
{
	count(&s->lost, 1);
	settle_account(s, spin_ns, -least(took, spin_ns), now);
}

void spin_note_preempted(struct spinner *s, int64_t now)
{
	if (s->shared_ns && now < s->shared_end + SHARED_SOON * s->shared_ns)
		s->shared_ns = least(s->shared_ns * 2, SHARED_MAX_NS);
	else
		s->shared_ns = SHARED_MIN_NS;
	s->shared_end = now + s->shared_ns;
	s->shared = true;
}

/* Whether this thread was preempted since it last asked. */
static bool was_preempted(struct spinner *s)
{
	bool same = pthread_equal(s->asked_by, pthread_self());
	long before = s->preemptions;
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage))
		return false;
	s->asked_by = pthread_self();
	s->preemptions = usage.ru_nivcsw;
	return same && s->preemptions != before;
}

static void ask_preempted(struct spinner *s, int64_t now)
{
	s->ask_at = now + ASK_NS;
	if (was_preempted(s))
		spin_note_preempted(s, now);
}

void spin_note_time(struct spinner *s, int64_t last, int64_t now)
{
	if (s->shared && now >= s->shared_end)
		s->shared = false;
	if (unlikely(now - last > GAP_NS))
		ask_preempted(s, now);
}

void spin_note_sleep(struct spinner *s, int64_t now)
{
	if (now >= s->ask_at)
		ask_preempted(s, now);
}

/* Say where this endpoint waits, for the peer's spin_pays(). */
static uint32_t note_cpu(struct shmipc_channel *ch)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1;

	if (load_relaxed(&ch->own.words->cpu) != cpu)
		store_relaxed(&ch->own.words->cpu, cpu);
	return cpu;
}

bool spin_pays(struct shmipc_channel *ch, struct spinner *s)
{
	if (ch->one_processor || !ch->options.spin_ns)
		return false;
	if (note_cpu(ch) == load_relaxed(&ch->peer.words->cpu))
		return false;
	return spin_is_due(s);
}

/* With pauses, and a look at the clock now and then. */
static apart int spin_on(struct shmipc_channel *ch, struct spinner *s, unsigned int events, int64_t spin_ns,
			 int64_t deadline)
{
	int pauses = events & SHMIPC_READABLE ? 1 : PAUSES_FOR_ROOM, i;
	int64_t begin = process_now(), limit = least(begin + spin_ns, deadline), last = begin, now = begin;
	bool over;

	do {
		spin_note_time(s, last, now);
		last = now;
		for (i = 0, over = false; i < LOOKS_PAUSED && !over; i++) {
			over = i % pauses == 0 && is_over(ch, events);
			spin_pause();
		}
		if (!over)
			now = process_now();
	} while (!over && now < limit);
	if (over)
		spin_note_won(s, spin_ns, TIGHT_NS + now - begin, now);
	else
		spin_note_lost(s, spin_ns, TIGHT_NS + now - begin, now);
	if (!over && ch->options.sync == SHMIPC_SYNC_ADAPTIVE)
		spin_note_sleep(s, now);
	return over;
}

int spin_until(struct shmipc_channel *ch, struct spinner *s, unsigned int events, int64_t spin_ns, int64_t deadline)
{
	int pauses = events & SHMIPC_READABLE ? 1 : PAUSES_FOR_ROOM, i;

	for (i = 0; i < LOOKS_TIGHT / pauses; i++) {
		if (is_over(ch, events)) {
			spin_note_won(s, spin_ns, TIGHT_NS, 0);
			return 1;
		}
	}
	return spin_on(ch, s, events, spin_ns, deadline);
}
