// SPDX-License-Identifier: Apache-2.0
/*
 * sleep.c - waiting for any of many producers
 *
 * The consumer of a vector is the sleeping side of as many doorbells as it has producers. It announces on
 * all (doorbell.h, (E)), pays one barrier (F) and one membarrier (G) for all, looks at all (H), and sleeps in
 * one epoll. Whoever rings, it withdraws everywhere, so that a producer rings at most once a sleep.
 *
 * `control` is an epoll of its own inside `all`: the timed mode sleeps on that alone, since it announces
 * nothing, and a channel that is not armed may be readable.
 */
#include <limits.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "consumer.h"

#define EVENTS_MAX 64
/* How long one that never sleeps goes without a look at the control descriptor. */
#define CONTROL_NS 1000000
/*
 * Looks over all producers between two readings of the clock, and pauses between two looks; after so many readings, some
 * microseconds, this processor is offered to others. The kernel may run producers here though another one idles. Who
 * spins keeps them away then, and those that sleep in turns are one to the kernel: it parts only who is ready to run.
 */
#define LOOKS 8
#define PAUSES 4
#define ROUNDS 4

/*
 * A consumer that was woken so soon after it went to sleep would be woken again for every few messages, at the
 * price of more than they cost. So in adaptive mode, after a batch, it naps for this long before it announces again.
 */
#define SOON_NS 200000
#define NAP_NS 50000

/* A yield that takes longer has let somebody run: then it is done again, so often at most, before a sleep. */
#define YIELDED_NS 2000
#define YIELDS 16

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

int sleep_add(struct shmipc_vector *v, struct inlet *in)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = in };

	return epoll_ctl(v->all, EPOLL_CTL_ADD, in->ch->bell.fd, &event) ? -errno : 0;
}

int sleep_init(struct shmipc_vector *v)
{
	struct epoll_event event = { .events = EPOLLIN };
	cpu_set_t cpus;

	v->all = epoll_create1(EPOLL_CLOEXEC);
	v->control = epoll_create1(EPOLL_CLOEXEC);
	v->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->all < 0 || v->control < 0 || v->kick < 0)
		return -errno;
	v->one_processor = !sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) < 2;
	if (epoll_ctl(v->all, EPOLL_CTL_ADD, v->control, &event))
		return -errno;
	return reception_watch(v, v->kick, CONTROL_KICK);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void sleep_fini(struct shmipc_vector *v)
{
	close_fd(v->all);
	close_fd(v->control);
	close_fd(v->kick);
}

bool sleep_look(const struct shmipc_vector *v)
{
	uint32_t i;

	for (i = 0; i < v->count; i++)
		if (inlet_has_news(v->inlet[i]))
			return true;
	return false;
}

/* epoll_wait until a time. The number of events, or -errno. */
static int wait_events(int fd, struct epoll_event *events, int64_t until)
{
	int64_t left = until == SHMIPC_FOREVER ? 0 : until - process_now();
	struct timespec timeout;
	int n;

	if (left < 0)
		left = 0;
	timeout = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	n = (int)syscall(SYS_epoll_pwait2, fd, events, EVENTS_MAX, until == SHMIPC_FOREVER ? NULL : &timeout, NULL, 0);
	if (n < 0 && errno == ENOSYS) /* before Linux 5.11: milliseconds */
		n = epoll_wait(fd, events, EVENTS_MAX,
			       until == SHMIPC_FOREVER	   ? -1
			       : left / 1000000 >= INT_MAX ? INT_MAX
							   : (int)((left + 999999) / 1000000));
	return n < 0 ? -errno : n;
}

void sleep_withdraw(struct shmipc_vector *v)
{
	uint32_t i;

	for (i = 0; i < v->count; i++)
		wait_withdraw(v->inlet[i]->ch, false);
}

int sleep_arm(struct shmipc_vector *v)
{
	bool owes = false, found = false;
	uint32_t i;

	for (i = 0; i < v->count; i++)
		wait_announce(v->inlet[i]->ch); /* (E) */
	full_barrier();				/* (F) */
	for (i = 0; i < v->count && !owes; i++)
		owes = wait_owes_barrier(v->inlet[i]->ch);
	if (owes) {
		process_membarrier(); /* (G) */
		v->stats.system_calls++;
	}
	v->stats.sleeps++;
	for (i = 0; i < v->count && !found; i++) /* (H) */
		found = inlet_has_news(v->inlet[i]) || wait_has_news(v->inlet[i]->ch);
	if (found)
		sleep_withdraw(v);
	return found;
}

