// SPDX-License-Identifier: Apache-2.0
/*
 * cxx_header.c - tests that C++ sees the same interface as C: headers/use.cc is the C++ side
 */
#include "pair.h"
#include "shmipc/vector.h"

extern const size_t cxx_sizes[9];
int cxx_send_and_receive(struct shmipc_channel *from, struct shmipc_channel *to);
int cxx_check_defaults(void);

static void structs_have_the_same_sizes_in_cxx(struct pair *pair)
{
	(void)pair;
	assert_int_equal(cxx_sizes[0], sizeof(struct shmipc_channel_options));
	assert_int_equal(cxx_sizes[1], sizeof(struct shmipc_buffer));
	assert_int_equal(cxx_sizes[2], sizeof(struct shmipc_message));
	assert_int_equal(cxx_sizes[3], sizeof(struct shmipc_channel_stats));
	assert_int_equal(cxx_sizes[4], sizeof(struct shmipc_vector_options));
	assert_int_equal(cxx_sizes[5], sizeof(struct shmipc_vector_message));
	assert_int_equal(cxx_sizes[6], sizeof(struct shmipc_vector_stats));
	assert_int_equal(cxx_sizes[7], sizeof(struct shmipc_producer_options));
	assert_int_equal(cxx_sizes[8], sizeof(struct shmipc_producer_stats));
}

static void the_default_options_are_good_in_cxx(struct pair *pair)
{
	(void)pair;
	assert_code(cxx_check_defaults(), 0);
}

static void cxx_code_links_and_sends(struct pair *pair)
{
	pair_open(pair, NULL, NULL);
	assert_code(cxx_send_and_receive(pair->a, pair->b), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(structs_have_the_same_sizes_in_cxx),
		ALONE(the_default_options_are_good_in_cxx),
		ON_BOTH(cxx_code_links_and_sends),
	};

	return RUN_TESTS(tests, argc, argv);
}
