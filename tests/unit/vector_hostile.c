// SPDX-License-Identifier: Apache-2.0
/*
 * vector_hostile.c - tests of a producer that lies: its lane ends, with EBADMSG told to the application, and the
 * other producers notice nothing; and of clients that say nothing, or nonsense
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "post.h"
#include "vector/consumer.h"
#include "vector/producer.h"
#include "worker.h"

/* A lie is told by a producer that has published ten messages, behind them. */
typedef void tell_lie(struct shmipc_producer *liar);

static void put_word(struct shmipc_producer *liar, uint64_t word)
{
	store_release(word_at(liar->out.base, liar->out.at), word);
}

static void unknown_kind(struct shmipc_producer *liar)
{
	put_word(liar, record_word(7, 8));
}

static void unknown_flag(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_MESSAGE | 0x80000, 8));
}

static void longer_than_the_chunk(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_MESSAGE, liar->out.end - liar->out.at - WORD_BYTES + 8));
}

static void longest_of_all(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_MESSAGE, UINT32_MAX));
}

static void stamped_and_just_too_long(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_MESSAGE | RECORD_STAMPED, liar->out.end - liar->out.at - WORD_BYTES));
}

static void next_chunk_was_never_announced(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_END, 100));
}

static void next_chunk_is_no_id(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_END, UINT32_MAX));
}

static void next_chunk_is_this_one(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_END, liar->out.current));
}

static void end_with_a_flag(struct shmipc_producer *liar)
{
	put_word(liar, record_word(RECORD_END | RECORD_REPEATED, liar->out.current));
}

static void floor_is_no_chunk(struct shmipc_producer *liar)
{
	store_release(&liar->out.ch->own.words->floor, place_of(1000, 77));
	put_word(liar, record_word(RECORD_END, 0));
}

/* Another chunk, good but for one word of its head. */
static struct chunk_head *enter_another(struct shmipc_producer *liar)
{
	struct shmipc_buffer buffer;
	struct chunk_head *head;

	assert_code(shmipc_channel_reserve(liar->out.ch, 4096, SHMIPC_KEPT, &buffer), 0);
	buffer.tag = 50;
	buffer.kind = CONTROL_ANNOUNCE;
	head = buffer.data;
	memset(buffer.data, 0, 4096);
	store_relaxed(&head->seq, liar->out.seq + 1);
	store_relaxed(&head->number, liar->out.number);
	assert_code(shmipc_channel_submit(liar->out.ch, &buffer, 4096, 0), 0);
	return head;
}

static void chunk_of_another_turn(struct shmipc_producer *liar)
{
	store_relaxed(&enter_another(liar)->seq, 77);
	put_word(liar, record_word(RECORD_END, 50));
}

static void numbers_that_go_back(struct shmipc_producer *liar)
{
	store_relaxed(&enter_another(liar)->number, 3);
	put_word(liar, record_word(RECORD_END, 50));
}

static void announce(struct shmipc_producer *liar, uint32_t id, uint16_t kind, size_t size)
{
	static unsigned char bytes[4096];

	assert_code(shmipc_channel_push(liar->out.ch, bytes, size, id, kind, 0), 0);
}

static void chunk_that_is_announced_twice(struct shmipc_producer *liar)
{
	announce(liar, 0, CONTROL_ANNOUNCE, 4096);
}

static void chunk_too_small_for_a_head(struct shmipc_producer *liar)
{
	announce(liar, 60, CONTROL_ANNOUNCE, 16);
}

static void chunk_of_an_odd_size(struct shmipc_producer *liar)
{
	announce(liar, 60, CONTROL_ANNOUNCE, 4001);
}

static void chunk_with_an_id_too_high(struct shmipc_producer *liar)
{
	announce(liar, CHUNKS_MAX, CONTROL_ANNOUNCE, 4096);
}

static void control_message_of_no_kind(struct shmipc_producer *liar)
{
	announce(liar, 1, 9, 0);
}

static void retires_what_is_being_read(struct shmipc_producer *liar)
{
	announce(liar, liar->out.current, CONTROL_RETIRE, 0);
}

static void retires_what_was_never_there(struct shmipc_producer *liar)
{
	announce(liar, 99, CONTROL_RETIRE, 0);
}

static void floods_with_control_messages(struct shmipc_producer *liar)
{
	uint16_t i;

	for (i = 0; i < CONTROL_SLOTS - 20; i++)
		announce(liar, 99, CONTROL_RETIRE, 0);
}

static const struct {
	const char *name;
	tell_lie *tell;
} lies[] = {
#define LIE(lie)                                                                                                       \
	{                                                                                                              \
#lie, lie                                                                                              \
	}
	LIE(unknown_kind),
	LIE(unknown_flag),
	LIE(longer_than_the_chunk),
	LIE(longest_of_all),
	LIE(stamped_and_just_too_long),
	LIE(next_chunk_was_never_announced),
	LIE(next_chunk_is_no_id),
	LIE(next_chunk_is_this_one),
	LIE(end_with_a_flag),
	LIE(floor_is_no_chunk),
	LIE(chunk_of_another_turn),
	LIE(numbers_that_go_back),
	LIE(chunk_that_is_announced_twice),
	LIE(chunk_too_small_for_a_head),
	LIE(chunk_of_an_odd_size),
	LIE(chunk_with_an_id_too_high),
	LIE(control_message_of_no_kind),
	LIE(retires_what_is_being_read),
	LIE(retires_what_was_never_there),
	LIE(floods_with_control_messages),
};

