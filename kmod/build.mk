# SPDX-License-Identifier: Apache-2.0
#
# make module            the kernel module for KDIR, by default the running kernel's headers
# make modules_install   puts it below INSTALL_MOD_PATH
#
# The kernel's make leaves its output beside the sources; so it gets a tree of links to them, one for each kernel.
# Part of `all` where KDIR exists.

KDIR ?= /lib/modules/$(shell uname -r)/build
MODULE_BUILD = $(abspath $(BUILD))/module$(subst /,-,$(abspath $(KDIR)))

.PHONY: module modules_install

module:
	@test -e $(KDIR)/Makefile || { echo "no kernel headers in $(KDIR): install them or set KDIR" >&2; exit 1; }
	@mkdir -p $(MODULE_BUILD)
	@find $(MODULE_BUILD) -xtype l -delete
	@cp -rsf $(CURDIR)/Kbuild $(CURDIR)/VERSION $(CURDIR)/kmod $(MODULE_BUILD)/
	$(MAKE) -C $(KDIR) M=$(MODULE_BUILD) modules

modules_install: module
	$(MAKE) -C $(KDIR) M=$(MODULE_BUILD) modules_install

ifneq ($(wildcard $(KDIR)/Makefile),)
all: module
endif
