# SPDX-License-Identifier: Apache-2.0

EXAMPLES_LOG := $(EXAMPLES_BUILD)/log-agent
EXAMPLES += $(addprefix $(EXAMPLES_LOG)/,agent program)

$(EXAMPLES_LOG)/program: $(EXAMPLES_LOG)/logger.o
