// SPDX-License-Identifier: Apache-2.0
/*
 * crowd.c - a side's threads, and what must be true when they are done
 */
#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../left.h"
#include "link.h"
#include "plan.h"
#include "side.h"

#define JUGGLERS 2
#define BLOCKERS 2
#define BALLS 12 /* streams that a juggler opened */

struct crowd {
	const struct crowd_plan *plan;
	struct shmipc_session *session;
	struct board_side *board;
	struct talk_limits limits;
	unsigned int number;
	int64_t until;
	_Atomic bool over;	  /* the threads that end last are to */
	_Atomic uint64_t talking; /* streams in callbacks */
	int stop_fd;
};

struct member {
	struct crowd *crowd;
	uint64_t rng;
	pthread_t thread;
};

static void __attribute__((noreturn)) fail(const struct crowd *c, const char *what, long long value)
{
	fprintf(stderr, "# side %u: %s: %lld; the session: %d\n", c->number, what, value,
		shmipc_session_error(c->session));
	_exit(RUN_FAILED);
}

static bool is_dead(const struct crowd *c)
{
	int error = shmipc_session_error(c->session);

	if (error && (error != -EPIPE || !c->plan->may_break))
		fail(c, "the session has ended", error);
	return error;
}

static void count_step(struct crowd *c, enum talk_step step)
{
	if (step == TALK_ON)
		atomic_fetch_add_explicit(&c->board->sent, 1, memory_order_relaxed);
}

static struct talk *new_talk(struct crowd *c, struct shmipc_stream *stream, bool opener)
{
	struct talk *talk = malloc(sizeof(*talk));

	if (!talk)
		fail(c, "no memory", 0);
	talk_begin(talk, stream, opener, c->plan->seed, &c->limits);
	return talk;
}

static void free_talk(struct crowd *c, struct talk *talk)
{
	talk_end(talk);
	free(talk);
	atomic_fetch_add_explicit(&c->board->received, 1, memory_order_relaxed);
}

static struct shmipc_stream *open_stream(struct crowd *c)
{
	struct shmipc_stream *stream = NULL;
	int r = shmipc_stream_open(c->session, &stream);

	if (r && r != -EBUSY && r != -EMFILE && !is_dead(c))
		fail(c, "open", r);
	return stream;
}

/* Some calls on a stream. True: it is done, and gone. */
static bool work_on(struct crowd *c, struct talk *talk, uint64_t *rng, bool *moved)
{
	enum talk_step step = TALK_ON;
	uint64_t n;

	for (n = rng_below(rng, 8); n > 0 && step == TALK_ON; n--)
		count_step(c, step = talk_write(talk, 0));
	*moved |= step != TALK_STUCK;
	step = TALK_ON;
	for (n = rng_below(rng, 8); n > 0 && step == TALK_ON; n--)
		count_step(c, step = talk_read(talk, 0));
	*moved |= step != TALK_STUCK;
	if (!talk_is_over(talk))
		return false;
	free_talk(c, talk);
	return true;
}

static bool accept_some(struct crowd *c, struct talk **talks)
{
	struct shmipc_stream *stream;
	struct talk *talk;
	bool some = false;
	int r;

	if (c->plan->loop[c->number])
		return false;
	while (!(r = shmipc_session_accept(c->session, &stream, 0))) {
		talk = new_talk(c, stream, false);
		talk->next = *talks;
		*talks = talk;
		some = true;
	}
	if (r != -EAGAIN && !is_dead(c))
		fail(c, "accept", r);
	return some;
}

static void rest(struct crowd *c, struct member *m, struct talk *talk)
{
	int64_t deadline = clock_now() + (int64_t)rng_below(&m->rng, 2000000);
	unsigned int events = 1 + (unsigned int)rng_below(&m->rng, 3);
	int r;

	if (!talk) {
		usleep(200);
		return;
	}
	r = shmipc_stream_wait(talk->stream, events & (SHMIPC_READABLE | SHMIPC_WRITABLE), deadline);
	if (r < 0 && r != -ETIMEDOUT && !is_dead(c))
		fail(c, "wait", r);
}

static void *juggle(void *argument)
{
	struct member *m = argument;
	struct crowd *c = m->crowd;
	struct talk *talks = NULL, **link, *next;
	struct shmipc_stream *stream;
	int balls = 0;
	bool moved;

	for (;;) {
		bool late = clock_now() >= c->until || is_dead(c);

		moved = accept_some(c, &talks);
		while (balls < BALLS && !late && rng_below(&m->rng, 3) && (stream = open_stream(c))) {
			struct talk *talk = new_talk(c, stream, true);

			talk->next = talks;
			talks = talk;
			balls++;
		}
		for (link = &talks; *link; link = *link ? &(*link)->next : link) {
			bool mine = (*link)->opener;

			next = (*link)->next;
			if (!work_on(c, *link, &m->rng, &moved))
				continue;
			balls -= mine;
			*link = next;
			if (!next)
				break;
		}
		if (!talks && late && c->over)
			return NULL;
		if (!moved)
			rest(c, m, talks);
	}
}

