# SPDX-License-Identifier: Apache-2.0

EXAMPLES_BEST := $(EXAMPLES_BUILD)/best-practice
EXAMPLES += $(addprefix $(EXAMPLES_BEST)/,client server)

$(EXAMPLES_BEST)/client $(EXAMPLES_BEST)/server: $(EXAMPLES_BEST)/record.o
$(EXAMPLES_BEST)/client $(EXAMPLES_BEST)/server: EXAMPLE_LIBS = -lmsgpackc
