# SPDX-License-Identifier: Apache-2.0

EXAMPLES_SIDECAR := $(EXAMPLES_BUILD)/sidecar
EXAMPLES += $(addprefix $(EXAMPLES_SIDECAR)/,client proxy server)

$(EXAMPLES_SIDECAR)/proxy: $(EXAMPLES_SIDECAR)/link.o
