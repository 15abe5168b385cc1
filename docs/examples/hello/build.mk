# SPDX-License-Identifier: Apache-2.0

EXAMPLES_HELLO := $(EXAMPLES_BUILD)/hello
EXAMPLES += $(addprefix $(EXAMPLES_HELLO)/,client server server-loop server-dispatcher short-client short-server)

$(EXAMPLES_HELLO)/server-loop $(EXAMPLES_HELLO)/server-dispatcher: $(EXAMPLES_HELLO)/echo.o
