# SPDX-License-Identifier: Apache-2.0

EXAMPLES_ASYNC := $(EXAMPLES_BUILD)/async-server
EXAMPLES += $(addprefix $(EXAMPLES_ASYNC)/,client server)
