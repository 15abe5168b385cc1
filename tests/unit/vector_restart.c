// SPDX-License-Identifier: Apache-2.0
/*
 * vector_restart.c - tests of coming and going: any order of start, a consumer that ends and another one, the path
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "post.h"

static void a_producer_may_start_before_its_consumer(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint32_t i;

	post_init(&post, pair);
	p = post_producer(&post);
	assert_code(shmipc_producer_attach(p, 0), -EAGAIN);
	assert_code(producer_stats_of(p).attach_error, -ENOENT);
	for (i = 0; i < 3000; i++)
		post_push(p, 300, i);
	assert_true(producer_stats_of(p).backlog_bytes > 3000 * 300);
	assert_code(shmipc_producer_flush(p, 0), -EAGAIN);
	post_open(&post);
	post_attach(&post, p);
	assert_int_equal(producer_stats_of(p).backlog_bytes, 0);
	for (; i < 4000; i++)
		post_push(p, 300, i);
	post_take(&post, 300, 0, 4000);
	assert_int_equal(producer_stats_of(p).repeated, 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void a_backlog_longer_than_the_grant_is_delivered_bit_by_bit(struct pair *pair)
{
	enum { SIZE = 1000, COUNT = 3000 };
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	struct post post;
	uint32_t i, n = 0;

	post_init(&post, pair);
	p = post_producer(&post);
	for (i = 0; i < COUNT; i++)
		post_push(p, SIZE, i);
	post.vector_options.producer_memory = 1 << 18;
	post_open(&post);
	post_attach(&post, p);
	assert_true(producer_stats_of(p).backlog_bytes > 0);
	/* What is pushed now comes behind it. */
	post_push(p, SIZE, i++);
	while (n < i) {
		shmipc_producer_attach(p, 0); /* any call goes on with it */
		assert_code(shmipc_vector_receive(post.vector, FAR), 0);
		while (shmipc_vector_next(post.vector, &m) == 1)
			assert_true(pattern_is(m.data, SIZE, n++));
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	assert_int_equal(producer_stats_of(p).backlog_bytes, 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void the_next_consumer_gets_what_the_last_one_did_not_release(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	struct post post;
	uint32_t i;

	p = post_start(&post, pair);
	for (i = 0; i < 2000; i++)
		post_push(p, 200, i);
	post_take(&post, 200, 0, 700);
	/* 100 more are looked at, and not released. */
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	for (i = 0; i < 100; i++)
		post_expect(&post, 200, 700 + i);
	post_close(&post);
	assert_code(shmipc_producer_attach(p, 0), -EAGAIN);
	for (i = 2000; i < 2500; i++)
		post_push(p, 200, i);
	post_open(&post);
	post_attach(&post, p);
	assert_int_equal(producer_stats_of(p).attaches, 2);
	for (; i < 2600; i++)
		post_push(p, 200, i);
	for (i = 700; i < 2600;) {
		assert_code(shmipc_vector_receive(post.vector, FAR), 0);
		for (; shmipc_vector_next(post.vector, &m) == 1; i++) {
			assert_true(pattern_is(m.data, 200, i));
			assert_int_equal(m.flags, i < 2000 ? SHMIPC_REPEATED : 0);
			assert_int_equal(m.dropped, 0);
		}
		assert_code(shmipc_vector_release(post.vector), 0);
	}
	assert_code(shmipc_vector_receive(post.vector, 0), -EAGAIN);
	assert_int_equal(producer_stats_of(p).repeated, 1300);
	assert_code(shmipc_producer_flush(p, 0), 0);
	shmipc_producer_close(p);
	post_close(&post);
}

static void order_is_kept_over_many_consumers(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	uint32_t next = 0, i = 0, k, life;

	post_init(&post, pair);
	p = post_producer(&post);
	for (life = 0; life < 12; life++) {
		for (k = 0; k < 400; k++)
			post_push(p, 500, i++);
		post_open(&post);
		post_attach(&post, p);
		for (k = 0; k < 300; k++)
			post_push(p, 500, i++);
		post_take(&post, 500, next, 250 + 100 * (life % 3));
		next += 250 + 100 * (life % 3);
		post_close(&post);
	}
	post_open(&post);
	post_attach(&post, p);
	post_take(&post, 500, next, i - next);
	shmipc_producer_close(p);
	post_close(&post);
}

static void without_a_consumer_the_limit_holds_and_drops_are_reported_later(struct pair *pair)
{
	enum { SIZE = 1000, COUNT = 3000 };
	enum shmipc_full full;
	struct shmipc_vector_message m;
	struct shmipc_producer *p;
	unsigned char data[SIZE];
	struct post post;
	uint32_t i, next;
	int r;

	for (full = SHMIPC_FULL_BLOCK; full <= SHMIPC_FULL_DROP_OLDEST; full++) {
		post_init(&post, pair);
		post.producer_options.memory_max = 1 << 20;
		post.producer_options.full = full;
		p = post_producer(&post);
		for (i = 0, r = 0; i < COUNT && r != -EAGAIN; i++) {
			pattern_fill(data, SIZE, i);
			r = shmipc_producer_push(p, data, SIZE, 0);
		}
		assert_code(r, full == SHMIPC_FULL_BLOCK ? -EAGAIN : full == SHMIPC_FULL_DROP_NEWEST ? 1 : 0);
		assert_true(producer_stats_of(p).backlog_bytes <= 1 << 20);
		assert_true(producer_stats_of(p).backlog_bytes > 3 << 18);
		i -= full == SHMIPC_FULL_BLOCK;
		post_open(&post);
		post_attach(&post, p);
		next = 0;
		assert_code(shmipc_producer_push(p, data, 0, FAR), 0);
		for (r = 0; !r;) {
			shmipc_producer_attach(p, 0);
			assert_code(shmipc_vector_receive(post.vector, FAR), 0);
			while (shmipc_vector_next(post.vector, &m) == 1) {
				next += (uint32_t)m.dropped;
				r = m.size == 0;
				assert_true(r || pattern_is(m.data, SIZE, next++));
			}
			assert_code(shmipc_vector_release(post.vector), 0);
		}
		assert_int_equal(next, i);
		shmipc_producer_close(p);
		post_close(&post);
	}
}

static int consume_and_die(void *argument)
{
	struct post *post = argument;
	struct shmipc_vector_message m;

	if (shmipc_vector_open(post->path, &post->vector_options, &post->vector))
		return 1;
	while (shmipc_vector_receive(post->vector, FAR) == 0 && shmipc_vector_next(post->vector, &m) == 1 &&
	       m.size == 10)
		shmipc_vector_release(post->vector);
	kill(getpid(), SIGKILL);
	return 0;
}

static void a_killed_consumer_is_replaced_at_its_path(struct pair *pair)
{
	struct shmipc_producer *p;
	struct post post;
	int status;
	pid_t pid;

	post_init(&post, pair);
	pid = fork();
	if (!pid)
		_exit(consume_and_die(&post));
	p = post_producer(&post);
	assert_code(shmipc_producer_attach(p, FAR), 0);
	post_push(p, 10, 1);
	assert_code(shmipc_producer_flush(p, FAR), 0);
	post_push(p, 20, 2); /* kills it */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(post.path, F_OK), 0);
	await(!producer_stats_of(p).attached || (shmipc_producer_attach(p, 0), 0));
	assert_code(producer_stats_of(p).attach_error, -ECONNREFUSED);
	post_push(p, 20, 3);
	post_open(&post);
	post_attach(&post, p);
	post_take(&post, 20, 2, 2);
	shmipc_producer_close(p);
	post_close(&post);
	assert_int_equal(access(post.path, F_OK), -1);
}

static void a_path_has_one_consumer(struct pair *pair)
{
	struct shmipc_vector *second = (void *)1;
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	assert_code(shmipc_vector_open(post.path, NULL, &second), -EADDRINUSE);
	assert_null(second);
	post_close(&post);
	post_open(&post);
	post_close(&post);
}

static int open_second(void *argument)
{
	struct post *post = argument;

	return shmipc_vector_open(post->path, NULL, &post->vector) == -EADDRINUSE ? 0 : 1;
}

static void one_in_another_process_counts_too(struct pair *pair)
{
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	assert_int_equal(run_forked(open_second, &post), 0);
	post_close(&post);
}

/* Leaves a child of its own behind, and its pid in a file beside the path. */
static int open_fork_and_die(void *argument)
{
	struct post *post = argument;
	char name[96];
	FILE *f;
	pid_t pid;

	if (shmipc_vector_open(post->path, NULL, &post->vector))
		return 1;
	pid = fork();
	if (!pid) {
		alarm(30);
		for (;;)
			pause();
	}
	snprintf(name, sizeof(name), "%s.pid", post->path);
	f = fopen(name, "we");
	return pid < 0 || !f || fprintf(f, "%d\n", (int)pid) < 0 || fclose(f) ? 2 : 0;
}

static void a_forked_child_of_a_dead_consumer_does_not_keep_the_path(struct pair *pair)
{
	struct post post;
	char name[96];
	int pid = 0;
	FILE *f;

	post_init(&post, pair);
	assert_int_equal(run_forked(open_fork_and_die, &post), 0);
	snprintf(name, sizeof(name), "%s.pid", post.path);
	f = fopen(name, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);
	unlink(name);
	/* It may not have got as far as to let go of what it inherited. */
	await(shmipc_vector_open(post.path, NULL, &post.vector) == 0);
	assert_int_equal(kill(pid, 0), 0);
	post_close(&post);
	kill(pid, SIGKILL);
}

static void what_is_no_socket_is_left_alone(struct pair *pair)
{
	struct shmipc_vector *v;
	struct post post;
	int fd;

	post_init(&post, pair);
	fd = open(post.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_code(shmipc_vector_open(post.path, NULL, &v), -EEXIST);
	assert_int_equal(access(post.path, F_OK), 0);
	unlink(post.path);
}

static void a_listener_that_knows_no_lock_file_is_left_alone(struct pair *pair)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct shmipc_vector *v;
	struct post post;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	post_init(&post, pair);
	strcpy(address.sun_path, post.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_code(shmipc_vector_open(post.path, NULL, &v), -EADDRINUSE);
	close(fd);
	post_open(&post);
	post_close(&post);
}

static void the_path_has_the_permissions_asked_for(struct pair *pair)
{
	static const mode_t modes[] = { 0600, 0660, 0666, 0777 };
	struct post post;
	struct stat st;
	mode_t old = umask(077);
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		post_init(&post, pair);
		post.vector_options.mode = modes[i];
		post_open(&post);
		assert_int_equal(stat(post.path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, modes[i]);
		post_close(&post);
	}
	umask(old);
}

static int produce_as_nobody(void *argument)
{
	struct post *post = argument;
	struct shmipc_producer_stats stats = { .size = sizeof(stats) };
	struct shmipc_producer *p;

	if (setgid(65534) || setuid(65534) || shmipc_producer_open(post->path, &post->producer_options, &p))
		return 99;
	if (shmipc_producer_attach(p, soon(200)) == 0)
		return shmipc_producer_push(p, "hello", 5, FAR) || shmipc_producer_flush(p, FAR) ? 98 : 0;
	shmipc_producer_stats(p, &stats);
	return -stats.attach_error;
}

static void who_may_not_write_the_path_may_not_produce(struct pair *pair)
{
	struct post post;

	if (geteuid())
		skip_because("it takes root to become somebody else");
	post_init(&post, pair);
	post_open(&post);
	assert_int_equal(run_forked(produce_as_nobody, &post), EACCES);
	post_close(&post);
}

static void who_may_write_it_may_and_the_kernel_says_who_it_is(struct pair *pair)
{
	struct shmipc_vector_message m;
	struct post post;
	int status;
	pid_t pid;

	if (geteuid())
		skip_because("it takes root to become somebody else");
	post_init(&post, pair);
	post.vector_options.mode = 0666;
	post_open(&post);
	pid = fork();
	if (!pid) {
		post.producer_options.backend = SHMIPC_BACKEND_AUTO; /* the device may not be nobody's */
		_exit(produce_as_nobody(&post));
	}
	assert_code(shmipc_vector_receive(post.vector, FAR), 0);
	assert_code(shmipc_vector_next(post.vector, &m), 1);
	assert_memory_equal(m.data, "hello", 5);
	assert_int_equal(m.sender->peer.uid, 65534);
	assert_int_equal(m.sender->peer.pid, pid);
	assert_code(shmipc_vector_release(post.vector), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	post_close(&post);
}

static struct {
	struct shmipc_vector *vector;
	struct shmipc_producer *producer;
} inherited;

static int use_inherited(void *argument)
{
	struct shmipc_producer_stats ps = { .size = sizeof(ps) };
	struct shmipc_vector_stats vs = { .size = sizeof(vs) };
	struct shmipc_vector_message m;
	struct shmipc_vector *v = inherited.vector;
	struct shmipc_producer *p = inherited.producer;
	void *data;

	(void)argument;
	child_check(shmipc_producer_push(p, "x", 1, 0) == -EPERM);
	child_check(shmipc_producer_reserve(p, 1, &data, 0) == -EPERM);
	child_check(shmipc_producer_commit(p, 1) == -EPERM);
	child_check(shmipc_producer_cancel(p) == -EPERM);
	child_check(shmipc_producer_attach(p, 0) == -EPERM);
	child_check(shmipc_producer_flush(p, 0) == -EPERM);
	child_check(shmipc_producer_shrink(p) == -EPERM);
	child_check(shmipc_producer_stats(p, &ps) == -EPERM);
	child_check(shmipc_vector_receive(v, 0) == -EPERM);
	child_check(shmipc_vector_next(v, &m) == -EPERM);
	child_check(shmipc_vector_release(v) == -EPERM);
	child_check(shmipc_vector_kick(v) == -EPERM);
	child_check(shmipc_vector_fd(v) == -EPERM);
	child_check(shmipc_vector_arm(v) == -EPERM);
	child_check(shmipc_vector_disarm(v) == -EPERM);
	child_check(shmipc_vector_stats(v, &vs) == -EPERM);
	shmipc_producer_close(p);
	shmipc_vector_close(v);
	return 0;
}

static void a_forked_child_can_use_neither(struct pair *pair)
{
	struct post post;

	post_init(&post, pair);
	post_open(&post);
	inherited.vector = post.vector;
	inherited.producer = post_producer(&post);
	post_push(inherited.producer, 10, 1);
	assert_int_equal(run_forked(use_inherited, NULL), 0);
	post_push(inherited.producer, 10, 2);
	post_take(&post, 10, 1, 2);
	assert_int_equal(access(post.path, F_OK), 0);
	shmipc_producer_close(inherited.producer);
	post_close(&post);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_producer_may_start_before_its_consumer),
		ON_BOTH(a_backlog_longer_than_the_grant_is_delivered_bit_by_bit),
		ON_BOTH(the_next_consumer_gets_what_the_last_one_did_not_release),
		ON_BOTH(order_is_kept_over_many_consumers),
		ON_BOTH(without_a_consumer_the_limit_holds_and_drops_are_reported_later),
		ON_BOTH_FORKING(a_killed_consumer_is_replaced_at_its_path),
		ALONE(a_path_has_one_consumer),
		ALONE_FORKING(one_in_another_process_counts_too),
		ALONE_FORKING(a_forked_child_of_a_dead_consumer_does_not_keep_the_path),
		ALONE(what_is_no_socket_is_left_alone),
		ALONE(a_listener_that_knows_no_lock_file_is_left_alone),
		ALONE(the_path_has_the_permissions_asked_for),
		ON_BOTH_FORKING(who_may_not_write_the_path_may_not_produce),
		ON_BOTH_FORKING(who_may_write_it_may_and_the_kernel_says_who_it_is),
		ON_BOTH_FORKING(a_forked_child_can_use_neither),
	};

	return RUN_TESTS(tests, argc, argv);
}
