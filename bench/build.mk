# SPDX-License-Identifier: Apache-2.0
#
# shmipc-bench: needs libjansson (libjansson-dev); plots need gnuplot (gnuplot-nox) when they are drawn.

BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard bench/*.c)))
BENCH := $(BUILD)/bench/shmipc-bench

.PHONY: bench-build
all: bench-build
bench-build: $(BENCH) bench/shmipc-bench

$(BENCH_OBJECTS): CPPFLAGS += -DBENCH_VERSION='"$(VERSION)"'
$(BUILD)/bench/touch.o: override CFLAGS += -O3

$(BENCH): $(BENCH_OBJECTS) $(BUILD)/libshmipc/libshmipc.a
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ -ljansson -lm -pthread

bench/shmipc-bench: $(BENCH)
	ln -sfn $$(realpath --relative-to=bench $(BENCH)) $@
