// SPDX-License-Identifier: Apache-2.0
/*
 * channel_old_kernel.c - tests on a kernel that lacks what the library can do without: futex_waitv(2),
 * pidfd_open(2), membarrier(2). A filter makes them ENOSYS, in a child.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "worker.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static int forget_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_waitv, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -1 : 0;
}

struct on_old {
	struct pair *pair;
	int (*act)(struct pair *pair);
};

static int act_on_old(void *argument)
{
	const struct on_old *on_old = argument;
	struct pair pair = { .backend = on_old->pair->backend };
	int r;

	if (forget_calls())
		return 77;
	if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) != -1 || errno != ENOSYS)
		return 3;
	pair_open(&pair, NULL, NULL);
	r = on_old->act(&pair);
	shmipc_channel_destroy(pair.a);
	shmipc_channel_destroy(pair.b);
	return r;
}

static void run_on_old(struct pair *pair, int (*act)(struct pair *pair))
{
	struct on_old on_old = { pair, act };
	int r = run_forked(act_on_old, &on_old);

	if (r == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(r, 0);
}

static int wake_often(struct pair *pair)
{
	struct worker worker;
	uint32_t i;

	for (i = 0; i < 100; i++) {
		worker_wait(&worker, pair->b, SHMIPC_READABLE, i % 2 ? SHMIPC_FOREVER : FAR);
		if (i % 5 == 0)
			worker_await_sleep(&worker);
		child_check(pattern_push(pair->a, 300, i, 0) == 0);
		child_check(worker_join(&worker) == SHMIPC_READABLE);
		pattern_take(pair->b, 300, i);
	}
	return 0;
}

static void messages_end_waits_on_an_old_kernel(struct pair *pair)
{
	run_on_old(pair, wake_often);
}

static int stay_awake(struct pair *pair)
{
	struct worker worker;
	uint32_t i;

	/* Without membarrier no barrier may be left out. */
	for (i = 0; i < 500; i++) {
		child_check(pattern_push(pair->a, 64, i, 0) == 0);
		pattern_take(pair->b, 64, i);
	}
	worker_wait(&worker, pair->b, SHMIPC_READABLE, FAR);
	worker_await_sleep(&worker);
	child_check(stats_of(pair->b).barriers_paid == 0);
	child_check(pattern_push(pair->a, 64, i, 0) == 0);
	child_check(worker_join(&worker) == SHMIPC_READABLE);
	return 0;
}

static void no_barrier_is_left_to_a_sleeper_on_an_old_kernel(struct pair *pair)
{
	run_on_old(pair, stay_awake);
}

static int keep_deadlines(struct pair *pair)
{
	int64_t deadline;
	int i;

	for (i = 0; i < 10; i++) {
		deadline = now_ns() + 2000000 * (i + 1);
		child_check(shmipc_channel_wait(pair->b, SHMIPC_READABLE, deadline) == -ETIMEDOUT);
		child_check(now_ns() >= deadline);
	}
	return 0;
}

static void deadlines_are_kept_on_an_old_kernel(struct pair *pair)
{
	run_on_old(pair, keep_deadlines);
}

static int kick_and_die(struct pair *pair)
{
	struct worker worker;
	int i;

	for (i = 0; i < 20; i++) {
		worker_wait(&worker, pair->b, SHMIPC_READABLE, i % 2 ? SHMIPC_FOREVER : FAR);
		worker_await_sleep(&worker);
		child_check(shmipc_channel_kick(pair->b) == 0);
		child_check(worker_join(&worker) == 0);
	}
	worker_wait(&worker, pair->b, SHMIPC_READABLE, SHMIPC_FOREVER);
	worker_await_sleep(&worker);
	shmipc_channel_destroy(pair->a);
	pair->a = NULL;
	child_check(worker_join(&worker) == -EPIPE);
	return 0;
}

static void kicks_and_the_peers_end_are_heard_on_an_old_kernel(struct pair *pair)
{
	run_on_old(pair, kick_and_die);
}

static int pause_until_told(struct shmipc_channel *channel, int control)
{
	(void)channel;
	return child_hear(control) != 'x';
}

static int lose_peer(struct pair *pair)
{
	struct pair other = { .backend = pair->backend };
	struct child child;

	child_start(&child, &other, NULL, pause_until_told);
	kill(child.pid, SIGKILL);
	child_check(shmipc_channel_wait(other.a, SHMIPC_READABLE, FAR) == -EPIPE);
	child_end(&child);
	shmipc_channel_destroy(other.a);
	return 0;
}

static void a_killed_peer_is_noticed_on_an_old_kernel(struct pair *pair)
{
	run_on_old(pair, lose_peer);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH_FORKING(messages_end_waits_on_an_old_kernel),
		ON_BOTH_FORKING(no_barrier_is_left_to_a_sleeper_on_an_old_kernel),
		ON_BOTH_FORKING(deadlines_are_kept_on_an_old_kernel),
		ON_BOTH_FORKING(kicks_and_the_peers_end_are_heard_on_an_old_kernel),
		ON_BOTH_FORKING(a_killed_peer_is_noticed_on_an_old_kernel),
	};

	return RUN_TESTS(tests, argc, argv);
}
