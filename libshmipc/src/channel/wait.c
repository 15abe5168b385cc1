// SPDX-License-Identifier: Apache-2.0
/*
 * wait.c - waiting in all four modes, and arming for somebody else's event loop
 *
 * An endpoint has one seq, so one thread announces and sleeps for all: the room's leader. Another
 * that comes waits in private until the leader leaves; if it wants room, and the leader's
 * announcement does not ask for that, it kicks the leader, whose next announcement does.
 *
 * leader                                     follower
 *   STORE own seq, odd            (E)          OR what it wants to state     (R)
 *   full barrier                  (F)          (a full barrier too)
 *   LOAD state                    (Q)          LOAD own seq: too narrow: kick (S)
 *
 * (E) to (Q) against (R) to (S): one of the two sees the other. The leader looks for all whose wants are
 * in the state, so an event of a follower's ends the leader's sleep; on leaving it empties the state
 * and wakes them, and they begin again.
 *
 * The state is a private futex. `armed` takes the leader's place while an event loop watches.
 */
#include <limits.h>

#include "../futex.h"
#include "ready.h"

#define EVENTS (SHMIPC_READABLE | SHMIPC_WRITABLE)
/* How often a thread that never sleeps asks the system whether its peer lives. */
#define ASK_DEAD_NS 1000000
/* And one that only peeks and reserves; a coarse clock is enough for that. */
#define ASK_DEAD_MS 100

void wait_ask_dead(struct shmipc_channel *ch)
{
	uint32_t now = process_now_coarse_ms();

	if (now - load_relaxed(&ch->asked_ms) < ASK_DEAD_MS)
		return;
	store_relaxed(&ch->asked_ms, now);
	ch->bell.ops->is_dead(&ch->bell);
}

static bool take_kick(struct shmipc_channel *ch, unsigned int events)
{
	if (likely(!(load_relaxed(&ch->room.kicked) & events)))
		return false;
	return atomic_fetch_and(&ch->room.kicked, ~events) & events;
}

/* The events that are there; -EPIPE: none, nor will there be; 0. */
static int look(const struct shmipc_channel *ch, unsigned int events)
{
	bool dead = load_acquire(&ch->bell.dead);
	int ready = ready_events(ch, events);

	return ready || !dead ? ready : -EPIPE;
}

/* A duty taken whose system call is still to be made: the peer's seq, or 0. */
static inline uint32_t take_owed(struct shmipc_channel *ch)
{
	if (!load_relaxed(&ch->bell.owed))
		return 0;
	return atomic_exchange_explicit(&ch->bell.owed, 0, memory_order_relaxed);
}

static inline void settle_owed(struct shmipc_channel *ch)
{
	uint32_t owed = take_owed(ch);

	if (unlikely(owed))
		doorbell_ring(&ch->bell, owed);
}

static inline uint32_t wanted_bits(uint32_t events)
{
	return events & SHMIPC_WRITABLE ? SEQ_SPACE : 0;
}

/*
 * What consume_flush() is for, behind a full barrier of the caller's. A thread that waits for room alone may be the
 * consuming one and may not be: it asks, and leaves the asking to the other one too.
 */
static inline void flush_behind_barrier(struct shmipc_channel *ch, unsigned int events)
{
	if (!load_relaxed(&ch->in.flush_owed))
		return;
	if (events & SHMIPC_READABLE)
		store_relaxed(&ch->in.flush_owed, false);
	if (unlikely(doorbell_asks(&ch->bell, SEQ_ASLEEP | SEQ_SPACE)))
		consume_wake(ch);
}

static inline int lead(struct shmipc_channel *ch, unsigned int events, int64_t deadline)
{
	uint32_t bits, seq, state;
	int r = 0;

	do {
		bits = wanted_bits(load_acquire(&ch->room.state));
		seq = doorbell_announce(&ch->bell, bits); /* (E), (F) */
		state = load_acquire(&ch->room.state);	  /* (Q) */
	} while (unlikely(wanted_bits(state) & ~bits));
	flush_behind_barrier(ch, events);
	if (likely(!is_over(ch, state & EVENTS))) /* (H) */
		r = doorbell_wait(&ch->bell, seq, take_owed(ch), deadline);
	doorbell_withdraw(&ch->bell);
	if (unlikely(atomic_exchange(&ch->room.state, ROOM_EMPTY) & ROOM_FOLLOWED))
		futex_wake(&ch->room.state, INT_MAX, FUTEX_IN_PROCESS);
	return r == -EPIPE ? 0 : r; /* look() says so, if there is nothing left to read */
}

