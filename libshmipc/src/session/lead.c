// SPDX-License-Identifier: Apache-2.0
/*
 * lead.c - waiting: one thread harvests for all, and sleeps for all; the others follow
 *
 * The leaders-and-followers pattern (Schmidt and others, 2000), with one word: session->lead.
 *
 * leader that leaves                         thread that wants it
 *   STORE what was harvested                   STORE followed                  (C)
 *   STORE.rel lead, free          (A)          barrier                         (D)
 *   barrier                       (B)          LOAD lead: held: sleep          (E)
 *   LOAD followed: rouse one
 *
 * (A) to (B) against (C) to (E): one of the two sees the other. The leader leaves often, and a follower is about to make
 * system calls anyway: so (D) is membarrier(2), which pays for (B) too, and (B) is left out. Where there is no
 * membarrier both are full barriers.
 *
 * leader that makes way                      thread that wants it
 *   STORE what was harvested                   CAS.acq lead, not held to held  (J)
 *   STORE.rel lead, offered       (H)          harvest for all
 *   wake others, or yield                      (A), or (H)
 *   CAS.acq lead, offered to held (I)
 *   LOAD queued, then the ring
 *
 * A leader that is about to wake others offers the lead meanwhile, and where (I) fails it has lost it and goes on as everybody
 * who wants it. So does one that gives the processor up for them, because too much lies there already: a reader that leads
 * takes its messages straight from the ring, while what another thread finds for it is copied twice. That (I) succeeds does
 * not say that (J) never did: another thread may have led, and offered the lead in its turn. So its own queue comes before
 * the ring, where later messages are. tests/model/lead.pml verifies all of this.
 *
 * A follower that was roused tries to lead; others may be faster, and then it follows again. What a leader finds for others
 * it queues under session->lock, where a follower enters the list; whoever has entered is roused. A leader goes on for
 * as long as its own wish is not fulfilled, so a thread that exchanges messages with the peer all alone never makes a
 * futex call.
 *
 * leader that sleeps                         thread that waits for room, and follows
 *   STORE asks                    (G)          STORE room_wanted               (C)
 *   barrier                       (B)          barrier                         (D)
 *   LOAD room_wanted: more: again              LOAD asks: not for room: kick it
 *   sleep; STORE asks, 0
 *
 * (G) against (C): a leader that sleeps asks for room if anybody wants it, or is kicked.
 *
 * (E) against (F), likewise: the loop's thread that an event woke, and that cannot lead, leaves word and tries again.
 * The event may be of a message that came after the leader had looked, and armed: nothing else would bring it in, since
 * an edge is told of once.
 *
 * In a session that is driven by an event loop nobody sleeps in the channel while the loop watches: the channel is
 * armed. A thread that blocks disarms it for as long as it leads, and takes its descriptor out of the session's epoll meanwhile.
 */
#include <sched.h>
#include <sys/epoll.h>

#include "../channel/ready.h"
#include "../futex.h"
#include "internal.h"

/* How long bytes may take through the socket after the slot that announced them, and how often to look. */
#define PARKED_LOOK_NS 1000000

static inline bool is_fulfilled(const struct shmipc_session *session, const struct waiter *w)
{
	uint32_t flags = w->stream ? load_acquire(&w->stream->flags) : 0;

	if (w->got_any || load_acquire(&session->error))
		return true;
	if (w->wants & WAIT_READ &&
	    (flags & (STREAM_GOT_END | STREAM_RESET | STREAM_CLOSED) || load_acquire(&w->stream->queued)))
		return true;
	if (w->wants & WAIT_WINDOW && (flags & STREAM_SHUT || stream_fits_window(w->stream, w->need)))
		return true;
	if (w->wants & (WAIT_ROOM | WAIT_CREDIT) && (flags & STREAM_SHUT || load_acquire(&session->room) != w->room))
		return true;
	return w->wants & WAIT_ACCEPT && load_acquire(&session->accepted_count);
}

bool lead_is_fulfilled(const struct shmipc_session *session, const struct waiter *w)
{
	return is_fulfilled(session, w);
}

