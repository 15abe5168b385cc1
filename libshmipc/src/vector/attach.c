// SPDX-License-Identifier: Apache-2.0
/*
 * attach.c - how a producer gets from a path to a lane, and away from a consumer that is gone
 *
 *	idle		connect, say hello (how much memory is wanted)			not before retry_at
 *	grant		the consumer says how much there is: make a channel, offer it	given up at retry_at
 *	answer		the consumer has mapped it: the lane is there			likewise
 *
 * Nothing here waits but attach_wait(): each call takes the steps that can be taken.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../bell/watcher.h"
#include "producer.h"

/* What a consumer that was reached gets to answer within. */
#define ANSWER_NS 5000000000ll
/* And for how long a push that finds a consumer there waits for its answer. */
#define LINGER_NS 5000000ll

static void give_up(struct shmipc_producer *p, int error)
{
	struct attach *a = &p->attach;

	if (a->socket >= 0)
		close(a->socket);
	shmipc_channel_destroy(a->ch);
	*a = (struct attach){
		.socket = -1,
		.error = error,
		.retry_at = process_now() + (int64_t)p->options.retry_ms * 1000000,
	};
}

/* 0, or -errno: nobody is there, or not for us. */
static int say_hello(struct shmipc_producer *p)
{
	const struct vector_hello hello = {
		.magic = VECTOR_MAGIC,
		.version = VECTOR_VERSION,
		.memory_max = p->options.memory_max,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct attach *a = &p->attach;
	int old;

	memcpy(address.sun_path, p->path, strlen(p->path) + 1); /* its length was checked */
	a->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->socket < 0)
		return -errno;
	if (connect(a->socket, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	if (send(a->socket, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello))
		return -errno;
	return fdpass_ask_credentials(a->socket, &old);
}

static int send_offer(struct attach *a)
{
	struct vector_offer message = { .magic = VECTOR_MAGIC, .version = VECTOR_VERSION };
	int fds[REGION_FDS_MAX], count = offer_make(a->ch, &message.offer, fds);
	ssize_t n;

	if (count < 0)
		return count;
	n = fdpass_send(a->socket, &message, sizeof(message), fds, count, true);
	return n == (ssize_t)sizeof(message) ? 0 : n < 0 ? (int)n : -EPROTO;
}

/* 1: taken; 0: not there yet; or -errno. */
static int take_grant(struct shmipc_producer *p)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;
	struct attach *a = &p->attach;
	struct vector_grant grant;
	ssize_t n = recv(a->socket, &grant, sizeof(grant), MSG_DONTWAIT);
	int r;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -EPIPE;
	if (n != (ssize_t)sizeof(grant) || grant.magic != VECTOR_MAGIC || grant.version != VECTOR_VERSION ||
	    grant.status > 0)
		return -EPROTO;
	if (grant.status)
		return grant.status;
	if (grant.memory_max < SHMIPC_PRODUCER_MEMORY_MIN || grant.memory_max > p->options.memory_max)
		return -EPROTO;
	a->flags = grant.flags;
	options.backend = p->options.backend;
	options.slots = CONTROL_SLOTS;
	options.slices = CHUNKS_MAX;
	options.memory_max = grant.memory_max;
	options.segment_bytes = first_memory(grant.memory_max);
	options.shrink_after_ms = p->options.shrink_after_ms;
	r = shmipc_channel_create(&options, &a->ch);
	if (!r)
		r = send_offer(a);
	return r ? r : 1;
}

/* 1: attached. */
static int take_answer(struct shmipc_producer *p)
{
	struct attach *a = &p->attach;
	struct shmipc_channel *ch = a->ch;
	int fds[REGION_FDS_MAX], count = REGION_FDS_MAX, r;
	struct vector_offer answer;
	struct ucred from;
	ssize_t n = fdpass_receive(a->socket, &answer, sizeof(answer), fds, &count, &from);

	if (n <= 0)
		return n == -EAGAIN ? 0 : n ? (int)n : -EPIPE;
	r = n == (ssize_t)sizeof(answer) && answer.magic == VECTOR_MAGIC && answer.version == VECTOR_VERSION &&
			    answer.status <= 0
		    ? answer.status
		    : -EPROTO;
	if (r) {
		fdpass_close(fds, count);
		return r;
	}
	r = offer_finish(ch, fds, count, &from);
	if (r)
		return r;
	/* A producer that never sleeps learns of a death all the same. */
	if (!ch->watch.bell)
		r = watcher_add(&ch->watch, &ch->bell, 0);
	if (!r)
		r = outlet_init(p, ch, p->options.stamp || a->flags & GRANT_STAMP);
	if (r)
		return r;
	a->ch = NULL;
	give_up(p, 0);
	p->attach.retry_at = 0;
	p->attaches++;
	return 1;
}

/* Take one step. 1: there may be another; 0: wait for the socket, or the time. */
static int take_step(struct shmipc_producer *p)
{
	struct attach *a = &p->attach;
	int r;

	switch (a->state) {
	case ATTACH_IDLE:
		if (process_now() < a->retry_at)
			return 0;
		r = say_hello(p);
		a->retry_at = process_now() + ANSWER_NS;
		r = r ? r : 1;
		break;
	case ATTACH_GRANT:
		r = take_grant(p);
		break;
	default:
		r = take_answer(p);
		if (r == 1)
			return 0;
		break;
	}
	if (r == 0 && process_now() >= a->retry_at)
		r = -ETIMEDOUT;
	if (r < 0) {
		give_up(p, r);
		return 0;
	}
	a->state += (unsigned int)r;
	return r;
}

static bool is_gone(const struct shmipc_producer *p)
{
	return load_acquire(&p->out.ch->bell.dead) || p->out.broken || check_usable(p->out.ch);
}

void attach_ask_dead(struct shmipc_producer *p)
{
	struct pollfd poll_fd;

	if (!p->out.ch)
		return;
	/* Hang-ups are always reported, whatever else there is. */
	poll_fd = (struct pollfd){ .fd = p->out.ch->bell.fd, .events = POLLRDHUP };
	p->system_calls++;
	if (poll(&poll_fd, 1, 0) > 0)
		store_release(&p->out.ch->bell.dead, true);
}

void attach_step(struct shmipc_producer *p)
{
	int64_t until;
	bool was_idle;

	if (p->out.ch && is_gone(p)) {
		backlog_take_lane(p);
		outlet_fini(p);
	}
	if (!p->out.ch) {
		was_idle = p->attach.state == ATTACH_IDLE;
		while (take_step(p))
			;
		/* Somebody is there: most likely it answers at once. */
		if (!p->out.ch && was_idle && p->attach.state != ATTACH_IDLE) {
			until = process_now() + LINGER_NS;
			while (!p->out.ch && p->attach.state != ATTACH_IDLE && process_now() < until)
				if (attach_wait(p, until))
					break;
		}
	}
	if (p->out.ch && p->backlog.first)
		backlog_move(p);
	outlet_open_or_close(p);
}

int attach_wait(struct shmipc_producer *p, int64_t until)
{
	struct attach *a = &p->attach;
	struct pollfd poll_fd = { .fd = a->socket, .events = POLLIN };
	struct timespec timeout;
	int64_t left;
	int n;

	if (a->retry_at < until)
		until = a->retry_at;
	left = until - process_now();
	if (left > 0) {
		timeout = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
		n = ppoll(&poll_fd, a->socket >= 0, &timeout, NULL);
		if (n < 0 && errno == EINTR)
			return -EINTR;
	}
	while (take_step(p))
		;
	return 0;
}

void attach_fini(struct shmipc_producer *p)
{
	if (p->attach.socket >= 0)
		close(p->attach.socket);
	shmipc_channel_destroy(p->attach.ch);
}
