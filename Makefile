# SPDX-License-Identifier: Apache-2.0
#
# make            the library, the tools, the bench and, where kernel headers are installed, the module
# make demo       builds all, then doorbell against Unix sockets, side by side
# make check      every test that must pass
# make help       the rest
#
# Each folder adds its own part in a build.mk; everything built goes below $(BUILD).

BUILD ?= build
PREFIX ?= /usr/local
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shmipc
VERSION := $(shell cat VERSION)

CC ?= gcc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	    -Wvla -Wundef -Wwrite-strings
override CFLAGS += -std=gnu11 $(WARNINGS) $(if $(WERROR),-Werror)
CPPFLAGS += -D_GNU_SOURCE -Ilibshmipc/include -Ikmod/include/uapi
export BUILD CACHE CC CFLAGS_EXTRA

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help clean

all:

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

include kmod/build.mk
include libshmipc/build.mk
include tools/build.mk
include bench/build.mk
include tests/build.mk

clean:
	rm -rf $(BUILD)

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
