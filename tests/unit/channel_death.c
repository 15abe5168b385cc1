// SPDX-License-Identifier: Apache-2.0
/*
 * channel_death.c - tests of a peer that goes: by destroy, exit, exec or a signal, while we are blocked
 * or not; what it published is read first, then -EPIPE
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "worker.h"

/* Ways to go, by the byte that the child is told. */
static int go(struct shmipc_channel *channel, int control)
{
	char byte = (char)child_hear(control);
	pid_t pid;

	switch (byte) {
	case 'd': /* and live on */
		shmipc_channel_destroy(channel);
		child_tell(control, 'k');
		child_hear(control);
		return 0;
	case 'x':
		return 0;
	case 'e':
		execl("/bin/sleep", "sleep", "100", (char *)NULL);
		return 9;
	case 'f': /* a child of its own holds every descriptor, and goes on doing so */
		pid = fork();
		if (!pid) {
			alarm(60);
			child_tell(control, 'k');
			for (;;)
				pause();
		}
		return pid < 0;
	default:
		pause();
		return 0;
	}
}

static int send_three_and_go(struct shmipc_channel *channel, int control)
{
	child_check(pattern_push(channel, 50, 1, 0) == 0);
	child_check(pattern_push(channel, 5000, 2, 0) == 0);
	child_check(pattern_push(channel, 500000, 3, 0) == 0);
	child_tell(control, 's');
	return go(channel, control);
}

/* Make the child go; what is left of it is cleaned up by end_child(). */
static void tell_to_go(struct child *child, char way)
{
	if (way == 'k')
		kill(child->pid, SIGKILL);
	else
		child_tell(child->control, way);
	if (way == 'f')
		assert_int_equal(child_hear(child->control), 'k');
}

static void end_child(struct child *child)
{
	int status;

	kill(child->pid, SIGKILL);
	close(child->control);
	waitpid(child->pid, &status, 0);
}

static void open_with_child(struct pair *pair, struct child *child, enum shmipc_sync sync, child_act *act)
{
	struct shmipc_channel_options options = pair_options(pair);

	options.sync = sync;
	options.slots = 16;
	child_start(child, pair, &options, act);
}

static void what_was_sent_is_read_then_epipe(struct pair *pair, char way, enum shmipc_sync sync)
{
	struct shmipc_message message;
	struct shmipc_buffer buffer;
	struct child child;

	open_with_child(pair, &child, sync, send_three_and_go);
	assert_int_equal(child_hear(child.control), 's');
	tell_to_go(&child, way);
	/* Until it is seen, and after that, what is there is readable. */
	await(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0) == -EPIPE);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	pattern_take(pair->a, 50, 1);
	pattern_take(pair->a, 5000, 2);
	pattern_take(pair->a, 500000, 3);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR), -EPIPE);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, 0), -EPIPE);
	assert_code(shmipc_channel_peek(pair->a, &message), -EPIPE);
	assert_code(shmipc_channel_reserve(pair->a, 10, 0, &buffer), -EPIPE);
	assert_code(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0), -EPIPE);
	assert_code(shmipc_channel_shrink(pair->a), -EPIPE);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE), 1);
	stats_of(pair->a);
	end_child(&child);
}

static void a_blocked_reader_gets_epipe(struct pair *pair, char way, enum shmipc_sync sync)
{
	struct worker reader;
	struct child child;

	open_with_child(pair, &child, sync, go);
	worker_wait(&reader, pair->a, SHMIPC_READABLE, FAR);
	if (sync == SHMIPC_SYNC_POLLING)
		sleep_ms(10);
	else
		worker_await_sleep(&reader);
	tell_to_go(&child, way);
	assert_code(worker_join(&reader), -EPIPE);
	end_child(&child);
}

