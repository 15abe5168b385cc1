// SPDX-License-Identifier: Apache-2.0
/*
 * process.c - tests of what belongs to a process: the guard that knows a forked child, the clock
 */
#include "process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "pair.h"

static void the_guard_is_one_word_for_a_process(struct pair *pair)
{
	const _Atomic uint32_t *one = (void *)1, *other = (void *)2;

	(void)pair;
	assert_code(process_guard(&one), 0);
	assert_code(process_guard(&other), 0);
	assert_ptr_equal(one, other);
	assert_int_equal(load_relaxed(one), 1);
}

static void *get_guard(void *argument)
{
	const _Atomic uint32_t **guard = argument;

	return process_guard(guard) ? argument : NULL;
}

static int threads_agree(void *argument)
{
	const _Atomic uint32_t *guard[8];
	pthread_t thread[8];
	int i;

	(void)argument;
	for (i = 0; i < 8; i++)
		if (pthread_create(&thread[i], NULL, get_guard, &guard[i]))
			return 2;
	for (i = 0; i < 8; i++) {
		void *failed;

		if (pthread_join(thread[i], &failed) || failed || guard[i] != guard[0] || load_relaxed(guard[i]) != 1)
			return 3;
	}
	return 0;
}

static void threads_that_ask_first_at_once_get_the_same_guard(struct pair *pair)
{
	int i;

	(void)pair;
	for (i = 0; i < 20; i++)
		assert_int_equal(run_forked(threads_agree, NULL), 0);
}

static int look_in_child(void *argument)
{
	const _Atomic uint32_t *parents = argument, *own = NULL;

	if (load_relaxed(parents) != 0)
		return 2;
	if (process_guard(&own) || own == parents || load_relaxed(own) != 1)
		return 3;
	return load_relaxed(parents) ? 4 : 0;
}

static void a_forked_child_finds_the_guard_empty_and_gets_one_of_its_own(struct pair *pair)
{
	const _Atomic uint32_t *guard;

	(void)pair;
	assert_code(process_guard(&guard), 0);
	assert_int_equal(run_forked(look_in_child, (void *)(uintptr_t)guard), 0);
	assert_int_equal(load_relaxed(guard), 1);
}

static int look_in_grandchild(void *argument)
{
	const _Atomic uint32_t *own;
	int status;
	pid_t pid;

	(void)argument;
	if (process_guard(&own))
		return 2;
	pid = fork();
	if (pid < 0)
		return 3;
	if (!pid)
		_exit(look_in_child((void *)(uintptr_t)own));
	return waitpid(pid, &status, 0) == pid ? status : 4;
}

static void a_grandchild_finds_the_childs_guard_empty_too(struct pair *pair)
{
	(void)pair;
	assert_int_equal(run_forked(look_in_grandchild, NULL), 0);
}

static void now_is_the_monotonic_clock(struct pair *pair)
{
	int64_t before = now_ns(), got = process_now(), after = now_ns();

	(void)pair;
	assert_true(before <= got && got <= after);
}

static void coarse_milliseconds_are_near_the_clock(struct pair *pair)
{
	uint32_t before = (uint32_t)(now_ns() / 1000000), got = process_now_coarse_ms();
	uint32_t after = (uint32_t)(now_ns() / 1000000);

	(void)pair;
	assert_true((int32_t)(got - before) >= -50);
	assert_true((int32_t)(after - got) >= 0);
}

static void forever_is_forever_in_every_time_namespace(struct pair *pair)
{
	(void)pair;
	assert_true(process_to_kernel_time(SHMIPC_FOREVER) == SHMIPC_FOREVER);
}

static void in_the_first_time_namespace_kernel_time_is_our_time(struct pair *pair)
{
	const _Atomic uint32_t *guard;

	(void)pair;
	assert_code(process_guard(&guard), 0);
	assert_true(process_to_kernel_time(123456789) == 123456789);
}

static int compare_in_namespace(void)
{
	const _Atomic uint32_t *guard;

	/* The clock here is 1,000.5 s ahead of the kernel's. */
	if (process_guard(&guard))
		return 5;
	return process_to_kernel_time(2000000000000) == 999500000000 ? 0 : 6;
}

static int enter_time_namespace(void *argument)
{
	int fd, status;
	pid_t pid;

	(void)argument;
	if (unshare(0x80 /* CLONE_NEWTIME */))
		return 77;
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, "monotonic 1000 500000000", 24) != 24)
		return 77;
	close(fd);
	/* Children are in it. */
	pid = fork();
	if (!pid)
		_exit(compare_in_namespace());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static void in_another_time_namespace_its_offset_is_taken_off(struct pair *pair)
{
	int r;

	(void)pair;
	r = run_forked(enter_time_namespace, NULL);
	if (r == 77)
		skip_because("no time namespaces here, or not for this user");
	assert_int_equal(r, 0);
}

static void a_membarrier_can_be_called_at_any_time(struct pair *pair)
{
	const _Atomic uint32_t *guard;

	(void)pair;
	process_membarrier();
	assert_code(process_guard(&guard), 0);
	process_membarrier();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE_FORKING(threads_that_ask_first_at_once_get_the_same_guard),
		ALONE_FORKING(in_another_time_namespace_its_offset_is_taken_off),
		ALONE(the_guard_is_one_word_for_a_process),
		ALONE_FORKING(a_forked_child_finds_the_guard_empty_and_gets_one_of_its_own),
		ALONE_FORKING(a_grandchild_finds_the_childs_guard_empty_too),
		ALONE(now_is_the_monotonic_clock),
		ALONE(coarse_milliseconds_are_near_the_clock),
		ALONE(forever_is_forever_in_every_time_namespace),
		ALONE(in_the_first_time_namespace_kernel_time_is_our_time),
		ALONE(a_membarrier_can_be_called_at_any_time),
	};

	return RUN_TESTS(tests, argc, argv);
}
