// SPDX-License-Identifier: Apache-2.0
/*
 * observe_log.c - tests of the log and the protocol trace
 */
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "observe/log.h"
#include "pair.h"

/* A sink that remembers. */
struct memory {
	int lines;
	enum shmipc_log_level level;
	char line[1024];
};

static void remember(enum shmipc_log_level level, const char *line, void *arg)
{
	struct memory *memory = arg;

	memory->lines++;
	memory->level = level;
	snprintf(memory->line, sizeof(memory->line), "%s", line);
}

static int evaluated;

static int evaluate(void)
{
	return ++evaluated;
}

static void assert_line_is(const char *line, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, line, 0, NULL, 0))
		fail_msg("\"%s\" does not match \"%s\"", line, pattern);
	regfree(&regex);
}

static void quiet(void)
{
	assert_code(shmipc_log_set(SHMIPC_LOG_NONE, NULL, NULL), 0);
	assert_code(shmipc_protocol_trace_set(0), 0);
}

static void nothing_is_said_and_no_argument_evaluated_unless_asked_for(struct pair *pair)
{
	struct memory memory = { 0 };

	(void)pair;
	assert_code(shmipc_log_set(SHMIPC_LOG_NONE, remember, &memory), 0);
	evaluated = 0;
	log_error("test", "%d", evaluate());
	trace_socket(TRACE_SENT, evaluate(), "hello", "version=%d", evaluate());
	assert_int_equal(memory.lines, 0);
	assert_int_equal(evaluated, 0);
	quiet();
}

static void a_line_has_time_level_area_and_message(struct pair *pair)
{
	struct memory memory = { 0 };

	(void)pair;
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &memory), 0);
	log_warn("session", "%d: pid %d is gone", 7, 4711);
	assert_int_equal(memory.lines, 1);
	assert_int_equal(memory.level, SHMIPC_LOG_WARN);
	assert_line_is(memory.line, "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{6}Z "
				    "warn session: 7: pid 4711 is gone$");
	quiet();
}

static void the_time_is_utc_and_now(struct pair *pair)
{
	struct memory memory = { 0 };
	struct tm utc = { 0 };
	time_t before = time(NULL), said;

	(void)pair;
	setenv("TZ", "Pacific/Kiritimati", 1);
	tzset();
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &memory), 0);
	log_warn("test", "now");
	assert_non_null(strptime(memory.line, "%Y-%m-%dT%H:%M:%S", &utc));
	said = timegm(&utc);
	assert_in_range(said, before, time(NULL));
	unsetenv("TZ");
	tzset();
	quiet();
}

static void only_lines_of_the_level_and_above_are_said(struct pair *pair)
{
	struct memory memory = { 0 };
	enum shmipc_log_level least, level;

	(void)pair;
	for (least = SHMIPC_LOG_TRACE; least <= SHMIPC_LOG_NONE; least++) {
		assert_code(shmipc_log_set(least, remember, &memory), 0);
		for (level = SHMIPC_LOG_TRACE; level < SHMIPC_LOG_NONE; level++) {
			memory.lines = 0;
			log_at(level, "test", "%d", 1);
			assert_int_equal(memory.lines, level >= least);
			if (memory.lines)
				assert_int_equal(memory.level, level);
		}
	}
	quiet();
}

static void a_level_that_is_none_is_einval(struct pair *pair)
{
	(void)pair;
	assert_code(shmipc_log_set((enum shmipc_log_level)(SHMIPC_LOG_NONE + 1), NULL, NULL), -EINVAL);
	assert_code(shmipc_log_set((enum shmipc_log_level) - 1, NULL, NULL), -EINVAL);
	assert_code(shmipc_protocol_trace_set(2), -EINVAL);
	assert_code(shmipc_protocol_trace_set(-1), -EINVAL);
}

static void a_new_sink_takes_over(struct pair *pair)
{
	struct memory first = { 0 }, second = { 0 };

	(void)pair;
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &first), 0);
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &second), 0);
	log_warn("test", "to the second");
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &first), 0);
	log_warn("test", "to the first");
	log_warn("test", "to the first");
	assert_int_equal(first.lines, 2);
	assert_int_equal(second.lines, 1);
	quiet();
}

static void a_line_that_is_too_long_is_cut_and_says_so(struct pair *pair)
{
	struct memory memory = { 0 };
	char text[2000];
	size_t length;

	(void)pair;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &memory), 0);
	log_warn("test", "%s", text);
	length = strlen(memory.line);
	assert_in_range(length, 400, 511);
	assert_string_equal(memory.line + length - 5, "xx...");
	quiet();
}

static void control_characters_cannot_forge_a_line(struct pair *pair)
{
	struct memory memory = { 0 };

	(void)pair;
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, remember, &memory), 0);
	log_warn("test", "%s", "a\nb\033[31m\177");
	assert_line_is(memory.line, "test: a\\?b\\?\\[31m\\?$");
	quiet();
}

static void errno_is_left_alone(struct pair *pair)
{
	int closed;

	(void)pair;
	assert_code(shmipc_log_set(SHMIPC_LOG_WARN, NULL, NULL), 0);
	closed = dup(STDERR_FILENO);
	close(STDERR_FILENO);
	errno = EXDEV;
	log_warn("test", "to nobody");
	assert_int_equal(errno, EXDEV);
	assert_int_equal(dup2(closed, STDERR_FILENO), STDERR_FILENO);
	close(closed);
	quiet();
}