void lead_rouse_locked(struct shmipc_session *session, struct waiter *w, struct waiter **roused)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	else
		session->followers_end = w->link;
	w->link = NULL;
	if (w->stream && w->stream->reader == w)
		w->stream->reader = NULL;
	if (w->stream && w->stream->writer == w)
		w->stream->writer = NULL;
	w->next = *roused;
	*roused = w;
	if (!session->followers)
		store_relaxed(&session->followed, false);
}

void lead_wake(struct waiter *roused)
{
	struct waiter *w;

	while ((w = roused)) {
		roused = w->next;
		store_release(&w->word, 1); /* its stack may be gone from here on; waking a stranger does no harm */
		futex_wake(&w->word, 1, FUTEX_IN_PROCESS);
	}
}

/* The followers that want any of these are roused, and to be woken. */
static void collect(struct shmipc_session *session, uint32_t wants, struct waiter **roused)
{
	struct waiter *w, *next;

	lock_take(&session->lock);
	for (w = session->followers; w; w = next) {
		next = w->next;
		if (w->wants & wants)
			lead_rouse_locked(session, w, roused);
	}
	lock_release(&session->lock);
}

void lead_rouse(struct shmipc_session *session, uint32_t wants)
{
	struct waiter *roused = NULL;

	collect(session, wants, &roused);
	lead_wake(roused);
	if (wants == WAIT_ALL)
		shmipc_channel_kick(session->channel);
}

/* Room came back: what waits for a slot goes, and whoever waits tries again. */
static void see_room(struct shmipc_session *session, struct waiter **roused)
{
	outbox_flush(session);
	store_relaxed(&session->room_wanted, 0);
	atomic_fetch_add(&session->room, 1);
	collect(session, WAIT_ROOM, roused);
	callback_room(session);
}

static unsigned int wanted_events(const struct shmipc_session *session)
{
	return SHMIPC_READABLE |
	       (load_relaxed(&session->room_wanted) || load_relaxed(&session->owing) ? SHMIPC_WRITABLE : 0);
}

/* Whoever polls the loop's descriptor is not to be woken in vain while a thread sleeps in the channel. */
static cold void mask(struct shmipc_session *session, bool masked)
{
	struct epoll_event event = { .events = masked ? 0 : EPOLLIN };

	if (session->masked == masked)
		return;
	session->masked = masked;
	epoll_ctl(session->loop_fd, EPOLL_CTL_MOD, shmipc_channel_fd(session->channel), &event);
}

/* With the lead: nobody watches the descriptor for as long as it is held. */
static void disarm(struct shmipc_session *session)
{
	if (!session->armed)
		return;
	shmipc_channel_disarm(session->channel);
	session->armed = false;
}

/* The loop sleeps for the session from now on. */
static cold void arm(struct shmipc_session *session)
{
	struct waiter *roused = NULL;
	int r;

	if (session->armed)
		return;
	while ((r = shmipc_channel_arm(session->channel, wanted_events(session))) == 1) {
		if (wanted_events(session) & SHMIPC_WRITABLE && ready_events(session->channel, SHMIPC_WRITABLE))
			see_room(session, &roused);
		if (harvest(session, &roused) < 0)
			break;
	}
	session->armed = !r;
	mask(session, false);
	lead_wake(roused);
}

void lead_watch(struct shmipc_session *session)
{
	if (lead_try(session)) {
		disarm(session);
		lead_leave(session);
	} else {
		shmipc_channel_kick(session->channel);
	}
}

/* For an event of the loop's: whoever has the lead sees to it, even if just about to leave, and armed already. */
static bool lead_or_leave_word(struct shmipc_session *session)
{
	if (likely(lead_try(session)))
		return true;
	if (load_acquire(&session->loop_fd) < 0)
		return false;
	store_relaxed(&session->missed, true); /* (E) */
	full_barrier();
	return lead_try(session);
}