static void a_blocked_writer_gets_epipe(struct pair *pair, char way, enum shmipc_sync sync)
{
	struct worker writer;
	struct child child;

	open_with_child(pair, &child, sync, go);
	while (!pattern_push(pair->a, 10, 1, 0))
		;
	worker_wait(&writer, pair->a, SHMIPC_WRITABLE, FAR);
	if (sync == SHMIPC_SYNC_POLLING)
		sleep_ms(10);
	else
		worker_await_sleep(&writer);
	tell_to_go(&child, way);
	assert_code(worker_join(&writer), -EPIPE);
	end_child(&child);
}

#define WAY(body, name, way, adverb, mode)                                                                             \
	static void body##_##name##_##adverb(struct pair *pair)                                                        \
	{                                                                                                              \
		body(pair, way, SHMIPC_SYNC_##mode);                                                                   \
	}
#define WAYS(body, adverb, mode)                                                                                       \
	WAY(body, after_destroy, 'd', adverb, mode)                                                                    \
	WAY(body, after_exit, 'x', adverb, mode)                                                                       \
	WAY(body, after_exec, 'e', adverb, mode)                                                                       \
	WAY(body, after_kill, 'k', adverb, mode)                                                                       \
	WAY(body, though_a_forked_child_lives, 'f', adverb, mode)
#define ON_WAYS(body, adverb)                                                                                          \
	ON_BOTH_FORKING(body##_after_destroy_##adverb), ON_BOTH_FORKING(body##_after_exit_##adverb),                   \
		ON_BOTH_FORKING(body##_after_exec_##adverb), ON_BOTH_FORKING(body##_after_kill_##adverb),              \
		ON_BOTH_FORKING(body##_though_a_forked_child_lives_##adverb)

WAYS(what_was_sent_is_read_then_epipe, on_demand, DEMAND)
WAYS(a_blocked_reader_gets_epipe, on_demand, DEMAND)
WAYS(a_blocked_writer_gets_epipe, on_demand, DEMAND)
WAY(what_was_sent_is_read_then_epipe, after_kill, 'k', adaptively, ADAPTIVE)
WAY(what_was_sent_is_read_then_epipe, after_kill, 'k', polling, POLLING)
WAY(what_was_sent_is_read_then_epipe, after_kill, 'k', timed, TIMED)
WAY(a_blocked_reader_gets_epipe, after_kill, 'k', adaptively, ADAPTIVE)
WAY(a_blocked_reader_gets_epipe, after_kill, 'k', polling, POLLING)
WAY(a_blocked_reader_gets_epipe, after_kill, 'k', timed, TIMED)
WAY(a_blocked_writer_gets_epipe, after_kill, 'k', adaptively, ADAPTIVE)
WAY(a_blocked_writer_gets_epipe, after_kill, 'k', polling, POLLING)
WAY(a_blocked_writer_gets_epipe, after_kill, 'k', timed, TIMED)

static void peeking_alone_learns_of_the_end(struct pair *pair)
{
	struct shmipc_message message;
	struct child child;

	open_with_child(pair, &child, SHMIPC_SYNC_DEMAND, go);
	assert_code(shmipc_channel_peek(pair->a, &message), -EAGAIN);
	tell_to_go(&child, 'k');
	await(shmipc_channel_peek(pair->a, &message) == -EPIPE);
	end_child(&child);
}

static void sending_alone_learns_of_the_end(struct pair *pair)
{
	struct child child;

	open_with_child(pair, &child, SHMIPC_SYNC_DEMAND, go);
	tell_to_go(&child, 'k');
	await(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0) == -EPIPE);
	end_child(&child);
}

static void an_event_loop_hears_the_end_and_reads_what_was_sent(struct pair *pair)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct shmipc_message message;
	struct child child;
	int fd, r;

	open_with_child(pair, &child, SHMIPC_SYNC_DEMAND, send_three_and_go);
	assert_int_equal(child_hear(child.control), 's');
	pattern_take(pair->a, 50, 1);
	pattern_take(pair->a, 5000, 2);
	pattern_take(pair->a, 500000, 3);
	assert_code(shmipc_channel_arm(pair->a, SHMIPC_READABLE), 0);
	fd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(epoll_ctl(fd, EPOLL_CTL_ADD, shmipc_channel_fd(pair->a), &event), 0);
	tell_to_go(&child, 'k');
	do {
		assert_int_equal(epoll_wait(fd, &event, 1, 20000), 1);
		assert_code(shmipc_channel_disarm(pair->a), 0);
		r = shmipc_channel_peek(pair->a, &message);
		assert_true(r == -EPIPE || r == -EAGAIN);
		if (r == -EAGAIN && shmipc_channel_arm(pair->a, SHMIPC_READABLE) == 1)
			break;
	} while (!(event.events & EPOLLHUP));
	await(poll(&(struct pollfd){ .fd = shmipc_channel_fd(pair->a), .events = POLLIN }, 1, 20000) == 1);
	await(shmipc_channel_peek(pair->a, &message) == -EPIPE);
	close(fd);
	end_child(&child);
}

static void a_message_in_hand_stays_readable_after_the_senders_end(struct pair *pair)
{
	struct shmipc_message peeked, kept;
	struct child child;

	open_with_child(pair, &child, SHMIPC_SYNC_DEMAND, send_three_and_go);
	assert_int_equal(child_hear(child.control), 's');
	pattern_take(pair->a, 50, 1);
	assert_code(shmipc_channel_peek(pair->a, &kept), 0);
	assert_code(shmipc_channel_keep(pair->a, &kept), 0);
	assert_code(shmipc_channel_peek(pair->a, &peeked), 0);
	tell_to_go(&child, 'k');
	await(shmipc_channel_push(pair->a, "x", 1, 0, 0, 0) == -EPIPE);
	assert_true(pattern_is(kept.data, 5000, 2));
	assert_true(pattern_is(peeked.data, 500000, 3));
	assert_code(shmipc_channel_release(pair->a, &kept), 0);
	assert_code(shmipc_channel_release(pair->a, &peeked), 0);
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR), -EPIPE);
	end_child(&child);
}

