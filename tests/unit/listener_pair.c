// SPDX-License-Identifier: Apache-2.0
/*
 * listener_pair.c - a listener in a folder of its own, and clients that connect to it
 */
#include "listener_pair.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/address.h"

static char folder[64];
static pid_t owner;

static void remove_folder(void)
{
	struct dirent *entry;
	DIR *directory;

	if (getpid() != owner)
		return;
	directory = opendir(folder);
	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(folder);
}

const char *folder_make(void)
{
	if (!owner) {
		snprintf(folder, sizeof(folder), "/tmp/shmipc-test-XXXXXX");
		assert_non_null(mkdtemp(folder));
		owner = getpid();
		atexit(remove_folder);
	}
	return folder;
}

void path_in(char path[108], const char *in, const char *name)
{
	assert_true(snprintf(path, 108, "%s/%s", in, name) < 108);
}

struct shmipc_session_options client_options(const struct pair *pair)
{
	struct shmipc_session_options options = SHMIPC_SESSION_OPTIONS_INIT;

	options.channel.backend = pair->backend;
	options.channel.sync = SHMIPC_SYNC_DEMAND;
	return options;
}

struct shmipc_listener_options listener_options(const struct pair *pair)
{
	struct shmipc_listener_options options = SHMIPC_LISTENER_OPTIONS_INIT;

	options.session = client_options(pair);
	/* What is slow here is the machine. */
	options.handshake_ms = 20000;
	return options;
}

struct shmipc_listener *listener_open(const struct pair *pair, const struct shmipc_listener_options *options)
{
	struct shmipc_listener_options defaults = listener_options(pair);
	struct shmipc_listener *listener;
	static int number;
	char path[108], name[32];

	snprintf(name, sizeof(name), "socket-%d", ++number);
	path_in(path, folder_make(), name);
	assert_code(shmipc_listener_create(path, options ? options : &defaults, &listener), 0);
	return listener;
}

static int call_connect(struct worker *worker)
{
	struct connecting *c = worker->argument;

	return shmipc_session_connect(c->address, &c->options, c->deadline, &c->session);
}

void connecting_start(struct connecting *c, const struct pair *pair, const char *address)
{
	*c = (struct connecting){ .address = address, .options = client_options(pair), .deadline = FAR };
	c->session = (void *)1;
	c->worker = (struct worker){ .call = call_connect, .argument = c };
	worker_start(&c->worker);
}

void listener_connect(struct pair *pair, struct shmipc_listener *listener, struct shmipc_session **client,
		      struct shmipc_session **server)
{
	struct connecting connecting;

	connecting_start(&connecting, pair, shmipc_listener_address(listener));
	assert_code(shmipc_listener_accept(listener, server, FAR), 0);
	assert_code(worker_join(&connecting.worker), 0);
	*client = connecting.session;
}

int connect_bare(const char *text)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct address address;

	assert_true(fd >= 0);
	assert_code(address_parse(text, &address), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address.name, address.size), 0);
	return fd;
}

void echo_once(struct shmipc_session *client, struct shmipc_session *server)
{
	struct shmipc_stream *near, *far;
	char byte = 0;

	assert_code(shmipc_stream_open(client, &near), 0);
	assert_code(shmipc_stream_write(near, "?", 1, 0, FAR), 1);
	assert_code(shmipc_session_accept(server, &far, FAR), 0);
	assert_code(shmipc_stream_read(far, &byte, 1, FAR), 1);
	assert_int_equal(byte, '?');
	assert_code(shmipc_stream_write(far, "!", 1, 0, FAR), 1);
	assert_code(shmipc_stream_read(near, &byte, 1, FAR), 1);
	assert_int_equal(byte, '!');
	shmipc_stream_close(near);
	shmipc_stream_close(far);
}

int connect_many(struct worker *worker)
{
	struct many *many = worker->argument;
	struct shmipc_session_options options = client_options(many->pair);
	int i, r;

	options.channel.slots = 16;
	options.channel.slices = 64;
	options.channel.segment_bytes = 4096;
	for (i = 0; i < many->count; i++) {
		r = shmipc_session_connect(many->address, &options, FAR, &many->sessions[i]);
		if (r)
			return r;
	}
	return i;
}

bool is_hung_up(int fd)
{
	char bytes[64];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}
