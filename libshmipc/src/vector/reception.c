// SPDX-License-Identifier: Apache-2.0
/*
 * reception.c - attaches producers and lets go of them
 *
 * A client says hello, is granted memory, and hands its channel over; each step is one message that comes whole
 * (seqpacket), so that none has to be waited for. A client that says nothing holds one of HANDSHAKES_MAX places
 * for HANDSHAKE_NS, and makes room earlier when there are more clients than places: the oldest goes.
 *
 * Memory is granted at the hello and counted until the producer is gone, so that all together never have more than
 * the vector's memory_max.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "consumer.h"

#define EVENTS_MAX 16
/* Clients taken from the listener in one go. */
#define ACCEPTS_MAX 16
/* A consumer that lets more time pass between two looks is not waited for. */
#define LOOK_SOON_NS 1000000u

int reception_watch(struct shmipc_vector *v, int fd, uint32_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(v->control, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void end_handshake(struct shmipc_vector *v, struct handshake *h)
{
	close(h->socket);
	h->socket = -1;
	v->granted -= h->granted;
	h->granted = 0;
	v->handshakes--;
}

static struct handshake *find_place(struct shmipc_vector *v)
{
	struct handshake *oldest = NULL, *h;
	uint32_t i;

	for (i = 0; i < HANDSHAKES_MAX; i++) {
		h = &v->handshake[i];
		if (h->socket < 0)
			return h;
		if (!oldest || h->deadline < oldest->deadline)
			oldest = h;
	}
	v->stats.turned_away++;
	end_handshake(v, oldest);
	return oldest;
}

static void accept_clients(struct shmipc_vector *v)
{
	struct handshake *h;
	int i, fd, old;

	for (i = 0; i < ACCEPTS_MAX; i++) {
		fd = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		h = find_place(v);
		*h = (struct handshake){ .socket = fd, .deadline = process_now() + HANDSHAKE_NS };
		v->handshakes++;
		if (fdpass_ask_credentials(fd, &old) || reception_watch(v, fd, (uint32_t)(h - v->handshake)))
			end_handshake(v, h);
	}
}

/* What a producer gets that wants so much; 0: there is not enough. */
static uint64_t grant_of(const struct shmipc_vector *v, uint64_t wanted)
{
	uint64_t left = v->options.memory_max - v->granted;

	if (wanted > v->options.producer_memory)
		wanted = v->options.producer_memory;
	if (wanted > left)
		wanted = left;
	wanted &= ~(uint64_t)(CHUNK_BYTES_MIN - 1);
	return wanted < SHMIPC_PRODUCER_MEMORY_MIN ? 0 : wanted;
}

static uint32_t count_offers(const struct shmipc_vector *v)
{
	uint32_t count = 0, i;

	for (i = 0; i < HANDSHAKES_MAX; i++)
		count += v->handshake[i].socket >= 0 && v->handshake[i].state == HANDSHAKE_OFFER;
	return count;
}

/* 0: granted, or turned away with a reason; or -errno: no hello. */
static int take_hello(struct shmipc_vector *v, struct handshake *h)
{
	struct vector_grant grant = { .magic = VECTOR_MAGIC, .version = VECTOR_VERSION };
	struct vector_hello hello;
	ssize_t n = recv(h->socket, &hello, sizeof(hello), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(hello) || hello.magic != VECTOR_MAGIC || hello.version != VECTOR_VERSION ||
	    hello.zero || hello.memory_max < SHMIPC_PRODUCER_MEMORY_MIN)
		return -EPROTO;
	h->granted = grant_of(v, hello.memory_max);
	if (v->count + count_offers(v) >= v->options.producers_max)
		grant.status = -EUSERS;
	else if (!h->granted)
		grant.status = -EDQUOT;
	if (grant.status)
		h->granted = 0;
	v->granted += h->granted;
	grant.memory_max = h->granted;
	grant.flags = v->options.merge ? GRANT_STAMP : 0;
	if (send(h->socket, &grant, sizeof(grant), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(grant))
		return -EPIPE;
	h->state = HANDSHAKE_OFFER;
	return grant.status;
}

/*
 * All lanes together are to go round in what the caches hold. Of a consumer that looks seldom the lanes are to hold what
 * comes in between.
 */
static void set_pace(struct shmipc_vector *v)
{
	uint32_t each = v->count ? PACE_BYTES / v->count : 0, i;

	if (each && each < PACE_BYTES_EACH)
		each = PACE_BYTES_EACH;
	if (v->options.sync == SHMIPC_SYNC_TIMED && v->options.timed_ns > LOOK_SOON_NS)
		each = 0;
	for (i = 0; i < v->count; i++)
		store_relaxed(&v->inlet[i]->ch->own.words->pace, each);
}

static int add_inlet(struct shmipc_vector *v, struct shmipc_channel *ch, uint64_t granted)
{
	struct inlet *in = calloc(1, sizeof(*in));
	int r = -ENOMEM;

	if (!in)
		return r;
	if (!ch->watch.bell) /* one that never sleeps learns of a death all the same */
		r = watcher_add(&ch->watch, &ch->bell, 0);
	else
		r = 0;
	if (!r)
		r = inlet_init(in, ch, granted);
	if (!r)
		r = sleep_add(v, in);
	if (r) {
		free(in);
		return r;
	}
	in->sender.id = ++v->last_id;
	in->index = v->count;
	store_relaxed(&ch->own.words->cpu, v->cpu);
	v->inlet[v->count++] = in;
	set_pace(v);
	v->stats.came++;
	if (v->options.event)
		v->options.event(v->options.context, SHMIPC_SENDER_CAME, &in->sender, 0);
	return 0;
}

/* Make an endpoint of what was offered. How many descriptors the answer has, or -errno. */
static int accept_offer(const struct vector_offer *message, uint64_t granted, int *fds, int count,
			const struct ucred *from, int *reply, struct shmipc_channel **ch)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;

	options.memory_max = granted;
	options.segment_bytes = CHUNK_BYTES_MIN;
	if (message->magic == VECTOR_MAGIC && message->version == VECTOR_VERSION && !message->status &&
	    message->offer.slots == CONTROL_SLOTS && message->offer.slices == CHUNKS_MAX)
		return offer_accept(&message->offer, &options, options.segment_bytes, fds, count, from, reply, ch);
	fdpass_close(fds, count);
	return -EPROTO;
}

/* 0: attached; or -errno. */
static int take_offer(struct shmipc_vector *v, struct handshake *h)
{
	int fds[REGION_FDS_MAX], reply[REGION_FDS_MAX], count = REGION_FDS_MAX, replies, r;
	struct shmipc_channel *ch = NULL;
	struct vector_offer message;
	struct ucred from;
	ssize_t n = fdpass_receive(h->socket, &message, sizeof(message), fds, &count, &from);

	if (n <= 0)
		return n ? (int)n : -EPIPE;
	if (n != (ssize_t)sizeof(message)) {
		fdpass_close(fds, count);
		return -EPROTO;
	}
	replies = accept_offer(&message, h->granted, fds, count, &from, reply, &ch);
	r = replies < 0 ? replies : 0;
	message.status = r;
	n = fdpass_send(h->socket, &message, sizeof(message), reply, r ? 0 : replies, true);
	if (!r && n != (ssize_t)sizeof(message))
		r = -EPIPE;
	if (!r) {
		offer_answered(ch);
		r = add_inlet(v, ch, h->granted);
	}
	if (r)
		shmipc_channel_destroy(ch);
	else
		h->granted = 0; /* the inlet's from now on */
	return r;
}

static void step_handshake(struct shmipc_vector *v, struct handshake *h)
{
	int r;

	if (h->socket < 0)
		return;
	if (h->state == HANDSHAKE_HELLO) {
		r = take_hello(v, h);
		if (!r)
			return;
		if (r == -EAGAIN)
			return;
	} else {
		r = take_offer(v, h);
		if (r == -EAGAIN)
			return;
	}
	if (r)
		v->stats.turned_away++;
	end_handshake(v, h);
}

static void end_late(struct shmipc_vector *v)
{
	int64_t now = process_now();
	uint32_t i;

	for (i = 0; i < HANDSHAKES_MAX; i++) {
		if (v->handshake[i].socket < 0 || v->handshake[i].deadline > now)
			continue;
		v->stats.turned_away++;
		end_handshake(v, &v->handshake[i]);
	}
}

static void take_kick(struct shmipc_vector *v)
{
	uint64_t count;

	if (read(v->kick, &count, sizeof(count)) == (ssize_t)sizeof(count))
		v->kicked = true;
}

void reception_serve(struct shmipc_vector *v)
{
	struct epoll_event events[EVENTS_MAX];
	int n, i;

	v->stats.system_calls++;
	n = epoll_wait(v->control, events, EVENTS_MAX, 0);
	for (i = 0; i < n; i++) {
		if (events[i].data.u32 == CONTROL_LISTENER)
			accept_clients(v);
		else if (events[i].data.u32 == CONTROL_KICK)
			take_kick(v);
		else
			step_handshake(v, &v->handshake[events[i].data.u32]);
	}
	if (v->handshakes)
		end_late(v);
}

int64_t reception_deadline(const struct shmipc_vector *v)
{
	int64_t first = SHMIPC_FOREVER;
	uint32_t i;

	if (!v->handshakes)
		return first;
	for (i = 0; i < HANDSHAKES_MAX; i++)
		if (v->handshake[i].socket >= 0 && v->handshake[i].deadline < first)
			first = v->handshake[i].deadline;
	return first;
}

static void remove_inlet(struct shmipc_vector *v, struct inlet *in)
{
	uint64_t dropped = load_relaxed(&in->ch->peer.words->dropped);
	uint64_t told = in->sender.dropped + in->unsaid;

	/* Counted, and no message came after them to say so in front of. */
	in->sender.dropped = !in->broken && dropped > told ? dropped : told;
	v->stats.left++;
	v->stats.lied += in->broken;
	v->stats.messages += in->sender.messages;
	v->stats.bytes += in->sender.bytes;
	v->stats.dropped += in->sender.dropped;
	v->granted -= in->granted;
	v->inlet[in->index] = v->inlet[--v->count];
	v->inlet[in->index]->index = in->index;
	set_pace(v);
	if (v->options.event)
		v->options.event(v->options.context, SHMIPC_SENDER_LEFT, &in->sender, in->broken ? -EBADMSG : 0);
	epoll_ctl(v->all, EPOLL_CTL_DEL, in->ch->bell.fd, NULL);
	shmipc_channel_destroy(in->ch);
	free(in);
}

/* What it published before it was seen dead can be read. */
static bool is_over_with(struct inlet *in)
{
	if (in->broken)
		return true;
	if (!load_acquire(&in->ch->bell.dead))
		return false;
	inlet_control(in);
	inlet_begin(in, 0, BATCH_BYTES_EACH);
	return !inlet_settle(in, 0);
}

void reception_dismiss(struct shmipc_vector *v)
{
	uint32_t i;

	for (i = v->count; i-- > 0;) {
		if (is_over_with(v->inlet[i]))
			remove_inlet(v, v->inlet[i]);
	}
}

void reception_close(struct shmipc_vector *v)
{
	uint32_t i;

	for (i = 0; i < HANDSHAKES_MAX; i++)
		if (v->handshake[i].socket >= 0)
			end_handshake(v, &v->handshake[i]);
	while (v->count)
		remove_inlet(v, v->inlet[v->count - 1]);
}
