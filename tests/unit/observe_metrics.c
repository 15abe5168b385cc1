// SPDX-License-Identifier: Apache-2.0
/*
 * observe_metrics.c - tests of the Prometheus text, with a parser that takes nothing the format does not allow
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "session/internal.h"
#include "session_pair.h"
#include "shmipc/observe.h"

/* A metric family as the text has it, and how far its declaration has come. */
struct family {
	char name[128];
	bool counter;
	int samples;
};

#define FAMILIES_MAX 100
#define SAMPLES_MAX 2000

struct parsed {
	int families, samples;
	struct family family[FAMILIES_MAX];
	struct {
		char series[512]; /* name and labels, as they are */
		uint64_t value;
	} sample[SAMPLES_MAX];
};

static bool is_name_char(char c, bool first)
{
	return isalpha((unsigned char)c) || c == '_' || c == ':' || (!first && isdigit((unsigned char)c));
}

/* Returns the length of the name at @s; 0: there is none. */
static size_t name_length(const char *s)
{
	size_t n = 0;

	while (is_name_char(s[n], n == 0))
		n++;
	return n;
}

/* "{name="value",...}", where values have no raw line feed and only the three escapes. */
static size_t labels_length(const char *s)
{
	const char *at = s;

	if (*at++ != '{')
		return 0;
	for (;;) {
		at += name_length(at);
		if (at[-1] == '{' || at[-1] == ',' || *at++ != '=' || *at++ != '"')
			return 0;
		for (; *at != '"'; at++) {
			if (!*at || *at == '\n')
				return 0;
			if (*at == '\\' && !strchr("\\\"n", *++at))
				return 0;
		}
		at++;
		if (*at == '}')
			return (size_t)(at + 1 - s);
		if (*at++ != ',')
			return 0;
	}
}

/* "# HELP name text", then "# TYPE name type" of the same name. Returns where the next line begins, or NULL. */
static const char *parse_declaration(struct parsed *parsed, const char *line)
{
	struct family *family = &parsed->family[parsed->families];
	char type[16];
	int i, n = 0;

	if (parsed->families == FAMILIES_MAX || sscanf(line, "# HELP %127s", family->name) != 1 ||
	    name_length(family->name) != strlen(family->name))
		return NULL;
	line = strchr(line, '\n') + 1;
	if (strncmp(line, "# TYPE ", 7) || strncmp(line + 7, family->name, strlen(family->name)) ||
	    sscanf(line + 7 + strlen(family->name), " %15s%n", type, &n) != 1 ||
	    line[7 + strlen(family->name) + n] != '\n')
		return NULL;
	for (i = 0; i < parsed->families; i++)
		if (!strcmp(parsed->family[i].name, family->name))
			return NULL;
	family->counter = !strcmp(type, "counter");
	if (!family->counter && strcmp(type, "gauge"))
		return NULL;
	i = (int)strlen(family->name) - 6;
	if (family->counter != (i > 0 && !strcmp(family->name + i, "_total")))
		return NULL;
	family->samples = 0;
	parsed->families++;
	return strchr(line, '\n') + 1;
}

/* "name{labels} value" of the family that was declared last. */
static const char *parse_sample(struct parsed *parsed, const char *line)
{
	struct family *family = &parsed->family[parsed->families - 1];
	size_t name = name_length(line), labels = labels_length(line + name), digits;
	const char *value = line + name + labels;
	int i;

	if (!parsed->families || parsed->samples == SAMPLES_MAX || !name || !labels || name != strlen(family->name) ||
	    strncmp(line, family->name, name) || *value++ != ' ')
		return NULL;
	digits = strspn(value, "0123456789");
	if (!digits || value[digits] != '\n' || name + labels >= sizeof(parsed->sample[0].series))
		return NULL;
	memcpy(parsed->sample[parsed->samples].series, line, name + labels);
	parsed->sample[parsed->samples].series[name + labels] = '\0';
	parsed->sample[parsed->samples].value = strtoull(value, NULL, 10);
	for (i = 0; i < parsed->samples; i++)
		if (!strcmp(parsed->sample[i].series, parsed->sample[parsed->samples].series))
			return NULL;
	parsed->samples++;
	family->samples++;
	return value + digits + 1;
}

