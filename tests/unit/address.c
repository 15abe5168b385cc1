// SPDX-License-Identifier: Apache-2.0
/*
 * address.c - tests of addresses as text
 */
#include "wire/address.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"

#define LONGEST (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static void a_path_is_a_path(struct pair *pair)
{
	struct address address;

	(void)pair;
	memset(&address, 0xa5, sizeof(address));
	assert_code(address_parse("/run/a.sock", &address), 0);
	assert_false(address.abstract);
	assert_int_equal(address.name.sun_family, AF_UNIX);
	assert_string_equal(address.name.sun_path, "/run/a.sock");
	assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path) + strlen("/run/a.sock") + 1);
}

static void an_at_sign_makes_it_abstract(struct pair *pair)
{
	struct address address;

	(void)pair;
	assert_code(address_parse("@name", &address), 0);
	assert_true(address.abstract);
	assert_int_equal(address.name.sun_path[0], 0);
	assert_memory_equal(address.name.sun_path + 1, "name", 4);
	/* All bytes of the size are part of an abstract name: none may be there by chance. */
	assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path) + 5);
}

static void the_longest_is_accepted_and_one_more_is_einval(struct pair *pair)
{
	struct address address;
	char text[200];

	(void)pair;
	memset(text, 'x', sizeof(text));
	text[LONGEST] = '\0';
	assert_code(address_parse(text, &address), 0);
	assert_int_equal(strlen(address.name.sun_path), LONGEST);
	text[0] = '@';
	assert_code(address_parse(text, &address), 0);
	text[LONGEST] = 'x';
	text[LONGEST + 1] = '\0';
	assert_code(address_parse(text, &address), -EINVAL);
	text[0] = 'x';
	assert_code(address_parse(text, &address), -EINVAL);
}

static void nothing_is_einval(struct pair *pair)
{
	struct address address;

	(void)pair;
	assert_code(address_parse(NULL, &address), -EINVAL);
	assert_code(address_parse("", &address), -EINVAL);
	assert_code(address_parse("@", &address), -EINVAL);
}

static void a_socket_tells_the_address_it_was_bound_to(struct pair *pair)
{
	char text[ADDRESS_TEXT], name[64], longest[ADDRESS_TEXT];
	struct address address;
	int fd;

	(void)pair;
	snprintf(name, sizeof(name), "@shmipc-test-address-%d", (int)getpid());
	snprintf(longest, sizeof(longest), "%s", name);
	memset(longest + strlen(longest), 'x', LONGEST - strlen(longest));
	longest[LONGEST] = '\0';
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(text, 0xa5, sizeof(text));
	address_of(fd, false, text);
	assert_string_equal(text, "");
	assert_code(address_parse(name, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	address_of(fd, false, text);
	assert_string_equal(text, name);
	address_of(fd, true, text);
	assert_string_equal(text, "");
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_code(address_parse(longest, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address.name, address.size), 0);
	address_of(fd, false, text);
	assert_string_equal(text, longest);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_path_is_a_path),
		ALONE(an_at_sign_makes_it_abstract),
		ALONE(the_longest_is_accepted_and_one_more_is_einval),
		ALONE(nothing_is_einval),
		ALONE(a_socket_tells_the_address_it_was_bound_to),
	};

	return RUN_TESTS(tests, argc, argv);
}
