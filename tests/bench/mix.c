// SPDX-License-Identifier: Apache-2.0
/* mix.c - tests of messages of several sizes */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mix.h"

#define MESSAGES 200000

static void one_size_is_always_that_size(void **state)
{
	struct mix mix = { .count = 0 };
	uint64_t number;

	(void)state;
	assert_true(mix_add(&mix, 4096, 7));
	for (number = 0; number < 1000; number++)
		assert_int_equal(mix_size(&mix, number), 4096);
	assert_int_equal(mix_largest(&mix), 4096);
	assert_float_equal(mix_mean(&mix), 4096, 1e-9);
}

static void sizes_occur_as_often_as_their_weights_say(void **state)
{
	const size_t size[] = { 64, 1024, 65536 };
	const unsigned int weight[] = { 70, 25, 5 };
	unsigned int found[3] = { 0 }, i;
	struct mix mix = { .count = 0 };
	uint64_t number;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_true(mix_add(&mix, size[i], weight[i]));
	for (number = 0; number < MESSAGES; number++) {
		for (i = 0; i < 3 && mix_size(&mix, number) != size[i]; i++)
			;
		assert_in_range(i, 0, 2);
		found[i]++;
	}
	for (i = 0; i < 3; i++)
		assert_in_range(found[i], MESSAGES / 100 * weight[i] * 95 / 100,
				MESSAGES / 100 * weight[i] * 105 / 100);
	assert_int_equal(mix_largest(&mix), 65536);
	assert_float_equal(mix_mean(&mix), 64 * 0.7 + 1024 * 0.25 + 65536 * 0.05, 1e-6);
}

static void a_number_has_the_same_size_whoever_asks_and_whenever(void **state)
{
	/* What the files of earlier runs were measured with. */
	const size_t first[] = { 64, 256, 64, 256, 1024, 64, 4096, 1024 };
	struct mix a, b;
	uint64_t number;

	(void)state;
	assert_true(mix_find(&a, "rpc"));
	assert_true(mix_find(&b, "rpc"));
	for (number = 0; number < 8; number++)
		assert_int_equal(mix_size(&a, number), first[number]);
	for (; number < 1000; number++)
		assert_int_equal(mix_size(&a, number), mix_size(&b, number));
}

static void streams_have_sequences_of_their_own(void **state)
{
	unsigned int same = 0;
	uint64_t number;
	struct mix mix;

	(void)state;
	assert_true(mix_find(&mix, "log"));
	for (number = 0; number < 1000; number++)
		same += mix_size(&mix, number) == mix_size(&mix, number + (UINT64_C(1) << 40));
	assert_in_range(same, 100, 500);
}

static void a_mix_that_is_full_takes_no_more(void **state)
{
	struct mix mix = { .count = 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < MIX_MOST; i++)
		assert_true(mix_add(&mix, i + 1, 1));
	assert_false(mix_add(&mix, 100, 1));
	assert_int_equal(mix.count, MIX_MOST);
	assert_int_equal(mix_largest(&mix), MIX_MOST);
}

static void an_unknown_name_is_no_mix(void **state)
{
	struct mix mix;

	(void)state;
	assert_false(mix_find(&mix, "rp"));
	assert_false(mix_find(&mix, ""));
	assert_true(mix_find(&mix, "bulk"));
	assert_string_equal(mix.name, "bulk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_size_is_always_that_size),
		cmocka_unit_test(sizes_occur_as_often_as_their_weights_say),
		cmocka_unit_test(a_number_has_the_same_size_whoever_asks_and_whenever),
		cmocka_unit_test(streams_have_sequences_of_their_own),
		cmocka_unit_test(a_mix_that_is_full_takes_no_more),
		cmocka_unit_test(an_unknown_name_is_no_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
