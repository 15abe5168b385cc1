# SPDX-License-Identifier: Apache-2.0
#
# The library, static and shared; its manual pages; its installation.

LIB_SRC := $(wildcard libshmipc/src/*.c libshmipc/src/*/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB_A := $(BUILD)/libshmipc/libshmipc.a
LIB_SONAME := libshmipc.so.0
LIB_SO := $(BUILD)/libshmipc/$(LIB_SONAME)

$(LIB_OBJ): CPPFLAGS += -Ilibshmipc/src
$(LIB_OBJ): override CFLAGS += -fPIC -fvisibility=hidden -pthread

$(LIB_A): $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJ) libshmipc/libshmipc.map
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) -shared -pthread -Wl,-soname,$(LIB_SONAME) \
		-Wl,--version-script=libshmipc/libshmipc.map -Wl,--no-undefined -o $@ $(LIB_OBJ)
	ln -sf $(LIB_SONAME) $(BUILD)/libshmipc/libshmipc.so

LIB_MAN := $(BUILD)/libshmipc/man

# One header at a time; shmipc.h has nothing of its own.
LIB_MAN_MADE := $(patsubst libshmipc/include/shmipc/%.h,$(LIB_MAN)/made.%,\
		$(filter-out %/shmipc.h,$(wildcard libshmipc/include/shmipc/*.h)))

$(LIB_MAN)/made.%: libshmipc/include/shmipc/%.h libshmipc/man/from-header.awk VERSION
	@mkdir -p $(@D)
	awk -v out=$(@D) -v version=$(VERSION) -f libshmipc/man/from-header.awk $< > $@

.PHONY: lib install-lib
lib: $(LIB_A) $(LIB_SO) $(LIB_MAN_MADE)
all: lib

install: install-lib
install-lib: lib
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/shmipc \
		$(DESTDIR)$(PREFIX)/share/man/man3 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 $(LIB_A) $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(LIB_SO) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(LIB_SONAME) $(DESTDIR)$(PREFIX)/lib/libshmipc.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' libshmipc/libshmipc.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/libshmipc.pc
	install -m 644 libshmipc/include/shmipc/*.h $(DESTDIR)$(PREFIX)/include/shmipc/
	install -m 644 $(LIB_MAN)/*.3 $(DESTDIR)$(PREFIX)/share/man/man3/
	install -m 644 $(LIB_MAN)/*.7 $(DESTDIR)$(PREFIX)/share/man/man7/