/* Withdraw what the descriptor reported, then the rest. The number of events, or -errno. */
static int withdraw_after(struct shmipc_vector *v, int64_t deadline)
{
	struct epoll_event events[EVENTS_MAX];
	struct inlet *in;
	int n, i;

	v->stats.system_calls++;
	n = wait_events(v->all, events, deadline);
	for (i = 0; i < n; i++) {
		in = events[i].data.ptr;
		if (in)
			wait_withdraw(in->ch, true);
		else
			v->control_at = 0;
	}
	sleep_withdraw(v);
	return n;
}

void sleep_disarm(struct shmipc_vector *v)
{
	withdraw_after(v, 0);
}

static int sleep_armed(struct shmipc_vector *v, int64_t deadline)
{
	int64_t before;
	int r;

	if (sleep_arm(v))
		return 0;
	before = process_now();
	r = withdraw_after(v, deadline);
	v->woken_soon = process_now() - before < SOON_NS;
	return r == -EINTR ? -EINTR : 0;
}

int sleep_nap(struct shmipc_vector *v, int64_t until)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	v->stats.system_calls++;
	n = wait_events(v->control, events, until);
	if (n > 0)
		v->control_at = 0;
	return n == -EINTR ? n : 0;
}

static void yield(struct shmipc_vector *v)
{
	v->stats.system_calls++;
	sched_yield();
}

static bool spin(struct shmipc_vector *v, int64_t limit)
{
	int64_t last = process_now(), now;
	int round, i, pause;

	for (round = 1;; round++) {
		if (round % ROUNDS == 0)
			yield(v);
		for (i = 0; i < LOOKS; i++) {
			if (sleep_look(v))
				return true;
			for (pause = 0; pause < PAUSES; pause++)
				spin_pause();
		}
		now = process_now();
		spin_note_time(&v->spinner, last, now);
		if (now >= limit)
			return false;
		last = now;
	}
}

/* Let producers run that wait for this processor, rather than have them wake this thread. Whether it was worth it. */
static bool make_way(struct shmipc_vector *v, int64_t deadline)
{
	int64_t before, now = process_now();
	int i;

	for (i = 0; i < YIELDS; i++) {
		before = now;
		yield(v);
		if (sleep_look(v))
			return true;
		now = process_now();
		if (now - before < YIELDED_NS || now >= deadline)
			break;
	}
	return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Whether a spin was worth it. */
static bool spin_first(struct shmipc_vector *v, int64_t deadline)
{
	int64_t spin_ns = v->options.spin_ns, begin, now;
	bool won;

	if (v->one_processor || !spin_ns || !v->count || !spin_is_due(&v->spinner))
		return false;
	begin = process_now();
	won = spin(v, sooner(begin + spin_ns, deadline));
	now = process_now();
	if (won)
		spin_note_won(&v->spinner, spin_ns, now - begin, now);
	else
		spin_note_lost(&v->spinner, spin_ns, now - begin, now);
	if (!won)
		spin_note_sleep(&v->spinner, now);
	return won;
}

int sleep_pass_time(struct shmipc_vector *v, int64_t deadline)
{
	deadline = sooner(deadline, reception_deadline(v));
	switch (v->options.sync) {
	case SHMIPC_SYNC_DEMAND:
		break;
	case SHMIPC_SYNC_ADAPTIVE:
		if (spin_first(v, deadline) || (v->batch_came && make_way(v, deadline)))
			return 0;
		if (v->woken_soon && v->batch_came) {
			v->batch_came = false;
			return sleep_nap(v, sooner(process_now() + NAP_NS, deadline));
		}
		v->batch_came = false;
		break;
	case SHMIPC_SYNC_POLLING:
		if (!v->count)
			return sleep_nap(v, sooner(process_now() + CONTROL_NS, deadline));
		spin(v, sooner(process_now() + CONTROL_NS, deadline));
		return 0;
	case SHMIPC_SYNC_TIMED:
		return sleep_nap(v, sooner(process_now() + (int64_t)v->options.timed_ns, deadline));
	}
	return sleep_armed(v, deadline);
}
