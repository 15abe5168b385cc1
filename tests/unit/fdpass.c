// SPDX-License-Identifier: Apache-2.0
/*
 * fdpass.c - tests of passing descriptors and credentials, whatever the other side sends
 */
#include "fdpass.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "mail.h"
#include "pair.h"

static void seqpacket_pair(int socket[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socket), 0);
}

static void close_pair(const int socket[2])
{
	close(socket[0]);
	close(socket[1]);
}

static void ask_credentials(int socket)
{
	int on = 1;

	assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
}

/* sendmsg with that many copies of a descriptor, past every check of fdpass_send. */
static void send_copies(int socket, const void *data, size_t size, int fd, int copies)
{
	int fds[MAIL_FDS], i;

	for (i = 0; i < copies; i++)
		fds[i] = fd;
	assert_int_equal(mail_send(socket, data, size, fds, copies, 0), (ssize_t)size);
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	return !fstat(one, &a) && !fstat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void bytes_and_descriptors_arrive(struct pair *pair)
{
	int socket[2], pipe_fds[2], got[2] = { -7, -7 }, count = 2;
	char data[8];

	(void)pair;
	pair_sockets(socket);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_code(fdpass_send(socket[0], "abcd", 4, pipe_fds, 2, false), 4);
	memset(data, 0xa5, sizeof(data));
	assert_code(fdpass_receive(socket[1], data, sizeof(data), got, &count, NULL), 4);
	assert_memory_equal(data, "abcd", 4);
	assert_int_equal(count, 2);
	assert_true(same_file(got[0], pipe_fds[0]));
	assert_true(same_file(got[1], pipe_fds[1]));
	fdpass_close(got, 2);
	close_pair(pipe_fds);
	close_pair(socket);
}

static void received_descriptors_are_close_on_exec(struct pair *pair)
{
	int socket[2], got[1] = { -7 }, count = 1;
	char byte;

	(void)pair;
	pair_sockets(socket);
	assert_code(fdpass_send(socket[0], "x", 1, &socket[0], 1, false), 1);
	assert_code(fdpass_receive(socket[1], &byte, 1, got, &count, NULL), 1);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	fdpass_close(got, 1);
	close_pair(socket);
}

static void surplus_descriptors_are_closed_and_eproto(struct pair *pair)
{
	int copies;

	(void)pair;
	/* One too many, all that the control buffer has room for, and more than that. */
	for (copies = 2; copies < 40; copies++) {
		int socket[2], got[2] = { -7, -7 }, count = 1, fds = count_fds();
		char byte;

		pair_sockets(socket);
		send_copies(socket[0], "x", 1, socket[0], copies);
		assert_code(fdpass_receive(socket[1], &byte, 1, got, &count, NULL), -EPROTO);
		assert_int_equal(count, 0);
		close_pair(socket);
		assert_int_equal(count_fds(), fds);
	}
}

static void descriptors_that_nobody_asked_for_are_closed(struct pair *pair)
{
	int socket[2], count = 0, fds;
	char byte;

	(void)pair;
	pair_sockets(socket);
	fds = count_fds();
	send_copies(socket[0], "x", 1, socket[0], 3);
	assert_code(fdpass_receive(socket[1], &byte, 1, NULL, &count, NULL), -EPROTO);
	assert_int_equal(count, 0);
	assert_int_equal(count_fds(), fds);
	close_pair(socket);
}

static void a_message_that_is_too_long_is_eproto_and_leaves_no_descriptor(struct pair *pair)
{
	int socket[2], got[2] = { -7, -7 }, count = 2, fds;
	char data[4];

	(void)pair;
	seqpacket_pair(socket);
	fds = count_fds();
	send_copies(socket[0], "12345", 5, socket[0], 2);
	assert_code(fdpass_receive(socket[1], data, 4, got, &count, NULL), -EPROTO);
	assert_int_equal(count, 0);
	assert_int_equal(count_fds(), fds);
	/* It is gone: the next one is met as it is. */
	assert_code(fdpass_send(socket[0], "ok", 2, NULL, 0, false), 2);
	count = 2;
	assert_code(fdpass_receive(socket[1], data, 4, got, &count, NULL), 2);
	assert_int_equal(count, 0);
	close_pair(socket);
}

static void credentials_are_this_processs_own(struct pair *pair)
{
	struct ucred from;
	int socket[2], count = 0;
	char byte;

	(void)pair;
	pair_sockets(socket);
	ask_credentials(socket[1]);
	assert_code(fdpass_send(socket[0], "x", 1, NULL, 0, true), 1);
	memset(&from, 0xa5, sizeof(from));
	assert_code(fdpass_receive(socket[1], &byte, 1, NULL, &count, &from), 1);
	assert_int_equal(from.pid, getpid());
	assert_int_equal(from.uid, geteuid());
	assert_int_equal(from.gid, getegid());
	close_pair(socket);
}

static void credentials_that_did_not_come_name_nobody(struct pair *pair)
{
	struct ucred from;
	int socket[2], count = 0;
	char byte;

	(void)pair;
	pair_sockets(socket);
	assert_code(fdpass_send(socket[0], "x", 1, NULL, 0, false), 1);
	memset(&from, 0xa5, sizeof(from));
	assert_code(fdpass_receive(socket[1], &byte, 1, NULL, &count, &from), 1);
	assert_int_equal(from.pid, 0);
	assert_int_equal(from.uid, (uid_t)-1);
	assert_int_equal(from.gid, (gid_t)-1);
	close_pair(socket);
}

static void credentials_and_descriptors_come_together(struct pair *pair)
{
	struct ucred from;
	int socket[2], got[2] = { -7, -7 }, count = 2;
	char byte;

	(void)pair;
	pair_sockets(socket);
	ask_credentials(socket[1]);
	assert_code(fdpass_send(socket[0], "x", 1, socket, 2, true), 1);
	assert_code(fdpass_receive(socket[1], &byte, 1, got, &count, &from), 1);
	assert_int_equal(count, 2);
	assert_int_equal(from.pid, getpid());
	fdpass_close(got, 2);
	close_pair(socket);
}

static int lie_about_the_pid(void *argument)
{
	const int *socket = argument;
	struct ucred self = { .pid = 1, .uid = 0, .gid = 0 };
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	struct cmsghdr *c;

	if (setgid(65534) || setuid(65534))
		return 5;
	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(self));
	memcpy(CMSG_DATA(c), &self, sizeof(self));
	if (sendmsg(socket[0], &message, 0) != -1 || errno != EPERM)
		return 6;
	return fdpass_send(socket[0], "y", 1, NULL, 0, true) == 1 ? 0 : 7;
}

