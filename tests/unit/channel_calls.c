// SPDX-License-Identifier: Apache-2.0
/*
 * channel_calls.c - tests of what a message costs: no system call and no allocation while the peer is
 * awake, one ring a sleep, one call where ringing and sleeping go together
 *
 * The program is linked with --wrap for the allocator's functions, so that the library's calls of
 * them are counted here.
 */
#include "channel/endpoint.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "worker.h"

#if defined(__SANITIZE_ADDRESS__) || TESTS_TSAN
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static _Atomic uint64_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	allocations++;
	return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	allocations++;
	return __real_aligned_alloc(alignment, size);
}

/* One message there and one back, of a size that rides in a slot or in a slice. 0 or -errno. */
static int exchange(struct shmipc_channel *a, struct shmipc_channel *b, const void *data, size_t size)
{
	struct shmipc_message message;
	int r;

	r = shmipc_channel_push(a, data, size, 1, 2, 0);
	if (!r)
		r = shmipc_channel_peek(b, &message);
	if (!r)
		r = shmipc_channel_release(b, &message);
	if (!r)
		r = shmipc_channel_push(b, data, size, 1, 2, 0);
	if (!r)
		r = shmipc_channel_peek(a, &message);
	if (!r)
		r = shmipc_channel_release(a, &message);
	return r;
}

static const unsigned char bytes[2000];

static int exchange_many(struct shmipc_channel *a, struct shmipc_channel *b, int count)
{
	int i, r = 0;

	for (i = 0; i < count && !r; i++)
		r = exchange(a, b, bytes, i % 2 ? 64 : 2000);
	return r;
}

static void an_awake_peer_costs_no_system_call_by_our_own_count(struct pair *pair)
{
	struct shmipc_channel_stats a, b;

	pair_open(pair, NULL, NULL);
	assert_code(exchange_many(pair->a, pair->b, 10), 0);
	a = stats_of(pair->a);
	b = stats_of(pair->b);
	assert_code(exchange_many(pair->a, pair->b, 10000), 0);
	assert_int_equal(stats_of(pair->a).system_calls, a.system_calls);
	assert_int_equal(stats_of(pair->b).system_calls, b.system_calls);
	assert_int_equal(stats_of(pair->a).rings, a.rings);
	assert_int_equal(stats_of(pair->a).messages_sent, a.messages_sent + 10000);
}

static void looking_in_vain_asks_now_and_then_whether_the_peer_lives(struct pair *pair)
{
	struct shmipc_message message;
	uint64_t calls, looks = 0;
	int64_t began, took;

	pair_open(pair, NULL, NULL);
	assert_code(exchange_many(pair->a, pair->b, 10), 0);
	calls = stats_of(pair->a).system_calls;
	began = now_ns();
	while (now_ns() - began < 300000000) {
		assert_code(shmipc_channel_peek(pair->a, &message), -EAGAIN);
		looks++;
	}
	took = now_ns() - began;
	calls = stats_of(pair->a).system_calls - calls;
	assert_true(looks > 1000);
	assert_true(calls <= (uint64_t)(took / 50000000) + 1);
}

static void a_message_costs_no_allocation(struct pair *pair)
{
	uint64_t before;

	pair_open(pair, NULL, NULL);
	assert_true(allocations > 0); /* it does count */
	before = allocations;
	assert_code(exchange_many(pair->a, pair->b, 10000), 0);
	assert_int_equal(allocations, before);
}

static int to_child[2];

/* read, write and exit are all that is left: whatever else is called kills the thread. */
static int exchange_in_jail(struct worker *worker)
{
	struct pair *pair = worker->argument;
	char ok = 'n';

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		ok = 's';
	else if (!exchange_many(pair->a, pair->b, 10000))
		ok = 'y';
	if (write(to_child[1], &ok, 1) != 1)
		ok = 'w';
	syscall(SYS_exit, 0);
	return 0;
}

static int run_jail(void *argument)
{
	struct pair pair = { .backend = ((struct pair *)argument)->backend };
	struct pollfd poll_fd = { .events = POLLIN };
	struct worker worker = { .call = exchange_in_jail, .argument = &pair };
	char ok = '-';

	if (pipe(to_child))
		return 2;
	pair_open(&pair, NULL, NULL);
	if (exchange_many(pair.a, pair.b, 200))
		return 3;
	worker_start(&worker);
	poll_fd.fd = to_child[0];
	if (poll(&poll_fd, 1, 20000) != 1 || read(to_child[0], &ok, 1) != 1)
		return 4; /* killed */
	return ok == 'y' ? 0 : ok == 's' ? 77 : 5;
}

