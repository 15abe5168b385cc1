// SPDX-License-Identifier: Apache-2.0
/*
 * fixture.c - channels in every state that shmipcctl is to look at, made to order
 *
 *	fixture SCENARIO [NUMBER [AGE_MS]]
 *
 * Makes NUMBER channels (default 1) between this process and a child, brings them into the state, prints
 * "ready PID CHILD" and stays until its stdin ends or it is killed; the child goes with it.
 *
 *	live	both sides wait for messages
 *	busy	a message each way after the other, as fast as it goes
 *	trickle	one message a channel, 50 times a second
 *	hung	the child holds a lock for ever and reads nothing; 5 messages are queued
 *	stopped	the child is stopped; 5 messages are queued
 *	killed	the child was killed with messages unread
 *	new	the second endpoint was not handed over
 *	leak	the child keeps a message of 100 bytes in a slice; AGE_MS later each side lends NUMBER / 2 more
 *	session	a session with 3 streams open, each written to
 *	grown	lanes that have grown, with two messages queued
 *	magic, geometry, lap, slot, table, overlap, returns, gauge, rung
 *		this side's lane says nonsense there
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel/endpoint.h"
#include "session/internal.h"

#define DEADLINE_NS 120000000000ll
#define TAG 77
#define SECRET "a secret that was lent and never came back"

struct scene {
	const char *name;
	uint32_t channels;
	uint32_t number;
	uint32_t age_ms;
	struct shmipc_channel **channel;
	int control[2]; /* a session's socket */
	int sync[2];	/* one byte says that the sides may go on */
	pid_t child;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "fixture: %s: %s\n", what, strerror(error < 0 ? -error : errno));
	exit(1);
}

static int64_t deadline(void)
{
	return process_now() + DEADLINE_NS;
}

static bool is(const struct scene *s, const char *name)
{
	return !strcmp(s->name, name);
}

static struct shmipc_channel_options options_of(const struct scene *s)
{
	struct shmipc_channel_options o = SHMIPC_CHANNEL_OPTIONS_INIT;

	o.sync = SHMIPC_SYNC_DEMAND;
	if (is(s, "leak")) {
		o.slots = 65536;
		o.slices = 65536;
		o.memory_max = 256 << 20;
		o.segment_bytes = 32 << 20;
	}
	return o;
}

static void push(struct shmipc_channel *ch, const void *data, size_t size, uint32_t tag)
{
	int r;

	while ((r = shmipc_channel_push(ch, data, size, tag, 0, 0)) == -EAGAIN)
		if (shmipc_channel_wait(ch, SHMIPC_WRITABLE, deadline()) < 0)
			die("wait", errno);
	if (r)
		die("push", r);
}

/* A slice of 100 bytes: a message that small rides in a slot, unless that is taken. */
static void lend_small(struct shmipc_channel *ch)
{
	struct shmipc_buffer slot, slice;
	int r = shmipc_channel_reserve(ch, 10, 0, &slot);

	if (!r)
		r = shmipc_channel_reserve(ch, 100, 0, &slice);
	if (r)
		die("reserve", r);
	memset(slice.data, '.', 100);
	memcpy(slice.data, SECRET, strlen(SECRET));
	slice.tag = TAG;
	r = shmipc_channel_submit(ch, &slice, 100, 0);
	if (!r)
		r = shmipc_channel_cancel(ch, &slot);
	if (r)
		die("submit", r);
}

static void keep(struct shmipc_channel *ch, uint32_t count)
{
	struct shmipc_message m;
	int r;

	while (count) {
		r = shmipc_channel_peek(ch, &m);
		if (r == -EAGAIN) {
			if (shmipc_channel_wait(ch, SHMIPC_READABLE, deadline()) < 0)
				die("wait to keep", errno);
			continue;
		}
		if (r || (r = shmipc_channel_keep(ch, &m)))
			die("keep", r);
		count--;
	}
}

static void *push_many(void *data)
{
	static const char text[200] = "still young";
	struct scene *s = data;
	uint32_t i;

	for (i = 0; i < s->number / 2; i++)
		push(s->channel[0], text, sizeof(text), 5);
	return NULL;
}

static void signal_other(struct scene *s, int side)
{
	if (write(s->sync[side], "", 1) != 1)
		die("sync", errno);
}

