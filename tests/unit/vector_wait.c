// SPDX-License-Identifier: Apache-2.0
/*
 * vector_wait.c - tests of waiting: deadlines, kicks, wake-ups from many producers, event loops, and that timed sync
 * costs producers no system call
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "post.h"
#include "vector/producer.h"
#include "worker.h"

static unsigned int yields;

/* In the place of libc's: counts. */
int sched_yield(void)
{
	yields++;
	return (int)syscall(SYS_sched_yield);
}

static void receive_keeps_its_deadline(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	int64_t before;

	post_init(&post, pair);
	post_open(&post);
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	assert_code(shmipc_vector_receive(post.vector, 1), -ETIMEDOUT);
	p = post_producer(&post);
	before = now_ns();
	assert_code(shmipc_vector_receive(post.vector, soon(30)), -ETIMEDOUT);
	assert_true(now_ns() - before >= 30000000);
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	shmipc_producer_close(p);
	post_close(&post);
}

static int call_receive(struct worker *worker)
{
	return shmipc_vector_receive(worker->argument, worker->deadline);
}

static void start_receive(struct worker *worker, struct post *post)
{
	*worker = (struct worker){ .call = call_receive, .argument = post->vector, .deadline = FAR };
	worker_start(worker);
	worker_await_sleep(worker);
}

