/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what is inside a session and a stream, and what the files here share
 *
 *	options.c	checking options
 *	session.c	a session from its channel to its end; who is told when it ends
 *	table.c		stream numbers to streams
 *	lead.c		waiting: one thread harvests for all, the others follow
 *	harvest.c	what arrives, message by message
 *	outbox.c	what leaves: the produce lock, credit, control messages that wait for a slot
 *	fallback.c	bytes through the control socket
 *	stream.c	open, accept, end, reset, close
 *	write.c		write, reserve, submit, and what SHMIPC_MORE holds back
 *	read.c		read, and its kin
 *	piece.c		what arrived and was not read
 *	callback.c	process, and running callbacks
 *	stats.c		counters
 *
 * Messages. A channel message's tag is the stream's id, 0 for the session itself; its kind is one of
 * MSG_*, with flags. The channel's ring is the one order: of a stream's bytes, of its end, of credit.
 *
 * Locking.
 *
 *	lead		a role, not a mutex: who has it consumes from the channel and sleeps for all. Held while
 *			waiting. Whoever wants it and finds it taken follows: lead.c
 *	session->lock	the table, the streams' queues and lists, waiters, callbacks due. Short; nothing blocks under it
 *	session->out_lock	the channel's producing side, what waits for a slot, credit spent
 *
 * Order: lead, then lock, then out_lock. Callbacks, hooks and futex wakes happen under none.
 *
 * A stream's fields belong to its reader (one thread at a time), its writer (likewise), or a lock, as
 * each says. The reader that leads takes a message of its own stream from the ring without any lock.
 *
 * Lifetime. A session is freed with its last reference: the handle's, each stream's, each running
 * call of process. A stream is freed with its last: the handle's, the table's, the outbox's, a running callback's;
 * these are counted under session->lock.
 */
#ifndef SHMIPC_SESSION_INTERNAL_H
#define SHMIPC_SESSION_INTERNAL_H

#include "../channel/endpoint.h"
#include "../lock.h"
#include "record.h"
#include "shmipc/stream.h"

/* A message's kind: what it is, and flags. */
enum {
	MSG_DATA = 1,	   /* bytes of the stream */
	MSG_FALLBACK,	   /* so many bytes of it (u32) come next in the control socket */
	MSG_CLOSE,	   /* the sender neither writes nor reads any more */
	MSG_RESET,	   /* likewise, at once; u32: the application's code */
	MSG_WINDOW,	   /* u64: charge consumed so far; of a stream, or of all small ones for tag 0 */
	MSG_GOODBYE,	   /* tag 0: the sender ends the session */
	MSG_RESTART,	   /* tag 0; u64: connect anew */
	MSG_RESTART_ANSWER, /* tag 0; u64 epoch, i32 status */
	MSG_WHAT = 0xff,
	MSG_OPEN = 0x100, /* flags: the stream's first message */
	MSG_LAST = 0x200, /* the application's message ends here */
	MSG_END = 0x400,  /* the sender writes no more */
};

/* What a message costs its stream's window, beyond its bytes: about what its bookkeeping takes. */
#define MESSAGE_CHARGE 128u
/* Messages up to this size may be held in private memory by the receiver, and count as such. */
#define SMALL_MAX 4096u
/* Copying writes are published in pieces of this size. */
#define PIECE_BYTES 32768u
/* Messages handled before the lock is let go. */
#define HARVEST_BATCH 64

static inline uint64_t charge(size_t size)
{
	return size + MESSAGE_CHARGE;
}

/* What each side says of itself in the handshake, and the other obeys. */
struct session_limits {
	uint64_t window;
	uint64_t private_max;
	uint32_t streams_max;
};

/* Bytes that arrived. */
struct piece {
	struct piece *next;
	struct piece *pinned_prev; /* in stream->pinned, with next */
	const unsigned char *data; /* in bytes[], or in the peer's lane; NULL: on its way through the socket */
	uint32_t size, taken;	   /* bytes, and how many of them were read */
	uint32_t slice;		   /* kept in the channel; IN_SLOT: private */
	bool last;		   /* a message ends here */
	bool small;		   /* counts as private memory */
	unsigned char bytes[];
};