void lead_harvest(struct shmipc_session *session)
{
	struct waiter *roused = NULL;

	if (!lead_or_leave_word(session))
		return;
	store_relaxed(&session->missed, false);
	disarm(session);
	while (harvest(session, &roused) > 0)
		;
	if (wanted_events(session) & SHMIPC_WRITABLE && ready_events(session->channel, SHMIPC_WRITABLE))
		see_room(session, &roused);
	lead_leave(session);
	lead_wake(roused);
}

/* Somebody else leads on. */
static cold void hand_on(struct shmipc_session *session)
{
	struct waiter *roused = NULL;

	lock_take(&session->lock);
	if (session->followers)
		lead_rouse_locked(session, session->followers, &roused);
	lock_release(&session->lock);
	lead_wake(roused);
}

/* An edge-triggered loop will not be told again of what it found while this thread had the lead: it is, here. */
static cold void pass_missed(struct shmipc_session *session)
{
	full_barrier();
	if (atomic_exchange(&session->missed, false)) /* (F) */
		callback_wake(session);
}

/* (B): where followers pay for it, nothing. */
static inline void lead_barrier(const struct shmipc_session *session)
{
	if (likely(session->pays))
		compiler_barrier();
	else
		full_barrier();
}

static inline void leave(struct shmipc_session *session)
{
	if (unlikely(load_acquire(&session->loop_fd) >= 0))
		arm(session);
	store_release(&session->lead, LEAD_FREE); /* (A) */
	lead_barrier(session);			  /* (B) */
	if (unlikely(load_relaxed(&session->followed)))
		hand_on(session);
	if (unlikely(load_relaxed(&session->loop_fd) >= 0))
		pass_missed(session);
}

void lead_leave(struct shmipc_session *session)
{
	leave(session);
}

/*
 * Wake others, or where there is nobody to be woken let those run that were, and lead on. Either system call may well let
 * another thread run at once, on this very processor: until this one gets on, he may have the lead, rather than find it held
 * by a thread that does not run. Whether it is this one's again.
 */
static bool make_way(struct shmipc_session *session, struct waiter **roused)
{
	uint32_t offered = LEAD_OFFERED;

	store_release(&session->lead, LEAD_OFFERED); /* (H) */
	if (*roused)
		lead_wake(*roused);
	else
		sched_yield();
	*roused = NULL;
	return atomic_compare_exchange_strong_explicit(&session->lead, &offered, LEAD_HELD, memory_order_acquire,
						       memory_order_relaxed); /* (I) */
}

/* What to sleep for, and that followers know it. */
static inline unsigned int announce_events(struct shmipc_session *session, const struct waiter *w)
{
	unsigned int own = w->wants & WAIT_ROOM ? SHMIPC_WRITABLE : 0, events;

	do {
		events = wanted_events(session) | own;
		store_relaxed(&session->asks, events); /* (G) */
		lead_barrier(session);		       /* (B) */
	} while (unlikely(wanted_events(session) & ~events));
	return events;
}

/* Sleep in the channel. 1: a message came; 0: something did; or -errno. */
static int sleep_leading(struct shmipc_session *session, const struct waiter *w, int64_t deadline,
			 struct waiter **roused)
{
	unsigned int events = announce_events(session, w);
	int64_t until = deadline;
	int r;

	if (unlikely(load_acquire(&session->loop_fd) >= 0))
		mask(session, true);
	if (unlikely(session->parked)) {
		until = process_now() + PARKED_LOOK_NS;
		if (until > deadline)
			until = deadline;
	}
	r = shmipc_channel_wait(session->channel, events, until);
	store_relaxed(&session->asks, 0);
	if (likely(r == SHMIPC_READABLE))
		return 1;
	if (r > 0 && r & SHMIPC_WRITABLE)
		see_room(session, roused);
	if (r >= 0 || (r == -ETIMEDOUT && until < deadline))
		return 0;
	if (r != -EINTR && r != -ETIMEDOUT)
		session_fail(session, r);
	return r;
}

#define UNDECIDED 1

/*
 * With the lead: until the own wish is fulfilled, or another thread took the lead, which *@leads says: then UNDECIDED, or
 * why not to wait on.
 */