static void credentials_of_another_user_are_the_kernels_word(struct pair *pair)
{
	struct ucred from;
	int socket[2], count = 0;
	char byte;

	(void)pair;
	if (geteuid())
		skip_because("only root can become another user");
	pair_sockets(socket);
	ask_credentials(socket[1]);
	assert_int_equal(run_forked(lie_about_the_pid, socket), 0);
	assert_code(fdpass_receive(socket[1], &byte, 1, NULL, &count, &from), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(from.uid, 65534);
	assert_int_equal(from.gid, 65534);
	close_pair(socket);
}

static void nothing_there_is_eagain_and_the_end_is_0(struct pair *pair)
{
	int socket[2], got[1], count = 1;
	char byte;

	(void)pair;
	pair_sockets(socket);
	assert_code(fdpass_receive(socket[1], &byte, 1, got, &count, NULL), -EAGAIN);
	assert_int_equal(count, 0);
	close(socket[0]);
	count = 1;
	assert_code(fdpass_receive(socket[1], &byte, 1, got, &count, NULL), 0);
	close(socket[1]);
}

static void a_full_socket_is_eagain_and_a_closed_one_epipe_without_a_signal(struct pair *pair)
{
	int socket[2];
	ssize_t n;

	(void)pair;
	seqpacket_pair(socket);
	while ((n = fdpass_send(socket[0], "0123456789abcdef", 16, NULL, 0, false)) == 16)
		;
	assert_code(n, -EAGAIN);
	close_pair(socket);
	seqpacket_pair(socket);
	close(socket[1]);
	assert_code(fdpass_send(socket[0], "x", 1, NULL, 0, false), -EPIPE);
	close(socket[0]);
}

static void close_leaves_out_what_is_negative(struct pair *pair)
{
	int fds[3] = { -1, dup(0), -1 }, before = count_fds();

	(void)pair;
	fdpass_close(fds, 3);
	assert_int_equal(count_fds(), before - 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(bytes_and_descriptors_arrive),
		ALONE(received_descriptors_are_close_on_exec),
		ALONE(surplus_descriptors_are_closed_and_eproto),
		ALONE(descriptors_that_nobody_asked_for_are_closed),
		ALONE(a_message_that_is_too_long_is_eproto_and_leaves_no_descriptor),
		ALONE(credentials_are_this_processs_own),
		ALONE(credentials_that_did_not_come_name_nobody),
		ALONE(credentials_and_descriptors_come_together),
		ALONE_FORKING(credentials_of_another_user_are_the_kernels_word),
		ALONE(nothing_there_is_eagain_and_the_end_is_0),
		ALONE(a_full_socket_is_eagain_and_a_closed_one_epipe_without_a_signal),
		ALONE(close_leaves_out_what_is_negative),
	};

	return RUN_TESTS(tests, argc, argv);
}
