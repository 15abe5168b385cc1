// SPDX-License-Identifier: Apache-2.0
/*
 * options.c - tests of every field of the options, and of how a backend is chosen
 */
#include "shmipc/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pair.h"

static const struct shmipc_channel_options defaults = SHMIPC_CHANNEL_OPTIONS_INIT;

/* These options are refused with a sentence that begins with the field's name, and create refuses them too. */
static void refuse(const struct shmipc_channel_options *options, const char *field)
{
	struct shmipc_channel *channel = (void *)1;
	char message[128];

	memset(message, 0xa5, sizeof(message));
	assert_code(shmipc_channel_options_check(options, message, sizeof(message)), -EINVAL);
	assert_true(memchr(message, 0, sizeof(message)) != NULL);
	if (strncmp(message, field, strlen(field)) || message[strlen(field)] != ':')
		fail_msg("\"%s\" does not name %s", message, field);
	assert_code(shmipc_channel_create(options, &channel), -EINVAL);
	assert_null(channel);
	channel = (void *)1;
	assert_code(shmipc_channel_receive(-1, options, 0, &channel), -EINVAL);
	assert_null(channel);
}

static void accept(const struct shmipc_channel_options *options)
{
	char message[128];

	memset(message, 0xa5, sizeof(message));
	assert_code(shmipc_channel_options_check(options, message, sizeof(message)), 0);
	assert_string_equal(message, "");
}