static cold int follow(struct shmipc_channel *ch, unsigned int events, uint32_t state, int64_t deadline)
{
	uint32_t followed, seq;

	do {
		if (!(state & ROOM_LED))
			return state & ROOM_ARMED ? -EBUSY : 0;
		followed = state | ROOM_FOLLOWED | events;
	} while (!atomic_compare_exchange_weak(&ch->room.state, &state, followed)); /* (R) */
	seq = atomic_load(&ch->bell.own->seq);					    /* (S) */
	if (seq & SEQ_ASLEEP && wanted_bits(events) & ~seq)
		doorbell_kick(&ch->bell, seq);
	settle_owed(ch);
	if (is_over(ch, events))
		return 0;
	return futex_sleep(&ch->room.state, followed, FUTEX_IN_PROCESS, deadline);
}

/* Sleep, or see another thread sleep, until something changes. 0: look again. */
static int sleep_once(struct shmipc_channel *ch, unsigned int events, int64_t deadline)
{
	int64_t until = memory_before_sleep(ch, deadline);
	uint32_t state = ROOM_EMPTY;
	int r;

	if (likely(atomic_compare_exchange_strong(&ch->room.state, &state, ROOM_LED | events)))
		r = lead(ch, events, until);
	else
		r = follow(ch, events, state, until);
	return r == -ETIMEDOUT && until < deadline ? 0 : r;
}

/* Until the next look of the timed mode, or a kick. */
static int nap(struct shmipc_channel *ch, unsigned int events, int64_t deadline)
{
	int64_t until = process_now() + (int64_t)ch->options.timed_ns;
	uint32_t kicked = load_relaxed(&ch->room.kicked);
	int r;

	if (is_over(ch, events))
		return 0;
	memory_before_sleep(ch, deadline);
	atomic_fetch_add_explicit(&ch->bell.system_calls, 1, memory_order_relaxed);
	r = futex_sleep(&ch->room.kicked, kicked, FUTEX_IN_PROCESS, until < deadline ? until : deadline);
	if (r == -ETIMEDOUT)
		r = 0; /* the caller looks at its deadline itself */
	ch->bell.ops->is_dead(&ch->bell);
	return r;
}

static struct spinner *spinner_of(struct shmipc_channel *ch, unsigned int events)
{
	return events & SHMIPC_READABLE ? &ch->reading : &ch->writing;
}

/* Before time passes without an announcement: make what wake-ups are due. */
static inline void settle(struct shmipc_channel *ch, unsigned int events)
{
	settle_owed(ch);
	if (load_relaxed(&ch->in.flush_owed)) {
		full_barrier();
		flush_behind_barrier(ch, events);
	}
}

/* Let time pass as the mode says. 0: look again; or -errno. */
static int pass_time(struct shmipc_channel *ch, enum shmipc_sync sync, unsigned int events, int64_t deadline)
{
	struct spinner *spinner = spinner_of(ch, events);

	switch (sync) {
	case SHMIPC_SYNC_DEMAND:
		break;
	case SHMIPC_SYNC_ADAPTIVE:
		if (!spin_pays(ch, spinner))
			break;
		settle(ch, events);
		if (likely(spin_until(ch, spinner, events, ch->options.spin_ns, deadline)))
			return 0;
		break;
	case SHMIPC_SYNC_POLLING:
		settle(ch, events);
		if (!spin_until(ch, spinner, events, ASK_DEAD_NS, deadline)) {
			memory_before_sleep(ch, deadline);
			ch->bell.ops->is_dead(&ch->bell);
		}
		return 0;
	case SHMIPC_SYNC_TIMED:
		settle(ch, events);
		return nap(ch, events, deadline);
	}
	return sleep_once(ch, events, deadline);
}

/* Something may be there. 0: nothing to report yet; *done: return it. */
static int see(struct shmipc_channel *ch, unsigned int events, bool *done)
{
	int r = look(ch, events);

	*done = r || take_kick(ch, events);
	if (*done || !(events & SHMIPC_READABLE))
		return r;
	r = consume_chores(ch);
	*done = r;
	return r;
}

static bool is_past(int64_t deadline)
{
	return deadline != SHMIPC_FOREVER && (deadline <= 0 || process_now() >= deadline);
}

