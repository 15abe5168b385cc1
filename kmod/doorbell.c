// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: the doorbell of an endpoint
 *
 * Responsible for sleeping and waking, and for nothing else. This is the hot path: a round trip
 * between two processes that both sleep is two calls of RING_WAIT. It takes no lock of its own, has
 * no wait queue (one task at a time waits for an endpoint, so a pointer to it does), allocates
 * nothing and sets no timer unless there is a deadline. What polls is on a wait queue, which costs
 * one load as long as nobody does.
 *
 * The words in the lanes are written by processes that may lie. They are read to decide whether to
 * go on sleeping and what poll says; each value, loaded once, is compared and forgotten.
 *
 * ORDER
 *
 * a sleeper of endpoint E                        whoever rings for E
 *
 *   user: STORE E.seq = s                          user: publish
 *   user: full barrier                             user: full barrier
 *   user: look once more                           user: LOAD E.seq, gives s
 *                                                  user: STORE P.rung = s
 *   STORE state = INTERRUPTIBLE
 *   STORE E.waiter = me      (A)                   replace P.rang, full barrier (D)
 *   full barrier             (B)                   LOAD E.waiter              (E)
 *   LOAD P.rung              (C)                   wake it if its state says so
 *   schedule() if it is not s
 *
 * (A) before (B) before (C) pairs with the user's store of rung before (D) before (E): if the
 * sleeper does not see rung, the ringer sees the waiter, and its state, and wakes it. The wake
 * sets the state to RUNNING, so that it is not lost when it comes before schedule(). Without (B),
 * or with (A) after (C), or without (D), both may look too early and the sleeper stays asleep.
 *
 * KICK is the same with the own seq in the place of rung: user: STORE E.seq; full barrier (F);
 * (E). Death is the same with channel->dead: STORE dead (G); full barrier (H); (E). poll() is the
 * same with the wait queue in the place of waiter: join the queue; full barrier (I); LOAD seq (J),
 * rung (K). (J) before (K): a rung that equals an older seq must not be taken for an answer to a
 * newer one.
 *
 * The task that (E) finds may leave, and even exit, at any time. Its memory stays for as long as
 * the ringer is an RCU reader: a task is freed a grace period after it exits, and it clears waiter
 * before it leaves. If it has gone to sleep elsewhere meanwhile, the wake is a spurious one there,
 * which every interruptible sleep must expect.
 *
 * A RING REPEATED
 *
 * rang remembers for which value of rung the endpoint has rung; a ring for the same value is a
 * restarted one and is ignored: the first one has passed (D) and did or does (E). rang is loaded
 * before rung and replaced only if it has not changed since, so that of two threads that ring at the
 * same time none puts an older value back, and no sleep is rung for twice.
 *
 * GIVING WAY
 *
 * Where both sides share a processor, the peer cannot answer before the caller of RING_WAIT has left
 * it, and often answers at once. So the caller, before it goes to sleep, gives way once, still
 * runnable: then the answer costs no wake-up, and the wait no sleep. To a peer that is itself giving
 * way, which nothing has woken, it yields by name where the scheduler wants one (compat.h). This comes
 * before (A) and changes nothing in the order: what was rung for meanwhile is seen, and else the sleep
 * begins as it always does.
 *
 * It must not cost where it does not help. It is tried only when the peer's last RING_WAIT was on the
 * same processor; after a trial in vain some calls sleep at once, twice as many each time up to
 * YIELD_PAUSE_MAX; and when a trial took more than a tick, so that somebody else wants the processor
 * and a sleeper's claim to it is the better one, there is none for a second. The fields for that are
 * hints: threads of one endpoint that call at the same time may spoil them for each other, and nothing
 * else.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "compat.h"
#include "internal.h"
#include "trace.h"

/*
 * A caller of RING_WAIT whose peer last waited on the same processor first gives way while it is
 * still runnable. The peer often answers before the caller runs again; then nobody needs to be
 * taken off the run queue or be woken, which is a third of a round trip. It is in vain if the
 * scheduler prefers the caller; then some calls go to sleep directly before it is tried again.
 */
#define YIELD_PAUSE_MAX 16U

/* What a waker tells the scheduler if it is about to sleep; a value that is private there. */
static int sync_wake_flags __ro_after_init;

static int __init learn_flags(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	sync_wake_flags = flags;
	return 0;
}

/**
 * shmipc_doorbell_init() - learn how this kernel spells a synchronous wake
 */
