// SPDX-License-Identifier: Apache-2.0
/*
 * attacks_on_sockets.c - misuse of the descriptors beside the lanes, and ways to go
 */
#include "attacker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdpass.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

/* More descriptors in a message than fdpass.c itself ever sends. */
static void send_anything(struct attacker *a, size_t size, int fds)
{
	static char bytes[200000];
	union {
		char bytes[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	int list[64], i;

	if (fds) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE((size_t)fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN((size_t)fds * sizeof(int));
		for (i = 0; i < fds; i++)
			list[i] = (int)pick(a, 3);
		memcpy(CMSG_DATA(&control.align), list, (size_t)fds * sizeof(int));
	}
	sendmsg(a->channel->region.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_nothing(struct attacker *a)
{
	send_anything(a, 0, 0);
}

static void send_nothing_with_fds(struct attacker *a)
{
	send_anything(a, 0, 1 + (int)pick(a, 20));
}

static void send_garbage(struct attacker *a)
{
	send_anything(a, pick(a, 40), (int)pick(a, 4) ? 0 : (int)pick(a, 60));
}

static void send_too_much(struct attacker *a)
{
	send_anything(a, 1000 + pick(a, 100000), (int)pick(a, 2));
}

static void flood_with_bytes(struct attacker *a)
{
	int i;

	for (i = 0; i < 2000; i++)
		send_anything(a, 1, 0);
}

static void flood_with_fds(struct attacker *a)
{
	int i;

	for (i = 0; i < 100; i++)
		send_anything(a, 16, 1);
}

static void shut_down(struct attacker *a)
{
	shutdown(a->channel->region.fd, (int)pick(a, 3));
}

static void take_messages_away(struct attacker *a)
{
	char bytes[64];

	while (recv(a->channel->region.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void close_descriptor(struct attacker *a)
{
	if (pick(a, 8) == 0)
		dup2(0, a->channel->region.fd);
}

static void wait_long(struct attacker *a)
{
	usleep((useconds_t)pick(a, 20000));
}

static void stop(struct attacker *a)
{
	if (pick(a, 4) == 0)
		raise(SIGSTOP);
}

static void die(struct attacker *a)
{
	if (pick(a, 6) == 0)
		kill(getpid(), SIGKILL);
}

static void unmap_lane(struct attacker *a)
{
	if (pick(a, 6))
		return;
	munmap(a->channel->own.words, a->channel->geometry.head_bytes);
	if (pick(a, 2))
		pause();
	_exit(0);
}

static void run_another_program(struct attacker *a)
{

	if (pick(a, 6) == 0)
		execl("/bin/sleep", "sleep", "1", (char *)NULL);
}

static void leave_a_child(struct attacker *a)
{
	if (pick(a, 6))
		return;
	if (fork() == 0) {
		alarm(1);
		pause();
	}
	_exit(0);
}

/* The victim's end was made by the attacker: what it says of the sender, and with what, was chosen there. */
static void ask_for_pidfds(struct attacker *a)
{
	int on = 1;

	setsockopt(a->channel->region.peer_fd, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on));
	if (pick(a, 2))
		setsockopt(a->channel->region.peer_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

static void make_it_block(struct attacker *a)
{
	int small = 1;

	fcntl(a->channel->region.peer_fd, F_SETFL, 0);
	setsockopt(a->channel->region.peer_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(a->channel->region.peer_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
}

const struct attack attacks_on_sockets[] = {
	{ .name = "send empty messages", .run = send_nothing, .relentless = true },
	{ .name = "send empty messages with descriptors", .run = send_nothing_with_fds, .relentless = true },
	{ .name = "send garbage", .run = send_garbage },
	{ .name = "send large messages", .run = send_too_much },
	{ .name = "flood with bytes", .run = flood_with_bytes, .relentless = true },
	{ .name = "flood with descriptors", .run = flood_with_fds, .relentless = true },
	{ .name = "shut the socket down", .run = shut_down },
	{ .name = "take messages away", .run = take_messages_away },
	{ .name = "close the descriptor", .run = close_descriptor },
	{ .name = "do nothing for long", .run = wait_long },
	{ .name = "stop", .run = stop },
	{ .name = "die", .run = die },
	{ .name = "unmap the own lane", .run = unmap_lane },
	{ .name = "exec", .run = run_another_program },
	{ .name = "leave a forked child", .run = leave_a_child },
	{ .name = "have pidfds come with every message", .run = send_garbage, .before = ask_for_pidfds },
	{ .name = "make the victim's socket block", .run = flood_with_bytes, .before = make_it_block },
	{ 0 },
};