/* A thread that waits, on its stack. */
enum {
	WAIT_READ = 1,	 /* its stream has something to read, or an end */
	WAIT_WINDOW = 2, /* the stream's window opened */
	WAIT_ROOM = 4,	 /* the lane has room */
	WAIT_CREDIT = 8, /* the peer has room for small messages */
	WAIT_ACCEPT = 16,
};

struct waiter {
	struct waiter *next, **link; /* in session->followers */
	struct shmipc_stream *stream;
	uint32_t wants;
	uint32_t room;	       /* session->room when it last tried */
	_Atomic uint32_t word; /* 0: asleep; a futex */
};

/* Bits of stream->flags: under session->lock; read anywhere. */
enum {
	STREAM_SENT_END = 1 << 0,   /* this side writes no more */
	STREAM_GOT_END = 1 << 1,    /* the peer writes no more */
	STREAM_PEER_CLOSED = 1 << 2, /* nor reads */
	STREAM_RESET = 1 << 3,	    /* by either side */
	STREAM_CLOSED = 1 << 4,	    /* the handle is gone */
	STREAM_IN_TABLE = 1 << 5,
	STREAM_SHUT = STREAM_SENT_END | STREAM_PEER_CLOSED | STREAM_RESET | STREAM_CLOSED, /* no writing */
};

/* Bits of stream->owed: what waits for a slot; under out_lock. */
enum {
	OWED_HELD = 1 << 0,  /* bytes that SHMIPC_MORE held back */
	OWED_END = 1 << 1,
	OWED_CLOSE = 1 << 2,
	OWED_RESET = 1 << 3,
	OWED_WINDOW = 1 << 4,
};

/* Bits of stream->due: callbacks to run; under session->lock. */
enum {
	DUE_READABLE = 1 << 0,
	DUE_WRITABLE = 1 << 1,
	DUE_END = 1 << 2,
	DUE_QUEUED = 1 << 3,  /* in session->ready */
	DUE_RUNNING = 1 << 4, /* a callback runs */
	DUE_ENDED = 1 << 5,   /* on_end ran */
};

struct shmipc_stream {
	/* Set before publish: */
	struct shmipc_session *session;
	uint32_t id;

	_Atomic uint32_t flags;
	_Atomic uint32_t active_ms; /* when something last moved; kept up where there is an idle timeout */
	_Atomic uint32_t reset_code;

	/* The writer's: */
	uint64_t sent; /* charge, so far; under out_lock too */
	_Atomic uint64_t acked; /* of it the peer consumed; written with the lead */
	uint64_t bytes_written, messages_sent, fallback_sent;
	struct shmipc_buffer held; /* what SHMIPC_MORE holds back, if held_room */
	uint32_t held_size, held_room;
	uint8_t held_growth;  /* how large the next one is */
	bool announced;	      /* the peer knows it; under out_lock */
	bool buffer_open;     /* reserved, and not submitted */
	void *private_buffer; /* the open buffer, where it will fall back */

	/* The reader's: */
	struct piece *mine; /* taken from the queue */
	void *joined;	    /* what peek copied together; its bytes are in `mine` still */
	uint64_t consumed_direct, bytes_read;
	_Atomic uint64_t consumed; /* by way of pieces; by any thread */
	_Atomic uint64_t told;	   /* of both, what the peer was told */

	/* Under session->lock: */
	struct piece *queue, **queue_end;
	_Atomic bool queued; /* read anywhere */
	struct piece *pinned;
	uint32_t pinned_count;
	uint64_t bytes_received, messages_received;
	struct waiter *reader, *writer;
	struct shmipc_stream *ready_next;
	uint32_t refs;
	uint32_t due;
	bool want_writable; /* a write said -EAGAIN */
	struct shmipc_stream_callbacks callbacks;
	void *callbacks_arg;

	/* Under out_lock: */
	uint32_t owed;
	struct shmipc_stream *owed_next;

	void *user;
};

/* Stream numbers to streams: open addressing, under session->lock. */
struct table {
	struct shmipc_stream **slots;
	uint32_t mask, count, used; /* used: with tombstones */
	uint32_t multiplier;	    /* random and odd: a peer cannot choose colliding numbers */
};