static void a_push_of_any_producer_wakes_a_sleeping_receive(struct pair *pair)
{
	enum { PRODUCERS = 8 };
	struct shmipc_producer *p[PRODUCERS];
	struct worker worker;
	struct post post;
	uint32_t i;

	post_init(&post, pair);
	post_open(&post);
	for (i = 0; i < PRODUCERS; i++)
		p[i] = post_producer(&post);
	for (i = 0; i < 3 * PRODUCERS; i++) {
		start_receive(&worker, &post);
		post_push(p[i % PRODUCERS], 40, i);
		assert_code(worker_join(&worker), 0);
		post_expect(&post, 40, i);
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	/* One system call for each sleep, and none for a push to one that is awake. */
	for (i = 0; i < PRODUCERS; i++) {
		assert_int_equal(producer_stats_of(p[i]).rings, 3);
		shmipc_producer_close(p[i]);
	}
	post_close(&post);
}

static void a_commit_wakes_a_sleeping_receive(struct pair *pair)
{
	struct shmipc_producer *p;
	struct worker worker;
	struct post post;
	void *data;

	p = post_start(&post, pair);
	start_receive(&worker, &post);
	assert_code(shmipc_producer_reserve(p, 10, &data, FAR), 0);
	pattern_fill(data, 10, 3);
	assert_true(worker_sleeps(&worker));
	assert_code(shmipc_producer_commit(p, 10), 0);
	assert_code(worker_join(&worker), 0);
	post_expect(&post, 10, 3);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_new_producer_is_served_while_receive_sleeps(struct pair *pair)
{
	struct shmipc_producer *p;
	struct worker worker;
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	start_receive(&worker, &post);
	assert_code(shmipc_producer_open(post.path, &post.producer_options, &p), 0);
	assert_code(shmipc_producer_attach(p, FAR), 0);
	post_push(p, 40, 9);
	assert_code(worker_join(&worker), 0);
	post_expect(&post, 40, 9);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_kick_ends_receive_now_or_next(struct pair *pair)
{
	struct worker worker;
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	start_receive(&worker, &post);
	assert_code(shmipc_vector_kick(post.vector), 0);
	assert_code(worker_join(&worker), -EAGAIN);
	assert_code(shmipc_vector_kick(post.vector), 0);
	assert_code(shmipc_vector_receive(post.vector, FAR), -EAGAIN);
	assert_code(shmipc_vector_receive(post.vector, soon(5)), -ETIMEDOUT);
	post_close(&post);
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void a_signal_ends_receive(struct pair *pair)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct worker worker;
	struct post post;

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	post_init(&post, pair);
	post_open(&post);
	start_receive(&worker, &post);
	worker_signal(&worker, SIGUSR1);
	assert_code(worker_join(&worker), -EINTR);
	post_close(&post);
}

static bool is_readable(struct post *post, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = shmipc_vector_fd(post->vector), .events = POLLIN };
	int n = poll(&poll_fd, 1, timeout_ms);

	assert_true(n >= 0);
	return n;
}

static void an_armed_descriptor_speaks_up_at_a_message_and_at_a_new_producer(struct pair *pair)
{
	struct shmipc_producer *p[2];
	struct post post;
	uint32_t i;
	int r;

	post_init(&post, pair);
	post_open(&post);
	assert_code(shmipc_vector_arm(post.vector), 0);
	assert_code(shmipc_vector_receive(post.vector, 0), -EBUSY);
	assert_false(is_readable(&post, 0));
	assert_code(shmipc_producer_open(post.path, &post.producer_options, &p[0]), 0);
	assert_true(is_readable(&post, 20000));
	assert_code(shmipc_vector_disarm(post.vector), 0);
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	post_attach(&post, p[0]);
	p[1] = post_producer(&post);
	for (i = 0; i < 6; i++) {
		/* A new lane is looked at once. */
		while ((r = shmipc_vector_arm(post.vector)) == 1)
			assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
		assert_code(r, 0);
		assert_false(is_readable(&post, 0));
		post_push(p[i % 2], 30, i);
		assert_true(is_readable(&post, 20000));
		assert_code(shmipc_vector_disarm(post.vector), 0);
		post_take(&post, 30, i, 1);
		assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	}
	post_push(p[0], 30, 7);
	assert_code(shmipc_vector_arm(post.vector), 1);
	post_take(&post, 30, 7, 1);
	shmipc_producer_close(p[0]);
	shmipc_producer_close(p[1]);
	post_close(&post);
}

static void timed_sync_costs_the_producer_no_system_call(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint64_t calls;
	uint32_t i;

	post_init(&post, pair);
	post.vector_options.sync = SHMIPC_SYNC_TIMED;
	post.vector_options.timed_ns = 100000;
	post_open(&post);
	p = post_producer(&post);
	post_push(p, 100, 0);
	calls = producer_stats_of(p).system_calls;
	for (i = 1; i < 200; i++) {
		post_push(p, 100, i);
		post_take(&post, 100, i - 1, 2);
		/* The consumer sleeps in between. */
		assert_code(shmipc_vector_receive(post.vector, soon(1)), -ETIMEDOUT);
		post_push(p, 100, i);
	}
	assert_int_equal(producer_stats_of(p).rings, 0);
	assert_int_equal(producer_stats_of(p).system_calls, calls);
	assert_int_equal(vector_stats_of(post.vector).sleeps, 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void every_sync_mode_receives(struct pair *pair)
{
	enum shmipc_sync sync;
	struct shmipc_producer *p;
	struct post post;

	for (sync = SHMIPC_SYNC_ADAPTIVE; sync <= SHMIPC_SYNC_TIMED; sync++) {
		post_init(&post, pair);
		post.vector_options.sync = sync;
		post_open(&post);
		p = post_producer(&post);
		assert_code(shmipc_vector_receive(post.vector, soon(3)), -ETIMEDOUT);
		post_push(p, 64, 5);
		post_take(&post, 64, 5, 1);
		assert_code(shmipc_vector_receive(post.vector, soon(3)), -ETIMEDOUT);
		shmipc_producer_close(p);
		post_close(&post);
	}
}

/* A time in which nothing comes; how often the processor was offered to others. */
static unsigned int yields_while_nothing_comes(struct post *post)
{
	unsigned int before = yields;

	assert_code(shmipc_vector_receive(post->vector, soon(5)), -ETIMEDOUT);
	return yields - before;
}

/* Once more if this processor was away for all of that time. */
static void expect_to_be_let_run(struct post *post)
{
	int64_t until = FAR;

	while (!yields_while_nothing_comes(post))
		assert_true(now_ns() < until);
}

/* Where producers share its processor, they cannot push while it spins. */
static void a_consumer_that_spins_lets_others_run(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;

	post_init(&post, pair);
	post.vector_options.sync = SHMIPC_SYNC_POLLING;
	post_open(&post);
	p = post_producer(&post);
	expect_to_be_let_run(&post);
	assert_int_equal(vector_stats_of(post.vector).sleeps, 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_consumer_lets_others_run_once_after_a_batch_before_it_sleeps(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;

	post_init(&post, pair);
	post.vector_options.sync = SHMIPC_SYNC_ADAPTIVE;
	post.vector_options.spin_ns = 0;
	post_open(&post);
	p = post_producer(&post);
	assert_int_equal(yields_while_nothing_comes(&post), 0);
	post_push(p, 64, 1);
	post_take(&post, 64, 1, 1);
	expect_to_be_let_run(&post);
	assert_int_equal(yields_while_nothing_comes(&post), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_consumer_that_waits_on_demand_sleeps_at_once(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;

	p = post_start(&post, pair);
	post_push(p, 64, 1);
	post_take(&post, 64, 1, 1);
	assert_int_equal(yields_while_nothing_comes(&post), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

/* This thread is to run on the first, or the last, of the processors that it may use. */
static int run_on(const cpu_set_t *all, bool last)
{
	int cpu = -1, i;
	cpu_set_t one;

	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, all) && (cpu < 0 || last))
			cpu = i;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		skip_because("a processor was taken away meanwhile");
	return cpu;
}

static void assert_consumer_on(const struct shmipc_producer *p, int cpu)
{
	assert_int_equal(load_relaxed(&p->out.ch->peer.words->cpu), cpu + 1);
}

static void producers_know_the_processor_of_the_consumers_last_batch(struct pair *pair)
{
	struct shmipc_producer *before, *after;
	struct post post;
	cpu_set_t all;
	int cpu;

	before = post_start(&post, pair);
	assert_consumer_on(before, -1);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	cpu = run_on(&all, false);
	post_push(before, 64, 1);
	post_take(&post, 64, 1, 1);
	assert_consumer_on(before, cpu);
	after = post_producer(&post);
	assert_consumer_on(after, cpu);
	cpu = run_on(&all, true);
	post_push(before, 64, 2);
	post_take(&post, 64, 2, 1);
	assert_consumer_on(before, cpu);
	assert_consumer_on(after, cpu);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	shmipc_producer_close(before);
	shmipc_producer_close(after);
	post_close(&post);
}

struct slow_pushes {
	struct shmipc_producer *producer;
	uint32_t count;
};

static int call_slow_pushes(struct worker *worker)
{
	struct slow_pushes *pushes = worker->argument;
	unsigned char data[50];
	uint32_t i;
	int r = 0;

	for (i = 0; i < pushes->count && !r; i++) {
		pattern_fill(data, sizeof(data), i);
		r = shmipc_producer_push(pushes->producer, data, sizeof(data), FAR);
		sleep_ms(1);
	}
	return r;
}

static void receive_waits_for_the_minimum_batch(struct pair *pair)
{
	struct slow_pushes pushes = { .count = 40 };
	struct shmipc_vector_message m;
	struct worker worker;
	struct post post;
	uint32_t n = 0;

	post_init(&post, pair);
	post.vector_options.batch_min = 30;
	post.vector_options.delay_max_ns = 20000000000;
	post_open(&post);
	pushes.producer = post_producer(&post);
	worker = (struct worker){ .call = call_slow_pushes, .argument = &pushes };
	worker_start(&worker); /* one a millisecond, while receive waits */
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	while (shmipc_vector_next(post.vector, &m) == 1)
		assert_true(pattern_is(m.data, 50, n++));
	assert_true(n >= 30);
	assert_code(shmipc_vector_release(post.vector), 0);
	assert_code(worker_join(&worker), 0);
	shmipc_producer_close(pushes.producer);
	post_close(&post);
}

static void but_no_longer_than_the_maximum_delay(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	int64_t before;

	post_init(&post, pair);
	post.vector_options.batch_min = 1000;
	post.vector_options.delay_max_ns = 20000000;
	post_open(&post);
	p = post_producer(&post);
	post_push(p, 50, 1);
	before = now_ns();
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_true(now_ns() - before >= 20000000);
	post_expect(&post, 50, 1);
	assert_code(shmipc_vector_release(post.vector), 0);
	/* One that must not wait does not. */
	post_push(p, 50, 2);
	before = now_ns();
	assert_code(shmipc_vector_receive(post.vector, 0), 0);
	assert_true(now_ns() - before < 20000000);
	post_expect(&post, 50, 2);
	assert_code(shmipc_vector_release(post.vector), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static int call_flush(struct worker *worker)
{
	return shmipc_producer_flush(worker->argument, FAR);
}

static void flush_returns_when_all_was_released(struct pair *pair)
{
	struct shmipc_producer *p;
	struct worker worker;
	struct post post;

	p = post_start(&post, pair);
	assert_code(shmipc_producer_flush(p, 0), 0);
	post_push(p, 10, 1);
	post_push(p, 10, 2);
	assert_code(shmipc_producer_flush(p, 0), -EAGAIN);
	assert_code(shmipc_producer_flush(p, soon(5)), -ETIMEDOUT);
	post_take(&post, 10, 1, 1);
	assert_code(shmipc_producer_flush(p, 0), -EAGAIN);
	worker = (struct worker){ .call = call_flush, .argument = p };
	worker_start(&worker);
	worker_await_sleep(&worker);
	post_take(&post, 10, 2, 1);
	assert_code(worker_join(&worker), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(receive_keeps_its_deadline),
		ON_BOTH(a_push_of_any_producer_wakes_a_sleeping_receive),
		ON_BOTH(a_commit_wakes_a_sleeping_receive),
		ON_BOTH(a_new_producer_is_served_while_receive_sleeps),
		ON_BOTH(a_kick_ends_receive_now_or_next),
		ON_BOTH(a_signal_ends_receive),
		ON_BOTH(an_armed_descriptor_speaks_up_at_a_message_and_at_a_new_producer),
		ON_BOTH(timed_sync_costs_the_producer_no_system_call),
		ON_BOTH(every_sync_mode_receives),
		ON_BOTH(a_consumer_that_spins_lets_others_run),
		ON_BOTH(a_consumer_lets_others_run_once_after_a_batch_before_it_sleeps),
		ON_BOTH(a_consumer_that_waits_on_demand_sleeps_at_once),
		ON_BOTH(producers_know_the_processor_of_the_consumers_last_batch),
		ON_BOTH(receive_waits_for_the_minimum_batch),
		ON_BOTH(but_no_longer_than_the_maximum_delay),
		ON_BOTH(flush_returns_when_all_was_released),
	};

	return RUN_TESTS(tests, argc, argv);
}