static void buffers_open_at_the_peers_end_can_be_ended(struct pair *pair)
{
	struct shmipc_buffer one, two, three;
	struct child child;

	open_with_child(pair, &child, SHMIPC_SYNC_DEMAND, go);
	assert_code(shmipc_channel_reserve(pair->a, 10, 0, &one), 0);
	assert_code(shmipc_channel_reserve(pair->a, 1000, 0, &two), 0);
	assert_code(shmipc_channel_reserve(pair->a, 1000, 0, &three), 0);
	tell_to_go(&child, 'k');
	assert_code(shmipc_channel_wait(pair->a, SHMIPC_READABLE, FAR), -EPIPE);
	memset(one.data, 1, 10);
	memset(two.data, 1, 1000);
	assert_code(shmipc_channel_submit(pair->a, &two, 1000, 0), 0);
	assert_code(shmipc_channel_submit(pair->a, &one, 10, 0), 0);
	assert_code(shmipc_channel_cancel(pair->a, &three), 0);
	end_child(&child);
}

static void destroy_in_the_same_process_is_heard_too(struct pair *pair)
{
	struct shmipc_message message;

	pair_open(pair, NULL, NULL);
	assert_code(pattern_push(pair->a, 2000, 1, 0), 0);
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	pattern_take(pair->b, 2000, 1);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), -EPIPE);
	assert_code(shmipc_channel_peek(pair->b, &message), -EPIPE);
}

static void new_memory_of_the_dead_is_read_though_they_never_looked_at_ours(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(shmipc_channel_grow(pair->b, 1 << 20), 0);
	assert_code(pattern_push(pair->a, 1 << 20, 1, 0), 0);
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	pattern_take(pair->b, 1 << 20, 1);
	assert_code(shmipc_channel_wait(pair->b, SHMIPC_READABLE, FAR), -EPIPE);
}