static void *write_blocking(void *argument)
{
	struct talk *talk = argument;
	enum talk_step step;

	do
		step = talk_write(talk, SHMIPC_FOREVER);
	while (step == TALK_ON || step == TALK_STUCK);
	return NULL;
}

/* A thread of its own writes, without deadlines; this one reads. */
static void *block(void *argument)
{
	struct member *m = argument;
	struct crowd *c = m->crowd;
	struct shmipc_stream *stream;
	struct talk *talk;
	pthread_t writer;
	enum talk_step step;

	while (clock_now() < c->until && !is_dead(c)) {
		stream = open_stream(c);
		if (!stream) {
			usleep(1000);
			continue;
		}
		talk = new_talk(c, stream, true);
		if (pthread_create(&writer, NULL, write_blocking, talk))
			fail(c, "no thread", errno);
		do
			count_step(c, step = talk_read(talk, SHMIPC_FOREVER));
		while (step == TALK_ON || step == TALK_STUCK);
		pthread_join(writer, NULL);
		free_talk(c, talk);
	}
	return NULL;
}

static void *disturb(void *argument)
{
	struct member *m = argument;
	struct crowd *c = m->crowd;
	struct shmipc_session_stats stats;
	struct shmipc_peer peer;
	int r;

	while (!c->over) {
		stats.size = sizeof(stats);
		r = shmipc_session_stats(c->session, &stats);
		if (!r)
			r = shmipc_session_peer(c->session, &peer);
		if (r && !is_dead(c))
			fail(c, "stats or peer", r);
		shmipc_session_is_healthy(c->session);
		usleep((useconds_t)rng_below(&m->rng, 3000));
	}
	return NULL;
}

/* Callbacks. on_end may come in another thread than on_readable, behind it: the last one frees. */
static void go_on(struct shmipc_stream *stream, void *argument)
{
	struct talk *talk = argument;
	struct crowd *c = shmipc_session_user(shmipc_stream_session(stream));
	enum talk_step step;
	bool over;

	pthread_mutex_lock(&talk->lock);
	do
		count_step(c, step = talk_write(talk, 0));
	while (step == TALK_ON);
	do
		count_step(c, step = talk_read(talk, 0));
	while (step == TALK_ON);
	/* What it read may be what its writer waited for. */
	talk_write(talk, 0);
	over = talk_is_over(talk) && !talk->gone;
	talk->gone |= over;
	pthread_mutex_unlock(&talk->lock);
	if (!over)
		return;
	free_talk(c, talk);
	atomic_fetch_sub(&c->talking, 1);
}

static void see_end(struct shmipc_stream *stream, int reason, void *argument)
{
	struct talk *talk = argument;

	if (reason == 0 && !talk->read && talk->ending != ENDING_LEAVE)
		talk_fail(talk, "on_end came before all was read", reason);
	go_on(stream, argument);
}

static void take_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *argument)
{
	static const struct shmipc_stream_callbacks callbacks = { go_on, go_on, see_end };
	struct crowd *c = argument;
	struct talk *talk = new_talk(c, stream, false);
	int r;

	(void)session;
	atomic_fetch_add(&c->talking, 1);
	r = shmipc_stream_set_callbacks(stream, &callbacks, talk);
	if (r)
		fail(c, "set_callbacks", r);
	go_on(stream, talk); /* nothing calls for the first write */
}

static void *loop(void *argument)
{
	struct member *m = argument;
	struct crowd *c = m->crowd;
	struct epoll_event event = { .events = EPOLLIN | (c->plan->edge ? EPOLLET : 0) };
	int epoll = epoll_create1(EPOLL_CLOEXEC), r = 0;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, shmipc_session_fd(c->session), &event))
		fail(c, "epoll", errno);
	event.events = EPOLLIN;
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->stop_fd, &event);
	while (!c->over && r >= 0) {
		if (epoll_wait(epoll, &event, 1, -1) < 0 && errno != EINTR)
			fail(c, "epoll_wait", errno);
		do
			r = shmipc_session_process(c->session);
		while (c->plan->edge && r > 0);
	}
	if (r < 0 && !is_dead(c))
		fail(c, "process", r);
	close(epoll);
	return NULL;
}

static void begin(struct crowd *c, struct member *m, void *(*body)(void *), uint64_t number)
{
	*m = (struct member){ .crowd = c, .rng = c->plan->seed * 31 + number + c->number * 1000 };
	if (pthread_create(&m->thread, NULL, body, m))
		fail(c, "no thread", errno);
}