void __init shmipc_doorbell_init(void)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(queue);
	DEFINE_WAIT_FUNC(entry, learn_flags);

	add_wait_queue(&queue, &entry);
	wake_up_interruptible_sync_poll(&queue, EPOLLIN);
	remove_wait_queue(&queue, &entry);
}

/* The task may leave its wait, and exit, while it is woken: see above. Returns if it was there. */
static noinline bool wake_waiter(struct shmipc_endpoint *ep, int flags)
{
	struct wait_queue_entry entry;
	struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(ep->waiter);
	if (task) {
		entry.private = task;
		default_wake_function(&entry, TASK_INTERRUPTIBLE, flags, NULL);
	}
	rcu_read_unlock();
	return task;
}

/* Step (E), for both kinds of sleepers; the caller has issued the full barrier. */
static bool wake_endpoint(struct shmipc_endpoint *ep, int flags, __poll_t events)
{
	bool found = false;

	if (rcu_access_pointer(ep->waiter))		/* (E) */
		found = wake_waiter(ep, flags);
	if (waitqueue_active(&ep->pollers)) {		/* (E) */
		wake_up_interruptible_poll(&ep->pollers, events);
		found = true;
	}
	return found;
}

/* Sleep once. Returns whether the deadline has passed. */
static bool sleep_until(ktime_t *deadline)
{
	if (!deadline) {
		schedule();
		return false;
	}
	return !schedule_hrtimeout_range(deadline, current->timer_slack_ns, HRTIMER_MODE_ABS);
}

/**
 * shmipc_doorbell_wait() - sleep until the peer has rung for the own seq
 * @ep: endpoint bound to the caller's process
 * @seq: odd value that the caller has announced
 * @deadline: absolute, on CLOCK_MONOTONIC; %NULL: none
 *
 * What is true at the same time is reported in the order of the tests below.
 *
 * Context: process, may sleep; no lock held. Return: 0 (rung, or seq was withdrawn), -EPIPE (a
 * side is dead), -ERESTARTSYS (a signal), -ETIMEDOUT, -EBUSY (another thread waits).
 */
int shmipc_doorbell_wait(struct shmipc_endpoint *ep, u32 seq, ktime_t *deadline)
{
	bool expired = false;
	bool slept = false;
	int err;

	__set_current_state(TASK_INTERRUPTIBLE);
	if (cmpxchg(&ep->waiter, NULL, RCU_INITIALIZER(current))) {	/* (A), (B) */
		__set_current_state(TASK_RUNNING);
		return -EBUSY;
	}
	for (;;) {
		err = 0;
		if (READ_ONCE(ep->peer_words->rung) == seq)		/* (C) */
			break;
		if (READ_ONCE(ep->words->seq) != seq)
			break;
		err = -EPIPE;
		if (READ_ONCE(ep->channel->dead))
			break;
		err = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		err = -ETIMEDOUT;
		if (expired)
			break;
		if (!slept) {
			slept = true;
			WRITE_ONCE(ep->sleeps, ep->sleeps + 1);
		}
		expired = sleep_until(deadline);
		set_current_state(TASK_INTERRUPTIBLE);			/* (B) again */
	}
	__set_current_state(TASK_RUNNING);
	smp_store_release(&ep->waiter, NULL);	/* sleeps is the next one's to count */
	trace_shmipc_wait(ep, seq, err, slept);
	return err;
}

/**
 * shmipc_doorbell_ring() - wake the peer, which the own rung says is to be woken
 * @ep: endpoint bound to the caller's process
 * @sync: the caller is about to sleep, which the scheduler may want to know
 *
 * A full barrier, except when it fails.
 *
 * Context: process; does not sleep.
 * Return: 0, also when this value of rung was rung for before; -EPIPE (a side is dead).
 */
int shmipc_doorbell_ring(struct shmipc_endpoint *ep, bool sync)
{
	u32 rang, rung;
	bool found;

	if (READ_ONCE(ep->channel->dead))
		return -EPIPE;
	do {
		rang = READ_ONCE(ep->rang);
		rung = READ_ONCE(ep->words->rung);
		if (rang == rung) {
			smp_mb();			/* a ring ignored is a barrier as well */
			return 0;
		}
	} while (cmpxchg(&ep->rang, rang, rung) != rang);	/* (D) */
	found = wake_endpoint(ep->peer, sync ? sync_wake_flags : 0, EPOLLIN);
	if (found)
		atomic_long_inc(&ep->rings);
	trace_shmipc_ring(ep, rung, found);
	return 0;
}