static void wait_other(struct scene *s, int side)
{
	struct pollfd p = { .fd = s->sync[side], .events = POLLIN };
	char byte;

	if (poll(&p, 1, 120000) != 1 || read(s->sync[side], &byte, 1) != 1)
		die("the other side did not answer", errno);
}

/* Both sides lend, and keep what the other lends. */
static void leak_many(struct scene *s, int side)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, push_many, s))
		die("thread", errno);
	keep(s->channel[0], s->number / 2);
	pthread_join(thread, NULL);
	signal_other(s, side);
	wait_other(s, side);
}

static void answer_all(struct scene *s)
{
	struct shmipc_message m;
	uint32_t i;

	for (;;)
		for (i = 0; i < s->channels; i++) {
			if (s->channels == 1)
				shmipc_channel_wait(s->channel[i], SHMIPC_READABLE, deadline());
			while (!shmipc_channel_peek(s->channel[i], &m)) {
				shmipc_channel_release(s->channel[i], &m);
				push(s->channel[i], "pong", 4, TAG);
			}
			if (s->channels > 1 && i + 1 == s->channels)
				usleep(5000);
		}
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void hang(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	pthread_mutex_lock(&lock);
}

#define STREAMS 3

/* The handshake is none of this fixture's affair. */
static struct shmipc_session *make_session(struct scene *s, bool server)
{
	struct shmipc_session_options o = SHMIPC_SESSION_OPTIONS_INIT, taken;
	struct shmipc_session *session = NULL;
	int r = session_options_take(&o, &taken);
	struct session_limits limits = { taken.window, taken.private_max, taken.streams_max };

	if (!r)
		r = session_start(s->channel[0], s->control[server], server, &taken, &limits, &session);
	if (r)
		die("session", r);
	session_set_address(session, "unix:/run/fixture.sock");
	return session;
}

static void play_session(struct scene *s, bool server)
{
	struct shmipc_session *session = make_session(s, server);
	struct shmipc_stream *stream;
	char bytes[3000] = { 0 };
	int i, r;

	for (i = 0; i < STREAMS; i++) {
		r = server ? shmipc_session_accept(session, &stream, deadline()) : shmipc_stream_open(session, &stream);
		if (!r && !server)
			r = shmipc_stream_write(stream, bytes, sizeof(bytes), 0, deadline()) < 0 ? -EIO : 0;
		if (r)
			die("stream", r);
	}
	signal_other(s, server);
	wait_other(s, server);
}

static void run_child(struct scene *s, int socket)
{
	struct shmipc_channel_options o = options_of(s);
	uint32_t i;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "fixture-child");
	for (i = 0; i < s->channels && !is(s, "new"); i++) {
		r = shmipc_channel_receive(socket, &o, deadline(), &s->channel[i]);
		if (r)
			die("receive", r);
	}
	signal_other(s, 1);
	if (is(s, "busy") || is(s, "trickle"))
		answer_all(s);
	if (is(s, "hung"))
		hang();
	if (is(s, "leak")) {
		keep(s->channel[0], 1);
		signal_other(s, 1);
		wait_other(s, 1);
		leak_many(s, 1);
	}
	if (is(s, "returns")) {
		/* What the child sent is given back, and the child does not collect it. */
		push(s->channel[0], (char[2000]){ 0 }, 2000, TAG);
		signal_other(s, 1);
	}
	if (is(s, "session"))
		play_session(s, true);
	if (is(s, "live"))
		shmipc_channel_wait(s->channel[0], SHMIPC_READABLE, SHMIPC_FOREVER);
	wait_for_ever();
}

static void give_back_one(struct shmipc_channel *ch)
{
	struct shmipc_message m;

	shmipc_channel_wait(ch, SHMIPC_READABLE, deadline());
	if (shmipc_channel_peek(ch, &m) || shmipc_channel_release(ch, &m))
		die("give back", errno);
}