static apart int wait_for(struct shmipc_channel *ch, enum shmipc_sync sync, unsigned int events, int64_t deadline)
{
	bool done, past;
	int r, passed;

	if (events & SHMIPC_READABLE)
		consume_show(ch);
	for (;;) {
		past = is_past(deadline);
		passed = likely(!past) ? pass_time(ch, sync, events, deadline) : 0;
		if (likely(events == SHMIPC_READABLE && is_readable(ch)))
			return SHMIPC_READABLE;
		r = see(ch, events, &done);
		if (done)
			return r;
		if (unlikely(past))
			return ch->bell.ops->is_dead(&ch->bell) ? look(ch, events) : -ETIMEDOUT;
		/* Progress beats a signal; of a timeout the next round tells. */
		if (unlikely(passed && passed != -ETIMEDOUT))
			return passed;
	}
}

int shmipc_channel_wait(struct shmipc_channel *ch, unsigned int events, int64_t deadline)
{
	int r = check_usable(ch);

	if (unlikely(r))
		return r;
	if (unlikely(!events || events & ~EVENTS))
		return -EINVAL;
	if (unlikely(load_relaxed(&ch->room.state) & ROOM_ARMED))
		return -EBUSY;
	if (events == SHMIPC_READABLE && is_readable(ch))
		r = SHMIPC_READABLE;
	else
		r = wait_for(ch, ch->options.sync, events, deadline);
	settle_owed(ch);
	return r;
}

int wait_asleep(struct shmipc_channel *ch, unsigned int events, int64_t deadline)
{
	int r = check_usable(ch);

	if (!r)
		r = wait_for(ch, SHMIPC_SYNC_DEMAND, events, deadline);
	settle_owed(ch);
	return r;
}

int shmipc_channel_kick(struct shmipc_channel *ch)
{
	uint32_t seq;
	int r = check_usable(ch);

	if (r)
		return r;
	atomic_fetch_or(&ch->room.kicked, EVENTS);
	if (ch->options.sync == SHMIPC_SYNC_TIMED)
		futex_wake(&ch->room.kicked, INT_MAX, FUTEX_IN_PROCESS);
	seq = atomic_load(&ch->bell.own->seq);
	if (seq & SEQ_ASLEEP && !(load_relaxed(&ch->room.state) & ROOM_ARMED))
		doorbell_kick(&ch->bell, seq);
	return 0;
}

int shmipc_channel_fd(struct shmipc_channel *ch)
{
	int r = check_usable(ch);

	return r ? r : ch->bell.fd;
}

static void leave_armed(struct shmipc_channel *ch)
{
	doorbell_withdraw(&ch->bell);
	atomic_store(&ch->room.state, ROOM_EMPTY);
}

int wait_announce(struct shmipc_channel *ch)
{
	uint32_t state = ROOM_EMPTY;

	if (!atomic_compare_exchange_strong(&ch->room.state, &state, ROOM_ARMED))
		return -EBUSY;
	settle_owed(ch);
	doorbell_say(&ch->bell, SEQ_FD); /* (E) */
	return 0;
}

bool wait_owes_barrier(const struct shmipc_channel *ch)
{
	return load_acquire(&ch->peer.words->skip);
}

bool wait_has_news(const struct shmipc_channel *ch)
{
	return is_readable(ch) || has_chores(ch) || load_acquire(&ch->bell.dead);
}

void wait_withdraw(struct shmipc_channel *ch, bool reported)
{
	if (load_relaxed(&ch->room.state) != ROOM_ARMED)
		return;
	if (reported) {
		if (ch->bell.ops->clear)
			ch->bell.ops->clear(&ch->bell);
		/* The descriptor may have spoken of the peer's end alone; who drains after this learns of it. */
		ch->bell.ops->is_dead(&ch->bell);
	}
	leave_armed(ch);
}

int shmipc_channel_arm(struct shmipc_channel *ch, unsigned int events)
{
	uint32_t state = ROOM_EMPTY;
	int r = check_usable(ch);

	if (r)
		return r;
	if (!(events & SHMIPC_READABLE) || events & ~EVENTS)
		return -EINVAL;
	settle_owed(ch);
	consume_show(ch);
	r = consume_chores(ch);
	if (r)
		return r;
	if (!atomic_compare_exchange_strong(&ch->room.state, &state, ROOM_ARMED) && state != ROOM_ARMED)
		return -EBUSY;
	memory_before_sleep(ch, SHMIPC_FOREVER);
	doorbell_announce(&ch->bell, SEQ_FD | wanted_bits(events));
	if (!(ready_events(ch, events) & SHMIPC_WRITABLE) && !wait_has_news(ch))
		return 0;
	leave_armed(ch);
	return 1;
}

int shmipc_channel_disarm(struct shmipc_channel *ch)
{
	int r = check_usable(ch);

	if (r)
		return r;
	wait_withdraw(ch, true);
	return 0;
}
