// SPDX-License-Identifier: Apache-2.0
/*
 * stream_wait.c - tests of waiting on a stream: deadlines of every kind, signals, and shmipc_stream_wait() itself
 */
#include <signal.h>
#include <string.h>

#include "session_pair.h"

/* One call each that cannot go on: there is nothing to read, and no room to write. */
struct blocked {
	struct ends ends;
	char data[5000];
};

static void open_blocked(struct pair *pair, struct blocked *blocked)
{
	struct shmipc_session_options options = session_options(pair);

	memset(blocked, 0, sizeof(*blocked));
	options.window = 8192;
	session_pair_open(pair, &options, &options);
	blocked->ends = ends_open(pair);
	fill_up(blocked->ends.near, 1000);
	fill_up(blocked->ends.near, 1);
}

#define CALLS 12

static ssize_t call_blocked(struct blocked *b, int which, int64_t deadline)
{
	struct shmipc_stream *stream = b->ends.near;
	struct iovec iov = { b->data, sizeof(b->data) };
	struct shmipc_buffer buffer;
	struct shmipc_piece piece;
	const void *data;

	switch (which) {
	case 0:
		return shmipc_stream_read(stream, b->data, 10, deadline);
	case 1:
		return shmipc_stream_readv(stream, &iov, 1, deadline);
	case 2:
		return shmipc_stream_read_message(stream, b->data, 10, NULL, deadline);
	case 3:
		return shmipc_stream_receive(stream, &piece, deadline);
	case 4:
		return shmipc_stream_peek(stream, 1, &data, deadline);
	case 5:
		return shmipc_stream_discard(stream, 1, deadline);
	case 6:
		return shmipc_stream_wait(stream, SHMIPC_READABLE, deadline);
	case 7:
		return shmipc_stream_write(stream, b->data, sizeof(b->data), 0, deadline);
	case 8:
		return shmipc_stream_writev(stream, &iov, 1, 0, deadline);
	case 9:
		return shmipc_stream_reserve(stream, sizeof(b->data), &buffer, deadline);
	case 10:
		return shmipc_stream_call(stream, b->data, sizeof(b->data), b->data, 10, deadline);
	default:
		return shmipc_stream_wait(stream, SHMIPC_WRITABLE, deadline);
	}
}

static void deadline_0_is_eagain_in_every_call(struct pair *pair)
{
	struct blocked b;
	int i;

	open_blocked(pair, &b);
	for (i = 0; i < CALLS; i++)
		if (call_blocked(&b, i, 0) != -EAGAIN)
			fail_msg("call %d says %zd", i, call_blocked(&b, i, 0));
	ends_close(pair, &b.ends);
}

static void a_deadline_that_passed_is_etimedout_in_every_call(struct pair *pair)
{
	struct blocked b;
	int i;

	open_blocked(pair, &b);
	for (i = 0; i < CALLS; i++)
		if (call_blocked(&b, i, 1) != -ETIMEDOUT)
			fail_msg("call %d says %zd", i, call_blocked(&b, i, 1));
	ends_close(pair, &b.ends);
}

static void a_deadline_is_kept_and_never_early_in_every_call(struct pair *pair)
{
	struct blocked b;
	int64_t deadline;
	ssize_t r;
	int i;

	open_blocked(pair, &b);
	for (i = 0; i < CALLS; i++) {
		deadline = soon(10);
		r = call_blocked(&b, i, deadline);
		if (r != -ETIMEDOUT)
			fail_msg("call %d says %zd", i, r);
		assert_true(now_ns() >= deadline);
		assert_true(now_ns() < deadline + 5000000000);
	}
	ends_close(pair, &b.ends);
}

static void a_passed_deadline_still_lets_be_read_and_written_what_can_be(struct pair *pair)
{
	struct ends ends;
	char in[10];
	int i;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	for (i = 0; i < 2; i++) {
		assert_code(shmipc_stream_write(ends.near, "0123456789", 10, 0, i), 10);
		assert_code(shmipc_stream_read(ends.far, in, 4, i), 4);
		assert_code(shmipc_stream_discard(ends.far, 6, i), 6);
	}
	ends_close(pair, &ends);
}

struct interrupted {
	struct worker worker;
	struct blocked *blocked;
	int which;
	int64_t deadline;
};

static int do_call(struct worker *worker)
{
	struct interrupted *i = (struct interrupted *)worker;

	return (int)call_blocked(i->blocked, i->which, i->deadline);
}

static void start_call(struct interrupted *i, struct blocked *blocked, int which, int64_t deadline)
{
	*i = (struct interrupted){ .worker.call = do_call, .blocked = blocked, .which = which, .deadline = deadline };
	worker_start(&i->worker);
	worker_await_sleep(&i->worker);
}

