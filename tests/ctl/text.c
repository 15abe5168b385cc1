// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - tests of what reads and writes text: units, tables, /proc, tracepoints, modules, HTTP, Prometheus
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "host.h"
#include "http.h"
#include "module.h"
#include "prometheus.h"
#include "rates.h"
#include "grid.h"
#include "trace_line.h"
#include "units.h"

static void sizes_have_three_digits(void **state)
{
	char t[UNITS_MAX];

	(void)state;
	assert_string_equal(format_bytes(t, 0), "0");
	assert_string_equal(format_bytes(t, 1023), "1023");
	assert_string_equal(format_bytes(t, 1024), "1.0K");
	assert_string_equal(format_bytes(t, 10 * 1024), "10K");
	assert_string_equal(format_bytes(t, 1023 * 1024), "1023K");
	assert_string_equal(format_bytes(t, 1024 * 1024 - 1), "1.0M");
	assert_string_equal(format_bytes(t, UINT64_MAX), "16E");
	assert_string_equal(format_count(t, 999), "999");
	assert_string_equal(format_count(t, 999.7), "1.0k");
	assert_string_equal(format_count(t, 1234567), "1.2M");
}

static void ages_have_two_units(void **state)
{
	char t[UNITS_MAX];

	(void)state;
	assert_string_equal(format_age(t, 0), "0ms");
	assert_string_equal(format_age(t, 999), "999ms");
	assert_string_equal(format_age(t, 1000), "1.0s");
	assert_string_equal(format_age(t, 59999), "59.9s");
	assert_string_equal(format_age(t, 125000), "2m05s");
	assert_string_equal(format_age(t, 3600000 * 26ull), "1d02h");
	assert_string_equal(format_age(t, 3661000), "1h01m");
}

static void ages_and_sizes_are_read_with_units_and_nothing_else(void **state)
{
	uint64_t n = 77;

	(void)state;
	assert_true(parse_age("500ms", &n) && n == 500);
	assert_true(parse_age("2", &n) && n == 2000);
	assert_true(parse_age("1.5m", &n) && n == 90000);
	assert_true(parse_age("0s", &n) && n == 0);
	n = 77;
	assert_false(parse_age("", &n) || parse_age("s", &n) || parse_age("-1s", &n) || parse_age("1y", &n) ||
		     parse_age("1 s", &n) || parse_age("99999d", &n) || parse_age("0x5", &n) || parse_age("nan", &n));
	assert_true(n == 77);
	assert_true(parse_bytes("4096", &n) && n == 4096);
	assert_true(parse_bytes("64k", &n) && n == 65536);
	assert_true(parse_bytes("1.5MiB", &n) && n == 1572864);
	n = 77;
	assert_false(parse_bytes("1X", &n) || parse_bytes("K", &n) || parse_bytes("1KK", &n) || parse_bytes("-1", &n) ||
		     parse_bytes("99999999T", &n));
	assert_false(parse_number("5 ", 0, 9, &n) || parse_number("10", 0, 9, &n) || parse_number("0", 1, 9, &n) ||
		     parse_number("99999999999999999999", 0, UINT64_MAX, &n));
	assert_true(n == 77);
}

static void what_a_terminal_would_obey_is_taken_out(void **state)
{
	char t[8];

	(void)state;
	sanitize_text(t, sizeof(t), "a\033[2J\nb\xff", 9);
	assert_string_equal(t, "a?[2J?b");
	sanitize_text(t, sizeof(t), "longer than that", 16);
	assert_string_equal(t, "longer ");
	sanitize_text(t, sizeof(t), "abc", 2);
	assert_string_equal(t, "ab");
}

static const struct grid_column columns[] = { { "NAME", false, true, 0 },
					       { "SIZE", true, false, 2 },
					       { "AGE", true, false, 1 } };

static char *print_table(int width, size_t first, size_t most)
{
	struct grid table;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	grid_init(&table, columns, 3);
	grid_add(&table, GRID_RED, "%s", "a name that is long");
	grid_add(&table, GRID_PLAIN, "%d", 1);
	grid_add(&table, GRID_PLAIN, "%d", 22);
	grid_add(&table, GRID_PLAIN, "b");
	grid_add(&table, GRID_PLAIN, "%d", 333333);
	grid_add(&table, GRID_PLAIN, "%d", 4);
	grid_print(&table, out, width, false, first, most);
	grid_fini(&table);
	fclose(out);
	return text;
}

