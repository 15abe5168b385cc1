// SPDX-License-Identifier: Apache-2.0
/*
 * walk.c - a few messages through a channel whose two ends are in one process, for bench/cache-lines
 *
 * Prints where each thing stands that a message may touch, then sends messages; what it does at the moment is said by a
 * store to `phase`, so that a list of all accesses to memory can be cut into steps. Every message is written and read.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel/endpoint.h"

#define SIZE_MOST 4096
#define WARM_UP 600u
#define MESSAGES 64u

/* In this order, again and again; bench/cache-lines knows them by it. */
enum phase { OTHER, SEND, WAIT, RECEIVE };

static volatile unsigned int phase;
static struct shmipc_channel *ends[2];
static int sockets[2];

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "walk: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void *receive(void *options)
{
	check(shmipc_channel_receive(sockets[1], options, SHMIPC_FOREVER, &ends[1]), "receive");
	return NULL;
}

static void open_channel(void)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;
	pthread_t thread;

	options.backend = SHMIPC_BACKEND_MEMFD;
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	check(-pthread_create(&thread, NULL, receive, &options), "pthread_create");
	check(shmipc_channel_create(&options, &ends[0]), "create");
	check(shmipc_channel_send(ends[0], sockets[0], SHMIPC_FOREVER), "send");
	pthread_join(thread, NULL);
}

static void say(const char *what, int lane, const volatile void *at, size_t size)
{
	printf("%s %d %#lx %zu\n", what, lane, (unsigned long)at, size);
}

#define SAY_WORD(lane, l, word) say(#word, lane, &(l)->words->word, sizeof((l)->words->word))
#define SAY_PART(end, ch, part) say("private:" #part, end, &(ch)->part, sizeof((ch)->part))

/* A lane is mapped twice: by its owner, and by the other side. */
static void say_lane(int number, const struct lane *lane, const struct geometry *g)
{
	SAY_WORD(number, lane, seq);
	SAY_WORD(number, lane, rung);
	SAY_WORD(number, lane, cons);
	SAY_WORD(number, lane, skip);
	SAY_WORD(number, lane, cpu);
	SAY_WORD(number, lane, pays);
	SAY_WORD(number, lane, retired);
	SAY_WORD(number, lane, unmapped);
	SAY_WORD(number, lane, ret_cons);
	SAY_WORD(number, lane, freed);
	say("counters", number, lane->tool, sizeof(*lane->tool));
	say("slots", number, lane->ring, g->slots * sizeof(*lane->ring));
	say("returns", number, (const void *)lane->returns, g->slices * sizeof(*lane->returns));
	say("table", number, lane->table, g->slices * sizeof(*lane->table));
	say("payload", number, lane->segment[0].base, lane->segment[0].bytes);
}

static void say_end(int number, const struct shmipc_channel *ch)
{
	say_lane(number, &ch->own, &ch->geometry);
	say_lane(!number, &ch->peer, &ch->geometry);
	SAY_PART(number, ch, out);
	SAY_PART(number, ch, in);
	SAY_PART(number, ch, bell);
	SAY_PART(number, ch, room);
	SAY_PART(number, ch, reading);
	SAY_PART(number, ch, writing);
	say("private:channel", number, ch, sizeof(*ch));
	say("private:pieces", number, ch->out.arena.pieces, ch->geometry.slices * sizeof(*ch->out.arena.pieces));
}

static void send_one(struct shmipc_channel *ch, size_t size, unsigned char with)
{
	struct shmipc_buffer buffer;

	check(shmipc_channel_reserve(ch, size, 0, &buffer), "reserve");
	memset(buffer.data, with, size);
	check(shmipc_channel_submit(ch, &buffer, size, 0), "submit");
}

static void receive_one(struct shmipc_channel *ch, size_t size, unsigned char with)
{
	struct shmipc_message message;
	static unsigned char copy[SIZE_MOST];

	check(shmipc_channel_peek(ch, &message), "peek");
	memcpy(copy, message.data, size);
	check(shmipc_channel_release(ch, &message), "release");
	check(message.size == size && copy[0] == with && copy[size - 1] == with ? 0 : -EBADMSG, "the bytes");
}

/* One message from end @from to the other, step by step. */
static void pass_one(int from, size_t size, unsigned char with)
{
	phase = SEND;
	send_one(ends[from], size, with);
	phase = OTHER;
	phase = WAIT;
	check(shmipc_channel_wait(ends[!from], SHMIPC_READABLE, SHMIPC_FOREVER), "wait");
	phase = RECEIVE;
	receive_one(ends[!from], size, with);
	phase = OTHER;
}

int main(int argc, char **argv)
{
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	bool answered = argc > 2 && !strcmp(argv[1], "ping-pong");
	unsigned int i;

	if (!size || size > SIZE_MOST || (!answered && strcmp(argv[1], "stream"))) {
		fprintf(stderr, "usage: walk stream|ping-pong SIZE\n");
		return 2;
	}
	open_channel();
	/* The readers map what they read. */
	for (i = 0; i < 2; i++) {
		send_one(ends[i], SIZE_MOST, 1);
		receive_one(ends[!i], SIZE_MOST, 1);
	}
	say_end(0, ends[0]);
	say_end(1, ends[1]);
	say("phase", 0, &phase, sizeof(phase));
	printf("messages %u %u\n", WARM_UP, MESSAGES);
	fflush(stdout);
	for (i = 0; i < WARM_UP + MESSAGES; i++) {
		pass_one(0, size, (unsigned char)i);
		if (answered)
			pass_one(1, size, (unsigned char)(i + 7));
	}
	shmipc_channel_destroy(ends[0]);
	shmipc_channel_destroy(ends[1]);
	return 0;
}
