# SPDX-License-Identifier: Apache-2.0

EXAMPLES_SHMIPC_LOG := $(EXAMPLES_BUILD)/shmipc-log
EXAMPLES += $(addprefix $(EXAMPLES_SHMIPC_LOG)/,shmipc-log shmipc-logger)