static void an_awake_peer_costs_no_system_call_by_the_kernels_word(struct pair *pair)
{
	int r;

	if (SANITIZED)
		skip_because("sanitizers make system calls of their own");
	r = run_forked(run_jail, pair);
	if (r == 77)
		skip_because("no seccomp here");
	assert_int_equal(r, 0);
}

static void open_asleep(struct pair *pair, struct worker *reader)
{
	pair_open(pair, NULL, NULL);
	worker_wait(reader, pair->b, SHMIPC_READABLE, FAR);
	worker_await_sleep(reader);
}

static void a_sleeper_costs_one_call_however_many_messages(struct pair *pair)
{
	struct worker reader;
	uint64_t calls;
	uint32_t i;

	open_asleep(pair, &reader);
	calls = stats_of(pair->a).system_calls;
	assert_code(pattern_push(pair->a, 64, 0, 0), 0);
	assert_int_equal(stats_of(pair->a).system_calls, calls + 1);
	assert_int_equal(stats_of(pair->a).rings, 1);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	for (i = 1; i < 50; i++)
		assert_code(pattern_push(pair->a, 64, i, 0), 0);
	assert_int_equal(stats_of(pair->a).system_calls, calls + 1);
	for (i = 0; i < 50; i++)
		pattern_take(pair->b, 64, i);
}

static void more_leaves_the_bell_to_ring(struct pair *pair)
{
	struct worker reader;
	uint64_t calls;
	uint32_t i;

	open_asleep(pair, &reader);
	calls = stats_of(pair->a).system_calls;
	for (i = 0; i < 20; i++)
		assert_code(pattern_push(pair->a, 64, i, SHMIPC_MORE), 0);
	sleep_ms(20);
	assert_false(reader.over);
	assert_int_equal(stats_of(pair->a).rings, 0);
	assert_int_equal(stats_of(pair->a).system_calls, calls);
	assert_code(shmipc_channel_ring(pair->a), 0);
	assert_int_equal(stats_of(pair->a).rings, 1);
	assert_int_equal(stats_of(pair->a).system_calls, calls + 1);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	for (i = 0; i < 20; i++)
		pattern_take(pair->b, 64, i);
	assert_code(shmipc_channel_ring(pair->a), 0);
	assert_int_equal(stats_of(pair->a).system_calls, calls + 1);
}

