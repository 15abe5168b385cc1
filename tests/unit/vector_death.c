// SPDX-License-Identifier: Apache-2.0
/*
 * vector_death.c - tests of producers that are killed or stopped, at each point of a push: they lose what they had not
 * published, and nobody else loses anything
 *
 * VECTOR_KILLS_MS=60000 in the environment makes the test that kills one every 10 ms last that long.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "post.h"
#include "vector/producer.h"

/* Where a push dies. */
enum point {
	BEFORE_THE_RESERVATION,
	WITH_A_RESERVATION,
	WITH_THE_BYTES_WRITTEN,
	BEFORE_THE_WORD, /* all but (C) is stored */
	BEFORE_THE_RING, /* published, and the sleeping consumer not woken */
	AFTER_THE_PUSH,
	AFTER_THE_ANNOUNCEMENT_OF_A_CHUNK, /* that END does not name yet */
	POINTS,
};

#define FIRST 700 /* messages before; more than a chunk */
#define SIZE 150

static void kill_self(void)
{
	kill(getpid(), SIGKILL);
}

static void push_or_exit(struct shmipc_producer *p, uint32_t number)
{
	unsigned char data[SIZE];

	pattern_fill(data, SIZE, number);
	if (shmipc_producer_push(p, data, SIZE, FAR))
		_exit(9);
}

/* In the child: FIRST messages, then one that is not finished. */
static void die_at(struct shmipc_producer *p, enum point point)
{
	void *data;
	uint32_t i;

	for (i = 0; i < FIRST; i++)
		push_or_exit(p, i);
	if (point == BEFORE_THE_RESERVATION)
		kill_self();
	if (point == AFTER_THE_ANNOUNCEMENT_OF_A_CHUNK) {
		struct shmipc_buffer buffer;

		if (shmipc_channel_reserve(p->out.ch, 8192, SHMIPC_KEPT, &buffer))
			_exit(8);
		buffer.tag = 200;
		buffer.kind = CONTROL_ANNOUNCE;
		shmipc_channel_submit(p->out.ch, &buffer, 8192, 0);
		kill_self();
	}
	if (shmipc_producer_reserve(p, SIZE, &data, FAR))
		_exit(8);
	if (point == WITH_A_RESERVATION)
		kill_self();
	pattern_fill(data, SIZE, FIRST);
	if (point == WITH_THE_BYTES_WRITTEN)
		kill_self();
	if (point == BEFORE_THE_WORD) {
		store_relaxed(word_at(p->out.base, p->out.at + (uint32_t)record_bytes(SIZE, false)), 0);
		kill_self();
	}
	if (point == BEFORE_THE_RING) {
		record_close(p->out.base, p->out.at, RECORD_MESSAGE, SIZE);
		kill_self();
	}
	shmipc_producer_commit(p, SIZE);
	kill_self();
}

static pid_t start_victim(struct post *post, enum point point)
{
	struct shmipc_producer *p;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	alarm(60);
	if (shmipc_producer_open(post->path, &post->producer_options, &p) || shmipc_producer_attach(p, FAR))
		_exit(7);
	die_at(p, point);
	_exit(6);
}

static void a_killed_producer_loses_only_what_it_had_not_published(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct shmipc_producer *other;
	uint32_t expected, n, others;
	enum point point;
	struct post post;
	int status;
	pid_t pid;

	for (point = 0; point < POINTS; point++) {
		post_init(&post, pair);
		post_open(&post);
		other = post_producer(&post);
		pid = start_victim(&post, point);
		expected = FIRST + (point == BEFORE_THE_RING || point == AFTER_THE_PUSH);
		others = 0;
		for (n = 0; n < expected || vector_stats_of(post.vector).left < 1;) {
			if (shmipc_vector_receive(post.vector, soon(10)))
				continue;
			while (shmipc_vector_next(post.vector, &m) == 1) {
				if (m.sender->peer.pid == pid)
					assert_true(pattern_is(m.data, SIZE, n++));
				else
					assert_true(pattern_is(m.data, SIZE, others++));
			}
			assert_code(shmipc_vector_release(post.vector), 0);
			/* The others go on, whatever state it is in. */
			post_push(other, SIZE, others);
		}
		assert_int_equal(n, expected);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(vector_stats_of(post.vector).lied, 0);
		post_push(other, SIZE, others + 1);
		assert_true(post_drain(&post, SIZE).messages > 0);
		shmipc_producer_close(other);
		post_close(&post);
	}
}

