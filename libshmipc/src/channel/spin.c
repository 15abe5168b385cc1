// SPDX-License-Identifier: Apache-2.0
/*
 * spin.c - how long a waiter spins before it sleeps
 *
 * To spin pays only while the peer runs on another processor, and soon answers. So the adaptive
 * mode does not spin at all where the peer last waited on this very processor; leaves more and
 * more waits out as long as spins are lost; and, when the scheduler takes the processor away
 * in the middle of a spin, knows that somebody else wants it, and holds for a long time.
 */
#include <sched.h>
#include <sys/resource.h>

#include "ready.h"

#define LEAVE_OUT_MAX 64u
#define HOLD_MIN_NS 10000000ll
#define HOLD_MAX_NS 1000000000ll
/* Looks without, and with, a pause between two of them, before the clock is read. */
#define LOOKS_TIGHT 256
#define LOOKS_PAUSED 32
/* Every look for room takes the line that the consumer writes with each message: seldom, then, and for more at a time. */
#define PAUSES_FOR_ROOM 16

/* Say where this endpoint waits, for the peer's spin_pays(). */
static uint32_t note_cpu(struct shmipc_channel *ch)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1;

	if (load_relaxed(&ch->own.words->cpu) != cpu)
		store_relaxed(&ch->own.words->cpu, cpu);
	return cpu;
}

bool spin_is_due(struct spinner *s)
{
	if (s->hold_until) {
		if (process_now() < s->hold_until)
			return false;
		s->hold_until = 0;
	}
	if (s->leave_out) {
		s->leave_out--;
		return false;
	}
	return true;
}

bool spin_pays(struct shmipc_channel *ch, struct spinner *s)
{
	if (ch->one_processor || !ch->options.spin_ns)
		return false;
	if (note_cpu(ch) == load_relaxed(&ch->peer.words->cpu))
		return false;
	return spin_is_due(s);
}

void spin_note_won(struct spinner *s)
{
	count(&s->won, 1);
	s->leave_next = 0;
}

void spin_note_lost(struct spinner *s)
{
	count(&s->lost, 1);
	s->leave_next = s->leave_next ? s->leave_next * 2 : 1;
	if (s->leave_next > LEAVE_OUT_MAX)
		s->leave_next = LEAVE_OUT_MAX;
	s->leave_out = s->leave_next;
}

/* A hypervisor takes processors away too, and then there is nobody to make room for: ask which it was. */
void spin_note_gap(struct spinner *s, int64_t now)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) || usage.ru_nivcsw == s->preemptions)
		return;
	s->preemptions = usage.ru_nivcsw;
	s->hold_ns = s->hold_ns ? s->hold_ns * 2 : HOLD_MIN_NS;
	if (s->hold_ns > HOLD_MAX_NS)
		s->hold_ns = HOLD_MAX_NS;
	s->hold_until = now + s->hold_ns;
}

/* Look until something is there (1), or until `limit` (0); 0 also when it stops paying. */
int spin_until(struct shmipc_channel *ch, struct spinner *s, unsigned int events, int64_t limit)
{
	int pauses = events & SHMIPC_READABLE ? 1 : PAUSES_FOR_ROOM, i;
	int64_t now, last;

	for (i = 0; i < LOOKS_TIGHT / pauses; i++)
		if (is_over(ch, events))
			goto won;
	last = process_now();
	for (;;) {
		for (i = 0; i < LOOKS_PAUSED; i++) {
			if (i % pauses == 0 && is_over(ch, events))
				goto won;
			spin_pause();
		}
		now = process_now();
		if (unlikely(now - last > SPIN_GAP_NS))
			spin_note_gap(s, now);
		if (now >= limit || s->hold_until > now)
			break;
		last = now;
	}
	spin_note_lost(s);
	return is_over(ch, events);
won:
	spin_note_won(s);
	return 1;
}
