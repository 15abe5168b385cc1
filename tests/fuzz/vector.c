// SPDX-License-Identifier: Apache-2.0
/*
 * vector.c - a vector one of whose producers' memory contains whatever the fuzzer says
 *
 * The input is a script: writes into the lane and the chunks of one producer, and calls of the consumer. Every message
 * that is shown must lie in memory that its producer lent; every batch must end; another producer, who is honest, must
 * lose nothing and wait for nothing.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "vector/consumer.h"
#include "vector/producer.h"

/* No batch of the two has more messages: its bytes are bounded, and a message has a word at least. */
#define MESSAGES_MAX (2 * (BATCH_BYTES_EACH + CHUNK_BYTES) / WORD_BYTES)

struct script {
	struct input in;
	struct shmipc_producer *liar, *honest;
	uint32_t pushed, seen; /* of the honest one's */
};

static struct shmipc_vector *vector;
static char path[64];

static struct shmipc_producer *attach(void)
{
	struct shmipc_producer_options options = SHMIPC_PRODUCER_OPTIONS_INIT;
	struct shmipc_producer *producer;

	options.backend = SHMIPC_BACKEND_MEMFD;
	options.memory_max = 1 << 18;
	options.full = SHMIPC_FULL_DROP_OLDEST;
	options.retry_ms = 1000;
	check(!shmipc_producer_open(path, &options, &producer));
	while (shmipc_producer_attach(producer, 0) == -EAGAIN)
		check(shmipc_vector_receive(vector, 0) == -EAGAIN);
	return producer;
}

/* What the liar says. */

static void write_record(struct script *s)
{
	struct outlet *out = &s->liar->out;
	uint32_t what = input_below(&s->in, 4) ? input_below(&s->in, 4) | input_below(&s->in, 4) << 8
					       : (uint32_t)input_take(&s->in, 4);
	uint32_t low = (uint32_t)input_take(&s->in, 1 + input_below(&s->in, 4));

	if (out->base && out->at + 2 * WORD_BYTES < out->end)
		store_release(word_at(out->base, out->at), record_word(what, low));
}

static void write_anywhere(struct script *s)
{
	struct outlet *out = &s->liar->out;
	struct chunk *chunk = &out->chunk[input_below(&s->in, CHUNKS_MAX)];

	if (out->ch && chunk->base)
		store_release(word_at(chunk->base, input_below(&s->in, chunk->size / 8) * 8), input_take(&s->in, 8));
}

static void write_head(struct script *s)
{
	struct outlet *out = &s->liar->out;
	struct chunk *chunk = &out->chunk[input_below(&s->in, 4)];
	struct chunk_head *head = (void *)chunk->base;

	if (!out->ch || !head)
		return;
	store_relaxed(&head->seq, chunk->seq + input_below(&s->in, 4));
	store_relaxed(&head->number, chunk->first + (uint64_t)(int8_t)input_take(&s->in, 1));
}

static void write_floor(struct script *s)
{
	struct outlet *out = &s->liar->out;

	if (out->ch)
		store_release(&out->ch->own.words->floor,
			      place_of(out->seq + input_below(&s->in, 8) - 4, (uint32_t)input_take(&s->in, 1)));
}

static void send_control(struct script *s)
{
	static const unsigned char bytes[4096];
	struct outlet *out = &s->liar->out;
	uint32_t size = input_below(&s->in, 2) ? 0 : input_below(&s->in, sizeof(bytes));

	if (out->ch)
		shmipc_channel_push(out->ch, bytes, size, input_below(&s->in, 260), (uint16_t)input_below(&s->in, 4),
				    0);
}

static void push_as_liar(struct script *s)
{
	static const unsigned char bytes[20000];
	int r = shmipc_producer_push(s->liar, bytes, input_below(&s->in, sizeof(bytes)), 0);

	check(r >= 0 || r == -EAGAIN);
}

static void push_honestly(struct script *s)
{
	if (s->pushed - s->seen > 1000)
		return;
	check(shmipc_producer_push(s->honest, &s->pushed, sizeof(s->pushed), 0) == 0);
	s->pushed++;
}

/* What the consumer does. */

static void read_message(struct script *s, const struct shmipc_vector_message *m)
{
	const volatile unsigned char *bytes = m->data;
	const struct inlet *in = NULL;
	bool inside = false;
	uint32_t number, i;
	size_t k;

	for (i = 0; i < vector->count; i++)
		if (&vector->inlet[i]->sender == m->sender)
			in = vector->inlet[i];
	check(in);
	for (i = 0; i < CHUNKS_MAX && !inside; i++)
		inside = in->chunk[i].base && bytes >= in->chunk[i].base && m->size <= in->chunk[i].size &&
			 (size_t)(bytes - in->chunk[i].base) <= in->chunk[i].size - m->size;
	check(inside);
	for (k = 0; k < m->size; k++)
		(void)bytes[k];
	if (m->sender->context != s)
		return;
	memcpy(&number, m->data, sizeof(number));
	check(m->size == sizeof(number) && number == s->seen && !m->dropped);
	s->seen++;
}

/* A batch, or the beginning of one. */
static void read_batch(struct script *s)
{
	bool part = s->in.left && !input_below(&s->in, 4);
	uint32_t most = part ? input_below(&s->in, 16) : UINT32_MAX, n = 0;
	struct shmipc_vector_message m;
	int r = shmipc_vector_receive(vector, 0);

	check(!r || r == -EAGAIN);
	if (r)
		return;
	while (n < most && shmipc_vector_next(vector, &m) == 1) {
		check(++n < MESSAGES_MAX);
		read_message(s, &m);
	}
	check(!shmipc_vector_release(vector));
}

static void arm(struct script *s)
{
	int r = shmipc_vector_arm(vector);

	(void)s;
	check(r == 0 || r == 1);
	check(!shmipc_vector_disarm(vector));
}

/* The honest one's messages are known by its sender's context. */
static void note_event(void *context, enum shmipc_vector_event event, struct shmipc_sender *sender, int error)
{
	struct script **next = context;

	(void)error;
	if (event == SHMIPC_SENDER_CAME)
		sender->context = *next;
}

static void close_vector(void)
{
	shmipc_vector_close(vector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const steps[])(struct script *) = {
		write_record, write_record,  write_anywhere, write_head, write_floor, send_control, push_as_liar,
		push_as_liar, push_honestly, push_honestly,  read_batch, read_batch,  read_batch,   arm,
	};
	struct shmipc_vector_options options = SHMIPC_VECTOR_OPTIONS_INIT;
	static struct script *next;
	struct script s = { .in = { data, size } };

	if (!vector) {
		snprintf(path, sizeof(path), "/tmp/shmipc-fuzz-vector.%d", (int)getpid());
		options.sync = SHMIPC_SYNC_DEMAND;
		options.event = note_event;
		options.context = &next;
		check(!shmipc_vector_open(path, &options, &vector));
		check(!atexit(close_vector));
	}
	next = NULL;
	s.liar = attach();
	next = &s;
	s.honest = attach();
	next = NULL; /* a liar whose lane has ended may come again */
	while (s.in.left)
		steps[input_below(&s.in, sizeof(steps) / sizeof(*steps))](&s);
	while (s.seen < s.pushed)
		read_batch(&s);
	shmipc_producer_close(s.liar);
	shmipc_producer_close(s.honest);
	while (vector->count)
		read_batch(&s);
	return 0;
}
