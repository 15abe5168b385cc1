// SPDX-License-Identifier: Apache-2.0
/*
 * listener_restart.c - the sessions that a listener brought, and asking their clients to connect anew
 *
 * The listener owns no session. It knows those that live by their hooks: each has a member, which goes when the
 * session ends, or when the listener does. A session in the list of members is alive in memory while `lock` is
 * held: its end waits in on_end for the lock.
 *
 * A restart is over when every client that was asked has answered or is gone, and no handshake is in progress; one
 * that ends meanwhile is asked too. Time is only looked at when somebody comes by: in process, accept, or
 * restart_progress.
 */
#include <stdlib.h>

#include "listener_internal.h"

static uint32_t count_pending(const struct shmipc_restart_progress *p)
{
	return p->asked - p->renewed - p->gone - p->failed;
}

static void remove_locked(struct member *m)
{
	*m->link = m->next;
	if (m->next)
		m->next->link = m->link;
	m->link = NULL;
}

/* The session's last hook. */
static void on_end(struct shmipc_session *session, void *arg)
{
	struct member *m = arg;
	struct shmipc_listener *l = m->listener;
	bool mine;

	(void)session;
	lock_take(&l->lock);
	mine = m->link;
	if (mine) {
		remove_locked(m);
		if (m->asked)
			l->restart.gone++;
	}
	lock_release(&l->lock);
	if (mine)
		free(m); /* else member_drop_all() has it */
}

static void on_restart_answer(struct shmipc_session *session, uint64_t epoch, int status, void *arg)
{
	struct member *m = arg;
	struct shmipc_listener *l = m->listener;

	(void)session;
	lock_take(&l->lock);
	if (m->link && m->told && epoch == l->restart.epoch) {
		/* One that is late is not asked again, and counted as it was. */
		m->renewed |= !status;
		if (m->asked) {
			m->asked = false;
			if (status)
				l->restart.failed++;
			else
				l->restart.renewed++;
		}
	}
	lock_release(&l->lock);
}

/* Have a member asked, once the lock is let go. */
static void ask_locked(struct shmipc_listener *l, struct member *m)
{
	m->told = true;
	m->asked = true;
	l->restart.asked++;
}

int member_add(struct shmipc_listener *l, struct shmipc_session *session)
{
	struct member *m = calloc(1, sizeof(*m));
	const struct session_hooks hooks = { .on_end = on_end, .on_restart_answer = on_restart_answer, .arg = m };
	uint64_t epoch;
	bool ask;

	if (!m)
		return -ENOMEM;
	m->listener = l;
	m->session = session;
	lock_take(&l->lock);
	m->next = l->members;
	m->link = &l->members;
	if (m->next)
		m->next->link = &m->next;
	l->members = m;
	ask = l->restart.state == SHMIPC_RESTART_ACTIVE;
	epoch = l->restart.epoch;
	if (ask)
		ask_locked(l, m);
	lock_release(&l->lock);
	session_set_hooks(session, &hooks);
	if (ask)
		outbox_control(session, MSG_RESTART, epoch, 0);
	return 0;
}

void member_drop_all(struct shmipc_listener *l)
{
	struct shmipc_session *session;
	struct member *m;

	for (;;) {
		lock_take(&l->lock);
		m = l->members;
		if (m) {
			session = m->session;
			session_get(session);
			remove_locked(m);
		}
		lock_release(&l->lock);
		if (!m)
			return;
		/* Returns when no hook runs: they know nothing of the member any more. */
		session_set_hooks(session, NULL);
		session_put(session);
		free(m);
	}
}

void member_close_copies(struct shmipc_listener *l)
{
	struct member *m;

	while ((m = l->members)) {
		l->members = m->next;
		free(m);
	}
}

static void end_restart_locked(struct shmipc_listener *l, int64_t now)
{
	struct shmipc_restart_progress *p = &l->restart;
	bool late = now >= load_relaxed(&l->restart_deadline);
	struct member *m;

	if (p->state != SHMIPC_RESTART_ACTIVE || ((count_pending(p) || load_acquire(&l->handshakes)) && !late))
		return;
	for (m = l->members; m; m = m->next)
		m->asked = false;
	p->failed += count_pending(p);
	p->state = p->failed ? SHMIPC_RESTART_FAILED : SHMIPC_RESTART_DONE;
	store_relaxed(&l->restart_deadline, SHMIPC_FOREVER);
	/* Where clients could not leave, new ones are not left standing either. */
	store_relaxed(&l->resting, p->state == SHMIPC_RESTART_DONE);
}

void restart_update(struct shmipc_listener *l)
{
	bool rested;

	lock_take(&l->lock);
	rested = load_relaxed(&l->resting);
	end_restart_locked(l, process_now());
	rested &= !load_relaxed(&l->resting);
	lock_release(&l->lock);
	if (rested)
		work_adjust(l);
}

/* Begin, and take a reference to each session that is to be asked. Returns how many. */
static int begin_restart_locked(struct shmipc_listener *l, uint64_t epoch, int64_t deadline,
				struct shmipc_session ***sessions)
{
	struct member *m;
	int count = 0;

	for (m = l->members; m; m = m->next)
		count += !m->renewed;
	*sessions = calloc((size_t)count + 1, sizeof(**sessions));
	if (!*sessions)
		return -ENOMEM;
	l->restart = (struct shmipc_restart_progress){ .state = SHMIPC_RESTART_ACTIVE, .epoch = epoch };
	/* Without a deadline it is one all the same, so that it counts as under way. */
	store_relaxed(&l->restart_deadline, deadline == SHMIPC_FOREVER ? SHMIPC_FOREVER - 1 : deadline);
	store_relaxed(&l->resting, true);
	count = 0;
	for (m = l->members; m; m = m->next) {
		m->told = false;
		if (m->renewed)
			continue;
		ask_locked(l, m);
		session_get(m->session);
		(*sessions)[count++] = m->session;
	}
	return count;
}

int shmipc_listener_restart(struct shmipc_listener *l, uint64_t epoch, int64_t deadline)
{
	struct shmipc_session **sessions = NULL;
	int r = listener_check(l), i, count = 0;

	if (r)
		return r;
	restart_update(l);
	lock_take(&l->lock);
	if (l->restart.state == SHMIPC_RESTART_ACTIVE)
		r = -EALREADY;
	else
		count = begin_restart_locked(l, epoch, deadline, &sessions);
	lock_release(&l->lock);
	if (r || count < 0)
		return r ? r : count;
	work_adjust(l);
	for (i = 0; i < count; i++) {
		outbox_control(sessions[i], MSG_RESTART, epoch, 0);
		session_put(sessions[i]);
	}
	free(sessions);
	return 0;
}

int shmipc_listener_restart_progress(struct shmipc_listener *l, struct shmipc_restart_progress *progress)
{
	int r = listener_check(l);

	if (r)
		return r;
	if (load_relaxed(&l->restart_deadline) != SHMIPC_FOREVER)
		work_do(l); /* handshakes in progress count, and nobody else may be there to move them on */
	restart_update(l);
	lock_take(&l->lock);
	*progress = l->restart;
	lock_release(&l->lock);
	return 0;
}
