# SPDX-License-Identifier: Apache-2.0
#
# make kselftest-programs   the module's selftests; tests/guest/run -- tests/kselftest/run DIRECTORY runs them
#
# They are GPL-2.0, as is the harness they include, which comes from Debian's kernel sources, is fetched when it is missing, and stays outside the
# repository.

KSELFTEST_HEADERS := $(CACHE)/kselftest-6.1
KSELFTEST_HARNESS := $(KSELFTEST_HEADERS)/kselftest_harness.h
KSELFTEST_BUILD := $(BUILD)/tests/kselftest

# What the programs share; every other .c is a program.
KSELFTEST_SHARED := endpoint actor sleeper parameter
KSELFTEST_PROGRAMS := $(filter-out $(KSELFTEST_SHARED),$(basename $(notdir $(wildcard tests/kselftest/*.c))))
KSELFTEST_OBJECTS := $(KSELFTEST_PROGRAMS:%=$(KSELFTEST_BUILD)/%.o)

.PHONY: kselftest-programs
kselftest-programs: $(KSELFTEST_PROGRAMS:%=$(KSELFTEST_BUILD)/%)

$(KSELFTEST_HARNESS):
	tests/guest/kselftest-headers >/dev/null

$(KSELFTEST_OBJECTS): | $(KSELFTEST_HARNESS)
$(KSELFTEST_OBJECTS): CPPFLAGS += -isystem $(KSELFTEST_HEADERS)
# The harness makes functions without prototypes, with parameters that not all use.
$(KSELFTEST_OBJECTS): WARNINGS += -Wno-missing-prototypes -Wno-unused-parameter

$(KSELFTEST_PROGRAMS:%=$(KSELFTEST_BUILD)/%): $(KSELFTEST_BUILD)/%: \
		$(KSELFTEST_BUILD)/%.o $(KSELFTEST_SHARED:%=$(KSELFTEST_BUILD)/%.o)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^
