# SPDX-License-Identifier: Apache-2.0
#
# make bench-programs   what the bench's tests want: the bench, and tests of its parts that need no process

BENCH_TEST_BUILD := $(BUILD)/tests/bench
BENCH_TEST_PROGRAMS := $(basename $(notdir $(wildcard tests/bench/*.c)))
BENCH_TEST_PARTS := $(addprefix $(BUILD)/bench/,schedule.o mix.o histogram.o ticks.o)

.PHONY: bench-programs
bench-programs: bench-build $(BENCH_TEST_PROGRAMS:%=$(BENCH_TEST_BUILD)/%)

$(BENCH_TEST_PROGRAMS:%=$(BENCH_TEST_BUILD)/%.o): CPPFLAGS += -Ibench

$(BENCH_TEST_PROGRAMS:%=$(BENCH_TEST_BUILD)/%): $(BENCH_TEST_BUILD)/%: $(BENCH_TEST_BUILD)/%.o $(BENCH_TEST_PARTS)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ -lcmocka -lm
