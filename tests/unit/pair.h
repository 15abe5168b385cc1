/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.h - what most tests begin with: both endpoints of a channel, in this process
 *
 * A test body is written once and registered for both backends with ON_BOTH. Each run of it has a
 * watchdog, and afterwards both endpoints are destroyed, and no descriptor and no mapping may be
 * left. A backend that this system does not have skips the test, and says so.
 */
#ifndef TESTS_UNIT_PAIR_H
#define TESTS_UNIT_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../left.h"
#include "shmipc/channel.h"

#if defined(__SANITIZE_THREAD__)
#define TESTS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TESTS_TSAN 1
#endif
#endif
#ifndef TESTS_TSAN
#define TESTS_TSAN 0
#endif

struct shmipc_session;

struct pair {
	enum shmipc_backend backend;
	struct shmipc_channel *a; /* endpoint 0, made by create */
	struct shmipc_channel *b; /* endpoint 1, received */
	struct shmipc_session *client, *server; /* session_pair.h: of the other tests */
	void (*fini)(struct pair *pair);	/* what is to be closed besides the endpoints, or NULL */
	bool finished;
};

struct scenario {
	void (*body)(struct pair *pair);
	enum shmipc_backend backend;
	const char *skip; /* or why it is not run */
};

void scenario_run(void **state);
int scenario_end(void **state);

#define ON_BACKEND(prefix, which, test, why)                                                                           \
	{                                                                                                              \
		prefix #test, scenario_run, NULL, scenario_end, &(struct scenario)                                     \
		{                                                                                                      \
			test, SHMIPC_BACKEND_##which, why                                                              \
		}                                                                                                      \
	}
#define ON_MEMFD(test) ON_BACKEND("memfd: ", MEMFD, test, NULL)
#define ON_KMOD(test) ON_BACKEND("kmod: ", KMOD, test, NULL)
#define ON_BOTH(test) ON_MEMFD(test), ON_KMOD(test)

/* Likewise for tests that fork while threads run, which ThreadSanitizer does not follow. */
#define NO_TSAN (TESTS_TSAN ? "it forks, and ThreadSanitizer watches one process" : NULL)
#define ON_MEMFD_FORKING(test) ON_BACKEND("memfd: ", MEMFD, test, NO_TSAN)
#define ON_KMOD_FORKING(test) ON_BACKEND("kmod: ", KMOD, test, NO_TSAN)
#define ON_BOTH_FORKING(test) ON_MEMFD_FORKING(test), ON_KMOD_FORKING(test)

/* A test that needs no channel: has the watchdog all the same. */
#define ALONE(test) ON_BACKEND("", AUTO, test, NULL)
#define ALONE_FORKING(test) ON_BACKEND("", AUTO, test, NO_TSAN)

/* Run a table of tests; with an argument, those alone whose names match that pattern. */
#define RUN_TESTS(tests, argc, argv)                                                                                   \
	(cmocka_set_test_filter((argc) > 1 ? (argv)[1] : NULL), cmocka_run_group_tests(tests, NULL, NULL))

/* A return value: 0, a count, or -errno, shown by name when it is another one. */
#define assert_code(expression, expected) check_code((expression), (expected), #expression, __FILE__, __LINE__)
void check_code(long long got, long long expected, const char *what, const char *file, int line);

/* Skip this test, and say why. */
void skip_because(const char *reason);

/* Options with the pair's backend and sync mode demand, which does not depend on the machine's load. */
struct shmipc_channel_options pair_options(const struct pair *pair);

/* Make both endpoints: a with these options, b with those (NULL: pair_options()). */
void pair_open(struct pair *pair, const struct shmipc_channel_options *a, const struct shmipc_channel_options *b);

/* Hand an endpoint over, in this process, and report what both sides said. */
void pair_hand_over(struct shmipc_channel *from, const struct shmipc_channel_options *options, int *sent, int *received,
		    struct shmipc_channel **to);

/* The other end of a connected pair of Unix sockets is socket[1]. */
void pair_sockets(int socket[2]);

/* Push a message of `size` bytes that pattern_check() knows again. */
int pattern_push(struct shmipc_channel *channel, size_t size, uint32_t tag, unsigned int flags);
void pattern_fill(void *data, size_t size, uint32_t tag);
bool pattern_is(const void *data, size_t size, uint32_t tag);

/* Expect that the next message is that one, and release it. */
void pattern_take(struct shmipc_channel *channel, size_t size, uint32_t tag);

struct shmipc_channel_stats stats_of(struct shmipc_channel *channel);

/* CLOCK_MONOTONIC in nanoseconds; a deadline so many milliseconds from now; one that only a failure reaches. */
int64_t now_ns(void);
int64_t soon(int64_t milliseconds);
#define FAR soon(20000)

void sleep_ms(int milliseconds);

/* Look every millisecond, for as long as FAR, until a condition holds. */
#define await(condition)                                                                                               \
	do {                                                                                                           \
		int64_t await_until_ = FAR;                                                                            \
		while (!(condition)) {                                                                                 \
			if (now_ns() > await_until_)                                                                   \
				fail_msg("never came true: %s", #condition);                                           \
			sleep_ms(1);                                                                                   \
		}                                                                                                      \
	} while (0)

#endif /* TESTS_UNIT_PAIR_H */