static int act_peer(struct shmipc_channel *channel, int control)
{
	child_tell(control, 'r');
	return go(channel, control);
}

static void the_peer_is_who_the_kernel_says(struct pair *pair)
{
	struct shmipc_peer peer;
	struct child child;

	memset(&peer, 0xa5, sizeof(peer));
	open_with_child(pair, &child, SHMIPC_SYNC_DEMAND, act_peer);
	assert_code(shmipc_channel_peer(pair->a, &peer), 0);
	assert_int_equal(peer.pid, child.pid);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	end_child(&child);
}

static pid_t parent_pid;

static int look_at_parent(struct shmipc_channel *channel, int control)
{
	struct shmipc_peer peer;

	memset(&peer, 0xa5, sizeof(peer));
	child_check(shmipc_channel_peer(channel, &peer) == 0);
	child_check(peer.pid == parent_pid);
	child_check(peer.uid == 0 && peer.gid == 0);
	child_tell(control, 'o');
	child_hear(control);
	return 0;
}

static void a_peer_of_another_user_is_named_so(struct pair *pair)
{
	struct shmipc_channel_options options = pair_options(pair);
	struct shmipc_peer peer;
	struct child child;

	if (geteuid())
		skip_because("only root can become another user");
	parent_pid = getpid();
	child_fork_as(&child, &options, look_at_parent, 65534, 65533);
	assert_code(shmipc_channel_create(&options, &pair->a), 0);
	assert_code(shmipc_channel_send(pair->a, child.socket, FAR), 0);
	close(child.socket);
	memset(&peer, 0xa5, sizeof(peer));
	assert_code(shmipc_channel_peer(pair->a, &peer), 0);
	assert_int_equal(peer.pid, child.pid);
	assert_int_equal(peer.uid, 65534);
	assert_int_equal(peer.gid, 65533);
	assert_int_equal(child_hear(child.control), 'o');
	end_child(&child);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_WAYS(what_was_sent_is_read_then_epipe, on_demand),
		ON_WAYS(a_blocked_reader_gets_epipe, on_demand),
		ON_WAYS(a_blocked_writer_gets_epipe, on_demand),
		ON_BOTH_FORKING(what_was_sent_is_read_then_epipe_after_kill_adaptively),
		ON_BOTH_FORKING(what_was_sent_is_read_then_epipe_after_kill_polling),
		ON_BOTH_FORKING(what_was_sent_is_read_then_epipe_after_kill_timed),
		ON_BOTH_FORKING(a_blocked_reader_gets_epipe_after_kill_adaptively),
		ON_BOTH_FORKING(a_blocked_reader_gets_epipe_after_kill_polling),
		ON_BOTH_FORKING(a_blocked_reader_gets_epipe_after_kill_timed),
		ON_BOTH_FORKING(a_blocked_writer_gets_epipe_after_kill_adaptively),
		ON_BOTH_FORKING(a_blocked_writer_gets_epipe_after_kill_polling),
		ON_BOTH_FORKING(a_blocked_writer_gets_epipe_after_kill_timed),
		ON_BOTH_FORKING(peeking_alone_learns_of_the_end),
		ON_BOTH_FORKING(sending_alone_learns_of_the_end),
		ON_BOTH_FORKING(an_event_loop_hears_the_end_and_reads_what_was_sent),
		ON_BOTH_FORKING(a_message_in_hand_stays_readable_after_the_senders_end),
		ON_BOTH_FORKING(buffers_open_at_the_peers_end_can_be_ended),
		ON_BOTH(destroy_in_the_same_process_is_heard_too),
		ON_BOTH(new_memory_of_the_dead_is_read_though_they_never_looked_at_ours),
		ON_BOTH_FORKING(the_peer_is_who_the_kernel_says),
		ON_BOTH_FORKING(a_peer_of_another_user_is_named_so),
	};

	return RUN_TESTS(tests, argc, argv);
}