static void a_signal_ends_every_call_with_eintr(struct pair *pair)
{
	struct interrupted call;
	struct blocked b;
	int i;

	open_blocked(pair, &b);
	signals_count(0);
	for (i = 0; i < CALLS; i++) {
		start_call(&call, &b, i, i % 2 ? SHMIPC_FOREVER : FAR);
		do {
			worker_signal(&call.worker, SIGUSR1);
			sleep_ms(5);
		} while (!call.worker.over && signals_seen < 1000);
		worker_join(&call.worker);
		if (call.worker.result != -EINTR)
			fail_msg("call %d says %d", i, call.worker.result);
	}
	ends_close(pair, &b.ends);
}

static void a_signal_to_be_restarted_ends_none(struct pair *pair)
{
	struct interrupted call;
	struct blocked b;
	int i, j;

	if (TESTS_TSAN)
		skip_because("ThreadSanitizer runs handlers only when the system call is over");
	open_blocked(pair, &b);
	signals_count(SA_RESTART);
	for (i = 0; i < CALLS; i += 7) { /* a reader and a writer */
		start_call(&call, &b, i, i ? SHMIPC_FOREVER : FAR);
		for (j = 0; j < 3; j++) {
			signals_seen = 0;
			worker_signal(&call.worker, SIGUSR1);
			await(signals_seen == 1);
			worker_await_sleep(&call.worker);
		}
		if (i)
			assert_true(shmipc_stream_discard(b.ends.far, 8000, soon(200)) > 0);
		else
			pattern_write(b.ends.far, 3, 1);
		assert_true(worker_join(&call.worker) > 0);
	}
	ends_close(pair, &b.ends);
}

/* The leader sleeps in the kernel, the follower on something private: both obey. */
static void a_signal_ends_the_call_of_a_follower_and_its_leader_sleeps_on(struct pair *pair)
{
	struct call leader, follower;
	struct ends first, second;
	char in[2][10];

	session_pair_open(pair, NULL, NULL);
	first = ends_open(pair);
	second = ends_open(pair);
	signals_count(0);
	call_read(&leader, first.far, in[0], 10, SHMIPC_FOREVER);
	worker_await_sleep(&leader.worker);
	call_read(&follower, second.far, in[1], 10, SHMIPC_FOREVER);
	worker_await_sleep(&follower.worker);
	do {
		worker_signal(&follower.worker, SIGUSR1);
		sleep_ms(5);
	} while (!follower.worker.over && signals_seen < 1000);
	assert_code(worker_join(&follower.worker), -EINTR);
	worker_await_sleep(&leader.worker);
	pattern_write(first.near, 10, 1);
	assert_code(worker_join(&leader.worker), 10);
	shmipc_stream_close(first.near);
	shmipc_stream_close(first.far);
	ends_close(pair, &second);
}

static void a_follower_leads_when_its_leader_is_interrupted_or_too_late(struct pair *pair)
{
	struct call leader, follower;
	struct ends first, second;
	char in[2][10];
	int i;

	session_pair_open(pair, NULL, NULL);
	first = ends_open(pair);
	second = ends_open(pair);
	signals_count(0);
	for (i = 0; i < 2; i++) {
		call_read(&leader, first.far, in[0], 10, i ? soon(100) : SHMIPC_FOREVER);
		worker_sleeps(&leader.worker);
		call_read(&follower, second.far, in[1], 10, SHMIPC_FOREVER);
		worker_await_sleep(&follower.worker);
		while (!i && !leader.worker.over && signals_seen < 1000) {
			worker_signal(&leader.worker, SIGUSR1);
			sleep_ms(5);
		}
		assert_code(worker_join(&leader.worker), i ? -ETIMEDOUT : -EINTR);
		worker_await_sleep(&follower.worker);
		pattern_write(second.near, 10, 1);
		assert_code(worker_join(&follower.worker), 10);
	}
	shmipc_stream_close(first.near);
	shmipc_stream_close(first.far);
	ends_close(pair, &second);
}

static void a_write_that_took_some_returns_how_many(struct pair *pair)
{
	struct shmipc_session_options options = session_options(pair);
	static char out[500000];
	struct ends ends;
	ssize_t first, n;

	options.window = 65536;
	session_pair_open(pair, &options, &options);
	ends = ends_open(pair);
	pattern_fill(out, sizeof(out), 1);
	first = shmipc_stream_write(ends.near, out, sizeof(out), 0, soon(20));
	assert_true(first > 0 && first < 65536);
	assert_code(shmipc_stream_discard(ends.far, (size_t)first, FAR), first);
	/* What comes next goes on from there. */
	n = shmipc_stream_write(ends.near, out + first, sizeof(out) - (size_t)first, 0, 0);
	assert_true(n > 0);
	while (n > 0) {
		static char in[65536];
		ssize_t got = shmipc_stream_read(ends.far, in, n < 65536 ? (size_t)n : sizeof(in), FAR);

		assert_true(got > 0);
		assert_memory_equal(in, out + first, (size_t)got);
		first += got;
		n -= got;
	}
	ends_close(pair, &ends);
}