/* Nothing is left: no stream, no byte, nothing lent. */
static void settle(struct crowd *c)
{
	struct shmipc_session_stats s = { .size = sizeof(s) };
	int64_t until = clock_now() + (int64_t)(c->plan->patience * 5e8);
	struct shmipc_stream *stream;
	int r;

	for (;;) {
		r = shmipc_session_accept(c->session, &stream, 0);
		if (!r && !c->plan->may_break)
			fail(c, "a stream that nobody opened", shmipc_stream_id(stream));
		if (!r) {
			shmipc_stream_close(stream); /* it came with the peer's last words */
			continue;
		}
		s.size = sizeof(s);
		if (shmipc_session_stats(c->session, &s))
			fail(c, "stats", 0);
		if (!s.streams && !s.private_bytes && !s.unread_bytes && !s.channel.slices_lent)
			return;
		if (is_dead(c))
			return;
		if (clock_now() > until)
			break;
		usleep(1000);
	}
	fprintf(stderr, "# side %u: left: %llu streams, %llu private and %llu unread bytes, %llu slices lent\n",
		c->number, (unsigned long long)s.streams, (unsigned long long)s.private_bytes,
		(unsigned long long)s.unread_bytes, (unsigned long long)s.channel.slices_lent);
	_exit(RUN_FAILED);
}

static void set_limits(struct crowd *c)
{
	const struct shmipc_session_options *o = &c->plan->options;

	c->limits.may_break = c->plan->may_break;
	c->limits.write = TALK_ROOM;
	c->limits.reserve = o->channel.memory_max / 8 < o->window / 2 ? o->channel.memory_max / 8 : o->window / 2;
	c->limits.message = o->window / 4;
	c->limits.peek = o->window / 4 < 6000 ? o->window / 4 : 6000;
}

static void run_threads(struct crowd *c)
{
	struct member jugglers[JUGGLERS], blockers[BLOCKERS], looping, disturbing;
	struct board *board = (struct board *)((char *)c->board - c->number * sizeof(struct board_side));
	uint64_t i;

	if (c->plan->loop[c->number])
		begin(c, &looping, loop, 90);
	begin(c, &disturbing, disturb, 91);
	for (i = 0; i < JUGGLERS; i++)
		begin(c, &jugglers[i], juggle, i);
	for (i = 0; i < BLOCKERS; i++)
		begin(c, &blockers[i], block, 10 + i);
	for (i = 0; i < BLOCKERS; i++)
		pthread_join(blockers[i].thread, NULL);
	/* The other side's streams may go on until its own are done too. */
	if (!c->plan->may_break)
		board_arrive(board, 0);
	while (atomic_load(&c->talking) && !is_dead(c))
		usleep(1000);
	c->over = true;
	for (i = 0; i < JUGGLERS; i++)
		pthread_join(jugglers[i].thread, NULL);
	if (eventfd_write(c->stop_fd, 1))
		fail(c, "eventfd", errno);
	if (c->plan->loop[c->number])
		pthread_join(looping.thread, NULL);
	pthread_join(disturbing.thread, NULL);
}

/* Callbacks that will not be called any more leave their streams behind. */
static void drain_callbacks(struct crowd *c)
{
	int64_t until = clock_now() + (int64_t)(c->plan->patience * 5e8);

	while (c->plan->loop[c->number] && atomic_load(&c->talking)) {
		if (shmipc_session_process(c->session) < 0 && clock_now() > until)
			fail(c, "streams without on_end", (long long)atomic_load(&c->talking));
		usleep(100);
	}
}

int crowd_run(void *argument)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = take_stream };
	struct crowd_end *end = argument;
	struct crowd c = { .plan = end->plan, .number = end->number, .board = &end->board->side[end->number] };
	int fds, r;

	if (end->other_socket >= 0)
		close(end->other_socket);
	c.stop_fd = eventfd(0, EFD_CLOEXEC);
	fds = count_fds();
	r = link_open(end->socket, end->number == 1, &c.plan->options, &c.session);
	if (r == -EOPNOTSUPP || r == -EACCES)
		return RUN_SKIPPED;
	if (r && c.plan->may_break)
		return RUN_PASSED;
	if (r) {
		fprintf(stderr, "# side %u: the handshake: %d\n", c.number, r);
		return RUN_FAILED;
	}
	atomic_store(&c.board->attached, 1);
	c.until = clock_now() + (int64_t)(c.plan->seconds * 1e9);
	set_limits(&c);
	shmipc_session_set_user(c.session, &c);
	if (c.plan->loop[c.number] && shmipc_session_set_callbacks(c.session, &callbacks, &c))
		fail(&c, "set_callbacks", 0);
	run_threads(&c);
	drain_callbacks(&c);
	if (is_dead(&c))
		atomic_store(&c.board->broken_off, 1);
	settle(&c);
	if (!c.plan->may_break)
		board_arrive(end->board, 1);
	shmipc_session_close(c.session);
	if (count_lane_mappings())
		fail(&c, "lanes are still mapped", count_lane_mappings());
	if (count_fds() > fds + 1) /* a watcher keeps one for good; the socket was the session's */
		fail(&c, "descriptors are left", count_fds() - fds);
	return RUN_PASSED;
}
