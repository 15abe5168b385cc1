// SPDX-License-Identifier: Apache-2.0
/*
 * listener_address.c - tests of what becomes of a listener's path: permissions, what others left there, races, its end
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listener_pair.h"
#include "wire/address.h"

/* A path that nobody has used. */
static void fresh_path(char path[108])
{
	static int number;
	char name[32];

	snprintf(name, sizeof(name), "path-%d", ++number);
	path_in(path, folder_make(), name);
}

static struct shmipc_listener *listen_at(struct pair *pair, const char *address)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;

	assert_code(shmipc_listener_create(address, &options, &listener), 0);
	return listener;
}

static int try_listen(struct pair *pair, const char *address)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener = (void *)1;
	int r = shmipc_listener_create(address, &options, &listener);

	if (r)
		assert_null(listener);
	else
		shmipc_listener_close(listener);
	return r;
}

/* A socket that was bound, and whose process is gone. */
static void leave_stale(const char *path, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct address address;

	assert_code(address_parse(path, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

static void expect_live(struct pair *pair, struct shmipc_listener *listener)
{
	struct shmipc_session *client, *server;

	listener_connect(pair, listener, &client, &server);
	shmipc_session_close(client);
	shmipc_session_close(server);
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static void close_removes_the_path(struct pair *pair)
{
	struct shmipc_listener *listener;
	char path[108];

	fresh_path(path);
	listener = listen_at(pair, path);
	assert_string_equal(shmipc_listener_address(listener), path);
	assert_true(exists(path));
	shmipc_listener_close(listener);
	assert_false(exists(path));
}

static void close_keeps_the_path_if_asked_to(struct pair *pair)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	char path[108];

	fresh_path(path);
	options.keep_path = 1;
	assert_code(shmipc_listener_create(path, &options, &listener), 0);
	shmipc_listener_close(listener);
	assert_true(exists(path));
}

static void close_leaves_what_is_not_its_own(struct pair *pair)
{
	struct shmipc_listener *listener;
	char path[108];
	int fd;

	fresh_path(path);
	listener = listen_at(pair, path);
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	shmipc_listener_close(listener);
	assert_true(exists(path));
	assert_int_equal(unlink(path), 0);
}

static void close_finds_its_path_from_another_directory(struct pair *pair)
{
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct shmipc_listener *listener;
	char path[108];

	fresh_path(path);
	assert_int_equal(chdir(folder_make()), 0);
	listener = listen_at(pair, strrchr(path, '/') + 1);
	assert_true(exists(path));
	assert_int_equal(fchdir(before), 0);
	close(before);
	shmipc_listener_close(listener);
	assert_false(exists(path));
}

static void permissions_are_what_was_asked_for_whatever_the_umask(struct pair *pair)
{
	static const uint32_t modes[] = { 0600, 0666, 0777, 0620, 0 };
	static const mode_t masks[] = { 0, 022, 0777 };
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	struct stat st;
	char path[108];
	size_t i, j;
	mode_t old;

	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		for (j = 0; j < sizeof(masks) / sizeof(*masks); j++) {
			fresh_path(path);
			options.mode = modes[i];
			old = umask(masks[j]);
			assert_code(shmipc_listener_create(path, &options, &listener), 0);
			assert_int_equal(umask(old), masks[j]);
			assert_int_equal(lstat(path, &st), 0);
			assert_int_equal(st.st_mode & 07777, modes[i]);
			assert_true(S_ISSOCK(st.st_mode));
			shmipc_listener_close(listener);
		}
	}
}

static void a_stale_socket_is_replaced(struct pair *pair)
{
	struct shmipc_listener *listener;
	char path[108];

	fresh_path(path);
	leave_stale(path, SOCK_STREAM);
	listener = listen_at(pair, path);
	expect_live(pair, listener);
	shmipc_listener_close(listener);
	assert_false(exists(path));
}

static void a_live_socket_is_eaddrinuse_and_lives_on(struct pair *pair)
{
	struct shmipc_listener *listener;
	char path[108];
	int i;

	fresh_path(path);
	listener = listen_at(pair, path);
	for (i = 0; i < 10; i++)
		assert_code(try_listen(pair, path), -EADDRINUSE);
	assert_true(exists(path));
	expect_live(pair, listener);
	shmipc_listener_close(listener);
}

static void a_socket_whose_backlog_is_full_is_live(struct pair *pair)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), clients[2];
	struct address address;
	char path[108];

	fresh_path(path);
	assert_code(address_parse(path, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	assert_int_equal(listen(fd, 0), 0);
	clients[0] = connect_bare(path);
	clients[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(clients[1], (struct sockaddr *)&address.name, address.size), -1);
	assert_int_equal(errno, EAGAIN);
	assert_code(try_listen(pair, path), -EADDRINUSE);
	assert_true(exists(path));
	close(clients[0]);
	close(clients[1]);
	close(fd);
	unlink(path);
}

static void what_is_no_stream_socket_is_eaddrinuse_and_left_alone(struct pair *pair)
{
	char path[108], target[108];
	int fd;

	fresh_path(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_code(try_listen(pair, path), -EADDRINUSE);
	assert_true(exists(path));
	unlink(path);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_code(try_listen(pair, path), -EADDRINUSE);
	assert_true(exists(path));
	rmdir(path);

	/* Even if what it points at is stale. */
	fresh_path(target);
	leave_stale(target, SOCK_STREAM);
	assert_int_equal(symlink(target, path), 0);
	assert_code(try_listen(pair, path), -EADDRINUSE);
	assert_true(exists(path));
	assert_true(exists(target));
	unlink(path);
	unlink(target);

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct address address;
	assert_code(address_parse(path, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	assert_code(try_listen(pair, path), -EADDRINUSE);
	assert_true(exists(path));
	close(fd);
	unlink(path);
}

static void what_cannot_be_bound_is_told_as_bind_tells_it(struct pair *pair)
{
	char path[200];

	assert_code(try_listen(pair, "/nowhere/at/all"), -ENOENT);
	assert_code(try_listen(pair, "/dev/null/x"), -ENOTDIR);
	assert_code(try_listen(pair, ""), -EINVAL);
	assert_code(try_listen(pair, NULL), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[150] = '\0';
	assert_code(try_listen(pair, path), -EINVAL);
}

struct starter {
	struct pair *pair;
	const char *path;
	pthread_barrier_t *start;
	struct shmipc_listener *listener;
	int result;
};

static void *start_listening(void *argument)
{
	struct starter *s = argument;
	struct shmipc_listener_options options = listener_options(s->pair);

	pthread_barrier_wait(s->start);
	s->result = shmipc_listener_create(s->path, &options, &s->listener);
	return NULL;
}

/* Of many that find the same stale socket, one listens, and nobody removes its path. */
static void of_many_starters_one_listens(struct pair *pair)
{
	enum { STARTERS = 6, ROUNDS = 60 };
	struct starter starters[STARTERS];
	struct shmipc_listener *winner;
	pthread_t threads[STARTERS];
	pthread_barrier_t start;
	char path[108];
	int round, i;

	fresh_path(path);
	for (round = 0; round < ROUNDS; round++) {
		if (round % 3)
			leave_stale(path, SOCK_STREAM);
		winner = NULL;
		pthread_barrier_init(&start, NULL, STARTERS);
		for (i = 0; i < STARTERS; i++) {
			starters[i] = (struct starter){ pair, path, &start, NULL, 1 };
			assert_int_equal(pthread_create(&threads[i], NULL, start_listening, &starters[i]), 0);
		}
		for (i = 0; i < STARTERS; i++)
			pthread_join(threads[i], NULL);
		for (i = 0; i < STARTERS; i++) {
			if (!starters[i].result) {
				assert_null(winner);
				winner = starters[i].listener;
			} else {
				assert_code(starters[i].result, -EADDRINUSE);
			}
		}
		assert_non_null(winner);
		close(connect_bare(path));
		shmipc_listener_close(winner);
		assert_false(exists(path));
		pthread_barrier_destroy(&start);
	}
}

static void a_directory_that_somebody_keeps_locked_is_ebusy(struct pair *pair)
{
	int fd = open(folder_make(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[108];

	fresh_path(path);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_code(try_listen(pair, path), -EBUSY);
	assert_false(exists(path));
	close(fd);
	assert_code(try_listen(pair, path), 0);
}

static void an_abstract_name_is_taken_once_and_free_again(struct pair *pair)
{
	struct shmipc_listener *listener;
	char name[64];

	snprintf(name, sizeof(name), "@shmipc-test-%d", (int)getpid());
	listener = listen_at(pair, name);
	assert_string_equal(shmipc_listener_address(listener), name);
	assert_code(try_listen(pair, name), -EADDRINUSE);
	expect_live(pair, listener);
	shmipc_listener_close(listener);
	assert_code(try_listen(pair, name), 0);
}

static void a_socket_handed_in_works_and_its_path_stays(struct pair *pair)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener;
	struct address address;
	char path[108];

	fresh_path(path);
	assert_code(address_parse(path, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_code(shmipc_listener_create_fd(fd, &options, &listener), 0);
	assert_string_equal(shmipc_listener_address(listener), path);
	assert_int_equal(shmipc_listener_socket(listener), fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	expect_live(pair, listener);
	shmipc_listener_close(listener);
	assert_true(exists(path));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	unlink(path);
}

static void what_does_not_listen_is_einval_and_closed(struct pair *pair)
{
	struct shmipc_listener_options options = listener_options(pair);
	struct shmipc_listener *listener = (void *)1;
	int fds[4], pair_of[2], pipes[2], i;

	pair_sockets(pair_of);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	fds[0] = pair_of[0];
	fds[1] = pipes[0];
	fds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[3] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(listen(fds[3], 5), 0);
	for (i = 0; i < 4; i++) {
		listener = (void *)1;
		assert_code(shmipc_listener_create_fd(fds[i], &options, &listener), -EINVAL);
		assert_null(listener);
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
	}
	assert_code(shmipc_listener_create_fd(-1, &options, &listener), -EINVAL);
	close(pair_of[1]);
	close(pipes[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_MEMFD(close_removes_the_path),
		ON_MEMFD(close_keeps_the_path_if_asked_to),
		ON_MEMFD(close_leaves_what_is_not_its_own),
		ON_MEMFD(close_finds_its_path_from_another_directory),
		ON_MEMFD(permissions_are_what_was_asked_for_whatever_the_umask),
		ON_MEMFD(a_stale_socket_is_replaced),
		ON_MEMFD(a_live_socket_is_eaddrinuse_and_lives_on),
		ON_MEMFD(a_socket_whose_backlog_is_full_is_live),
		ON_MEMFD(what_is_no_stream_socket_is_eaddrinuse_and_left_alone),
		ON_MEMFD(what_cannot_be_bound_is_told_as_bind_tells_it),
		ON_MEMFD(of_many_starters_one_listens),
		ON_MEMFD(a_directory_that_somebody_keeps_locked_is_ebusy),
		ON_BOTH(an_abstract_name_is_taken_once_and_free_again),
		ON_BOTH(a_socket_handed_in_works_and_its_path_stays),
		ON_MEMFD(what_does_not_listen_is_einval_and_closed),
	};

	return RUN_TESTS(tests, argc, argv);
}