static void expect_table(int width, size_t first, size_t most, const char *expected)
{
	char *text = print_table(width, first, most);

	assert_string_equal(text, expected);
	free(text);
}

static void a_table_is_as_wide_as_its_cells(void **state)
{
	(void)state;
	expect_table(0, 0, 9,
		     "NAME                   SIZE  AGE\n"
		     "a name that is long       1   22\n"
		     "b                    333333    4\n");
	expect_table(0, 1, 1,
		     "NAME                   SIZE  AGE\n"
		     "b                    333333    4\n");
}

static void a_narrow_window_first_cuts_then_drops_columns(void **state)
{
	(void)state;
	expect_table(28, 0, 1,
		     "NAME               SIZE  AGE\n"
		     "a name that is~       1   22\n");
	expect_table(16, 0, 1,
		     "NAME        AGE\n"
		     "a name th~   22\n");
	expect_table(12, 0, 1,
		     "NAME\n"
		     "a name th~\n");
}

static void a_mapping_s_name_says_channel_endpoint_and_part(void **state)
{
	struct mapping m;

	(void)state;
	assert_true(mapping_parse(
		"7f00000-7f10000 rw-s 00000000 00:01 1234    /memfd:shmipc-00000000deadbeef-1-head (deleted)", &m));
	assert_int_equal(m.channel, 0xdeadbeef);
	assert_int_equal(m.endpoint, 1);
	assert_int_equal(m.part, SHMIPC_HEAD);
	assert_int_equal(m.inode, 1234);
	assert_int_equal(m.address, 0x7f00000);
	assert_int_equal(m.bytes, 0x10000);
	assert_int_equal(m.device, makedev(0, 1));
	assert_true(m.writable);
	assert_true(mapping_parse(
		"7f00000-7f10000 r--s 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-0-31 (deleted)\n", &m));
	assert_int_equal(m.part, SHMIPC_SEGMENT(31));
	assert_false(m.writable);
}

static void other_mappings_are_none_of_ours(void **state)
{
	static const char *const lines[] = {
		"",
		"7f00000-7f10000 rw-s 00000000 00:01 1 /memfd:shmipc (deleted)",
		"7f00000-7f10000 rw-s 00000000 00:01 1 /memfd:shmipc-deadbeef-0-head",
		"7f00000-7f10000 rw-s 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-2-head",
		"7f00000-7f10000 rw-s 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-0-32",
		"7f00000-7f10000 rw-s 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-0-headless",
		"7f00000-7f10000 rw-s 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-0--1",
		"7f00000-7f10000 rw-p 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-0-head (deleted)",
		"7f00000-7f10000 rw-s 00001000 00:01 1 /memfd:shmipc-00000000deadbeef-0-head (deleted)",
		"7f10000-7f00000 rw-s 00000000 00:01 1 /memfd:shmipc-00000000deadbeef-0-head (deleted)",
		"/memfd:shmipc-00000000deadbeef-0-head",
	};
	struct mapping m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_false(mapping_parse(lines[i], &m));
}

static void fdinfo_is_read_by_its_keys(void **state)
{
	struct channel_at c;
	uint32_t endpoint;
	pid_t pids[2];

	(void)state;
	assert_true(fdinfo_parse("pos:\t0\nshmipc-channel:\t12\nshmipc-endpoint:\t1\nshmipc-state:\tbound dead\n"
				 "shmipc-pid:\t40 0\nshmipc-head:\t4096 8192\nshmipc-new-key:\t1 2 3\n"
				 "shmipc-waiting:\t1 0\nshmipc-own-segment:\t3 65536\nshmipc-peer-segment:\t99 1\n",
				 &c, &endpoint, pids));
	assert_int_equal(c.number, 12);
	assert_int_equal(endpoint, 1);
	assert_int_equal(c.side[1].state, SIDE_LIVE);
	assert_int_equal(c.side[0].state, SIDE_GONE);
	assert_int_equal(c.side[1].pid, 40);
	assert_int_equal(c.side[1].head_bytes, 4096);
	assert_int_equal(c.side[0].head_bytes, 8192);
	assert_true(c.side[1].waiting);
	assert_int_equal(c.side[1].segment_bytes[3], 65536);
	assert_false(fdinfo_parse("pos:\t0\nflags:\t02\n", &c, &endpoint, pids));
	assert_false(fdinfo_parse("", &c, &endpoint, pids));
}

