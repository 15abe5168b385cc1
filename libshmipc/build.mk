# The library, static and shared.

LIB_SRC := $(wildcard libshmipc/src/*.c libshmipc/src/*/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB_A := $(BUILD)/libshmipc/libshmipc.a
LIB_SONAME := libshmipc.so.0
LIB_SO := $(BUILD)/libshmipc/$(LIB_SONAME)

$(LIB_OBJ): CPPFLAGS += -Ilibshmipc/src
$(LIB_OBJ): CFLAGS_EXTRA += -fPIC -fvisibility=hidden -pthread

$(LIB_A): $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJ) libshmipc/libshmipc.map
	$(CC) $(CFLAGS) $(CFLAGS_EXTRA) -shared -pthread -Wl,-soname,$(LIB_SONAME) \
		-Wl,--version-script=libshmipc/libshmipc.map -Wl,--no-undefined -o $@ $(LIB_OBJ)
	ln -sf $(LIB_SONAME) $(BUILD)/libshmipc/libshmipc.so

$(BUILD)/libshmipc/libshmipc.pc: libshmipc/libshmipc.pc.in VERSION
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

.PHONY: lib
lib: $(LIB_A) $(LIB_SO) $(BUILD)/libshmipc/libshmipc.pc
all: lib