/* Told of what happens to a session, with no lock held, by the thread that met it. For the library's own layers. */
struct session_hooks {
	void (*on_end)(struct shmipc_session *session, void *arg);
	void (*on_restart)(struct shmipc_session *session, uint64_t epoch, void *arg);
	void (*on_restart_answer)(struct shmipc_session *session, uint64_t epoch, int status, void *arg);
	void *arg;
};

/* session->lead */
enum { LEAD_FREE = 0, LEAD_HELD = 1, LEAD_FOLLOWED = 2 };

struct shmipc_session {
	/* Set before publish: */
	const _Atomic uint32_t *guard;
	struct shmipc_channel *channel;
	int socket; /* the control socket */
	bool server;
	struct shmipc_session_options options;
	struct session_limits peer; /* what this side may send */
	struct session_record *record; /* for tools, in the own lane */
	void *user;

	_Atomic int error;	    /* why it ended; 0: it did not */
	_Atomic uint32_t refs;
	_Atomic int64_t unhealthy_until;
	_Atomic uint32_t room;	    /* changes when room came back */
	_Atomic uint32_t room_wanted; /* followers that wait for it */
	_Atomic bool owing;	    /* something waits for a slot */

	/* With the lead: */
	_Alignas(LAYOUT_LINE) _Atomic uint32_t lead;
	_Atomic uint64_t private_direct; /* charge of small messages that never were in private memory */
	uint64_t private_received;	 /* charge of all small messages */
	struct piece *parked, **parked_end; /* pieces on their way through the socket */
	unsigned char parked_header[16];
	uint32_t parked_got; /* bytes of the header and then of the first */
	int64_t parked_until;
	_Atomic uint64_t leads;

	_Alignas(LAYOUT_LINE) struct lock out_lock;
	uint64_t private_sent;
	_Atomic uint64_t private_acked; /* written with the lead */
	struct shmipc_stream *owed, **owed_end;
	struct {
		uint64_t value;
		int32_t status;
		uint16_t kind; /* 0: none */
	} control[4];	       /* session messages that wait for a slot */
	_Atomic uint64_t private_told;

	_Alignas(LAYOUT_LINE) struct lock lock;
	_Atomic uint64_t private_consumed; /* by way of pieces; by any thread */
	struct table table;
	uint32_t next_id;
	struct waiter *followers;
	struct shmipc_stream *accepted, **accepted_end; /* opened by the peer, and not taken; linked by ready_next */
	uint32_t accepted_count;
	struct shmipc_stream *ready, **ready_end; /* with callbacks due */
	struct shmipc_session_callbacks callbacks;
	void *callbacks_arg;
	bool has_callbacks;
	bool running;	    /* a callback of the session's own */
	bool end_reported;
	uint64_t restart_epoch; /* on_restart is due */
	bool restart_due;
	struct session_hooks hooks;

	/* Driven by an event loop: */
	_Atomic int loop_fd; /* an epoll of the channel's descriptor and wake_fd; -1: not so */
	int wake_fd;	     /* an eventfd: callbacks became due outside of process */
	_Atomic bool signalled;

	struct shmipc_session *list_next, **list_link; /* all of the process: session.c */
	struct {
		_Atomic uint64_t opened, accepted, refused, reset, written, read, waited, fallback_sent,
			fallback_sent_bytes, fallback_received, fallback_received_bytes, exhaustions, errors,
			restarts, restarts_failed, follows;
	} counts;
};

/* Whether a call may go on: 0 or -EPERM. First in every public function. */
static inline int session_check(const struct shmipc_session *session)
{
	return likely(load_relaxed(session->guard)) ? 0 : -EPERM;
}

