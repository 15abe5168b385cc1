# SPDX-License-Identifier: Apache-2.0
#
# make ctl-programs   what the tests of shmipcctl want: the tool, the fixture that makes channels, tests of its pure parts

CTL_TEST_BUILD := $(BUILD)/tests/ctl
CTL_TEST_PROGRAMS := $(filter-out fixture,$(basename $(notdir $(wildcard tests/ctl/*.c))))
CTL_TEST_OBJECTS := $(CTL_TEST_PROGRAMS:%=$(CTL_TEST_BUILD)/%.o) $(CTL_TEST_BUILD)/fixture.o

# The tool without its main().
CTL_PARTS := $(filter-out %/main.o,$(CTL_OBJECTS))

.PHONY: ctl-programs
ctl-programs: ctl $(CTL_TEST_BUILD)/fixture $(CTL_TEST_PROGRAMS:%=$(CTL_TEST_BUILD)/unit/%)

$(CTL_TEST_OBJECTS): CPPFLAGS += -Ilibshmipc/src -Itools/shmipcctl
$(CTL_TEST_OBJECTS): override CFLAGS_EXTRA += -pthread

$(CTL_TEST_BUILD)/fixture: $(CTL_TEST_BUILD)/fixture.o $(LIB_A)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^

$(CTL_TEST_BUILD)/unit/%: $(CTL_TEST_BUILD)/%.o $(CTL_PARTS) $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^ -lcmocka -ljansson -lkmod
