// SPDX-License-Identifier: Apache-2.0
/*
 * session.c - a session from its channel to its end; who is told when it ends
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../observe/log.h"
#include "copy.h"
#include "piece.h"
#include "shmipc/observe.h"

/* All sessions of the process, for metrics. */
static struct lock list_lock;
static struct shmipc_session *list;

/* A forked child begins with none, whoever had the lock; its parent's, which it may free, are in no list of its. */
static void forget_list(void)
{
	list_lock = (struct lock){ 0 };
	list = NULL;
}

static void watch_for_forks(void)
{
	pthread_atfork(NULL, NULL, forget_list);
}

static void enlist(struct shmipc_session *session)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_for_forks);
	lock_take(&list_lock);
	session->list_next = list;
	session->list_link = &list;
	if (list)
		list->list_link = &session->list_next;
	list = session;
	lock_release(&list_lock);
}

static void delist(struct shmipc_session *session)
{
	lock_take(&list_lock);
	if (session->list_link) {
		*session->list_link = session->list_next;
		if (session->list_next)
			session->list_next->list_link = session->list_link;
	}
	lock_release(&list_lock);
}

void session_for_each(void (*visit)(struct shmipc_session *session, void *arg), void *arg)
{
	struct shmipc_session *session;

	lock_take(&list_lock);
	for (session = list; session; session = session->list_next)
		visit(session, arg);
	lock_release(&list_lock);
}

static void fill_record(struct shmipc_session *session)
{
	struct session_record *record = session->record;

	record->version = SESSION_RECORD_VERSION;
	record->server = session->server;
	record->started = process_now();
	record->window = session->options.window;
	record->private_max = session->options.private_max;
	record->streams_max = session->options.streams_max;
	store_relaxed(&record->state, SESSION_RECORD_ALIVE);
	store_release(&record->magic, SESSION_RECORD_MAGIC);
}

/* Pieces of copying writes: several fit the lane, and the window. */
static uint32_t copy_piece(const struct shmipc_session *session)
{
	uint64_t bytes = PIECE_BYTES;

	if (bytes > session->channel->geometry.memory_max / 2)
		bytes = session->channel->geometry.memory_max / 2;
	if (bytes > session->peer.window / 4)
		bytes = session->peer.window / 4;
	return (uint32_t)bytes;
}

int session_start(struct shmipc_channel *channel, int socket, bool server, const struct shmipc_session_options *options,
		  const struct session_limits *peer, struct shmipc_session **session)
{
	struct shmipc_session *s = aligned_alloc(LAYOUT_LINE, sizeof(*s));
	static _Atomic uint64_t numbers;
	int r;

	*session = NULL;
	if (!s || (memset(s, 0, sizeof(*s)), table_init(&s->table))) {
		free(s);
		shmipc_channel_destroy(channel);
		close(socket);
		return -ENOMEM;
	}
	s->guard = channel->guard;
	s->channel = channel;
	s->socket = socket;
	s->server = server;
	s->options = *options;
	s->peer = *peer;
	s->pays = process_may_skip() && !SHMIPC_TSAN;
	s->piece_bytes = copy_piece(s);
	/* A quarter of what may be under way: the sender need not stop, and few messages tell it so. */
	s->tell_window = s->options.window / 4;
	s->tell_private = s->options.private_max / 4;
	s->record = (struct session_record *)((unsigned char *)channel->own.words + LAYOUT_SESSION);
	s->refs = 1;
	s->next_id = server ? 2 : 1;
	s->loop_fd = -1;
	s->wake_fd = -1;
	s->parked_end = &s->parked;
	s->owed_end = &s->owed;
	s->accepted_end = &s->accepted;
	s->followers_end = &s->followers;
	s->ready_end = &s->ready;
	fill_record(s);
	s->number = atomic_fetch_add(&numbers, 1) + 1;
	log_environment();
	r = timer_add(s);
	if (r) {
		session_put(s);
		return r;
	}
	enlist(s);
	log_debug("session", "%llu begins: %s, %s", (unsigned long long)s->number, server ? "server" : "client",
		  channel->region.ops->backend == SHMIPC_BACKEND_KMOD ? "kmod" : "memfd");
	*session = s;
	return 0;
}

void session_set_address(struct shmipc_session *session, const char *address)
{
	struct session_record *record = session->record;

	strncpy(record->address, address, sizeof(record->address) - 1);
}

/* No thread is in a call, and no handle is left: nothing here needs a lock, nor may take one in a forked child. */
static void free_session(struct shmipc_session *session)
{
	bool ours = load_relaxed(session->guard);

	if (ours)
		delist(session);
	fallback_end(session);
	piece_free(session->spare);
	table_fini(&session->table);
	if (session->loop_fd >= 0)
		close(session->loop_fd);
	if (session->wake_fd >= 0)
		close(session->wake_fd);
	shmipc_channel_destroy(session->channel);
	close(session->socket);
	free(session);
}