/* Whether giving way may help; see GIVING WAY. */
static bool may_give_way(struct shmipc_endpoint *ep)
{
	unsigned int pause = READ_ONCE(ep->yield_pause);
	int cpu = raw_smp_processor_id();

	WRITE_ONCE(ep->cpu, cpu);
	if (READ_ONCE(ep->peer->cpu) != cpu)
		return false;
	if (likely(!pause))
		return true;
	if (pause == 1 && time_before(jiffies, READ_ONCE(ep->yield_after)))
		pause = YIELD_PAUSE_MAX;
	WRITE_ONCE(ep->yield_pause, pause - 1);
	return false;
}

/* Let the peer run: by name if it gives way too. */
static void yield_to_peer(struct shmipc_endpoint *ep)
{
	struct task_struct *task;

	rcu_assign_pointer(ep->yielder, current);
	rcu_read_lock();
	task = rcu_dereference(ep->peer->yielder);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (task) {
		yield_to(task, false);
		put_task_struct(task);
	} else {
		schedule();
	}
	RCU_INIT_POINTER(ep->yielder, NULL);
}

/* Give way once. Returns whether the peer has rung for @seq meanwhile. */
static bool give_way(struct shmipc_endpoint *ep, u32 seq)
{
	unsigned int vain = READ_ONCE(ep->yield_vain);
	unsigned long before = jiffies;

	if (SHMIPC_YIELD_BY_NAME)
		yield_to_peer(ep);
	else
		schedule();
	if (unlikely(jiffies - before > 1)) {
		WRITE_ONCE(ep->yield_pause, YIELD_PAUSE_MAX);
		WRITE_ONCE(ep->yield_after, jiffies + HZ);
	}
	if (likely(READ_ONCE(ep->peer_words->rung) == seq)) {
		if (unlikely(vain > 1))
			WRITE_ONCE(ep->yield_vain, 1);
		return true;
	}
	vain = clamp(2 * vain, 2U, YIELD_PAUSE_MAX);
	WRITE_ONCE(ep->yield_vain, vain);
	WRITE_ONCE(ep->yield_pause, vain);
	return false;
}

/**
 * shmipc_doorbell_ring_wait() - ring, then wait
 * @ep: endpoint bound to the caller's process
 * @seq: as for shmipc_doorbell_wait()
 * @deadline: likewise
 *
 * That a side is dead is the wait's to report, after it has looked for progress.
 *
 * Context: process, may sleep; no lock held.
 * Return: as shmipc_doorbell_wait().
 */
int shmipc_doorbell_ring_wait(struct shmipc_endpoint *ep, u32 seq, ktime_t *deadline)
{
	shmipc_doorbell_ring(ep, true);
	if (may_give_way(ep) && give_way(ep, seq)) {
		trace_shmipc_wait(ep, seq, 0, false);
		return 0;
	}
	return shmipc_doorbell_wait(ep, seq, deadline);
}

/**
 * shmipc_doorbell_kick() - have the own endpoint's sleepers look again
 * @ep: endpoint bound to the caller's process
 *
 * Context: process; does not sleep. A full barrier.
 */
void shmipc_doorbell_kick(struct shmipc_endpoint *ep)
{
	smp_mb();					/* (F) */
	wake_endpoint(ep, 0, EPOLLIN);
}

/**
 * shmipc_doorbell_hangup() - tell all sleepers of both sides that an endpoint was marked dead
 * @ep: the dead endpoint; channel->dead says so already (G)
 *
 * In this order: a sleeper that was woken first could look before the mark is there, and sleep on.
 *
 * Context: process; does not sleep.
 */
void shmipc_doorbell_hangup(struct shmipc_endpoint *ep)
{
	smp_mb();					/* (H) */
	wake_endpoint(ep, 0, EPOLLIN | EPOLLHUP);
	wake_endpoint(ep->peer, 0, EPOLLIN | EPOLLHUP);
}

/**
 * shmipc_doorbell_poll() - what poll says about an endpoint
 * @ep: the endpoint; the caller is on its queue of pollers
 *
 * Return: EPOLLIN when there is something to look at: not armed, or rung; with EPOLLHUP when a side
 * is dead.
 */
__poll_t shmipc_doorbell_poll(struct shmipc_endpoint *ep)
{
	u32 seq;

	smp_mb();					/* (I) */
	if (READ_ONCE(ep->channel->dead))
		return EPOLLIN | EPOLLHUP;
	seq = smp_load_acquire(&ep->words->seq);	/* (J) */
	if (!(seq & 1) || READ_ONCE(ep->peer_words->rung) == seq)	/* (K) */
		return EPOLLIN;
	return 0;
}
