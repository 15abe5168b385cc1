// SPDX-License-Identifier: Apache-2.0
/*
 * hello.c - the smallest program that uses an installed libshmipc: a parent asks, its child answers
 */
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int answer(int socket)
{
	struct shmipc_channel *channel;
	struct shmipc_message message;

	if (shmipc_channel_receive(socket, NULL, SHMIPC_FOREVER, &channel))
		return 1;
	while (shmipc_channel_wait(channel, SHMIPC_READABLE, SHMIPC_FOREVER) > 0) {
		while (!shmipc_channel_peek(channel, &message)) {
			shmipc_channel_push(channel, message.data, message.size, message.tag, 0, 0);
			shmipc_channel_release(channel, &message);
		}
	}
	shmipc_channel_destroy(channel);
	return 0;
}

static int ask(int socket)
{
	struct shmipc_channel *channel;
	struct shmipc_message message;
	int same;

	if (shmipc_channel_create(NULL, &channel) || shmipc_channel_send(channel, socket, SHMIPC_FOREVER))
		return 1;
	shmipc_channel_push(channel, "hello", 6, 7, 0, SHMIPC_LAZY);
	if (shmipc_channel_wait(channel, SHMIPC_READABLE, SHMIPC_FOREVER) <= 0 || shmipc_channel_peek(channel, &message))
		return 1;
	same = message.size == 6 && message.tag == 7 && !memcmp(message.data, "hello", 6);
	shmipc_channel_release(channel, &message);
	shmipc_channel_destroy(channel);
	return !same;
}

int main(void)
{
	int sockets[2], status = 1, failed;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		return 1;
	child = fork();
	if (child == 0)
		return answer(sockets[1]);
	failed = ask(sockets[0]);
	waitpid(child, &status, 0);
	puts(failed || status ? "failed" : "hello came back");
	return failed || status;
}
