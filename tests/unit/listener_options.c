// SPDX-License-Identifier: Apache-2.0
/*
 * listener_options.c - tests of a listener's options: bounds, and what is said about them
 */
#include <string.h>
#include <unistd.h>

#include "listener_pair.h"

static void the_defaults_are_good(struct pair *pair)
{
	const struct shmipc_listener_options options = SHMIPC_LISTENER_OPTIONS_INIT;
	char message[100];

	(void)pair;
	memset(message, 'x', sizeof(message));
	assert_code(shmipc_listener_options_check(&options, message, sizeof(message)), 0);
	assert_string_equal(message, "");
	assert_code(shmipc_listener_options_check(&options, NULL, 0), 0);
}

static void no_options_are_einval(struct pair *pair)
{
	char message[100] = "x";

	(void)pair;
	assert_code(shmipc_listener_options_check(NULL, message, sizeof(message)), -EINVAL);
	assert_string_equal(message, "options: NULL");
}

/* One field out of bounds: the message begins with its name, and create says the same. */
static void refuse(const struct shmipc_listener_options *options, const char *field)
{
	struct shmipc_listener *listener = (void *)1;
	char message[200];

	memset(message, 'x', sizeof(message));
	assert_code(shmipc_listener_options_check(options, message, sizeof(message)), -EINVAL);
	if (strncmp(message, field, strlen(field)) || message[strlen(field)] != ':')
		fail_msg("of %s: %s", field, message);
	assert_code(shmipc_listener_options_check(options, NULL, 0), -EINVAL);
	assert_code(shmipc_listener_options_check(options, message, 5), -EINVAL);
	assert_int_equal(strlen(message), 4);
	assert_code(shmipc_listener_create("/tmp/shmipc-test-none", options, &listener), -EINVAL);
	assert_null(listener);
	assert_int_equal(access("/tmp/shmipc-test-none", F_OK), -1);
}

#define REFUSE(name, value)                                                                                            \
	do {                                                                                                           \
		struct shmipc_listener_options options_ = SHMIPC_LISTENER_OPTIONS_INIT;                                \
		options_.name = value;                                                                                 \
		refuse(&options_, #name);                                                                              \
	} while (0)
#define TAKE(name, value)                                                                                              \
	do {                                                                                                           \
		struct shmipc_listener_options options_ = SHMIPC_LISTENER_OPTIONS_INIT;                                \
		options_.name = value;                                                                                 \
		assert_code(shmipc_listener_options_check(&options_, NULL, 0), 0);                                     \
	} while (0)

static void each_field_out_of_bounds_is_named(struct pair *pair)
{
	(void)pair;
	REFUSE(size, sizeof(struct shmipc_listener_options) - 1);
	REFUSE(size, 0);
	REFUSE(mode, 01000);
	REFUSE(mode, 04777);
	REFUSE(connections, 0);
	REFUSE(connections, 65537);
	REFUSE(handshakes, 0);
	REFUSE(handshakes, 65537);
	REFUSE(handshake_ms, 0);
	REFUSE(handshake_ms, 3600001);
	REFUSE(keep_path, 2);
	REFUSE(keep_path, -1);
	REFUSE(session.window, 1);
	REFUSE(session.streams_max, 0);
	REFUSE(session.slots_max, 15);
	REFUSE(session.slots_max, 65537);
	REFUSE(session.slices_max, 63);
	REFUSE(session.slices_max, 65537);
	REFUSE(session.channel.slots, 3);
}

static void each_field_may_be_at_its_bounds(struct pair *pair)
{
	(void)pair;
	TAKE(mode, 0);
	TAKE(mode, 0777);
	TAKE(connections, 1);
	TAKE(connections, 65536);
	TAKE(handshakes, 1);
	TAKE(handshakes, 65536);
	TAKE(handshake_ms, 1);
	TAKE(handshake_ms, 3600000);
	TAKE(keep_path, 1);
	TAKE(session.slots_max, 16);
	TAKE(session.slots_max, 65536);
	TAKE(session.slices_max, 64);
	TAKE(session.slices_max, 65536);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(the_defaults_are_good),
		ALONE(no_options_are_einval),
		ALONE(each_field_out_of_bounds_is_named),
		ALONE(each_field_may_be_at_its_bounds),
	};

	return RUN_TESTS(tests, argc, argv);
}
