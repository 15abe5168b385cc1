// SPDX-License-Identifier: Apache-2.0
/*
 * pair.c - runs a scenario: makes endpoints, watches the time, looks for leaks
 */
#include "pair.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Seconds that one test may take, on a busy machine, in an emulated guest, under a sanitizer. */
#define WATCHDOG 100

static struct pair current;

void check_code(long long got, long long expected, const char *what, const char *file, int line)
{
	const char *name;

	if (got == expected)
		return;
	name = got < 0 && got > -4096 ? strerrorname_np((int)-got) : NULL;
	print_error("%s is %lld%s%s, not %lld (%s)\n", what, got, name ? " -" : "", name ? name : "", expected,
		    expected < 0 && strerrorname_np((int)-expected) ? strerrorname_np((int)-expected) : "success");
	_fail(file, line);
}

void skip_because(const char *reason)
{
	print_message("# skipped: %s\n", reason);
	skip();
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t soon(int64_t milliseconds)
{
	return now_ns() + milliseconds * 1000000;
}

void sleep_ms(int milliseconds)
{
	struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

static void bark(int signal)
{
	static const char text[] = "# the watchdog: this test hangs\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(98);
	_exit(99);
}

static bool have_module(void)
{
	int fd = open("/dev/shmipc", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* What a process opens once, with its first channel, is no leak. */
static void open_first_channel(void)
{
	struct pair first = { .backend = SHMIPC_BACKEND_MEMFD };
	static bool done;

	if (done)
		return;
	done = true;
	pair_open(&first, NULL, NULL);
	shmipc_channel_destroy(first.a);
	shmipc_channel_destroy(first.b);
}

void scenario_run(void **state)
{
	const struct scenario *scenario = *state;
	int fds, mappings;

	if (scenario->skip)
		skip_because(scenario->skip);
	if (scenario->backend == SHMIPC_BACKEND_KMOD && !have_module())
		skip_because("/dev/shmipc is not here");
	signal(SIGALRM, bark);
	alarm(WATCHDOG);
	setvbuf(stdout, NULL, _IOLBF, 0);
	current = (struct pair){ .backend = scenario->backend };
	if (scenario->backend != SHMIPC_BACKEND_AUTO)
		open_first_channel();
	fds = count_fds();
	mappings = count_lane_mappings();
	scenario->body(&current);
	if (current.fini)
		current.fini(&current);
	shmipc_channel_destroy(current.a);
	shmipc_channel_destroy(current.b);
	if (scenario->backend != SHMIPC_BACKEND_AUTO) {
		assert_int_equal(count_fds(), fds);
		assert_int_equal(count_lane_mappings(), mappings);
	}
	current.finished = true;
}

/* After a failure a thread may still be in a call on an endpoint: it is left alone. */
int scenario_end(void **state)
{
	(void)state;
	alarm(0);
	return 0;
}

struct shmipc_channel_options pair_options(const struct pair *pair)
{
	struct shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;

	options.backend = pair->backend;
	options.sync = SHMIPC_SYNC_DEMAND;
	return options;
}

void pair_sockets(int socket[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket), 0);
}

struct receiving {
	int socket, result;
	const struct shmipc_channel_options *options;
	struct shmipc_channel *channel;
};

static void *receive(void *argument)
{
	struct receiving *receiving = argument;

	receiving->result = shmipc_channel_receive(receiving->socket, receiving->options, FAR, &receiving->channel);
	return NULL;
}

void pair_hand_over(struct shmipc_channel *from, const struct shmipc_channel_options *options, int *sent, int *received,
		    struct shmipc_channel **to)
{
	struct receiving receiving = { .options = options, .result = 1 };
	pthread_t thread;
	int socket[2];

	pair_sockets(socket);
	receiving.socket = socket[1];
	assert_int_equal(pthread_create(&thread, NULL, receive, &receiving), 0);
	*sent = shmipc_channel_send(from, socket[0], FAR);
	if (*sent)
		shutdown(socket[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	close(socket[0]);
	close(socket[1]);
	*received = receiving.result;
	*to = receiving.channel;
}

void pair_open(struct pair *pair, const struct shmipc_channel_options *a, const struct shmipc_channel_options *b)
{
	struct shmipc_channel_options options = pair_options(pair);
	int sent = 1, received = 1;

	assert_code(shmipc_channel_create(a ? a : &options, &pair->a), 0);
	pair_hand_over(pair->a, b ? b : &options, &sent, &received, &pair->b);
	assert_code(sent, 0);
	assert_code(received, 0);
	assert_non_null(pair->b);
}

void pattern_fill(void *data, size_t size, uint32_t tag)
{
	unsigned char *bytes = data;
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (unsigned char)(i * 31 + (i >> 8) + tag * 131 + 7);
}

bool pattern_is(const void *data, size_t size, uint32_t tag)
{
	const unsigned char *bytes = data;
	size_t i;

	for (i = 0; i < size; i++)
		if (bytes[i] != (unsigned char)(i * 31 + (i >> 8) + tag * 131 + 7))
			return false;
	return true;
}

int pattern_push(struct shmipc_channel *channel, size_t size, uint32_t tag, unsigned int flags)
{
	void *data = malloc(size + 1);
	int r;

	assert_non_null(data);
	pattern_fill(data, size, tag);
	r = shmipc_channel_push(channel, data, size, tag, (uint16_t)(tag * 3), flags);
	free(data);
	return r;
}

void pattern_take(struct shmipc_channel *channel, size_t size, uint32_t tag)
{
	struct shmipc_message message;

	memset(&message, 0xa5, sizeof(message));
	assert_code(shmipc_channel_peek(channel, &message), 0);
	assert_int_equal(message.size, size);
	assert_int_equal(message.tag, tag);
	assert_int_equal(message.kind, (uint16_t)(tag * 3));
	assert_true(pattern_is(message.data, size, tag));
	assert_code(shmipc_channel_release(channel, &message), 0);
}

struct shmipc_channel_stats stats_of(struct shmipc_channel *channel)
{
	struct shmipc_channel_stats stats;

	memset(&stats, 0xa5, sizeof(stats));
	stats.size = sizeof(stats);
	assert_code(shmipc_channel_stats(channel, &stats), 0);
	return stats;
}
