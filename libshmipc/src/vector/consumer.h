/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer.h - what is inside a struct shmipc_vector, and what its files share
 *
 *	consumer.c	open, close, receive, next, release
 *	inlet.c		one producer's lane, read
 *	merge.c		next by time of push
 *	listen.c	the path
 *	reception.c	producers that attach, and those that leave
 *	sleep.c		waiting for all producers at once
 *
 * A vector is one thread's at a time, its kick descriptor excepted.
 */
#ifndef SHMIPC_VECTOR_CONSUMER_H
#define SHMIPC_VECTOR_CONSUMER_H

#include "vector.h"

/* What a producer announced, by id. */
struct known_chunk {
	const unsigned char *base; /* NULL: nothing */
	uint32_t size;
	uint32_t slice;
	uint64_t batch; /* the last batch that has messages in it */
};

/* One producer's lane, as the consumer reads it. */
struct inlet {
	const unsigned char *base; /* of the chunk being read; NULL: on the way into chunk seq, id */
	uint32_t at;		   /* the next record's word */
	uint32_t limit;		   /* words at this place and beyond are not for this batch */
	uint32_t end;		   /* the last place for a word */
	uint32_t seq;
	uint32_t id;
	uint32_t from;	 /* where this batch began in the chunk */
	uint32_t budget; /* bytes that it may still take, from there on */
	bool entered;	 /* the first chunk was */
	uint64_t number; /* messages so far, dropped ones too */
	uint64_t unsaid; /* dropped before the next message */
	uint64_t batch;	 /* the last one that it was part of */
	bool broken;
	struct shmipc_sender sender;
	struct shmipc_channel *ch;
	uint64_t freed;	 /* what the word says */
	bool freed_more; /* by the release that is going on */
	uint64_t granted;
	uint32_t index; /* in the vector's list */
	struct known_chunk chunk[CHUNKS_MAX];
};

enum handshake_state { HANDSHAKE_HELLO, HANDSHAKE_OFFER };

/* A client that is being attached. */
struct handshake {
	enum handshake_state state;
	int socket; /* -1: unused */
	int64_t deadline;
	uint64_t granted;
};
#define HANDSHAKES_MAX 64u
#define HANDSHAKE_NS 1000000000ll

struct shmipc_vector {
	const _Atomic uint32_t *guard;
	struct inlet **inlet; /* producers_max of them */
	uint32_t count;
	/* The open batch: */
	bool batch_open;
	struct inlet *current;
	uint32_t turn;	/* where it began */
	uint32_t done;	/* inlets that are through */
	uint64_t batch; /* its number */
	uint32_t *heap; /* merge: indices, the earliest first */
	uint32_t heap_count;

	struct shmipc_vector_options options;
	struct shmipc_vector_stats stats;
	uint64_t granted;
	uint64_t last_id;

	/* Waiting: */
	bool armed;
	bool one_processor;
	int all;     /* epoll: control and every channel */
	int control; /* epoll: the listener, handshakes, the kick */
	int kick;    /* eventfd */
	bool kicked;
	int64_t control_at; /* the millisecond in which `control` was last looked at; 0: it has something */
	uint32_t ask_next;  /* whose death is asked for next */
	struct spinner spinner;
	uint32_t cpu;	 /* 1 + the processor of the last batch: what the lanes say */
	bool woken_soon; /* the last sleep was short */
	bool batch_came; /* since the last sleep */

	struct handshake handshake[HANDSHAKES_MAX];
	uint32_t handshakes;
	int listener;

	int lock; /* the lock file */
	struct shmipc_vector *next, **link;
	char *path;
};

/* listen.c. 0 or -errno. */
int listen_open(struct shmipc_vector *v, const char *path);
void listen_close(struct shmipc_vector *v);

/* What the control descriptor tells apart: handshakes are by index. */
enum { CONTROL_LISTENER = 1000, CONTROL_KICK };

