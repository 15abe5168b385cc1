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
 *	write.c		write, and what SHMIPC_MORE holds back
 *	reserve.c	writing in place: reserve, submit, reuse
 *	read.c		read, and its kin
 *	piece.c, .h	what arrived and was not read
 *	callback.c	process, and running callbacks
 *	stats.c		counters
 *	timer.c		monitor calls, idle timeouts: a thread, where they are asked for
 *	restart.c	answers to a hot restart
 *	copy.c		what a forked child frees
 *
 * On top of these, and knowing no more of a session than its hooks and what is public: listener*.c, dispatcher*.c, pool*.c.
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
 * call of process. A stream is freed with its last: the handle's, the table's, the outbox's, the ready list's. When a
 * session ends, the table and the outbox let go of theirs.
 */
#ifndef SHMIPC_SESSION_INTERNAL_H
#define SHMIPC_SESSION_INTERNAL_H

#include "../channel/endpoint.h"
#include "../lock.h"
#include "record.h"
#include "shmipc/stream.h"
#include "timer.h"

/* A message's kind: what it is, and flags. */
enum {
	MSG_DATA = 1,	    /* bytes of the stream */
	MSG_FALLBACK,	    /* so many bytes of it (u32) come next in the control socket */
	MSG_CLOSE,	    /* the sender neither writes nor reads any more */
	MSG_RESET,	    /* likewise, at once; u32: the application's code */
	MSG_REFUSE,	    /* no room for the stream that was opened */
	MSG_WINDOW,	    /* u64: charge consumed so far; of a stream, or of all small ones for tag 0 */
	MSG_GOODBYE,	    /* tag 0: the sender ends the session */
	MSG_RESTART,	    /* tag 0; u64: connect anew */
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
/* The session's own messages that may wait for a slot at a time: one of each kind. */
#define CONTROL_MAX 4
/* Bytes of one frame in the control socket. */
#define FALLBACK_BYTES 32768u
/* How long they may take behind the slot that announced them. */
#define PARKED_NS 1000000000ll
/* Charge of small messages held for readers from which on they are given a chance to read. */
#define HELD_MANY (32u << 10)
/* Messages handled before the lock is let go. */
#define HARVEST_BATCH 256

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

struct piece; /* bytes that arrived: piece.h */

/* What a thread waits for. */
enum {
	WAIT_READ = 1,	  /* its stream has something to read, or an end */
	WAIT_WINDOW = 2,  /* the stream's window opened */
	WAIT_ROOM = 4,	  /* the lane has room */
	WAIT_CREDIT = 8,  /* the peer has room for small messages */
	WAIT_ACCEPT = 16, /* the peer opened a stream */
};

/* A thread that waits, on its stack. */
struct waiter {
	struct shmipc_stream *stream;
	uint32_t wants;
	uint32_t room; /* session->room when it last tried; WAIT_ROOM, WAIT_CREDIT */
	uint64_t need; /* charge that the window is to have room for */
	/* A reader that leads takes messages of its stream right from the ring, if they fit here: */
	unsigned char *direct;
	size_t direct_room;
	size_t got;
	bool gather; /* as many as are there, whether a message ends or not */
	bool got_any, got_last;
	/* Under session->lock, when it follows: */
	struct waiter *next, **link;
	_Atomic uint32_t word; /* 0: asleep; a futex */
};

/* Bits of stream->flags: under session->lock; read anywhere. */
enum {
	STREAM_SENT_END = 1 << 0,    /* this side writes no more */
	STREAM_GOT_END = 1 << 1,     /* the peer writes no more */
	STREAM_PEER_CLOSED = 1 << 2, /* nor reads */
	STREAM_RESET = 1 << 3,	     /* by either side */
	STREAM_CLOSED = 1 << 4,	     /* the handle is gone */
	STREAM_IN_TABLE = 1 << 5,
	STREAM_REFUSED = 1 << 6, /* the peer had no room for it */
	STREAM_SHUT = STREAM_SENT_END | STREAM_PEER_CLOSED | STREAM_RESET | STREAM_CLOSED, /* no writing */
};

/* Bits of stream->owed: what waits for a slot; under out_lock. */
enum {
	OWED_OPEN = 1 << 0,
	OWED_TAIL = 1 << 1, /* the rest of a submitted buffer that falls back */
	OWED_HELD = 1 << 2, /* bytes that SHMIPC_MORE held back */
	OWED_END = 1 << 3,
	OWED_CLOSE = 1 << 4,
	OWED_RESET = 1 << 5,
	OWED_REFUSE = 1 << 6,
	OWED_WINDOW = 1 << 7,
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
	struct stream_owner *owner; /* or NULL */
	uint32_t id;