static void a_trace_line_is_read_whatever_the_process_is_called(void **state)
{
	struct trace_event e;
	char text[160];

	(void)state;
	assert_true(trace_parse(
		"  a [9] x-: b-77   [001] d..1.  123.456789: shmipc_wait: channel=3 endpoint=1 seq=9 end=rung "
		"slept=1\n",
		&e));
	assert_string_equal(e.comm, "a [9] x-: b");
	assert_int_equal(e.pid, 77);
	assert_int_equal(e.cpu, 1);
	assert_int_equal(e.us, 123456789);
	assert_string_equal(e.name, "wait");
	assert_string_equal(trace_field(&e, "end"), "rung");
	assert_null(trace_field(&e, "nothing"));
	trace_explain(&e, text, sizeof(text));
	assert_string_equal(text, "wait 9 was rung for");
	assert_true(trace_parse("x-1 [000] ..... 5.000001: shmipc_ring: channel=1 endpoint=0 rung=5 found=0", &e));
	trace_explain(&e, text, sizeof(text));
	assert_string_equal(text, "rings for sleep 5, which nobody sleeps any more");
	assert_false(trace_parse("", &e));
	assert_false(trace_parse("x-1 [000] ..... 5.000001: sched_switch: a=b", &e));
	assert_false(trace_parse(": shmipc_ring: channel=1", &e));
	assert_false(trace_parse("CPU:0 [LOST 12 EVENTS]", &e));
}

static struct module_file file_of(const char *vermagic)
{
	struct module_file file = { .parameter_count = 2,
				    .parameters = { { .name = "max_bytes", .type = "ulong" },
						    { .name = "loud", .type = "bool" } } };

	strcpy(file.vermagic, vermagic);
	return file;
}

static void expect_reason(int error, struct module_conditions c, const char *vermagic, const char *expected)
{
	struct module_file file = file_of(vermagic);
	char why[256], command[256];

	strcpy(c.release, "6.1.0-9-amd64");
	module_explain_load(error, &c, &file, why, sizeof(why), command, sizeof(command));
	if (!strstr(why, expected))
		fail_msg("'%s' does not say '%s'", why, expected);
}

static void every_refusal_of_a_module_is_explained(void **state)
{
	struct module_conditions root = { .root = true, .capable = true };
	const char *fits = "6.1.0-9-amd64 SMP";

	(void)state;
	expect_reason(-EPERM, (struct module_conditions){ .root = false }, fits, "only root");
	expect_reason(-EPERM, (struct module_conditions){ .root = true }, fits, "CAP_SYS_MODULE");
	expect_reason(-EPERM, (struct module_conditions){ .root = true, .capable = true, .lockdown = "integrity" },
		      fits, "locked down (integrity)");
	expect_reason(-EPERM, (struct module_conditions){ .root = true, .capable = true, .lockdown = "none" }, fits,
		      "security module");
	expect_reason(-EPERM, (struct module_conditions){ .root = true, .modules_disabled = true }, fits, "next boot");
	expect_reason(-EKEYREJECTED, root, fits, "not signed");
	expect_reason(-ENOEXEC, root, "6.12.1 SMP", "built for kernel 6.12.1, and this one is 6.1.0-9-amd64");
	expect_reason(-ENOEXEC, root, "6.1.0-9-amd64-rt SMP", "built for kernel 6.1.0-9-amd64-rt");
	expect_reason(-ENOEXEC, root, fits, "format");
	expect_reason(-ENOSYS, root, fits, "memfd");
	expect_reason(-ENOENT, root, fits, "symbols");
	expect_reason(-EEXIST, root, fits, "already");
}