/* reception.c */
int reception_watch(struct shmipc_vector *v, int fd, uint32_t what);
/* Take all steps that can be taken without waiting. */
void reception_serve(struct shmipc_vector *v);
/* Latest time to sleep until, for the sake of handshakes. */
int64_t reception_deadline(const struct shmipc_vector *v);
void reception_close(struct shmipc_vector *v);
/* Let go of producers that are gone, and have nothing more to read. */
void reception_dismiss(struct shmipc_vector *v);

/* inlet.c */
int inlet_init(struct inlet *in, struct shmipc_channel *ch, uint64_t granted);
/* Whether the next record is a message: skips all that is none. */
bool inlet_settle(struct inlet *in, uint64_t batch);
/* The long way of inlet_next(). */
int inlet_step(struct inlet *in, uint64_t batch, struct shmipc_vector_message *message);
void inlet_begin(struct inlet *in, uint64_t batch, uint32_t share);
/* Messages that are there, up to `most`, as far as they can be counted at once. */
uint64_t inlet_count(const struct inlet *in, uint64_t most);
/* The time of the message that is next. */
int64_t inlet_time(const struct inlet *in);
/* (E). Its reader has a barrier and inlet_wake() to come. */
bool inlet_free(struct inlet *in);
void inlet_wake(struct inlet *in);
/* There was no message: what else there was is released. */
void inlet_skip(struct inlet *in);
/* Control messages and chores of the channel, between batches. */
void inlet_control(struct inlet *in);

static inline const _Atomic uint64_t *inlet_word(const struct inlet *in)
{
	return (const _Atomic uint64_t *)(const void *)(in->base + in->at);
}

/* Whether there is anything to look at, be it a message or not. */
static inline bool inlet_has_news(const struct inlet *in)
{
	if (unlikely(in->broken || load_relaxed(&in->ch->bell.dead)))
		return true;
	if (unlikely(!in->base))
		return in->entered || in->chunk[0].base || wait_has_news(in->ch);
	return load_relaxed(inlet_word(in));
}

/*
 * The next message of the batch, if it is there. What is not a plain message that ends in its chunk takes the long way.
 * Returns 1; 0: no more.
 */
static inline int inlet_next(struct inlet *in, uint64_t batch, struct shmipc_vector_message *message)
{
	uint64_t word, bytes;
	uint32_t size;

	if (unlikely(in->at >= in->limit)) /* or it is on the way into a chunk */
		return in->base ? 0 : inlet_step(in, batch, message);
	word = load_acquire(inlet_word(in)); /* (D) */
	size = (uint32_t)word;
	bytes = record_bytes(size, false);
	if (unlikely(record_what(word) != RECORD_MESSAGE || bytes > in->end - in->at || in->unsaid))
		return inlet_step(in, batch, message);
	message->data = in->base + in->at + WORD_BYTES;
	message->size = size;
	message->sender = &in->sender;
	message->time_ns = 0;
	message->dropped = 0;
	message->flags = 0;
	in->at += (uint32_t)bytes;
	ask_to_read(in->base, in->at);
	in->number++;
	in->sender.messages++;
	in->sender.bytes += size;
	return 1;
}

/* merge.c: the order is that of a heap. */
void merge_begin(struct shmipc_vector *v);
int merge_next(struct shmipc_vector *v, struct shmipc_vector_message *message);

/* sleep.c */
int sleep_init(struct shmipc_vector *v);
void sleep_fini(struct shmipc_vector *v);
/* Whether any producer has something to look at. */
bool sleep_look(const struct shmipc_vector *v);
/* Let time pass as the mode says, until there may be something, or `deadline`. 0: look again; -EINTR. */
int sleep_pass_time(struct shmipc_vector *v, int64_t deadline);
/* The same without an announcement: the producers do not wake. */
int sleep_nap(struct shmipc_vector *v, int64_t until);
int sleep_arm(struct shmipc_vector *v);
void sleep_withdraw(struct shmipc_vector *v);
/* The same, behind somebody else's poll: makes what was reported silent. */
void sleep_disarm(struct shmipc_vector *v);
int sleep_add(struct shmipc_vector *v, struct inlet *in);

#endif /* SHMIPC_VECTOR_CONSUMER_H */