#define REFUSE(field, value)                                                                                           \
	do {                                                                                                           \
		struct shmipc_channel_options options_ = defaults;                                                     \
		options_.field = (value);                                                                              \
		refuse(&options_, #field);                                                                             \
	} while (0)
#define ACCEPT(field, value)                                                                                           \
	do {                                                                                                           \
		struct shmipc_channel_options options_ = defaults;                                                     \
		options_.field = (value);                                                                              \
		accept(&options_);                                                                                     \
	} while (0)

static void the_defaults_are_good(struct pair *pair)
{
	(void)pair;
	accept(&defaults);
}

static void no_options_are_refused_by_check(struct pair *pair)
{
	char message[64] = "poison";

	(void)pair;
	assert_code(shmipc_channel_options_check(NULL, message, sizeof(message)), -EINVAL);
	assert_non_null(strstr(message, "options"));
}

static void size_has_to_be_that_of_the_struct(struct pair *pair)
{
	unsigned int bit;

	(void)pair;
	REFUSE(size, 0);
	for (bit = 0; bit < 12; bit++)
		REFUSE(size, sizeof(struct shmipc_channel_options) ^ (1u << bit));
}

static void backend_has_to_be_one_of_the_enumeration(struct pair *pair)
{
	(void)pair;
	ACCEPT(backend, SHMIPC_BACKEND_KMOD);
	ACCEPT(backend, SHMIPC_BACKEND_MEMFD);
	REFUSE(backend, (enum shmipc_backend)3);
	REFUSE(backend, (enum shmipc_backend) - 1);
}

static void sync_has_to_be_one_of_the_enumeration(struct pair *pair)
{
	(void)pair;
	ACCEPT(sync, SHMIPC_SYNC_DEMAND);
	ACCEPT(sync, SHMIPC_SYNC_POLLING);
	ACCEPT(sync, SHMIPC_SYNC_TIMED);
	REFUSE(sync, (enum shmipc_sync)4);
	REFUSE(sync, (enum shmipc_sync) - 1);
}

static void slots_are_a_power_of_two_within_bounds(struct pair *pair)
{
	(void)pair;
	ACCEPT(slots, 16);
	ACCEPT(slots, 65536);
	REFUSE(slots, 0);
	REFUSE(slots, 8);
	REFUSE(slots, 257);
	REFUSE(slots, 131072);
}

static void slices_are_a_power_of_two_within_bounds(struct pair *pair)
{
	(void)pair;
	ACCEPT(slices, 64);
	ACCEPT(slices, 65536);
	REFUSE(slices, 0);
	REFUSE(slices, 32);
	REFUSE(slices, 513);
	REFUSE(slices, 131072);
}

static void segment_bytes_are_from_a_page_to_memory_max(struct pair *pair)
{
	(void)pair;
	ACCEPT(segment_bytes, 4096);
	ACCEPT(segment_bytes, defaults.memory_max);
	REFUSE(segment_bytes, 0);
	REFUSE(segment_bytes, 4095);
	REFUSE(segment_bytes, defaults.memory_max + 1);
}

static void memory_max_is_from_a_page_to_64_gib(struct pair *pair)
{
	struct shmipc_channel_options options = defaults;

	(void)pair;
	options.segment_bytes = options.memory_max = 4096;
	accept(&options);
	ACCEPT(memory_max, 1ull << 36);
	REFUSE(memory_max, 0);
	REFUSE(memory_max, 4095);
	REFUSE(memory_max, (1ull << 36) + 1);
}

static void spin_ns_are_at_most_a_millisecond(struct pair *pair)
{
	(void)pair;
	ACCEPT(spin_ns, 0);
	ACCEPT(spin_ns, 1000000);
	REFUSE(spin_ns, 1000001);
	REFUSE(spin_ns, UINT32_MAX);
}

static void timed_ns_are_from_a_microsecond_to_ten_seconds(struct pair *pair)
{
	(void)pair;
	ACCEPT(timed_ns, 1000);
	ACCEPT(timed_ns, 10000000000ull);
	REFUSE(timed_ns, 0);
	REFUSE(timed_ns, 999);
	REFUSE(timed_ns, 10000000001ull);
}

static void shrink_after_ms_may_be_anything(struct pair *pair)
{
	(void)pair;
	ACCEPT(shrink_after_ms, 0);
	ACCEPT(shrink_after_ms, 1);
	ACCEPT(shrink_after_ms, UINT32_MAX);
}

static void a_message_is_cut_to_its_room_and_ends_with_a_zero(struct pair *pair)
{
	struct shmipc_channel_options options = defaults;
	char message[8];

	(void)pair;
	options.spin_ns = UINT32_MAX;
	memset(message, 0xa5, sizeof(message));
	assert_code(shmipc_channel_options_check(&options, message, 5), -EINVAL);
	assert_string_equal(message, "spin");
	assert_int_equal((unsigned char)message[5], 0xa5);
	memset(message, 0xa5, sizeof(message));
	assert_code(shmipc_channel_options_check(&options, message, 0), -EINVAL);
	assert_int_equal((unsigned char)message[0], 0xa5);
	assert_code(shmipc_channel_options_check(&options, NULL, 100), -EINVAL);
}

static void create_takes_no_options_as_the_defaults(struct pair *pair)
{
	struct shmipc_channel *channel = (void *)1;
	struct shmipc_channel_stats stats;

	(void)pair;
	assert_code(shmipc_channel_create(NULL, &channel), 0);
	stats = stats_of(channel);
	assert_true(stats.memory_bytes >= defaults.segment_bytes);
	assert_true(stats.memory_bytes <= 256 << 10);
	shmipc_channel_destroy(channel);
}

static int create_auto(enum shmipc_backend *backend)
{
	struct shmipc_channel *channel = (void *)1;
	int r = shmipc_channel_create(NULL, &channel);

	if (r) {
		assert_null(channel);
		return r;
	}
	*backend = stats_of(channel).backend;
	shmipc_channel_destroy(channel);
	return 0;
}

static void the_environment_chooses_where_the_options_leave_it_open(struct pair *pair)
{
	enum shmipc_backend backend = SHMIPC_BACKEND_AUTO;

	(void)pair;
	setenv("SHMIPC_BACKEND", "memfd", 1);
	assert_code(create_auto(&backend), 0);
	assert_int_equal(backend, SHMIPC_BACKEND_MEMFD);
	setenv("SHMIPC_BACKEND", "kmod", 1);
	if (access("/dev/shmipc", F_OK)) {
		assert_code(create_auto(&backend), -EOPNOTSUPP);
	} else {
		assert_code(create_auto(&backend), 0);
		assert_int_equal(backend, SHMIPC_BACKEND_KMOD);
	}
	unsetenv("SHMIPC_BACKEND");
}

static void an_environment_that_names_no_backend_is_refused(struct pair *pair)
{
	enum shmipc_backend backend;

	(void)pair;
	setenv("SHMIPC_BACKEND", "carrier-pigeon", 1);
	assert_code(create_auto(&backend), -EINVAL);
	setenv("SHMIPC_BACKEND", "", 1);
	assert_code(create_auto(&backend), 0);
	unsetenv("SHMIPC_BACKEND");
}

static void an_option_beats_the_environment(struct pair *pair)
{
	struct shmipc_channel_options options = defaults;
	struct shmipc_channel *channel;

	(void)pair;
	options.backend = SHMIPC_BACKEND_MEMFD;
	setenv("SHMIPC_BACKEND", "kmod", 1);
	assert_code(shmipc_channel_create(&options, &channel), 0);
	assert_int_equal(stats_of(channel).backend, SHMIPC_BACKEND_MEMFD);
	shmipc_channel_destroy(channel);
	unsetenv("SHMIPC_BACKEND");
}

static void a_backend_that_is_not_here_is_eopnotsupp(struct pair *pair)
{
	struct shmipc_channel_options options = defaults;
	struct shmipc_channel *channel = (void *)1;

	(void)pair;
	if (!access("/dev/shmipc", F_OK))
		skip_because("/dev/shmipc is here");
	options.backend = SHMIPC_BACKEND_KMOD;
	assert_code(shmipc_channel_create(&options, &channel), -EOPNOTSUPP);
	assert_null(channel);
}

/* With no descriptor left, both backends say so; none pretends that it does not exist. */
static void want_of_descriptors_is_emfile(enum shmipc_backend backend)
{
	struct shmipc_channel_options options = defaults;
	struct shmipc_channel *channel = (void *)1;
	struct rlimit old, none;
	int r, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)fd;
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	options.backend = backend;
	r = shmipc_channel_create(&options, &channel);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_code(r, -EMFILE);
	assert_null(channel);
}