	_Atomic uint32_t refs;
	_Atomic uint32_t flags;
	_Atomic uint32_t active_ms;  /* when something last moved; kept up where there is an idle timeout */
	_Atomic uint32_t reset_code; /* the peer's */
	_Atomic uint32_t own_code;   /* for the peer */

	/* The writer's: */
	_Atomic uint64_t sent;	/* charge, so far; written under out_lock */
	_Atomic uint64_t acked; /* of it the peer consumed; written with the lead */
	_Atomic uint64_t bytes_written;
	uint64_t need;		   /* charge that the window had no room for */
	struct shmipc_buffer held; /* what SHMIPC_MORE holds back, if held_room */
	uint32_t held_size, held_room;
	uint8_t held_growth; /* how large the next one is */
	bool message_open;   /* published without MSG_LAST */
	bool buffer_open;    /* reserved, and not submitted: */
	uint32_t buffer_slice;
	size_t buffer_size;
	void *private_buffer; /* the open buffer's bytes, where it is not in the lane */
	/* A submitted buffer that falls back in more than one frame; under out_lock: */
	unsigned char *tail;
	uint32_t tail_size, tail_done;
	uint16_t tail_kind;

	/* The reader's: */
	struct piece *mine;  /* taken from the queue */
	struct piece *spent; /* read, to be used again */
	void *joined;	     /* what peek copied together */
	_Atomic uint64_t bytes_read;
	_Atomic uint64_t consumed_direct; /* charge, without a piece */
	_Atomic uint64_t consumed;	  /* charge, by way of pieces; by any thread */
	_Atomic uint64_t told;		  /* of both, what the peer was told */
	_Atomic bool in_place;		  /* reads where the bytes are: each message in a piece of its own */

	/* Under session->lock: */
	struct piece *queue, **queue_end;
	struct piece *gathering; /* the last of the queue, where it can take more; or NULL */
	_Atomic bool queued;	 /* read anywhere */
	struct piece *pinned;
	uint32_t pinned_count;
	uint32_t parked;				    /* pieces in the queue that are still on their way */
	uint32_t end_later;				    /* STREAM_* to set behind them */
	_Atomic uint64_t bytes_received, messages_received; /* with the lead */
	uint64_t counted_written, counted_read;		    /* of these, in the session's counts */
	struct waiter *reader, *writer;
	struct shmipc_stream *ready_next;
	uint32_t due;
	bool want_writable; /* a write said -EAGAIN */
	bool has_callbacks;
	struct shmipc_stream_callbacks callbacks;
	void *callbacks_arg;

	/* Under out_lock: */
	_Atomic bool announced; /* the peer knows it; read anywhere */
	bool owed_listed;
	bool refusal; /* stands for a refusal alone */
	uint32_t owed;
	uint64_t messages_sent, fallback_sent;
	struct shmipc_stream *owed_next;

	void *user;
};

/* Whoever lent a stream out, told when its handle is closed. */
struct stream_owner {
	void (*closed)(struct stream_owner *owner);
};

/* Whoever drives a session without keeping it alive, told before it is freed. */
struct session_driver {
	void (*gone)(struct session_driver *driver);
};

/* Stream numbers to streams: open addressing, under session->lock. */
struct table {
	struct shmipc_stream **slots;
	uint32_t mask, count, used; /* used: with tombstones */
	uint32_t multiplier;	    /* random and odd: a peer cannot choose colliding numbers */
};

/*
 * Told of what happens to a session, by the thread that met it, under hooks_lock alone. For the library's own layers,
 * which take note, wake a thread of their own, and return.
 */
struct session_hooks {
	void (*on_end)(struct shmipc_session *session, void *arg);
	void (*on_restart)(struct shmipc_session *session, uint64_t epoch, void *arg);
	void (*on_restart_answer)(struct shmipc_session *session, uint64_t epoch, int status, void *arg);
	void *arg;
};

/* A message of the session's own, for its hooks and callbacks; kind 0: none. */
struct session_event {
	uint64_t epoch;
	int32_t status;
	uint16_t kind;
};

struct shmipc_session {
	/* Set before publish: */
	const _Atomic uint32_t *guard;
	struct shmipc_channel *channel;
	uint64_t number; /* of this process's sessions, from 1: its name in the log and in metrics */
	int socket;	 /* the control socket */
	bool server;
	bool pays; /* followers pay for the leader's barrier: lead.c */
	struct shmipc_session_options options;
	struct session_limits peer;	    /* what this side may send */
	uint32_t piece_bytes;		    /* of copying writes */
	uint64_t tell_window, tell_private; /* charge consumed that the peer is told of */
	struct session_record *record;	    /* for tools, in the own lane */
	void *user;
	_Atomic(struct session_driver *) driver; /* or NULL */