/* Count where threads meet. */
static inline void tally(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* options.c */
int session_options_take(const struct shmipc_session_options *from, struct shmipc_session_options *to);

/* session.c */

/**
 * session_start - make a session of a channel whose handshake is done
 * @channel: both endpoints attached; the session's from now on, also on failure
 * @socket: the control socket; likewise
 * @server: which side this is
 * @options: checked, as session_options_take() gives them
 * @peer: the peer's limits, checked
 */
int session_start(struct shmipc_channel *channel, int socket, bool server,
		  const struct shmipc_session_options *options, const struct session_limits *peer,
		  struct shmipc_session **session);

void session_get(struct shmipc_session *session);
void session_put(struct shmipc_session *session);

/* Set what is told of; what happened before is told at once. Hooks may not be called any more when it returned NULL's. */
void session_set_hooks(struct shmipc_session *session, const struct session_hooks *hooks);

/* End it, for the first cause. Everybody wakes. Not under a lock. Returns the cause that is kept. */
int session_fail(struct shmipc_session *session, int error);

/* For each session of the process, under the list's lock: @visit may take session->lock. */
void session_for_each(void (*visit)(struct shmipc_session *session, void *arg), void *arg);

/* table.c: under session->lock */
int table_init(struct table *table);
void table_fini(struct table *table);
struct shmipc_stream *table_find(const struct table *table, uint32_t id);
int table_add(struct table *table, struct shmipc_stream *stream);
void table_remove(struct table *table, struct shmipc_stream *stream);
void table_for_each(const struct table *table, void (*visit)(struct shmipc_stream *stream, void *arg), void *arg);

/* lead.c */

/* The lead, if nobody has it. */
static inline bool lead_try(struct shmipc_session *session)
{
	uint32_t state = LEAD_FREE;

	return atomic_compare_exchange_strong_explicit(&session->lead, &state, LEAD_HELD, memory_order_acquire,
						       memory_order_relaxed) ||
	       (state == LEAD_FOLLOWED &&
		atomic_compare_exchange_strong_explicit(&session->lead, &state, LEAD_HELD | LEAD_FOLLOWED,
							memory_order_acquire, memory_order_relaxed));
}

void lead_leave_slowly(struct shmipc_session *session, uint32_t state);

static inline void lead_leave(struct shmipc_session *session)
{
	uint32_t state;

	if (unlikely(load_relaxed(&session->loop_fd) >= 0)) {
		lead_leave_slowly(session, LEAD_HELD);
		return;
	}
	state = atomic_exchange_explicit(&session->lead, LEAD_FREE, memory_order_release);
	if (unlikely(state & LEAD_FOLLOWED))
		lead_leave_slowly(session, state);
}

/* Wait until what @waiter wants is there. 0; -EAGAIN, -ETIMEDOUT, -EINTR. A dead session is what everybody wants. */
int lead_wait(struct shmipc_session *session, struct waiter *waiter, int64_t deadline);

/* Under session->lock: end the sleep of a follower; the futex wake is left to lead_wake(). */
void lead_rouse_locked(struct shmipc_session *session, struct waiter *waiter, struct waiter **wake);
void lead_wake(struct waiter *wake);
/* Everybody's. */
void lead_rouse_all(struct shmipc_session *session);

/* harvest.c: with the lead. Handle what arrived. Returns how many messages, or -errno: the session failed. */
int harvest(struct shmipc_session *session);

/* outbox.c: under out_lock, but where it says else */
int outbox_push_locked(struct shmipc_session *session, struct shmipc_stream *stream, const void *data, size_t size,
		       uint16_t kind, unsigned int flags);
int outbox_publish_locked(struct shmipc_session *session, struct shmipc_stream *stream, struct shmipc_buffer *buffer,
			  size_t size, uint16_t kind, unsigned int flags);
void outbox_owe_locked(struct shmipc_session *session, struct shmipc_stream *stream, uint32_t what);
void outbox_flush(struct shmipc_session *session);			   /* takes the lock */
void outbox_control(struct shmipc_session *session, uint16_t kind, uint64_t value, int32_t status); /* takes it */
void outbox_tell_window(struct shmipc_stream *stream);			   /* takes it */
void outbox_tell_private(struct shmipc_session *session);		   /* takes it */

/* piece.c */
struct piece *piece_create(size_t room);
void piece_consume(struct shmipc_stream *stream, struct piece *piece);

#endif /* SHMIPC_SESSION_INTERNAL_H */