static void the_last_of_a_batch_rings_for_all(struct pair *pair)
{
	struct worker reader;
	uint32_t i;

	open_asleep(pair, &reader);
	for (i = 0; i < 16; i++)
		assert_code(pattern_push(pair->a, 64, i, i < 15 ? SHMIPC_MORE : 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	assert_int_equal(stats_of(pair->a).rings, 1);
	for (i = 0; i < 16; i++)
		pattern_take(pair->b, 64, i);
}

static void lazy_takes_the_duty_and_leaves_the_call(struct pair *pair)
{
	struct worker reader;
	uint64_t calls;

	open_asleep(pair, &reader);
	calls = stats_of(pair->a).system_calls;
	assert_code(pattern_push(pair->a, 64, 0, SHMIPC_LAZY), 0);
	assert_code(pattern_push(pair->a, 64, 1, SHMIPC_LAZY), 0);
	sleep_ms(20);
	assert_int_equal(stats_of(pair->a).rings, 1);
	assert_int_equal(stats_of(pair->a).system_calls, calls);
	assert_false(reader.over);
	assert_code(shmipc_channel_ring(pair->a), 0);
	assert_int_equal(stats_of(pair->a).system_calls, calls + 1);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
}

static void a_submit_that_is_not_lazy_makes_the_call_that_is_owed(struct pair *pair)
{
	struct worker reader;

	open_asleep(pair, &reader);
	assert_code(pattern_push(pair->a, 64, 0, SHMIPC_LAZY), 0);
	assert_code(pattern_push(pair->a, 64, 1, 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
	assert_int_equal(stats_of(pair->a).rings, 1);
}

static void a_wait_with_something_to_report_makes_the_call_that_is_owed(struct pair *pair)
{
	struct worker reader;

	open_asleep(pair, &reader);
	assert_code(pattern_push(pair->b, 64, 0, 0), 0);
	assert_code(pattern_push(pair->a, 64, 0, SHMIPC_LAZY), 0);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
}

static void a_wait_whose_deadline_is_past_makes_the_call_that_is_owed(struct pair *pair)
{
	struct worker reader;

	open_asleep(pair, &reader);
	assert_code(pattern_push(pair->a, 64, 0, SHMIPC_LAZY), 0);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, 0), -ETIMEDOUT);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
}

static void arming_makes_the_call_that_is_owed(struct pair *pair)
{
	struct worker reader;

	open_asleep(pair, &reader);
	assert_code(pattern_push(pair->a, 64, 0, SHMIPC_LAZY), 0);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
}

static void lazy_and_wait_ring_and_sleep_together(struct pair *pair)
{
	struct worker server, client;
	uint64_t calls;

	open_asleep(pair, &server);
	calls = stats_of(pair->a).system_calls;
	assert_code(pattern_push(pair->a, 64, 0, SHMIPC_LAZY), 0);
	worker_wait(&client, pair->a, SHMIPC_READABLE, FAR);
	assert_code(worker_join(&server), SHMIPC_READABLE);
	worker_await_sleep(&client);
	/* memfd has no call that does both. */
	assert_int_equal(stats_of(pair->a).system_calls - calls, pair->backend == SHMIPC_BACKEND_KMOD ? 1 : 2);
	assert_code(pattern_push(pair->b, 64, 0, 0), 0);
	assert_code(worker_join(&client), SHMIPC_READABLE);
	assert_int_equal(stats_of(pair->a).waits, 1);
}

static void room_given_back_rings_nobody_who_waits_for_messages_alone(struct pair *pair)
{
	struct worker reader;
	uint32_t i;

	pair_open(pair, NULL, NULL);
	for (i = 0; i < 10; i++)
		assert_code(pattern_push(pair->a, 400, i, 0), 0);
	worker_wait(&reader, pair->a, SHMIPC_READABLE, FAR);
	worker_await_sleep(&reader);
	for (i = 0; i < 10; i++)
		pattern_take(pair->b, 400, i);
	assert_int_equal(stats_of(pair->b).rings, 0);
	assert_code(pattern_push(pair->b, 10, 1, 0), 0);
	assert_code(worker_join(&reader), SHMIPC_READABLE);
}

static void an_awake_peer_makes_the_producer_leave_its_barrier_to_the_sleeper(struct pair *pair)
{
	struct worker reader;
	uint64_t paid;
	int i;

	if (TESTS_TSAN)
		skip_because("barriers are not left out under ThreadSanitizer");
	pair_open(pair, NULL, NULL);
	if (!process_may_skip())
		skip_because("no membarrier(2) here");
	assert_code(exchange_many(pair->a, pair->b, 200), 0);
	assert_int_equal(load_relaxed(&pair->a->own.words->skip), 1);
	paid = stats_of(pair->b).barriers_paid;
	for (i = 0; i < 5; i++) {
		worker_wait(&reader, pair->b, SHMIPC_READABLE, FAR);
		worker_await_sleep(&reader);
		if (i == 0)
			assert_int_equal(stats_of(pair->b).barriers_paid, paid + 1);
		assert_code(pattern_push(pair->a, 64, 1, 0), 0);
		assert_code(worker_join(&reader), SHMIPC_READABLE);
		pattern_take(pair->b, 64, 1);
	}
	/* One that sleeps for every message pays no longer. */
	assert_int_equal(load_relaxed(&pair->a->own.words->skip), 0);
	assert_true(stats_of(pair->b).barriers_paid < paid + 4);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(an_awake_peer_costs_no_system_call_by_our_own_count),
		ON_BOTH(looking_in_vain_asks_now_and_then_whether_the_peer_lives),
		ON_BOTH(a_message_costs_no_allocation),
		ON_BOTH_FORKING(an_awake_peer_costs_no_system_call_by_the_kernels_word),
		ON_BOTH(a_sleeper_costs_one_call_however_many_messages),
		ON_BOTH(more_leaves_the_bell_to_ring),
		ON_BOTH(the_last_of_a_batch_rings_for_all),
		ON_BOTH(lazy_takes_the_duty_and_leaves_the_call),
		ON_BOTH(a_submit_that_is_not_lazy_makes_the_call_that_is_owed),
		ON_BOTH(a_wait_with_something_to_report_makes_the_call_that_is_owed),
		ON_BOTH(a_wait_whose_deadline_is_past_makes_the_call_that_is_owed),
		ON_BOTH(arming_makes_the_call_that_is_owed),
		ON_BOTH(lazy_and_wait_ring_and_sleep_together),
		ON_BOTH(room_given_back_rings_nobody_who_waits_for_messages_alone),
		ON_BOTH(an_awake_peer_makes_the_producer_leave_its_barrier_to_the_sleeper),
	};

	return RUN_TESTS(tests, argc, argv);
}