struct seen {
	int left, error;
	uint64_t id;
};

static void note_event(void *context, enum shmipc_vector_event event, struct shmipc_sender *sender, int error)
{
	struct seen *seen = context;

	if (event != SHMIPC_SENDER_LEFT)
		return;
	seen->left++;
	seen->error = error;
	seen->id = sender->id;
}

static void a_lie_ends_the_liars_lane_and_nothing_else(struct pair *pair)
{
	uint32_t honest_next, liar_next, i;
	struct shmipc_producer *honest, *liar;
	struct shmipc_vector_message m;
	struct seen seen;
	struct post post;
	size_t lie;

	for (lie = 0; lie < sizeof(lies) / sizeof(lies[0]); lie++) {
		post_init(&post, pair);
		seen = (struct seen){ 0 };
		post.vector_options.event = note_event;
		post.vector_options.context = &seen;
		post_open(&post);
		liar = post_producer(&post);
		honest = post_producer(&post);
		honest_next = liar_next = 0;
		for (i = 0; i < 10; i++) {
			post_push(liar, 24, i);
			post_push(honest, 24, i);
		}
		/* What it had published before is good. */
		while (honest_next + liar_next < 20) {
			assert_code(shmipc_vector_receive(post.vector, FAR), 0);
			while (shmipc_vector_next(post.vector, &m) == 1)
				assert_true(pattern_is(m.data, 24, m.sender->id == 1 ? liar_next++ : honest_next++));
			assert_code(shmipc_vector_release(post.vector), 0);
		}
		lies[lie].tell(liar);
		for (i = 10; i < 40; i++) {
			post_push(honest, 24, i);
			assert_code(shmipc_vector_receive(post.vector, FAR), 0);
			post_expect(&post, 24, i);
			assert_code(shmipc_vector_next(post.vector, &m), 0);
			assert_code(shmipc_vector_release(post.vector), 0);
		}
		assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
		if (seen.left != 1 || seen.error != -EBADMSG || seen.id != 1)
			fail_msg("%s: %d left, error %d, id %d", lies[lie].name, seen.left, seen.error, (int)seen.id);
		assert_int_equal(vector_stats_of(post.vector).lied, 1);
		shmipc_producer_close(liar);
		shmipc_producer_close(honest);
		post_close(&post);
	}
}

static void a_chain_of_empty_chunks_does_not_keep_the_consumer(struct pair *pair)
{
	struct shmipc_producer *liar, *honest;
	struct shmipc_vector_message m;
	struct shmipc_buffer buffer[2];
	struct chunk_head *head;
	struct post post;
	uint32_t i;

	post_init(&post, pair);
	post_open(&post);
	liar = post_producer(&post);
	honest = post_producer(&post);
	post_push(liar, 24, 0);
	post_take(&post, 24, 0, 1);
	/* Two chunks, each the other's next: the sequence number of one is wrong as soon as it is met again. */
	for (i = 0; i < 2; i++) {
		assert_code(shmipc_channel_reserve(liar->out.ch, 4096, SHMIPC_KEPT, &buffer[i]), 0);
		head = buffer[i].data;
		store_relaxed(&head->seq, 1 + i);
		store_relaxed(&head->number, 1);
		store_relaxed(word_at(buffer[i].data, RECORD_AT), record_word(RECORD_END, 50 + !i));
		buffer[i].tag = 50 + i;
		buffer[i].kind = CONTROL_ANNOUNCE;
		assert_code(shmipc_channel_submit(liar->out.ch, &buffer[i], 4096, 0), 0);
	}
	put_word(liar, record_word(RECORD_END, 50));
	post_push(honest, 24, 5);
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	post_expect(&post, 24, 5);
	assert_code(shmipc_vector_next(post.vector, &m), 0);
	assert_code(shmipc_vector_release(post.vector), 0);
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	assert_int_equal(vector_stats_of(post.vector).lied, 1);
	shmipc_producer_close(liar);
	shmipc_producer_close(honest);
	post_close(&post);
}

