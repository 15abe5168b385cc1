# SPDX-License-Identifier: Apache-2.0

EXAMPLES_HOT_RESTART := $(EXAMPLES_BUILD)/hot-restart
EXAMPLES += $(addprefix $(EXAMPLES_HOT_RESTART)/,client server)

$(EXAMPLES_HOT_RESTART)/server: $(EXAMPLES_HOT_RESTART)/control.o