static void parameters_are_checked_by_their_type(void **state)
{
	struct module_file file = file_of("");
	char out[64];

	(void)state;
	assert_null(module_check_parameter(&file, "max_bytes=64M", out, sizeof(out)));
	assert_string_equal(out, "max_bytes=67108864");
	assert_null(module_check_parameter(&file, "loud=y", out, sizeof(out)));
	assert_string_equal(out, "loud=y");
	assert_non_null(module_check_parameter(&file, "loud=2", out, sizeof(out)));
	assert_non_null(module_check_parameter(&file, "max_bytes=lots", out, sizeof(out)));
	assert_non_null(module_check_parameter(&file, "max_bytes", out, sizeof(out)));
	assert_non_null(module_check_parameter(&file, "max=1", out, sizeof(out)));
	assert_non_null(module_check_parameter(&file, "=1", out, sizeof(out)));
	assert_non_null(module_check_parameter(&file, "loud=y max_bytes=1", out, sizeof(out)));
}

static void only_gets_of_the_metrics_are_answered(void **state)
{
	bool head = true;

	(void)state;
	assert_int_equal(http_judge("GET /metrics HTTP/1.1\r\n", 23, &head), 200);
	assert_false(head);
	assert_int_equal(http_judge("GET /metrics?x=y HTTP/1.1", 25, &head), 200);
	assert_int_equal(http_judge("GET / HTTP/1.0", 14, &head), 200);
	assert_int_equal(http_judge("HEAD /metrics HTTP/1.1", 22, &head), 200);
	assert_true(head);
	assert_int_equal(http_judge("GET /metricss HTTP/1.1", 22, &head), 404);
	assert_int_equal(http_judge("GET /../etc/passwd HTTP/1.1", 27, &head), 404);
	assert_int_equal(http_judge("POST /metrics HTTP/1.1", 22, &head), 405);
	assert_int_equal(http_judge("G", 1, &head), 405);
	assert_int_equal(http_judge("GET ", 4, &head), 404);
}

static void labels_are_escaped(void **state)
{
	char t[16];

	(void)state;
	assert_string_equal(prometheus_escape(t, sizeof(t), "a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
	assert_string_equal(prometheus_escape(t, 4, "\"\"\"\""), "\\\"");
}

static void rates_are_by_the_second_and_never_negative(void **state)
{
	struct sample a = { .at_ns = 0, .readable = { true, true } },
		      b = { .at_ns = 500000000, .readable = { true, true } };
	struct rates r;

	(void)state;
	b.counters[0].messages_sent = 100;
	a.counters[1].messages_sent = 50;
	b.counters[1].rings = 10;
	rates_between(&a, &b, &r);
	assert_true(r.messages[0] == 200 && r.messages[1] == 0 && r.wakes == 20 && !r.stalled);
	a.queue[0] = b.queue[0] = 3;
	rates_between(&a, &b, &r);
	assert_true(r.stalled);
	b.counters[1].messages_received = 1;
	rates_between(&a, &b, &r);
	assert_false(r.stalled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_three_digits),
		cmocka_unit_test(ages_have_two_units),
		cmocka_unit_test(ages_and_sizes_are_read_with_units_and_nothing_else),
		cmocka_unit_test(what_a_terminal_would_obey_is_taken_out),
		cmocka_unit_test(a_table_is_as_wide_as_its_cells),
		cmocka_unit_test(a_narrow_window_first_cuts_then_drops_columns),
		cmocka_unit_test(a_mapping_s_name_says_channel_endpoint_and_part),
		cmocka_unit_test(other_mappings_are_none_of_ours),
		cmocka_unit_test(fdinfo_is_read_by_its_keys),
		cmocka_unit_test(a_trace_line_is_read_whatever_the_process_is_called),
		cmocka_unit_test(every_refusal_of_a_module_is_explained),
		cmocka_unit_test(parameters_are_checked_by_their_type),
		cmocka_unit_test(only_gets_of_the_metrics_are_answered),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(rates_are_by_the_second_and_never_negative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