static inline int lead_until(struct shmipc_session *session, struct waiter *w, int64_t deadline, bool *leads)
{
	bool look = true, slept = false;
	struct waiter *roused = NULL;
	int r = 0, n;

	if (unlikely(session->armed)) {
		if (!deadline && !is_readable(session->channel) && !load_relaxed(&session->channel->bell.dead))
			return is_fulfilled(session, w) ? 0 : -EAGAIN;
		disarm(session);
	}
	for (;;) {
		if (unlikely(look) && is_fulfilled(session, w))
			return 0;
		look = true;
		/* Before the first sleep a look at the ring is enough. Whatever ended one, the peer's death is found in harvest(). */
		if (slept || is_readable(session->channel) || !deadline || session->parked) {
			if (harvest_direct(session, w))
				return 0;
			if (unlikely(harvest_is_ahead(session))) {
				if (!make_way(session, &roused))
					break;
				continue; /* and look */
			}
			n = harvest(session, &roused);
			if (unlikely(roused) && !make_way(session, &roused))
				break;
			if (n)
				continue;
			if (r < 0)
				return r;
			if (!deadline)
				return -EAGAIN;
		}
		r = sleep_leading(session, w, deadline, &roused);
		if (unlikely(roused) && !make_way(session, &roused))
			break;
		slept = true;
		look = r <= 0; /* a message woke it: nothing else can have changed that matters more */
	}
	*leads = false;
	return r < 0 ? r : UNDECIDED;
}

static struct waiter **place_of(struct waiter *w)
{
	return w->wants & WAIT_READ ? &w->stream->reader : &w->stream->writer;
}

/* Enter the list, unless there is no need to. */
static bool enter(struct shmipc_session *session, struct waiter *w)
{
	bool entered = false;

	lock_take(&session->lock);
	if (!is_fulfilled(session, w)) {
		entered = true;
		store_relaxed(&session->followed, true); /* (C) */
		store_relaxed(&w->word, 0);
		w->next = NULL;
		w->link = session->followers_end;
		*session->followers_end = w;
		session->followers_end = &w->next;
		if (w->stream)
			*place_of(w) = w;
		if (w->wants & WAIT_ROOM)
			atomic_fetch_add(&session->room_wanted, 1);
	}
	lock_release(&session->lock);
	return entered;
}

static cold int follow(struct shmipc_session *session, struct waiter *w, int64_t deadline)
{
	struct waiter *roused = NULL;
	int r = 0;

	outbox_settle(session);
	if (!enter(session, w))
		return 0;
	if (session->pays)
		process_membarrier_threads(); /* (D) */
	else
		full_barrier();
	tally(&session->counts.follows, 1);
	if (w->wants & WAIT_ROOM && !(load_relaxed(&session->asks) & SHMIPC_WRITABLE))
		shmipc_channel_kick(session->channel); /* the leader is to ask for room too */
	while (load_relaxed(&session->lead) == LEAD_HELD /* (E) */ && !load_acquire(&w->word) && !r)
		r = futex_sleep(&w->word, 0, FUTEX_IN_PROCESS, deadline);
	lock_take(&session->lock);
	if (w->link)
		lead_rouse_locked(session, w, &roused);
	lock_release(&session->lock);
	/* Roused, but not by ourselves: whoever did is about to touch the word, which is on our stack. */
	while (!roused && !load_acquire(&w->word))
		futex_sleep(&w->word, 0, FUTEX_IN_PROCESS, SHMIPC_FOREVER);
	return r;
}

int lead_wait(struct shmipc_session *session, struct waiter *w, int64_t deadline)
{
	bool leads;
	int r;

	for (;;) {
		if (likely(lead_try(session))) {
			count(&session->leads, 1);
			leads = true;
			r = lead_until(session, w, deadline, &leads);
			if (likely(leads)) {
				leave(session);
				return r;
			}
			if (r < 0)
				return is_fulfilled(session, w) ? 0 : r;
			continue;
		}
		if (is_fulfilled(session, w))
			return 0;
		if (!deadline)
			return -EAGAIN;
		r = follow(session, w, deadline);
		if (r)
			return is_fulfilled(session, w) ? 0 : r;
	}
}