static int connect_to(const struct post *post)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, post->path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void clients_that_say_nothing_keep_nobody(struct pair *pair)
{
	enum { SILENT = 200 };
	struct shmipc_producer *p;
	struct post post;
	int fd[SILENT], i;

	post_init(&post, pair);
	post.vector_options.producers_max = 2;
	post_open(&post);
	for (i = 0; i < SILENT; i++) {
		fd[i] = connect_to(&post);
		if (fd[i] < 0) /* the backlog is full: let the consumer take some */
			assert_code(shmipc_vector_receive(post.vector, soon(1)), -ETIMEDOUT);
	}
	p = post_producer(&post);
	post_push(p, 30, 1);
	post_take(&post, 30, 1, 1);
	/* They are let go of in time, without another event. */
	await((shmipc_vector_receive(post.vector, soon(20)), vector_stats_of(post.vector).turned_away >= SILENT / 2));
	for (i = 0; i < SILENT; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	shmipc_producer_close(p);
	post_close(&post);
}

static void nonsense_is_turned_away(struct pair *pair)
{
	const struct vector_hello good = { .magic = VECTOR_MAGIC, .version = VECTOR_VERSION, .memory_max = 1 << 20 };
	struct vector_hello hello;
	struct vector_grant grant;
	struct post post;
	uint64_t turned;
	int fd, i;

	post_init(&post, pair);
	post_open(&post);
	for (i = 0; i < 7; i++) {
		size_t size = sizeof(hello);

		hello = good;
		if (i == 0)
			hello.magic++;
		if (i == 1)
			hello.version++;
		if (i == 2)
			hello.zero = 1;
		if (i == 3)
			hello.memory_max = 100;
		if (i == 4)
			size--;
		turned = vector_stats_of(post.vector).turned_away;
		fd = connect_to(&post);
		assert_true(fd >= 0);
		assert_int_equal(send(fd, &hello, size, 0), size);
		if (i >= 5) { /* a good hello, then: no offer; a hang-up */
			await((shmipc_vector_receive(post.vector, 0),
			       recv(fd, &grant, sizeof(grant), 0) == sizeof(grant)));
			assert_code(grant.status, 0);
			assert_int_equal(vector_stats_of(post.vector).memory_granted, 1 << 20);
			if (i == 5)
				assert_int_equal(send(fd, "offer", 5, 0), 5);
			else
				close(fd);
		}
		await((shmipc_vector_receive(post.vector, 0), vector_stats_of(post.vector).turned_away == turned + 1));
		assert_int_equal(vector_stats_of(post.vector).memory_granted, 0);
		if (i != 6)
			close(fd);
	}
	post_close(&post);
}

static void a_consumer_that_lies_about_what_it_released_is_left(struct pair *pair)
{
	struct inlet *in;
	struct shmipc_producer *p;
	struct post post;
	uint32_t i;

	post_init(&post, pair);
	post.producer_options.memory_max = SHMIPC_PRODUCER_MEMORY_MIN;
	post.producer_options.full = SHMIPC_FULL_DROP_OLDEST;
	post_open(&post);
	p = post_producer(&post);
	for (i = 0; i < 3000; i++)
		post_push(p, 100, i);
	assert_int_equal(producer_stats_of(p).attached, 1);
	/* A chunk that was never written is released. */
	in = post.vector->inlet[0];
	store_release(&in->ch->own.words->freed, place_of(100000, 0));
	for (i = 0; i < 3000 && producer_stats_of(p).attached; i++)
		post_push(p, 100, i);
	assert_int_equal(producer_stats_of(p).attached, 0);
	/* It goes on without it. */
	post_push(p, 100, 1);
	assert_true(producer_stats_of(p).backlog_bytes > 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static int call_push_many(struct worker *worker)
{
	unsigned char data[1000] = { 0 };
	int i, r = 0;

	for (i = 0; i < (int)PACE_BYTES_EACH * 4 / 1000 && !r; i++)
		r = shmipc_producer_push(worker->argument, data, sizeof(data), FAR);
	return r;
}

/* Whether the producer was still at it when it was lied to. */
static bool lie_to_one_that_waits(struct pair *pair)
{
	struct shmipc_producer *p;
	struct worker worker;
	struct inlet *in;
	struct post post;
	bool waited;

	post_init(&post, pair);
	post_open(&post);
	p = post_producer(&post);
	in = post.vector->inlet[0];
	/* No share at all, it says: the producer waits where the least one is used up. */
	store_relaxed(&in->ch->own.words->pace, 1);
	worker = (struct worker){ .call = call_push_many, .argument = p };
	worker_start(&worker);
	waited = worker_sleeps(&worker);
	store_release(&in->ch->own.words->freed, place_of(100000, 0));
	full_barrier();
	inlet_wake(in);
	assert_code(worker_join(&worker), 0);
	waited = waited && !producer_stats_of(p).attached && producer_stats_of(p).backlog_bytes;
	shmipc_producer_close(p);
	post_close(&post);
	return waited;
}

static void a_consumer_that_lies_to_one_that_waits_for_it_is_left(struct pair *pair)
{
	int64_t until = FAR;

	while (!lie_to_one_that_waits(pair))
		assert_true(now_ns() < until);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_lie_ends_the_liars_lane_and_nothing_else),
		ON_BOTH(a_chain_of_empty_chunks_does_not_keep_the_consumer),
		ON_BOTH(clients_that_say_nothing_keep_nobody),
		ON_BOTH(nonsense_is_turned_away),
		ON_BOTH(a_consumer_that_lies_about_what_it_released_is_left),
		ON_BOTH(a_consumer_that_lies_to_one_that_waits_for_it_is_left),
	};

	return RUN_TESTS(tests, argc, argv);
}
