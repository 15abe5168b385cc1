// SPDX-License-Identifier: Apache-2.0
/*
 * pool_options.c - tests of making a pool: its options, and a server that is not there; and of its counters' size
 */
#include <string.h>

#include "pooled.h"

static void a_pool_where_nobody_listens_is_not_made(struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);
	struct shmipc_pool *pool = (void *)&options;
	char address[64];

	server_name(address);
	assert_code(shmipc_pool_create(address, &options, &pool), -ECONNREFUSED);
	assert_null(pool);
	assert_code(shmipc_pool_create("/nowhere/at/all", &options, &pool), -ENOENT);
	assert_null(pool);
}

static void expect_fault(const struct shmipc_pool_options *options, const char *field)
{
	struct shmipc_pool *pool = (void *)&pool;
	char message[200];

	memset(message, 0xa5, sizeof(message));
	assert_code(shmipc_pool_options_check(options, message, sizeof(message)), -EINVAL);
	if (strncmp(message, field, strlen(field)) || message[strlen(field)] != ':')
		fail_msg("\"%s\" does not name %s", message, field);
	assert_code(shmipc_pool_options_check(options, NULL, 0), -EINVAL);
	assert_code(shmipc_pool_create("@nobody", options, &pool), -EINVAL);
	assert_null(pool);
}

#define EXPECT_FAULT(field, value)                                                                                     \
	do {                                                                                                           \
		struct shmipc_pool_options wrong = SHMIPC_POOL_OPTIONS_INIT;                                           \
		wrong.field = value;                                                                                   \
		expect_fault(&wrong, #field);                                                                          \
	} while (0)

static void options_that_are_wrong_are_named(struct pair *pair)
{
	struct shmipc_pool_options options = SHMIPC_POOL_OPTIONS_INIT;
	char message[100] = "x";

	(void)pair;
	assert_code(shmipc_pool_options_check(&options, message, sizeof(message)), 0);
	assert_string_equal(message, "");
	assert_code(shmipc_pool_options_check(NULL, message, sizeof(message)), -EINVAL);
	EXPECT_FAULT(size, 8);
	EXPECT_FAULT(session.window, 1);
	EXPECT_FAULT(sessions, 0);
	EXPECT_FAULT(sessions, 1025);
	EXPECT_FAULT(streams, (1 << 20) + 1);
	EXPECT_FAULT(connect_ms, 0);
	EXPECT_FAULT(connect_ms, 3600001);
	EXPECT_FAULT(retry_min_ms, 0);
	EXPECT_FAULT(retry_min_ms, 3600001);
	EXPECT_FAULT(retry_max_ms, 9);
	EXPECT_FAULT(retry_max_ms, 3600001);
}

static void stats_of_a_size_that_is_not_known_are_refused(struct pair *pair)
{
	struct shmipc_pool_stats stats = { .size = sizeof(stats) + 1 };
	struct pooled f;

	pooled_open(&f, pair);
	assert_code(shmipc_pool_stats(f.pool, &stats), -EINVAL);
	stats.size = 0;
	assert_code(shmipc_pool_stats(f.pool, &stats), -EINVAL);
	memset(&stats, 0xa5, sizeof(stats));
	stats.size = 2 * sizeof(uint64_t);
	assert_code(shmipc_pool_stats(f.pool, &stats), 0);
	assert_int_equal(stats.sessions, 1);
	assert_int_equal(stats.healthy, 0xa5a5a5a5a5a5a5a5ull);
	pooled_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_pool_where_nobody_listens_is_not_made),
		ALONE(options_that_are_wrong_are_named),
		ON_BOTH(stats_of_a_size_that_is_not_known_are_refused),
	};

	return RUN_TESTS(tests, argc, argv);
}
