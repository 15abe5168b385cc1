# SPDX-License-Identifier: Apache-2.0
#
# shmipc-bench: needs libjansson (libjansson-dev); plots need gnuplot (gnuplot-nox) when they are drawn. io_uring, ZeroMQ
# and nng are measured too where their development packages are (liburing-dev, libzmq3-dev, libnng-dev).

BENCH_SOURCES := $(sort $(wildcard bench/*.c))
BENCH_LIBS := -ljansson -lm -pthread

ifeq ($(shell pkg-config --atleast-version=2.3 liburing 2>/dev/null && echo yes),yes)
BENCH_RIVALS += -DBENCH_URING $(shell pkg-config --cflags liburing)
BENCH_LIBS += $(shell pkg-config --libs liburing)
else
BENCH_SOURCES := $(filter-out bench/transport_uds_uring.c,$(BENCH_SOURCES))
endif

ifeq ($(shell pkg-config --exists libzmq 2>/dev/null && echo yes),yes)
BENCH_RIVALS += -DBENCH_ZMQ $(shell pkg-config --cflags libzmq)
BENCH_LIBS += $(shell pkg-config --libs libzmq)
else
BENCH_SOURCES := $(filter-out bench/transport_zmq.c,$(BENCH_SOURCES))
endif

# Its package has no .pc file.
ifeq ($(shell echo '#include <nng/nng.h>' | $(CC) -E - >/dev/null 2>&1 && echo yes),yes)
BENCH_RIVALS += -DBENCH_NNG
BENCH_LIBS += -lnng
else
BENCH_SOURCES := $(filter-out bench/transport_nng.c,$(BENCH_SOURCES))
endif

BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(BUILD)/%.o)
BENCH := $(BUILD)/bench/shmipc-bench

.PHONY: bench-build
all: bench-build
bench-build: $(BENCH) bench/shmipc-bench

$(BENCH_OBJECTS): CPPFLAGS += -DBENCH_VERSION='"$(VERSION)"' $(BENCH_RIVALS)
$(BUILD)/bench/touch.o: override CFLAGS += -O3

$(BENCH): $(BENCH_OBJECTS) $(BUILD)/libshmipc/libshmipc.a
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ $(BENCH_LIBS)

bench/shmipc-bench: $(BENCH)
	ln -sfn $$(realpath --relative-to=bench $(BENCH)) $@

# What bench/cache-lines runs. It looks at the library from within.
WALK := $(BUILD)/bench/lines/walk
bench-build: $(WALK)
$(WALK).o: CPPFLAGS += -Ilibshmipc/src
$(WALK): $(WALK).o $(BUILD)/libshmipc/libshmipc.a
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ -pthread