/* All of a text, or the test fails. Each family has the same number of samples. */
static void parse(const char *text, struct parsed *parsed)
{
	const char *line = text, *next;
	int i;

	parsed->families = parsed->samples = 0;
	while (*line) {
		next = strchr(line, '\n');
		if (!next)
			fail_msg("the last line has no end: \"%s\"", line);
		next = *line == '#' ? parse_declaration(parsed, line) : parse_sample(parsed, line);
		if (!next)
			fail_msg("not of the format: \"%.*s\"", (int)strcspn(line, "\n"), line);
		line = next;
	}
	for (i = 1; i < parsed->families; i++)
		if (parsed->family[i].samples != parsed->family[0].samples)
			fail_msg("%s has %d samples", parsed->family[i].name, parsed->family[i].samples);
}

static char *take_text(void)
{
	size_t size = shmipc_metrics(NULL, 0) + 65536, n;
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, 0xa5, size);
	n = shmipc_metrics(text, size);
	assert_true(n < size);
	assert_int_equal(strlen(text), n);
	return text;
}

static struct parsed *take_parsed(void)
{
	struct parsed *parsed = malloc(sizeof(*parsed));
	char *text = take_text();

	assert_non_null(parsed);
	parse(text, parsed);
	free(text);
	return parsed;
}

/* A sample's value by its metric and its session's number. */
static uint64_t value_of(const struct parsed *parsed, const char *name, const struct shmipc_session *session)
{
	char start[256];
	int i;

	snprintf(start, sizeof(start), "shmipc_session_%s{session=\"%llu\",", name,
		 (unsigned long long)session->number);
	for (i = 0; i < parsed->samples; i++)
		if (!strncmp(parsed->sample[i].series, start, strlen(start)))
			return parsed->sample[i].value;
	fail_msg("there is no %s", start);
	return 0;
}

static void without_sessions_there_are_no_samples(struct pair *pair)
{
	struct parsed *parsed = take_parsed();

	(void)pair;
	assert_int_equal(parsed->samples, 0);
	assert_true(parsed->families > 30);
	free(parsed);
}

static void every_session_has_every_metric(struct pair *pair)
{
	struct pair other = { .backend = pair->backend };
	struct parsed *parsed;

	session_pair_open(pair, NULL, NULL);
	session_pair_open(&other, NULL, NULL);
	parsed = take_parsed();
	assert_int_equal(parsed->samples, 4 * parsed->families);
	session_pair_close(&other);
	free(parsed);
}

static void values_are_those_of_stats(struct pair *pair)
{
	struct shmipc_session_stats near, far;
	struct parsed *parsed;
	struct ends ends;

	session_pair_open(pair, NULL, NULL);
	ends = ends_open(pair);
	pattern_write(ends.near, 100000, 1);
	pattern_read(ends.far, 100000, 1);
	pattern_write(ends.near, 777, 1);
	assert_code(shmipc_stream_wait(ends.far, SHMIPC_READABLE, FAR), SHMIPC_READABLE);
	near = session_stats_of(pair->client);
	far = session_stats_of(pair->server);
	parsed = take_parsed();
	assert_int_equal(value_of(parsed, "up", pair->client), 1);
	assert_int_equal(value_of(parsed, "healthy", pair->client), 1);
	assert_int_equal(value_of(parsed, "streams", pair->client), 1);
	assert_int_equal(value_of(parsed, "streams_opened_total", pair->client), 1);
	assert_int_equal(value_of(parsed, "streams_opened_total", pair->server), 0);
	assert_int_equal(value_of(parsed, "streams_accepted_total", pair->server), 1);
	assert_int_equal(value_of(parsed, "written_bytes_total", pair->client), 100778);
	assert_int_equal(value_of(parsed, "read_bytes_total", pair->server), 100001);
	assert_int_equal(value_of(parsed, "unread_bytes", pair->server), 777);
	assert_int_equal(value_of(parsed, "messages_sent_total", pair->client), near.channel.messages_sent);
	assert_int_equal(value_of(parsed, "messages_sent_bytes_total", pair->client), near.channel.bytes_sent);
	assert_int_equal(value_of(parsed, "messages_received_total", pair->server), far.channel.messages_received);
	assert_int_equal(value_of(parsed, "memory_bytes", pair->client), near.channel.memory_bytes);
	assert_int_equal(value_of(parsed, "private_bytes", pair->server), far.private_bytes);
	assert_int_equal(value_of(parsed, "leads_total", pair->server), far.leads);
	free(parsed);
	pattern_read(ends.far, 777, 1);
	ends_close(pair, &ends);
}