/* Lies in the own lane. The channel itself is not used any more. */
static void corrupt(struct scene *s)
{
	struct shmipc_channel *ch = s->channel[0];
	struct lane *own = &ch->own;
	uint32_t i;

	push(ch, (char[3000]){ 0 }, 3000, TAG);
	push(ch, "small", 5, TAG);
	if (is(s, "magic"))
		own->record->magic ^= 1;
	else if (is(s, "geometry"))
		own->record->geometry.slots = 1u << 31;
	else if (is(s, "lap"))
		store_relaxed(&own->ring[7].lap, 0x12345);
	else if (is(s, "slot"))
		store_relaxed(&own->ring[0].ref.slice, 0xfffffff0);
	else if (is(s, "table"))
		store_relaxed(&own->table[3].state, 99);
	else if (is(s, "overlap"))
		for (i = 0; i < ch->geometry.slices; i++)
			if (load_relaxed(&own->table[i].state) == SLICE_LENT)
				store_relaxed(&own->table[i].granules, 0xffffffff);
	if (is(s, "returns"))
		store_relaxed(&own->returns[0], RETURN_ENTRY(0, 400000));
	else if (is(s, "gauge"))
		store_relaxed(&own->tool->slices_lent, 12345);
	else if (is(s, "rung"))
		store_relaxed(&own->words->rung, 8);
}

static void trickle(struct scene *s)
{
	struct shmipc_message m;
	uint32_t i;

	for (;;) {
		for (i = 0; i < s->channels; i++) {
			while (!shmipc_channel_peek(s->channel[i], &m))
				shmipc_channel_release(s->channel[i], &m);
			push(s->channel[i], "ping", 4, TAG);
		}
		usleep(20000);
	}
}

static void *play(void *data)
{
	struct shmipc_message m;
	struct scene *s = data;

	if (is(s, "trickle"))
		trickle(s);
	for (;;) {
		push(s->channel[0], "ping", 4, TAG);
		shmipc_channel_wait(s->channel[0], SHMIPC_READABLE, deadline());
		while (!shmipc_channel_peek(s->channel[0], &m))
			shmipc_channel_release(s->channel[0], &m);
	}
	return NULL;
}

static void set_scene(struct scene *s)
{
	uint32_t i, j;

	for (i = 0; i < s->channels && (is(s, "hung") || is(s, "stopped") || is(s, "killed")); i++)
		for (j = 0; j < 5; j++)
			push(s->channel[i], "unread", 6, TAG);
	if (is(s, "stopped") && (kill(s->child, SIGSTOP) || waitpid(s->child, NULL, WUNTRACED) < 0))
		die("stop", errno);
	if (is(s, "killed") && (kill(s->child, SIGKILL) || waitpid(s->child, NULL, 0) < 0))
		die("kill", errno);
	if (is(s, "grown"))
		for (j = 0; j < 2; j++)
			push(s->channel[0], calloc(1, 300000), 300000, TAG);
	if (is(s, "leak")) {
		lend_small(s->channel[0]);
		wait_other(s, 0);
		usleep(s->age_ms * 1000);
		signal_other(s, 0);
		leak_many(s, 0);
	}
	if (is(s, "session"))
		play_session(s, false);
	if (is(s, "returns")) {
		wait_other(s, 0);
		give_back_one(s->channel[0]);
	}
	if (strstr(" magic geometry lap slot table overlap returns gauge rung ", s->name))
		corrupt(s);
}

static void run_parent(struct scene *s, int socket)
{
	struct shmipc_channel_options o = options_of(s);
	pthread_t thread;
	char bytes[64];
	uint32_t i;
	int r;

	for (i = 0; i < s->channels; i++) {
		r = shmipc_channel_create(&o, &s->channel[i]);
		if (!r && !is(s, "new"))
			r = shmipc_channel_send(s->channel[i], socket, deadline());
		if (r)
			die("create and send", r);
	}
	wait_other(s, 0);
	set_scene(s);
	if ((is(s, "busy") || is(s, "trickle")) && pthread_create(&thread, NULL, play, s))
		die("thread", errno);
	printf("ready %d %d\n", (int)getpid(), (int)s->child);
	fflush(stdout);
	while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
		;
	kill(s->child, SIGKILL);
	/* Threads are at work. */
	_exit(0);
}

int main(int argc, char **argv)
{
	static struct scene s; /* threads use it */
	int sockets[2];

	s.name = argc > 1 ? argv[1] : "live";
	s.number = argc > 2 ? (uint32_t)atoi(argv[2]) : 1;
	s.age_ms = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
	s.channels = is(&s, "leak") ? 1 : s.number;
	s.channel = calloc(s.channels, sizeof(*s.channel));
	if (!s.channel || !s.channels || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s.sync) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s.control))
		die("set-up", errno);
	s.child = fork();
	if (s.child < 0)
		die("fork", errno);
	if (!s.child)
		run_child(&s, sockets[1]);
	run_parent(&s, sockets[0]);
	return 0;
}
