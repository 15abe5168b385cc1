// SPDX-License-Identifier: Apache-2.0
/*
 * watcher.c - tests of the thread that notices the death of memfd peers
 */
#include "bell/watcher.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "pair.h"

static _Atomic int kicks;

static void count_kick(struct doorbell *bell, uint32_t seq)
{
	(void)bell;
	(void)seq;
	atomic_fetch_add(&kicks, 1);
}

static const struct doorbell_ops kick_only = { .kick = count_kick };

struct watched {
	struct doorbell bell;
	struct watch watch;
	int far; /* the peer's end */
};

static void open_bell(struct watched *w)
{
	int socket[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, socket), 0);
	w->bell.ops = &kick_only;
	w->bell.fd = socket[0];
	w->far = socket[1];
}

static void close_bell(struct watched *w)
{
	watcher_remove(&w->watch);
	close(w->bell.fd);
	if (w->far >= 0)
		close(w->far);
}

static bool is_dead(struct watched *w)
{
	return load_acquire(&w->bell.dead);
}

static void a_closed_socket_marks_the_doorbell_and_kicks_once(struct pair *pair)
{
	struct watched w;

	(void)pair;
	open_bell(&w);
	atomic_store(&kicks, 0);
	assert_code(watcher_add(&w.watch, &w.bell, 0), 0);
	sleep_ms(20);
	assert_false(is_dead(&w));
	close(w.far);
	w.far = -1;
	await(is_dead(&w));
	await(atomic_load(&kicks));
	sleep_ms(20);
	assert_int_equal(atomic_load(&kicks), 1);
	close_bell(&w);
}

static void a_shut_down_socket_marks_the_doorbell(struct pair *pair)
{
	struct watched w;

	(void)pair;
	open_bell(&w);
	assert_code(watcher_add(&w.watch, &w.bell, 0), 0);
	shutdown(w.far, SHUT_RDWR);
	await(is_dead(&w));
	close_bell(&w);
}

static void bytes_on_the_socket_are_left_to_the_application(struct pair *pair)
{
	struct watched w;
	char bytes[4];

	(void)pair;
	open_bell(&w);
	assert_code(watcher_add(&w.watch, &w.bell, 0), 0);
	assert_int_equal(send(w.far, "x", 1, 0), 1);
	sleep_ms(30);
	assert_false(is_dead(&w));
	assert_int_equal(recv(w.bell.fd, bytes, sizeof(bytes), 0), 1);
	close_bell(&w);
}

static void the_end_of_the_peers_process_marks_the_doorbell_though_its_socket_lives(struct pair *pair)
{
	struct pollfd poll_fd = { .events = POLLIN };
	struct watched w;
	pid_t pid;

	(void)pair;
	open_bell(&w);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	assert_code(watcher_add(&w.watch, &w.bell, pid), 0);
	sleep_ms(20);
	assert_false(is_dead(&w));
	kill(pid, SIGKILL);
	await(is_dead(&w));
	/* We hold the other end ourselves; an event loop sees the hang-up all the same. */
	poll_fd.fd = w.bell.fd;
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_true(poll_fd.revents & POLLHUP);
	waitpid(pid, NULL, 0);
	close_bell(&w);
}

static void a_peer_that_is_gone_before_it_is_watched_is_dead_too(struct pair *pair)
{
	struct watched w;
	pid_t pid;

	(void)pair;
	open_bell(&w);
	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	/* Its number is nobody's now, and a child of its own may still hold the socket, as we do here. */
	assert_code(watcher_add(&w.watch, &w.bell, pid), 0);
	await(is_dead(&w));
	close_bell(&w);
}

static void removed_watches_are_not_touched_any_more(struct pair *pair)
{
	struct watched w;

	(void)pair;
	open_bell(&w);
	atomic_store(&kicks, 0);
	assert_code(watcher_add(&w.watch, &w.bell, 0), 0);
	watcher_remove(&w.watch);
	close(w.far);
	w.far = -1;
	sleep_ms(30);
	assert_false(is_dead(&w));
	assert_int_equal(atomic_load(&kicks), 0);
	watcher_remove(&w.watch); /* twice does no harm */
	close_bell(&w);
}

static void any_of_many_can_go_in_any_order(struct pair *pair)
{
	enum { MANY = 100 };
	static struct watched w[MANY];
	int i;

	(void)pair;
	for (i = 0; i < MANY; i++) {
		open_bell(&w[i]);
		assert_code(watcher_add(&w[i].watch, &w[i].bell, 0), 0);
	}
	for (i = 0; i < MANY; i += 3)
		watcher_remove(&w[i].watch);
	for (i = 1; i < MANY; i += 3) {
		close(w[i].far);
		w[i].far = -1;
	}
	for (i = 1; i < MANY; i += 3)
		await(is_dead(&w[i]));
	for (i = 0; i < MANY; i++) {
		assert_int_equal(is_dead(&w[i]), i % 3 == 1);
		close_bell(&w[i]);
	}
}

static void a_watch_that_could_not_be_added_can_be_removed(struct pair *pair)
{
	struct watched w;
	int fd, fds;

	(void)pair;
	open_bell(&w);
	fds = count_fds();
	fd = w.bell.fd;
	w.bell.fd = -1;
	assert_code(watcher_add(&w.watch, &w.bell, getppid()), -EBADF);
	watcher_remove(&w.watch);
	assert_int_equal(count_fds(), fds);
	w.bell.fd = fd;
	close_bell(&w);
}

static int watch_in_child(void *argument)
{
	struct watched w;
	int64_t until = FAR;

	(void)argument;
	open_bell(&w);
	if (watcher_add(&w.watch, &w.bell, 0))
		return 2;
	close(w.far);
	while (!is_dead(&w)) {
		if (now_ns() > until)
			return 3;
		sleep_ms(1);
	}
	return 0;
}

static void a_forked_child_has_a_watcher_of_its_own(struct pair *pair)
{
	struct watched w;

	(void)pair;
	open_bell(&w);
	assert_code(watcher_add(&w.watch, &w.bell, 0), 0);
	assert_int_equal(run_forked(watch_in_child, NULL), 0);
	/* And the parent's goes on. */
	sleep_ms(10);
	assert_false(is_dead(&w));
	close(w.far);
	w.far = -1;
	await(is_dead(&w));
	close_bell(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_closed_socket_marks_the_doorbell_and_kicks_once),
		ALONE(a_shut_down_socket_marks_the_doorbell),
		ALONE(bytes_on_the_socket_are_left_to_the_application),
		ALONE_FORKING(the_end_of_the_peers_process_marks_the_doorbell_though_its_socket_lives),
		ALONE_FORKING(a_peer_that_is_gone_before_it_is_watched_is_dead_too),
		ALONE(removed_watches_are_not_touched_any_more),
		ALONE(any_of_many_can_go_in_any_order),
		ALONE(a_watch_that_could_not_be_added_can_be_removed),
		ALONE_FORKING(a_forked_child_has_a_watcher_of_its_own),
	};

	return RUN_TESTS(tests, argc, argv);
}
