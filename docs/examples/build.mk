# SPDX-License-Identifier: Apache-2.0
#
# make examples   the programs of docs/examples, against the library of this tree
#
# Each folder has a build.mk that adds its programs to EXAMPLES, and a script `test` that runs them for real:
#
#   docs/examples/FOLDER/test [DIRECTORY]     DIRECTORY holds the folder's programs
#
# It prints one line, "ok - ..." or "not ok - ...", for each thing it checked, and exits with 1 if one was not.

EXAMPLES_BUILD := $(BUILD)/docs/examples
EXAMPLES :=
include $(wildcard docs/examples/*/build.mk)

.PHONY: examples
examples: $(EXAMPLES)

# A program of one file has its name; one of several names the others in its folder's build.mk.
$(EXAMPLES): %: %.o $(LIB_A)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -pthread -o $@ $(filter %.o,$^) $(LIB_A) $(EXAMPLE_LIBS)
$(EXAMPLES:%=%.o): override CFLAGS_EXTRA += -pthread