static void expect_up(const char *text, const struct pair *pair, const struct shmipc_session *session, const char *role)
{
	char expected[256];

	snprintf(expected, sizeof(expected),
		 "\nshmipc_session_up{session=\"%llu\",role=\"%s\",backend=\"%s\",peer_pid=\"%d\",address=\"\"} 1\n",
		 (unsigned long long)session->number, role, pair->backend == SHMIPC_BACKEND_KMOD ? "kmod" : "memfd",
		 (int)getpid());
	if (!strstr(text, expected))
		fail_msg("\"%s\" is not in: %s", expected, text);
}

static void labels_say_which_session_it_is(struct pair *pair)
{
	char *text;

	session_pair_open(pair, NULL, NULL);
	text = take_text();
	expect_up(text, pair, pair->client, "client");
	expect_up(text, pair, pair->server, "server");
	free(text);
}

static void numbers_are_never_used_again(struct pair *pair)
{
	uint64_t client, server;

	session_pair_open(pair, NULL, NULL);
	client = pair->client->number;
	server = pair->server->number;
	assert_int_not_equal(client, server);
	session_pair_close(pair);
	session_pair_open(pair, NULL, NULL);
	assert_true(pair->client->number > client && pair->client->number > server);
	assert_true(pair->server->number > client && pair->server->number > server);
}

