# SPDX-License-Identifier: Apache-2.0
#
# make fuzz        each fuzzer for FUZZ_SECONDS (60), on what was found before in $(FUZZ_BUILD)/corpus
# make fuzz-smoke  each for some thousand runs from nothing, the same ones every time
#
# The fuzzers and the library are built for them with clang: libFuzzer, ASan and UBSan. Without clang, or without
# its run-time library (libclang-rt-14-dev), fuzz-smoke says so and skips them.

FUZZ_CC ?= $(firstword $(shell command -v clang-14) $(shell command -v clang) clang)
FUZZ_SECONDS ?= 60
FUZZ_BUILD := $(BUILD)/tests/fuzz
FUZZ_FLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	      -pthread
FUZZERS := arena lane handover handshake vector
FUZZ_SRC_arena := libshmipc/src/shm/arena.c
FUZZ_SRC_lane := tests/fuzz/pair.c $(LIB_SRC)
FUZZ_SRC_handover := tests/fuzz/pair.c tests/left.c $(LIB_SRC)
FUZZ_SRC_handshake := tests/fuzz/pair.c tests/left.c $(LIB_SRC)
FUZZ_SRC_vector := $(LIB_SRC)
FUZZ_RUNS_arena := 60000
FUZZ_RUNS_lane := 8000
FUZZ_RUNS_handover := 4000
FUZZ_RUNS_handshake := 4000
FUZZ_RUNS_vector := 1000
FUZZ_OPTIONS := -max_len=1024 -len_control=0 -timeout=30 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1

define FUZZ_RULE
$(FUZZ_BUILD)/$1: tests/fuzz/$1.c $(FUZZ_SRC_$1) $(wildcard tests/fuzz/*.h libshmipc/src/*.h libshmipc/src/*/*.h)
	@mkdir -p $$(@D)
	$(FUZZ_CC) -D_GNU_SOURCE -Ilibshmipc/include -Ikmod/include/uapi -Ilibshmipc/src $(FUZZ_FLAGS) -Wall -Wextra \
		-o $$@ tests/fuzz/$1.c $(FUZZ_SRC_$1)
endef
$(foreach fuzzer,$(FUZZERS),$(eval $(call FUZZ_RULE,$(fuzzer))))

.PHONY: fuzz-programs fuzz fuzz-smoke
fuzz-programs: $(FUZZERS:%=$(FUZZ_BUILD)/%)

fuzz: fuzz-programs
	@for fuzzer in $(FUZZERS); do \
		mkdir -p $(FUZZ_BUILD)/corpus/$$fuzzer && \
		echo "# $$fuzzer, $(FUZZ_SECONDS) s" && \
		$(FUZZ_BUILD)/$$fuzzer $(FUZZ_OPTIONS) -max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=$(FUZZ_BUILD)/$$fuzzer- $(FUZZ_BUILD)/corpus/$$fuzzer || exit 1; \
	done

fuzz-smoke:
	@FUZZ_CC='$(FUZZ_CC)' FUZZ_OPTIONS='$(FUZZ_OPTIONS)' tests/fuzz/smoke $(FUZZ_BUILD) \
		$(foreach fuzzer,$(FUZZERS),$(fuzzer):$(FUZZ_RUNS_$(fuzzer)))