	_Atomic int error; /* why it ended; 0: it did not */
	bool goodbye;	   /* the peer ended it in so many words; before the error is set, with the lead */
	_Atomic uint32_t refs;
	_Atomic int64_t unhealthy_until;
	_Atomic uint32_t room;	      /* changes when room came back */
	_Atomic uint32_t room_wanted; /* followers that wait for it */
	_Atomic bool owing;	      /* something waits for a slot; written under out_lock */

	/* With the lead: */
	_Alignas(LAYOUT_LINE) _Atomic uint32_t lead; /* LEAD_* */
	_Atomic uint64_t private_direct;	     /* charge of small messages that never were in private memory */
	_Atomic uint64_t private_received;	     /* charge of all small messages */
	struct piece *fresh;			     /* made of the message in hand */
	struct session_event event;
	struct piece *parked, **parked_end; /* on their way through the socket */
	unsigned char parked_header[16];
	uint32_t parked_got; /* bytes of the header, then of the first piece */
	int64_t parked_until;
	_Atomic bool missed;   /* an event found another thread leading; read and written anywhere */
	_Atomic uint32_t asks; /* events that the leader sleeps for; 0: it does not; read anywhere */
	uint64_t held_mark;    /* what was held for others when they were last given a chance to read; 0: not yet */
	bool crowded;	       /* several threads have waited at a time */
	bool armed;	       /* for the loop's descriptor */
	bool masked;	       /* and that is left out of the loop's epoll, while a thread blocks */
	_Atomic uint64_t leads;

	_Alignas(LAYOUT_LINE) struct lock out_lock;
	uint64_t private_sent;
	_Atomic uint64_t private_acked; /* written with the lead */
	struct shmipc_stream *owed, **owed_end;
	struct session_event control[CONTROL_MAX]; /* of the session's own, waiting for a slot */
	uint32_t refusals;			   /* among the owed */
	_Atomic uint64_t private_told;

	_Alignas(LAYOUT_LINE) struct lock lock;
	_Atomic uint64_t private_consumed; /* by way of pieces; by any thread */
	struct piece *spare;		   /* to be used again */
	uint32_t spares;
	struct table table;
	uint32_t next_id;
	uint32_t open; /* streams whose handles were not closed */
	struct waiter *followers, **followers_end;
	_Atomic bool followed;				/* there are some; read anywhere */
	struct shmipc_stream *accepted, **accepted_end; /* opened by the peer, and not taken; linked by ready_next */
	_Atomic uint32_t accepted_count;		/* read anywhere */
	struct shmipc_stream *ready, **ready_end;	/* with callbacks due */
	struct shmipc_session_callbacks callbacks;
	void *callbacks_arg;
	bool has_callbacks;
	bool closed;		  /* the handle is gone: what becomes due is for a driver alone */
	uint32_t processing;	  /* calls of process */
	bool running;		  /* a callback of the session's own */
	uint32_t streams_running; /* callbacks of streams */
	uint32_t want_writable;	  /* streams that wait to be called for it */
	bool end_reported;
	uint64_t restart_epoch; /* on_restart is due */
	bool restart_due;

	struct lock hooks_lock;
	struct session_hooks hooks;

	/* Driven by an event loop: */
	_Atomic int loop_fd; /* an epoll of the channel's descriptor and wake_fd; -1: not so */
	int wake_fd;	     /* an eventfd: callbacks became due outside of process */
	_Atomic bool signalled;