static void an_address_is_escaped_and_always_utf8(struct pair *pair)
{
	static const struct {
		const char *address, *label;
	} cases[] = {
		{ "@app", "@app" },
		{ "/run/a b.sock", "/run/a b.sock" },
		{ "a\"b\\c\nd", "a\\\"b\\\\c\\nd" },
		{ "\"} 1\nforged{x=\"", "\\\"} 1\\nforged{x=\\\"" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7" },
		{ "\xff\x80 \xc3", "?? ?" },
		{ "\xc0\xaf \xe0\x80\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "?? ??? ??? ????" },
	};
	char expected[256], *text;
	struct parsed *parsed;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		session_pair_open(pair, NULL, NULL);
		session_set_address(pair->client, cases[i].address);
		text = take_text();
		snprintf(expected, sizeof(expected), "peer_pid=\"%d\",address=\"%s\"} 1\n", (int)getpid(),
			 cases[i].label);
		if (!strstr(text, expected))
			fail_msg("\"%s\" is not in: %s", expected, text);
		free(text);
		parsed = take_parsed();
		assert_int_equal(parsed->samples, 2 * parsed->families);
		free(parsed);
		session_pair_close(pair);
	}
}

static void text_is_cut_off_as_by_snprintf(struct pair *pair)
{
	char *whole, *part;
	size_t size, n;

	session_pair_open(pair, NULL, NULL);
	whole = take_text();
	n = strlen(whole);
	part = malloc(n + 2);
	assert_non_null(part);
	for (size = 0; size <= n + 1; size = size < 40 || size > n - 40 ? size + 1 : size + 97) {
		memset(part, 0xa5, n + 2);
		assert_int_equal(shmipc_metrics(part, size), n);
		if (size) {
			assert_int_equal(strlen(part), size > n ? n : size - 1);
			assert_memory_equal(part, whole, size > n ? n : size - 1);
		}
		assert_int_equal((unsigned char)part[size <= n ? size : n + 1], 0xa5);
	}
	free(part);
	free(whole);
}

static void an_ended_session_is_down_until_it_is_closed(struct pair *pair)
{
	struct parsed *parsed;

	session_pair_open(pair, NULL, NULL);
	shmipc_session_shutdown(pair->client);
	parsed = take_parsed();
	assert_int_equal(value_of(parsed, "up", pair->client), 0);
	assert_int_equal(value_of(parsed, "healthy", pair->client), 0);
	assert_int_equal(value_of(parsed, "errors_total", pair->client), 0);
	assert_int_equal(value_of(parsed, "up", pair->server), 1);
	free(parsed);
	session_pair_close(pair);
	parsed = take_parsed();
	assert_int_equal(parsed->samples, 0);
	free(parsed);
}

static _Atomic bool stop;

static int come_and_go(struct worker *worker)
{
	struct pair pair = { .backend = *(enum shmipc_backend *)worker->argument };
	struct ends ends;

	while (!stop) {
		session_pair_open(&pair, NULL, NULL);
		ends = ends_open(&pair);
		pattern_write(ends.near, 5000, 1);
		pattern_read(ends.far, 5000, 1);
		ends_close(&pair, &ends);
		session_pair_close(&pair);
	}
	return 0;
}

static void the_text_makes_sense_while_sessions_come_and_go(struct pair *pair)
{
	struct worker workers[3];
	struct parsed *parsed;
	int i;

	stop = false;
	session_pair_open(pair, NULL, NULL);
	for (i = 0; i < 3; i++) {
		workers[i] = (struct worker){ .call = come_and_go, .argument = &pair->backend };
		worker_start(&workers[i]);
	}
	for (i = 0; i < 200; i++) {
		parsed = take_parsed();
		assert_int_equal(value_of(parsed, "up", pair->server), 1);
		assert_int_equal(parsed->samples % parsed->families, 0);
		free(parsed);
	}
	stop = true;
	for (i = 0; i < 3; i++)
		worker_join(&workers[i]);
}

static int count_samples(void *arg)
{
	struct parsed *parsed = take_parsed();
	int samples = parsed->samples;

	(void)arg;
	free(parsed);
	return samples != 0;
}

static void a_forked_child_has_none_of_its_parents_sessions(struct pair *pair)
{
	session_pair_open(pair, NULL, NULL);
	assert_int_equal(run_forked(count_samples, NULL), 0);
}

/* The format's owner has the last word. */
static void prometheus_own_parser_reads_the_same_samples(struct pair *pair)
{
	static const char program[] =
		"import sys\n"
		"from prometheus_client.parser import text_string_to_metric_families as families\n"
		"text = sys.stdin.read()\n"
		"samples = [s for f in families(text) for s in f.samples]\n"
		"assert all(f.type in ('counter', 'gauge') for f in families(text))\n"
		"assert any(s.labels['address'] == 'a\"b\\\\c\\nd' for s in samples)\n"
		"assert len(samples) == int(sys.argv[1]), len(samples)\n";
	struct parsed *parsed;
	char command[2048], *text;
	FILE *python;

	if (system("/usr/bin/python3 -c 'import prometheus_client.parser' 2>/dev/null"))
		skip_because("python3-prometheus-client is not here");
	session_pair_open(pair, NULL, NULL);
	session_set_address(pair->client, "a\"b\\c\nd");
	parsed = take_parsed();
	text = take_text();
	setenv("PROGRAM", program, 1);
	snprintf(command, sizeof(command), "exec /usr/bin/python3 -c \"$PROGRAM\" %d", parsed->samples);
	python = popen(command, "we");
	assert_non_null(python);
	assert_true(fputs(text, python) >= 0);
	assert_int_equal(pclose(python), 0);
	free(text);
	free(parsed);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(without_sessions_there_are_no_samples),
		ON_BOTH(every_session_has_every_metric),
		ON_BOTH(values_are_those_of_stats),
		ON_BOTH(labels_say_which_session_it_is),
		ON_BOTH(numbers_are_never_used_again),
		ON_BOTH(an_address_is_escaped_and_always_utf8),
		ON_BOTH(text_is_cut_off_as_by_snprintf),
		ON_BOTH(an_ended_session_is_down_until_it_is_closed),
		ON_BOTH(the_text_makes_sense_while_sessions_come_and_go),
		ON_BOTH_FORKING(a_forked_child_has_none_of_its_parents_sessions),
		ON_MEMFD_FORKING(prometheus_own_parser_reads_the_same_samples),
	};

	return RUN_TESTS(tests, argc, argv);
}