static void memfd_without_descriptors_is_emfile(struct pair *pair)
{
	(void)pair;
	want_of_descriptors_is_emfile(SHMIPC_BACKEND_MEMFD);
}

static void kmod_without_descriptors_is_emfile(struct pair *pair)
{
	(void)pair;
	want_of_descriptors_is_emfile(SHMIPC_BACKEND_KMOD);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(the_defaults_are_good),
		ALONE(no_options_are_refused_by_check),
		ALONE(size_has_to_be_that_of_the_struct),
		ALONE(backend_has_to_be_one_of_the_enumeration),
		ALONE(sync_has_to_be_one_of_the_enumeration),
		ALONE(slots_are_a_power_of_two_within_bounds),
		ALONE(slices_are_a_power_of_two_within_bounds),
		ALONE(segment_bytes_are_from_a_page_to_memory_max),
		ALONE(memory_max_is_from_a_page_to_64_gib),
		ALONE(spin_ns_are_at_most_a_millisecond),
		ALONE(timed_ns_are_from_a_microsecond_to_ten_seconds),
		ALONE(shrink_after_ms_may_be_anything),
		ALONE(a_message_is_cut_to_its_room_and_ends_with_a_zero),
		ALONE(create_takes_no_options_as_the_defaults),
		ALONE(the_environment_chooses_where_the_options_leave_it_open),
		ALONE(an_environment_that_names_no_backend_is_refused),
		ALONE(an_option_beats_the_environment),
		ALONE(a_backend_that_is_not_here_is_eopnotsupp),
		ALONE(memfd_without_descriptors_is_emfile),
		ALONE(kmod_without_descriptors_is_emfile),
	};

	unsetenv("SHMIPC_BACKEND");
	return RUN_TESTS(tests, argc, argv);
}