static void a_stopped_producer_keeps_nobody(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint32_t i;
	pid_t pid;

	p = post_start(&post, pair);
	pid = fork();
	if (!pid) {
		struct shmipc_producer *stopped;
		void *data;

		alarm(60);
		if (shmipc_producer_open(post.path, &post.producer_options, &stopped) ||
		    shmipc_producer_attach(stopped, FAR) || shmipc_producer_reserve(stopped, SIZE, &data, FAR))
			_exit(9);
		raise(SIGSTOP);
		_exit(0);
	}
	await((shmipc_vector_receive(post.vector, 0), vector_stats_of(post.vector).producers == 2));
	for (i = 0; i < 5000; i++) {
		post_push(p, SIZE, i);
		if (i % 10 == 9)
			post_take(&post, SIZE, i - 9, 10);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	await((shmipc_vector_receive(post.vector, 0), vector_stats_of(post.vector).producers == 1));
	shmipc_producer_close(p);
	post_close(&post);
}

/* What the survivors tell, in memory that all share. */
struct ledger {
	_Atomic uint32_t pushed[4];
	_Atomic bool stop;
};

static void survive(struct post *post, struct ledger *ledger, uint32_t who)
{
	struct shmipc_producer *p;
	uint32_t i, word[2];

	alarm(600);
	if (shmipc_producer_open(post->path, &post->producer_options, &p) || shmipc_producer_attach(p, FAR))
		_exit(9);
	for (i = 0; !ledger->stop; i++) {
		word[0] = who;
		word[1] = i;
		if (shmipc_producer_push(p, word, sizeof(word), SHMIPC_FOREVER))
			_exit(8);
		ledger->pushed[who] = i + 1;
		if (i % 64 == 63)
			usleep(100);
	}
	if (shmipc_producer_flush(p, FAR))
		_exit(7);
	_exit(0);
}

static pid_t start_doomed(struct post *post)
{
	struct shmipc_producer *p;
	uint32_t i, word[2] = { 99, 0 };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	alarm(60);
	if (shmipc_producer_open(post->path, &post->producer_options, &p))
		_exit(9);
	for (i = 0;; i++) {
		word[1] = i;
		shmipc_producer_push(p, word, sizeof(word), 0);
	}
}

static void producers_killed_every_10_ms_cost_the_others_no_message(struct pair *pair)
{
	enum { SURVIVORS = 3, DOOMED = 3 };
	const char *text = getenv("VECTOR_KILLS_MS");
	int64_t until, kill_at, lasts = text ? atoll(text) : 1500;
	uint32_t next[SURVIVORS] = { 0 }, word[2], who, kills = 0;
	pid_t survivor[SURVIVORS], doomed[DOOMED];
	struct shmipc_vector_message m;
	uint64_t total = 0, lasting = 0;
	struct ledger *ledger;
	struct post post;
	int status, i;

	alarm((unsigned int)(lasts / 1000) + 100);
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(ledger != MAP_FAILED);
	post_init(&post, pair);
	post.producer_options.memory_max = 1 << 20;
	post_open(&post);
	for (i = 0; i < SURVIVORS; i++) {
		survivor[i] = fork();
		if (!survivor[i])
			survive(&post, ledger, (uint32_t)i);
	}
	for (i = 0; i < DOOMED; i++)
		doomed[i] = start_doomed(&post);
	until = soon(lasts);
	for (kill_at = soon(10); lasting < SURVIVORS;) {
		if (now_ns() >= kill_at && !ledger->stop) {
			i = (int)(kills++ % DOOMED);
			kill(doomed[i], SIGKILL);
			assert_int_equal(waitpid(doomed[i], NULL, 0), doomed[i]);
			doomed[i] = start_doomed(&post);
			kill_at += 10000000;
		}
		if (now_ns() >= until)
			ledger->stop = true;
		if (ledger->stop)
			for (i = 0, lasting = 0; i < SURVIVORS; i++)
				lasting += next[i] == ledger->pushed[i] && waitpid(survivor[i], &status, WNOHANG) != 0;
		if (shmipc_vector_receive(post.vector, soon(1)))
			continue;
		while (shmipc_vector_next(post.vector, &m) == 1) {
			assert_int_equal(m.size, sizeof(word));
			assert_int_equal(m.dropped, 0);
			memcpy(word, m.data, sizeof(word));
			who = word[0];
			if (who < SURVIVORS)
				assert_int_equal(word[1], next[who]++);
			total++;
		}
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	for (i = 0; i < DOOMED; i++) {
		kill(doomed[i], SIGKILL);
		waitpid(doomed[i], NULL, 0);
	}
	assert_true(kills >= 3);
	assert_int_equal(vector_stats_of(post.vector).lied, 0);
	print_message("# %u killed, %llu messages, none of the others lost\n", kills, (unsigned long long)total);
	post_close(&post);
	munmap(ledger, sizeof(*ledger));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH_FORKING(a_killed_producer_loses_only_what_it_had_not_published),
		ON_BOTH_FORKING(a_stopped_producer_keeps_nobody),
		ON_BOTH_FORKING(producers_killed_every_10_ms_cost_the_others_no_message),
	};

	return RUN_TESTS(tests, argc, argv);
}