static void wait_tells_what_is_there(struct pair *pair)
{
	const unsigned int both = SHMIPC_READABLE | SHMIPC_WRITABLE;
	struct blocked b;

	open_blocked(pair, &b);
	assert_code(shmipc_stream_wait(b.ends.near, both, 0), -EAGAIN);
	assert_code(shmipc_stream_wait(b.ends.far, both, FAR), both);
	assert_code(shmipc_stream_wait(b.ends.far, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	assert_code(shmipc_stream_wait(b.ends.far, SHMIPC_WRITABLE, FAR), SHMIPC_WRITABLE);
	pattern_write(b.ends.far, 5, 1);
	assert_code(shmipc_stream_wait(b.ends.near, both, FAR), SHMIPC_READABLE);
	assert_code(shmipc_stream_wait(b.ends.near, SHMIPC_WRITABLE, 0), -EAGAIN);
	pattern_read(b.ends.near, 5, 1);
	assert_true(shmipc_stream_discard(b.ends.far, 8192, soon(5)) > 0);
	assert_code(shmipc_stream_wait(b.ends.near, both, FAR), SHMIPC_WRITABLE);
	ends_close(pair, &b.ends);
}

static void wait_for_nothing_or_the_unknown_is_einval(struct pair *pair)
{
	unsigned int bit;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_wait(ends.near, 0, 0), -EINVAL);
	for (bit = 0; bit < 32; bit++)
		if (!((1u << bit) & (SHMIPC_READABLE | SHMIPC_WRITABLE)))
			assert_code(shmipc_stream_wait(ends.near, 1u << bit, 0), -EINVAL);
	ends_close(pair, &ends);
}

static void a_wait_for_room_ends_when_the_reader_made_some(struct pair *pair)
{
	struct blocked b;
	struct call call;

	open_blocked(pair, &b);
	call_wait(&call, b.ends.near, SHMIPC_WRITABLE, SHMIPC_FOREVER);
	worker_await_sleep(&call.worker);
	assert_true(shmipc_stream_discard(b.ends.far, 8192, soon(5)) > 0);
	assert_code(worker_join(&call.worker), SHMIPC_WRITABLE);
	assert_true(shmipc_stream_write(b.ends.near, b.data, 1000, 0, 0) > 0);
	ends_close(pair, &b.ends);
}

static void an_end_a_reset_and_a_dead_session_are_both_events(struct pair *pair)
{
	const unsigned int both = SHMIPC_READABLE | SHMIPC_WRITABLE;
	struct ends ends, other;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	assert_code(shmipc_stream_end(ends.near), 0);
	assert_code(shmipc_stream_wait(ends.far, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	assert_true(shmipc_stream_wait(ends.near, SHMIPC_WRITABLE, FAR) & SHMIPC_WRITABLE);
	other = ends_open(pair);
	assert_code(shmipc_stream_reset(other.near, 1), 0);
	assert_code(shmipc_stream_wait(other.near, both, FAR), both);
	assert_code(shmipc_stream_wait(other.far, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	assert_code(shmipc_stream_wait(other.far, both, FAR), both);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
	other = ends_open(pair);
	assert_code(shmipc_session_shutdown(pair->client), 0);
	assert_code(shmipc_stream_wait(other.near, both, FAR), both);
	assert_code(shmipc_stream_wait(other.far, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	assert_code(shmipc_stream_wait(other.far, both, FAR), both);
	shmipc_stream_close(ends.near);
	shmipc_stream_close(ends.far);
	shmipc_stream_close(other.near);
	shmipc_stream_close(other.far);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(deadline_0_is_eagain_in_every_call),
		ON_BOTH(a_deadline_that_passed_is_etimedout_in_every_call),
		ON_BOTH(a_deadline_is_kept_and_never_early_in_every_call),
		ON_BOTH(a_passed_deadline_still_lets_be_read_and_written_what_can_be),
		ON_BOTH(a_signal_ends_every_call_with_eintr),
		ON_BOTH(a_signal_to_be_restarted_ends_none),
		ON_BOTH(a_signal_ends_the_call_of_a_follower_and_its_leader_sleeps_on),
		ON_BOTH(a_follower_leads_when_its_leader_is_interrupted_or_too_late),
		ON_BOTH(a_write_that_took_some_returns_how_many),
		ON_BOTH(wait_tells_what_is_there),
		ON_BOTH(wait_for_nothing_or_the_unknown_is_einval),
		ON_BOTH(a_wait_for_room_ends_when_the_reader_made_some),
		ON_BOTH(an_end_a_reset_and_a_dead_session_are_both_events),
	};

	return RUN_TESTS(tests, argc, argv);
}