void session_get(struct shmipc_session *session)
{
	atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
}

void session_put(struct shmipc_session *session)
{
	struct session_driver *driver;

	if (atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
		return;
	driver = load_acquire(&session->driver);
	if (driver)
		driver->gone(driver);
	free_session(session);
}

/* The end, to be told once, and the last that is told. */
static void tell_end_locked(struct shmipc_session *session)
{
	struct session_hooks hooks = session->hooks;

	memset(&session->hooks, 0, sizeof(session->hooks));
	if (hooks.on_end)
		hooks.on_end(session, hooks.arg);
}

void session_set_hooks(struct shmipc_session *session, const struct session_hooks *hooks)
{
	lock_take(&session->hooks_lock);
	memset(&session->hooks, 0, sizeof(session->hooks));
	if (hooks)
		session->hooks = *hooks;
	if (load_acquire(&session->error))
		tell_end_locked(session);
	lock_release(&session->hooks_lock);
}

static void end_stream(struct shmipc_stream *stream, void *arg)
{
	(void)arg;
	callback_due_locked(stream, DUE_READABLE | DUE_END);
}

/* A close, by whichever side, is nothing to alarm anybody with. */
static void log_end(struct shmipc_session *session, int error, bool closed)
{
	unsigned long long number = session->number;

	if (closed)
		log_debug("session", "%llu ended: %s", number,
			  error == -EPIPE ? "the peer closed it" : shmipc_strerror(error));
	else
		log_warn("session", "%llu ended: %s; the peer is process %d", number, shmipc_strerror(error),
			 (int)session->channel->peer_id.pid);
}

int session_fail(struct shmipc_session *session, int error)
{
	bool closed = error == -ESHUTDOWN || (error == -EPIPE && session->goodbye);
	int none = 0;

	if (!atomic_compare_exchange_strong(&session->error, &none, error))
		return none;
	store_relaxed(&session->record->error, error);
	store_relaxed(&session->record->state, SESSION_RECORD_ENDED);
	if (!closed)
		tally(&session->counts.errors, 1);
	outbox_end(session, error == -ESHUTDOWN);
	shutdown(session->socket, SHUT_RDWR); /* for who watches it: what was sent stays to be read */
	lock_take(&session->lock);
	table_for_each(&session->table, end_stream, NULL);
	lock_release(&session->lock);
	lead_rouse(session, WAIT_ALL);
	callback_signal(session);
	timer_end(session);
	log_end(session, error, closed);
	lock_take(&session->hooks_lock);
	tell_end_locked(session);
	lock_release(&session->hooks_lock);
	return error;
}

int shmipc_session_shutdown(struct shmipc_session *session)
{
	int r = session_check(session);

	if (!r)
		session_fail(session, -ESHUTDOWN);
	return r;
}

/* Streams that nobody took. */
static void close_accepted(struct shmipc_session *session)
{
	struct shmipc_stream *stream, *next;

	lock_take(&session->lock);
	memset(&session->callbacks, 0, sizeof(session->callbacks));
	session->has_callbacks = false;
	stream = session->accepted;
	session->accepted = NULL;
	session->accepted_end = &session->accepted;
	session->accepted_count = 0;
	lock_release(&session->lock);
	for (; stream; stream = next) {
		next = stream->ready_next;
		stream->ready_next = NULL;
		shmipc_stream_close(stream);
	}
}

void shmipc_session_close(struct shmipc_session *session)
{
	if (!session)
		return;
	if (!session_check(session)) {
		session_fail(session, -ESHUTDOWN);
		close_accepted(session);
		callback_close(session);
		timer_remove(session);
	} else {
		copy_close(session);
	}
	session_put(session);
}

int shmipc_session_error(const struct shmipc_session *session)
{
	int r = session_check(session);

	return r ? r : load_acquire(&session->error);
}

int shmipc_session_is_healthy(const struct shmipc_session *session)
{
	int64_t until;

	if (shmipc_session_error(session))
		return 0;
	until = load_relaxed(&session->unhealthy_until);
	return !until || process_now() >= until;
}

void session_fell_back(struct shmipc_session *session)
{
	int64_t until = process_now() + session->options.breaker_ms * 1000000ll;

	if (!session->options.breaker_ms)
		return;
	store_relaxed(&session->unhealthy_until, until);
	store_relaxed(&session->record->unhealthy_until, until);
}

int shmipc_session_peer(const struct shmipc_session *session, struct shmipc_peer *peer)
{
	return shmipc_channel_peer(session->channel, peer);
}

enum shmipc_backend shmipc_session_backend(const struct shmipc_session *session)
{
	return session->channel->region.ops->backend;
}

void *shmipc_session_user(const struct shmipc_session *session)
{
	return session->user;
}

void shmipc_session_set_user(struct shmipc_session *session, void *user)
{
	session->user = user;
}