	struct session_timer timer;
	struct shmipc_session *list_next, **list_link; /* all of the process: session.c */
	struct {
		_Atomic uint64_t written, read, errors, restarts, restarts_failed, follows;
	} counts; /* the others are in the record */
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
int session_start(struct shmipc_channel *channel, int socket, bool server, const struct shmipc_session_options *options,
		  const struct session_limits *peer, struct shmipc_session **session);

void session_get(struct shmipc_session *session);
void session_put(struct shmipc_session *session);

/* Set what is told of; the end is the last of it, and told at once if it was before. With NULL: no hook runs any more when it returned. */
void session_set_hooks(struct shmipc_session *session, const struct session_hooks *hooks);

/* End it, for the first cause. Everybody wakes. Not under a lock. Returns the cause that is kept. */
int session_fail(struct shmipc_session *session, int error);

/* It fell back: unhealthy for a while. */
void session_fell_back(struct shmipc_session *session);

/* For tools. Once, by who made it. */
void session_set_address(struct shmipc_session *session, const char *address);

/* For each session of the process, under the list's lock: @visit may take session->lock. */
void session_for_each(void (*visit)(struct shmipc_session *session, void *arg), void *arg);

/* table.c: under session->lock */
int table_init(struct table *table);
static inline uint32_t table_slot(const struct table *table, uint32_t id)
{
	uint32_t hash = id * table->multiplier;

	return (hash ^ hash >> 15) & table->mask;
}

/* The stream of that id, which is not 0; or NULL. */
static inline struct shmipc_stream *table_find(const struct table *table, uint32_t id)
{
	struct shmipc_stream *stream;
	uint32_t at;

	for (at = table_slot(table, id); (stream = table->slots[at & table->mask]); at++)
		if (stream->id == id)
			return stream;
	return NULL;
}

void table_fini(struct table *table);
int table_add(struct table *table, struct shmipc_stream *stream);
void table_remove(struct table *table, struct shmipc_stream *stream);
void table_for_each(const struct table *table, void (*visit)(struct shmipc_stream *stream, void *arg), void *arg);

/* lead.c */

/* session->lead */
enum {
	LEAD_FREE,
	LEAD_HELD,
	LEAD_OFFERED, /* its holder is busy waking others, or gives way to them: whoever wants it may have it */
};

/* The lead, if it is to be had. */
static inline bool lead_try(struct shmipc_session *session)
{
	uint32_t was = load_relaxed(&session->lead);

	return was != LEAD_HELD &&
	       atomic_compare_exchange_strong_explicit(&session->lead, &was, LEAD_HELD, memory_order_acquire,
						       memory_order_relaxed); /* lead.c's (J) */
}

void lead_leave(struct shmipc_session *session);

/*
 * Wait until what @waiter wants is there: 0. -EAGAIN: it is not, and @deadline is 0. -ETIMEDOUT, -EINTR. A dead session
 * is what everybody wants.
 */
int lead_wait(struct shmipc_session *session, struct waiter *waiter, int64_t deadline);

/* Whether what it wants is there. */
bool lead_is_fulfilled(const struct shmipc_session *session, const struct waiter *waiter);
/* Without waiting: handle what arrived, and room that came back. */
void lead_harvest(struct shmipc_session *session);

/* Under session->lock: end a follower's sleep. The system call is left to lead_wake(), under no lock. */
void lead_rouse_locked(struct shmipc_session *session, struct waiter *waiter, struct waiter **roused);
void lead_wake(struct waiter *roused);

/* The followers that want any of these; WAIT_ALL: everybody, the leader included. */
#define WAIT_ALL UINT32_MAX
void lead_rouse(struct shmipc_session *session, uint32_t wants);

/* The loop's descriptor exists from now on, or is to watch for room too. */
void lead_watch(struct shmipc_session *session);

/* harvest.c: under session->lock. Bytes that were on their way have come. */
void stream_unparked_locked(struct shmipc_stream *stream, struct waiter **roused);

/* harvest.c: with the lead. A small message of the waiting reader's own is taken from the ring, if it is next. */
bool harvest_direct(struct shmipc_session *session, struct waiter *waiter);

/*
 * harvest.c: with the lead. Handle what arrived. Returns how many messages; or -errno: the session has ended. Threads with
 * something to read now are added to *@roused, for lead_wake().
 */
int harvest(struct shmipc_session *session, struct waiter **roused);
/* With the lead: whether so much lies there for others that they had better have the processor first. */
bool harvest_is_ahead(struct shmipc_session *session);

/*
 * outbox.c, those called _locked under out_lock. They return 0; -EAGAIN: no room in the lane; -ENOBUFS: no room for small
 * messages at the peer; else the session is to fail with it.
 */

/* Send a message of a stream, copied. */
int outbox_push_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind, unsigned int flags);
/* Publish memory of the lane. */
int outbox_publish_locked(struct shmipc_stream *stream, struct shmipc_buffer *buffer, size_t size, uint16_t kind,
			  unsigned int flags);
/* Send bytes through the control socket; at most FALLBACK_BYTES. */
int outbox_fall_back_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind);
/* A message went out: charge the window, and the peer's private memory if it is small. */
void outbox_charge_locked(struct shmipc_stream *stream, size_t size, bool small);
/* Send these OWED_* now, or when there is room. */
void outbox_owe(struct shmipc_stream *stream, uint32_t what);
int outbox_refuse(struct shmipc_session *session, uint32_t id); /* -EBADMSG: too many at a time */
void outbox_flush(struct shmipc_session *session);
void outbox_control(struct shmipc_session *session, uint16_t kind, uint64_t value, int32_t status);
void outbox_end(struct shmipc_session *session, bool goodbye);
/* Make the system call that SHMIPC_LAZY left out, before this thread waits for something else than the channel. */
void outbox_settle(struct shmipc_session *session);