static void the_protocol_trace_comes_whatever_the_level(struct pair *pair)
{
	struct memory memory = { 0 };

	(void)pair;
	assert_code(shmipc_log_set(SHMIPC_LOG_NONE, remember, &memory), 0);
	assert_code(shmipc_protocol_trace_set(1), 0);
	trace_socket(TRACE_RECEIVED, 12, "hello", "version=%d backends=%#x", 16, 3);
	assert_int_equal(memory.lines, 1);
	assert_int_equal(memory.level, SHMIPC_LOG_TRACE);
	assert_line_is(memory.line, "Z trace protocol: socket 12 received hello version=16 backends=0x3$");
	assert_code(shmipc_protocol_trace_set(0), 0);
	trace_socket(TRACE_RECEIVED, 12, "hello", "version=%d", 16);
	assert_int_equal(memory.lines, 1);
	quiet();
}

/* What a new process with this environment writes to its standard error. */
static void run_with_environment(const char *level, const char *trace, const char *what, char *text, size_t size)
{
	int pipes[2], status = 1;
	pid_t pid;
	ssize_t n;
	size_t used = 0;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipes[1], STDERR_FILENO);
		if (level)
			setenv("SHMIPC_LOG_LEVEL", level, 1);
		if (trace)
			setenv("SHMIPC_PROTOCOL_TRACE", trace, 1);
		execl("/proc/self/exe", "observe_log", "--speak", what, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The same program, started as run_with_environment() does. */
static int speak(const char *what)
{
	log_warn("test", "too early");
	log_environment();
	if (!strcmp(what, "quietly"))
		shmipc_log_set(SHMIPC_LOG_NONE, NULL, NULL);
	log_debug("test", "debug line");
	log_error("test", "error line");
	trace_socket(TRACE_SENT, 5, "hello", "-");
	return 0;
}

static void the_environment_sets_the_level(struct pair *pair)
{
	char text[1024];

	(void)pair;
	run_with_environment("error", NULL, "", text, sizeof(text));
	assert_line_is(text, "^[^\n]* error test: error line\n$");
	run_with_environment("debug", NULL, "", text, sizeof(text));
	assert_line_is(text, "^[^\n]* debug test: debug line\n[^\n]* error test: error line\n$");
	run_with_environment("none", NULL, "", text, sizeof(text));
	assert_string_equal(text, "");
	run_with_environment("loud", NULL, "", text, sizeof(text));
	assert_string_equal(text, "");
	run_with_environment(NULL, NULL, "", text, sizeof(text));
	assert_string_equal(text, "");
}

static void the_environment_sets_the_protocol_trace(struct pair *pair)
{
	char text[1024];

	(void)pair;
	run_with_environment(NULL, "1", "", text, sizeof(text));
	assert_line_is(text, "^[^\n]* trace protocol: socket 5 sent hello -\n$");
	run_with_environment(NULL, "0", "", text, sizeof(text));
	assert_string_equal(text, "");
}

static void a_function_overrules_the_environment(struct pair *pair)
{
	char text[1024];

	(void)pair;
	run_with_environment("debug", NULL, "quietly", text, sizeof(text));
	assert_string_equal(text, "");
}

static void *change_sinks(void *arg)
{
	static struct memory own[4];
	int i;

	for (i = 0; i < 20000; i++)
		shmipc_log_set(SHMIPC_LOG_WARN, remember, &own[i % 4]);
	*(_Atomic bool *)arg = true;
	return NULL;
}

static int log_in_child(void *arg)
{
	struct memory memory = { 0 };

	(void)arg;
	child_check(shmipc_log_set(SHMIPC_LOG_WARN, remember, &memory) == 0);
	log_warn("test", "in the child");
	child_check(memory.lines == 1);
	return 0;
}

static void a_forked_child_logs_whatever_other_threads_did_at_the_fork(struct pair *pair)
{
	_Atomic bool over = false;
	pthread_t thread;

	(void)pair;
	assert_int_equal(pthread_create(&thread, NULL, change_sinks, &over), 0);
	do
		assert_int_equal(run_forked(log_in_child, NULL), 0);
	while (!over);
	pthread_join(thread, NULL);
	quiet();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ALONE(nothing_is_said_and_no_argument_evaluated_unless_asked_for),
		ALONE(a_line_has_time_level_area_and_message),
		ALONE(the_time_is_utc_and_now),
		ALONE(only_lines_of_the_level_and_above_are_said),
		ALONE(a_level_that_is_none_is_einval),
		ALONE(a_new_sink_takes_over),
		ALONE(a_line_that_is_too_long_is_cut_and_says_so),
		ALONE(control_characters_cannot_forge_a_line),
		ALONE(errno_is_left_alone),
		ALONE(the_protocol_trace_comes_whatever_the_level),
		ALONE_FORKING(the_environment_sets_the_level),
		ALONE_FORKING(the_environment_sets_the_protocol_trace),
		ALONE_FORKING(a_function_overrules_the_environment),
		ALONE_FORKING(a_forked_child_logs_whatever_other_threads_did_at_the_fork),
	};

	if (argc == 3 && !strcmp(argv[1], "--speak"))
		return speak(argv[2]);
	return RUN_TESTS(tests, argc, argv);
}
