# SPDX-License-Identifier: Apache-2.0
#
# make stress-programs   the stress and hostile-peer tests and their negative controls
#
# tests/stress/run DIRECTORY runs them. They look inside the library, so they take its internal headers and
# its archive.

STRESS_BUILD := $(BUILD)/tests/stress
STRESS_SIDES := message plan side produce consume threads words watch pair killing
STRESS_LIB := $(STRESS_SIDES:%=$(STRESS_BUILD)/%.o)

STRESS_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/stress/*.c tests/stress/control/*.c))
$(STRESS_OBJECTS): CPPFLAGS += -Ilibshmipc/src
$(STRESS_OBJECTS): CFLAGS_EXTRA += -pthread

.PHONY: stress-programs
stress-programs: $(STRESS_BUILD)/stress

$(STRESS_BUILD)/stress: $(STRESS_BUILD)/stress.o $(STRESS_LIB) $(BUILD)/libshmipc/libshmipc.a
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^
