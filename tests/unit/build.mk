# SPDX-License-Identifier: Apache-2.0
#
# make unit-programs   the library's tests; tests/unit/run $(BUILD)/tests/unit runs them
#
# For a sanitizer: make unit-programs BUILD=build/asan CFLAGS_EXTRA="-fsanitize=address,undefined ..."

UNIT_BUILD := $(BUILD)/tests/unit

# What the programs share; every other .c is a program.
UNIT_SHARED := pair worker child proxy session_pair shake listener_pair server post mail driven callback_record pooled
UNIT_PROGRAMS := $(filter-out $(UNIT_SHARED),$(basename $(notdir $(wildcard tests/unit/*.c))))
UNIT_OBJECTS := $(UNIT_PROGRAMS:%=$(UNIT_BUILD)/%.o) $(UNIT_SHARED:%=$(UNIT_BUILD)/%.o)

# Each public header, as the only one, in C and in C++.
UNIT_HEADERS := $(notdir $(wildcard libshmipc/include/shmipc/*.h))
UNIT_HEADER_OBJECTS := $(UNIT_HEADERS:%.h=$(UNIT_BUILD)/headers/%.c.o) $(UNIT_HEADERS:%.h=$(UNIT_BUILD)/headers/%.cc.o)

.PHONY: unit-programs
unit-programs: $(UNIT_PROGRAMS:%=$(UNIT_BUILD)/%) $(UNIT_HEADER_OBJECTS)

$(UNIT_OBJECTS): CPPFLAGS += -Ilibshmipc/src
$(UNIT_OBJECTS): override CFLAGS_EXTRA += -pthread

$(UNIT_PROGRAMS:%=$(UNIT_BUILD)/%): $(UNIT_BUILD)/%: \
		$(UNIT_BUILD)/%.o $(UNIT_SHARED:%=$(UNIT_BUILD)/%.o) $(BUILD)/tests/left.o $(LIB_A)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^ -lcmocka

$(UNIT_BUILD)/cxx_header: $(UNIT_BUILD)/headers/use.o
$(UNIT_BUILD)/headers/use.o: tests/unit/headers/use.cc libshmipc/include/shmipc/channel.h
	@mkdir -p $(@D)
	$(CXX) -Ilibshmipc/include -std=c++11 -Wall -Wextra -Wpedantic -O2 -g -c -o $@ $<

$(UNIT_BUILD)/headers/%.c.o: libshmipc/include/shmipc/%.h
	@mkdir -p $(@D)
	echo '#include "shmipc/$*.h"' | \
		$(CC) -Ilibshmipc/include -std=c99 -Wall -Wextra -Wpedantic -Werror -x c -c -o $@ -

$(UNIT_BUILD)/headers/%.cc.o: libshmipc/include/shmipc/%.h
	@mkdir -p $(@D)
	echo '#include "shmipc/$*.h"' | \
		$(CXX) -Ilibshmipc/include -std=c++11 -Wall -Wextra -Wpedantic -Werror -x c++ -c -o $@ -

# It counts what the library allocates.
$(UNIT_BUILD)/channel_calls: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

# The errors that public headers name.
$(UNIT_BUILD)/observe_strerror.o: CPPFLAGS += -I$(UNIT_BUILD)
$(UNIT_BUILD)/observe_strerror.o: $(UNIT_BUILD)/errors_named.h
$(UNIT_BUILD)/errors_named.h: $(wildcard libshmipc/include/shmipc/*.h)
	@mkdir -p $(@D)
	grep -hoE -e '-E[A-Z0-9]+\b' $^ | sort -u | sed 's/-\(.*\)/ERROR_NAMED(\1)/' > $@

# It loads a second copy of the library beside its own.
$(UNIT_BUILD)/session_copies: | $(LIB_SO)

# It counts what the library has allocated and not freed.
$(UNIT_BUILD)/fork_memory: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup,--wrap=free
