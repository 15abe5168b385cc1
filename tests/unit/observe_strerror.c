// SPDX-License-Identifier: Apache-2.0
/*
 * observe_strerror.c - tests of the words for errors, against what the public headers name
 */
#include <string.h>

#include "pair.h"
#include "shmipc/observe.h"

/* Every -E... in a public header, collected by the build. */
static const struct {
	int error;
	const char *name;
} named[] = {
#define ERROR_NAMED(name) { name, #name },
#include "errors_named.h"
#undef ERROR_NAMED
};

#define NAMED (sizeof(named) / sizeof(named[0]))

/* What errors get that have no sentence of their own. */
static const char *no_sentence(void)
{
	return shmipc_strerror(-ELIBBAD);
}

static void every_error_that_a_header_names_has_a_sentence(struct pair *pair)
{
	size_t i;

	(void)pair;
	assert_true(NAMED > 20);
	for (i = 0; i < NAMED; i++) {
		if (shmipc_strerror(-named[i].error) == no_sentence())
			fail_msg("%s has no sentence", named[i].name);
		assert_true(strlen(shmipc_strerror(-named[i].error)) > 8);
	}
}

static void no_two_errors_have_the_same_sentence(struct pair *pair)
{
	size_t i, j;

	(void)pair;
	for (i = 0; i < NAMED; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(shmipc_strerror(-named[i].error), shmipc_strerror(-named[j].error));
}

static void an_unknown_error_has_words_too(struct pair *pair)
{
	(void)pair;
	assert_non_null(strstr(no_sentence(), "errno(3)"));
	assert_ptr_equal(shmipc_strerror(-4095), no_sentence());
	assert_ptr_equal(shmipc_strerror(INT32_MIN), no_sentence());
}

static void a_count_is_no_error(struct pair *pair)
{
	(void)pair;
	assert_string_equal(shmipc_strerror(0), "no error");
	assert_string_equal(shmipc_strerror(EPIPE), "no error");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(every_error_that_a_header_names_has_a_sentence),
		ALONE(no_two_errors_have_the_same_sentence),
		ALONE(an_unknown_error_has_words_too),
		ALONE(a_count_is_no_error),
	};

	return RUN_TESTS(tests, argc, argv);
}
