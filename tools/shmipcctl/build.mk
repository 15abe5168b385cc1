# SPDX-License-Identifier: Apache-2.0
#
# shmipcctl: needs libjansson (libjansson-dev) and libkmod (libkmod-dev). Its manual pages are what it prints itself.

CTL_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tools/shmipcctl/*.c)))
CTL := $(BUILD)/tools/shmipcctl/shmipcctl
CTL_MAN := $(BUILD)/tools/shmipcctl/man
CTL_COMMANDS := load unload status doctor list top stat leaks dump trace metrics man

.PHONY: ctl install-ctl
all: ctl
ctl: $(CTL) $(CTL_MAN)/made

$(CTL_OBJECTS): CPPFLAGS += -Ilibshmipc/src -DSHMIPCCTL_VERSION='"$(VERSION)"'
$(BUILD)/tools/shmipcctl/main.o $(BUILD)/tools/shmipcctl/command_man.o: VERSION

$(CTL): $(CTL_OBJECTS) $(LIB_A)
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ -ljansson -lkmod -pthread

$(CTL_MAN)/made: $(CTL)
	@mkdir -p $(@D)
	$(CTL) man > $(@D)/shmipcctl.8
	for c in $(CTL_COMMANDS); do $(CTL) man $$c > $(@D)/shmipcctl-$$c.8 || exit 1; done
	touch $@

install: install-ctl
install-ctl: ctl
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/shmipc/schema
	install -m 755 $(CTL) $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 $(CTL_MAN)/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 tools/shmipcctl/schema/*.json $(DESTDIR)$(PREFIX)/share/shmipc/schema/
