// SPDX-License-Identifier: Apache-2.0
/*
 * session_options.c - tests of a session's options: every bound, the sentence that names the field, sizes of other versions
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "session_pair.h"

#define DEFAULTS ((struct shmipc_session_options)SHMIPC_SESSION_OPTIONS_INIT)

static void expect(const struct shmipc_session_options *options, int expected, const char *field)
{
	char message[200];

	memset(message, 0x5a, sizeof(message));
	assert_code(shmipc_session_options_check(options, message, sizeof(message)), expected);
	if (expected && !strstr(message, field))
		fail_msg("'%s' does not name %s", message, field);
	assert_code(shmipc_session_options_check(options, NULL, 0), expected);
}

static void the_defaults_are_fine(struct pair *pair)
{
	struct shmipc_session_options options = DEFAULTS;

	(void)pair;
	expect(&options, 0, NULL);
}

/* The values at both bounds are taken, the ones beyond are not. */
#define BOUNDS(field, least, most)                                                                                     \
	static void field##_has_its_bounds(struct pair *pair)                                                          \
	{                                                                                                              \
		struct shmipc_session_options options = DEFAULTS;                                                      \
                                                                                                                       \
		(void)pair;                                                                                            \
		options.field = (least);                                                                               \
		expect(&options, 0, NULL);                                                                             \
		options.field = (most);                                                                                \
		expect(&options, 0, NULL);                                                                             \
		options.field = (most) + 1;                                                                            \
		expect(&options, -EINVAL, #field);                                                                     \
		options.field = (least)-1;                                                                             \
		expect(&options, -EINVAL, #field);                                                                     \
	}

BOUNDS(window, 4096ull, 1ull << 30)
BOUNDS(private_max, 65536ull, 1ull << 40)
BOUNDS(streams_max, 1u, 1u << 24)
BOUNDS(backlog, 1u, 1u << 20)
BOUNDS(slots_max, 16u, 65536u)
BOUNDS(slices_max, 64u, 65536u)
BOUNDS(monitor_ms, 10u, 86400000u)

static void exhaustion_is_one_of_its_names(struct pair *pair)
{
	struct shmipc_session_options options = DEFAULTS;
	unsigned int i;

	(void)pair;
	for (i = 0; i < 2; i++) {
		options.exhaustion = i;
		expect(&options, 0, NULL);
	}
	for (i = 2; i < 40; i++) {
		options.exhaustion = i;
		expect(&options, -EINVAL, "exhaustion");
	}
}

static void what_is_wrong_with_the_channels_options_is_said(struct pair *pair)
{
	struct shmipc_session_options options = DEFAULTS;

	(void)pair;
	options.channel.slots = 17;
	expect(&options, -EINVAL, "slots");
	options = DEFAULTS;
	options.channel.size = 3;
	expect(&options, -EINVAL, "size");
}

static void timeouts_are_off_or_a_day_at_most(struct pair *pair)
{
	struct shmipc_session_options options = DEFAULTS;

	(void)pair;
	options.breaker_ms = options.idle_timeout_ms = 0;
	expect(&options, 0, NULL);
	options.breaker_ms = options.idle_timeout_ms = 86400000;
	expect(&options, 0, NULL);
	options.breaker_ms++;
	expect(&options, -EINVAL, "breaker_ms");
	options.breaker_ms = 0;
	options.idle_timeout_ms++;
	expect(&options, -EINVAL, "idle_timeout_ms");
}

static void a_size_that_is_not_the_structures_is_einval(struct pair *pair)
{
	struct {
		struct shmipc_session_options known;
		uint64_t unknown;
	} options = { DEFAULTS, 0 };
	static const size_t sizes[] = { 0, 8, sizeof(options.known) - 4, sizeof(options) };
	size_t i;

	(void)pair;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		options.known.size = sizes[i];
		expect(&options.known, -EINVAL, "size");
	}
}

static void no_options_at_all_are_einval(struct pair *pair)
{
	(void)pair;
	expect(NULL, -EINVAL, "options");
}

static void a_short_place_for_the_sentence_is_kept_to(struct pair *pair)
{
	struct shmipc_session_options options = DEFAULTS;
	char message[8];

	(void)pair;
	memset(message, 0x5a, sizeof(message));
	options.window = 0;
	assert_code(shmipc_session_options_check(&options, message, 5), -EINVAL);
	assert_int_equal(message[5], 0x5a);
	assert_true(memchr(message, 0, 5) != NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(the_defaults_are_fine),
		ALONE(window_has_its_bounds),
		ALONE(private_max_has_its_bounds),
		ALONE(streams_max_has_its_bounds),
		ALONE(backlog_has_its_bounds),
		ALONE(slots_max_has_its_bounds),
		ALONE(slices_max_has_its_bounds),
		ALONE(monitor_ms_has_its_bounds),
		ALONE(exhaustion_is_one_of_its_names),
		ALONE(what_is_wrong_with_the_channels_options_is_said),
		ALONE(timeouts_are_off_or_a_day_at_most),
		ALONE(a_size_that_is_not_the_structures_is_einval),
		ALONE(no_options_at_all_are_einval),
		ALONE(a_short_place_for_the_sentence_is_kept_to),
	};

	return RUN_TESTS(tests, argc, argv);
}
