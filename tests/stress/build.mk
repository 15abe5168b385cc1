# SPDX-License-Identifier: Apache-2.0
#
# make stress-programs   the stress and hostile-peer tests and their negative controls
#
# tests/stress/run DIRECTORY runs them. They look inside the library, so they take its internal headers and
# its archive. A control is the stress program with one step of the library's taken out while linking, or with
# one of its files compiled another way; the library knows nothing of it.

STRESS_BUILD := $(BUILD)/tests/stress
STRESS_ARCHIVE := $(BUILD)/libshmipc/libshmipc.a
STRESS_SIDE := $(STRESS_BUILD)/message.o $(STRESS_BUILD)/plan.o $(STRESS_BUILD)/side.o $(STRESS_BUILD)/produce.o \
	       $(STRESS_BUILD)/consume.o $(STRESS_BUILD)/threads.o $(STRESS_BUILD)/words.o $(STRESS_BUILD)/watch.o \
	       $(STRESS_BUILD)/pair.o $(BUILD)/tests/left.o
STRESS_MAIN := $(STRESS_BUILD)/stress.o $(STRESS_BUILD)/killing.o $(STRESS_SIDE)

STRESS_CONTROLS := blind unlocked unwoken unmarked unpaid paid
STRESS_WRAP_unlocked := doorbell_take
STRESS_WRAP_unwoken := doorbell_die
STRESS_WRAP_unmarked := doorbell_die
STRESS_WRAP_unpaid := process_membarrier
STRESS_WRAP_paid := process_membarrier
STRESS_LATE := $(STRESS_BUILD)/control/late_store.o $(STRESS_BUILD)/control/late_produce.o
STRESS_WITH_blind := $(STRESS_BUILD)/control/blind.o
STRESS_WITH_unlocked := $(STRESS_BUILD)/control/unlocked.o
STRESS_WITH_unwoken := $(STRESS_BUILD)/control/unwoken.o
STRESS_WITH_unmarked := $(STRESS_BUILD)/control/unmarked.o
STRESS_WITH_unpaid := $(STRESS_BUILD)/control/unpaid.o $(STRESS_LATE)
STRESS_WITH_paid := $(STRESS_BUILD)/control/paid.o $(STRESS_LATE)

STRESS_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/stress/*.c tests/stress/control/*.c)) \
		  $(STRESS_BUILD)/control/blind.o $(STRESS_BUILD)/control/late_produce.o
$(STRESS_OBJECTS): CPPFLAGS += -Ilibshmipc/src
# The linker's names for what it wraps have no header.
$(STRESS_CONTROLS:%=$(STRESS_BUILD)/control/%.o): WARNINGS += -Wno-missing-prototypes

.PHONY: stress-programs
stress-programs: $(STRESS_BUILD)/stress $(STRESS_BUILD)/hostile $(STRESS_BUILD)/sessions \
		$(STRESS_BUILD)/liars $(STRESS_CONTROLS:%=$(STRESS_BUILD)/control-%)

$(STRESS_BUILD)/stress: $(STRESS_MAIN) $(STRESS_ARCHIVE)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^

$(STRESS_BUILD)/control/blind.o: libshmipc/src/channel/wait.c tests/stress/control/blind.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA) -pthread -MMD -MP -include tests/stress/control/blind.h -c -o $@ $<

$(STRESS_BUILD)/control/late_produce.o: libshmipc/src/channel/produce.c tests/stress/control/late_store.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA) -pthread -MMD -MP -include tests/stress/control/late_store.h -c -o $@ $<

STRESS_HOSTILE := hostile nursery victim attacker attacks_on_words attacks_on_sockets attacks_on_segments attacks_on_handover

$(STRESS_BUILD)/hostile: $(STRESS_HOSTILE:%=$(STRESS_BUILD)/%.o) $(STRESS_SIDE) $(STRESS_ARCHIVE)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^

STRESS_SESSIONS := sessions crowd talk talk_write talk_read link

$(STRESS_BUILD)/sessions: $(STRESS_SESSIONS:%=$(STRESS_BUILD)/%.o) $(STRESS_SIDE) $(STRESS_ARCHIVE)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^

# The same rounds as hostile's, with another attacker and another victim.
STRESS_LIARS := hostile nursery prey liar lies lies_in_frames link

$(STRESS_BUILD)/liars: $(STRESS_LIARS:%=$(STRESS_BUILD)/%.o) $(STRESS_SIDE) $(STRESS_ARCHIVE)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $^

define STRESS_CONTROL_RULE
$(STRESS_BUILD)/control-$1: $(STRESS_WITH_$1) $(STRESS_MAIN) $(STRESS_ARCHIVE)
	$$(CC) $$(CFLAGS) $$(CFLAGS_EXTRA) $$(LDFLAGS) -pthread $(STRESS_WRAP_$1:%=-Wl,--wrap=%) -o $$@ $$^
endef
$(foreach control,$(STRESS_CONTROLS),$(eval $(call STRESS_CONTROL_RULE,$(control))))
