/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener_internal.h - what is inside a listener, and what its files share
 *
 *	listener.c		create, accept, process, shutdown, close
 *	listener_options.c	checking options
 *	listener_work.c		connections and handshakes
 *	listener_restart.c	the sessions that were accepted, and hot restart
 *	listener_streams.c	accept_stream: sessions that the listener drives itself
 *
 * One epoll descriptor says when there is something to do: the listening socket, each handshake's socket,
 * a timer, and an eventfd that is readable while sessions are there to accept, or for good after shutdown. Whoever
 * comes by does the work: threads in accept poll that descriptor, so does an event loop, and each does what
 * there is to do under `work`, which nobody holds for longer than a batch of steps that do not block.
 *
 * Locking.
 *
 *	work		connections: the listening socket and all handshakes
 *	lock		what was made of them: the queue, members, the restart. Short, nothing blocks under it
 *
 * Sessions are made, and lines logged, under none of them. Order: making, work, then lock. A session's hooks run
 * with the session's hooks_lock held and take `lock`: so no function that takes hooks_lock (session_set_hooks) or
 * may run hooks (outbox_control) is called under `lock`.
 */
#ifndef SHMIPC_LISTENER_INTERNAL_H
#define SHMIPC_LISTENER_INTERNAL_H

#include "../wire/binding.h"
#include "../wire/handshake.h"
#include "internal.h"
#include "shmipc/listener.h"

/* A handshake in progress. */
struct connection {
	struct handshake handshake;
	struct connection *next, **link; /* oldest first, so also by deadline */
	short events;			 /* that epoll waits for */
	/* What it came to: */
	struct shmipc_channel *channel;
	struct session_limits limits;
};

/* A session that came of one and has not ended. The session is the application's: it is known here by its hooks. */
struct member {
	struct shmipc_listener *listener;
	struct shmipc_session *session;
	struct member *next, **link; /* in listener->members; link NULL: taken out */
	bool told;		     /* in this restart: it was asked to connect anew */
	bool asked;		     /* and has not answered in time */
	bool renewed;		     /* has connected anew */
};

/* Who takes the sessions. */
enum listener_use { LISTENER_UNUSED, LISTENER_SESSIONS, LISTENER_STREAMS };

struct listener_streams;

struct shmipc_listener {
	/* Set before publish: */
	const _Atomic uint32_t *guard;
	struct shmipc_listener_options options;
	char address[ADDRESS_TEXT];
	struct binding binding;
	int epoll_fd, timer_fd, wake_fd;

	_Atomic bool stopped;		  /* for good; under work and lock */
	_Atomic uint32_t handshakes;	  /* in progress; under work */
	_Atomic uint32_t queued;	  /* sessions to accept; under lock */
	_Atomic bool resting;		  /* takes no connections for the time of a restart; under lock */
	_Atomic int64_t restart_deadline; /* SHMIPC_FOREVER: none; under lock */

	struct lock work;
	_Atomic int socket;   /* -1: stopped */
	bool masked;	      /* epoll does not report the socket */
	int64_t masked_until; /* descriptors ran out */
	int64_t timer_at;     /* what the timer is set to; SHMIPC_FOREVER: not at all */
	struct connection *oldest, **newest;
	struct connection *finished; /* to be made sessions */
	uint32_t refused;	     /* to be logged: how many handshakes failed, and why one did */
	int refused_for;
	struct handshake_note *notes; /* to be traced */
	uint32_t noted;

	struct lock lock;
	struct shmipc_session **queue; /* a ring of options.handshakes */
	uint32_t queue_head;
	struct member *members;
	struct shmipc_restart_progress restart;
	enum listener_use use;

	struct lock making; /* held while streams begin */
	struct listener_streams *_Atomic streams;
};

/* Whether a call may go on: 0 or -EPERM. First in every public function. */
static inline int listener_check(const struct shmipc_listener *listener)
{
	return likely(load_relaxed(listener->guard)) ? 0 : -EPERM;
}

/* listener_options.c */
int listener_options_take(const struct shmipc_listener_options *from, struct shmipc_listener_options *to);

/* listener.c: a session whose handshake is done, with its member; there is room for it. */
void listener_queue(struct shmipc_listener *listener, struct shmipc_session *session);

/* listener_work.c */

/* Start with a listening socket; on failure it stays the caller's. */
int work_init(struct shmipc_listener *listener, int socket);
/* Take connections, move handshakes on, without blocking. */
void work_do(struct shmipc_listener *listener);
/* Take no more connections, drop the handshakes in progress, close the socket. Idempotent. */
void work_stop(struct shmipc_listener *listener);
/* Look again whether connections are wanted, and when the timer is due. */
void work_adjust(struct shmipc_listener *listener);
/* In a forked child: free what it has of the handshakes. */
void work_close_copy(struct shmipc_listener *listener);

/* listener_restart.c */

/* Know a session, before anybody else does. -ENOMEM. */
int member_add(struct shmipc_listener *listener, struct shmipc_session *session);
/* Forget all. */
void member_drop_all(struct shmipc_listener *listener);
/* In a forked child: free what it has of them. */
void member_close_copies(struct shmipc_listener *listener);
/* The restart may have come to its end. Not under lock. */
void restart_update(struct shmipc_listener *listener);

/* listener_streams.c */
void streams_stop(struct shmipc_listener *listener); /* wakes who waits; idempotent */
void streams_fini(struct shmipc_listener *listener);
void streams_close_copy(struct shmipc_listener *listener); /* in a forked child */

#endif /* SHMIPC_LISTENER_INTERNAL_H */