/* fallback.c: what was admitted */
int fallback_send_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind);
/* An empty frame, for a peer that watches nothing but the socket: look at the ring. Under out_lock. */
void fallback_nudge(struct shmipc_session *session);
/* With the lead, under session->lock: bytes are announced. *@piece has its data if they are there already. */
int fallback_expect(struct shmipc_session *session, uint32_t id, uint32_t size, bool last, struct piece **piece);
/* Likewise: nobody wants it any more. */
void fallback_forget(struct shmipc_session *session, struct piece *piece);
/* The session is freed: what never came. */
void fallback_end(struct shmipc_session *session);
/* With the lead: take what came since. How many pieces are complete, or -EBADMSG. */
int fallback_continue(struct shmipc_session *session);

/* stream.c */
int stream_arrive_locked(struct shmipc_session *session, uint32_t id, struct shmipc_stream **stream,
			 struct waiter **roused);
struct shmipc_stream *stream_take_accepted_locked(struct shmipc_session *session);
void stream_sent_end(struct shmipc_stream *stream);
void stream_ended_locked(struct shmipc_stream *stream, uint32_t flags);
/* One reference, the caller's; in no table. */
struct shmipc_stream *stream_alloc(struct shmipc_session *session, uint32_t id);
void stream_get(struct shmipc_stream *stream);
void stream_put(struct shmipc_stream *stream);
/* Why there is no more to read or write: never 0. */
int stream_error(const struct shmipc_stream *stream);
/* As good as new: for a pool. */
bool stream_is_clean(struct shmipc_stream *stream);

/*
 * Whether a message may be under way too. What the peer consumed and did not tell yet is less than a quarter of the window: with
 * so little out, all may be consumed, and then a message larger than the window goes as well.
 */
static inline bool stream_fits_window(const struct shmipc_stream *stream, uint64_t need)
{
	uint64_t out = load_relaxed(&stream->sent) - load_acquire(&stream->acked);
	uint64_t window = stream->session->peer.window;

	return likely(out + need <= window) || out < window / 4;
}

static inline void stream_touch(struct shmipc_stream *stream)
{
	if (unlikely(stream->session->options.idle_timeout_ms))
		store_relaxed(&stream->active_ms, process_now_coarse_ms());
}

/* write.c */
ssize_t write_bytes(struct shmipc_stream *stream, const void *data, size_t size, unsigned int flags, int64_t deadline);
/* Give an open buffer up. */
void write_cancel(struct shmipc_stream *stream);

/* callback.c */
void callback_due_locked(struct shmipc_stream *stream, uint32_t due);
/* If on_writable is waited for, it is due. */
void callback_writable_locked(struct shmipc_stream *stream);
void callback_accept_locked(struct shmipc_session *session);
void callback_restart(struct shmipc_session *session, uint64_t epoch);
/* The handle is gone: unless somebody runs callbacks all the same, none is due any more. */
void callback_close(struct shmipc_session *session);
/* Likewise, when a driver lets go of it. */
void callback_drop(struct shmipc_session *session);
/* Room came back: on_writable is due wherever it is waited for. */
void callback_room(struct shmipc_session *session);
/* Make the loop's descriptor readable. */
void callback_signal(struct shmipc_session *session);
/* Wake the loop, whichever thread this is. It is driven by one. */
void callback_wake(struct shmipc_session *session);
/* A non-blocking write found no way for what @waiter says: on_writable is to be called, the loop to watch. */
void callback_want_writable(struct shmipc_stream *stream, const struct waiter *waiter);

/*
 * What shmipc_session_process() is made of: harvest and arm again; run one callback that is due, or the session's own. 1: one
 * was run, 0: none is due.
 */
int session_harvest(struct shmipc_session *session);
int session_run_one(struct shmipc_session *session);

#endif /* SHMIPC_SESSION_INTERNAL_H */
