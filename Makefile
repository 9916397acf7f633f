# torc: one non-recursive makefile, no configure step.
#
#   make            build everything into build/
#   make demo       set up, build, run the supervisor with conf/demo.ini and watch it
#   make test       set up, build, run all tests, end with one line that counts them
#   make install    DESTDIR and PREFIX as usual
#   make help       all targets; V=1 shows the compiler's command lines

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
INCDIR  ?= $(PREFIX)/include
MANDIR  ?= $(PREFIX)/share/man

VERSION := $(shell sed -n 's/^.define TORC_VERSION "\(.*\)"/\1/p' libshm/torc.h)
SOMAJOR := 0

B       ?= build
V       ?= 0
say      = $(if $(filter 0,$(V)),@printf '  %-5s %s\n' $(1) '$(2)';)
CC      ?= gcc
CFLAGS  ?= -O2 -g
SAN     ?=
WARN    := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
           -Wvla -Wpointer-arith -Wundef -Wformat=2
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
ALLCFLAGS = -std=c11 -D_GNU_SOURCE $(WARN) -fvisibility=hidden -fPIC -pthread $(SANFLAGS) -Ilibshm -Iconf $(CFLAGS)
ALLLDFLAGS = -pthread $(SANFLAGS) $(LDFLAGS)

PKG     ?= pkg-config
BSD_CFLAGS   = $(shell $(PKG) --cflags libbsd-overlay 2>/dev/null)
BSD_LIBS     = $(shell $(PKG) --libs libbsd-overlay 2>/dev/null)
INIH_LIBS    = $(shell $(PKG) --libs inih 2>/dev/null)
CURSES_LIBS  = $(shell $(PKG) --libs ncursesw 2>/dev/null)
CMOCKA_LIBS  = $(shell $(PKG) --libs cmocka 2>/dev/null)

LIB_SRC  := $(wildcard libshm/*.c)
CONF_SRC := $(wildcard conf/*.c)
SUP_SRC  := $(wildcard supervisor/*.c)
TUI_SRC  := $(wildcard tui/*.c)
CLI_SRC  := $(wildcard cli/*.c)
EX_SRC   := $(wildcard examples/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
SYS_SRC  := $(wildcard tests/system/*.c)

obj = $(patsubst %.c,$(B)/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
CONF_OBJ := $(call obj,$(CONF_SRC))
SUP_OBJ := $(call obj,$(SUP_SRC))
TUI_OBJ := $(call obj,$(TUI_SRC))
CLI_OBJ := $(call obj,$(CLI_SRC))

LIBA  := $(B)/lib/libtorc.a
LIBSO := $(B)/lib/libtorc.so.$(SOMAJOR)
CONFA := $(B)/lib/libconf.a
BINS  := $(B)/bin/torcd $(B)/bin/torctop $(B)/bin/torc
EXAMPLES := $(patsubst examples/%.c,$(B)/examples/%,$(EX_SRC))
UNITS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
SYSTESTS := $(patsubst tests/system/%.c,$(B)/tests/system/%,$(SYS_SRC))

.PHONY: all lib deps test unit system demo clean format install uninstall layers labels faults docs asan tsan help tests-build tests-picked check-deps
all: lib $(BINS) $(EXAMPLES)
lib: $(LIBA) $(LIBSO)
tests-build: $(UNITS) $(SYSTESTS)
# Of some tests those whose path holds one of the words of TESTS, if there are any: for test, asan, aarch64.
picked = $(if $(TESTS),$(foreach t,$(1),$(if $(strip $(foreach p,$(TESTS),$(findstring $(p),$(t)))),$(t))),$(1))
tests-picked: $(call picked,$(UNITS) $(SYSTESTS))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALLCFLAGS) $(EXTRA_$(firstword $(subst /, ,$*))) -MMD -MP -c -o $@ $<

# Pairing up scalar stores into vectors costs more than it saves in the short paths of a send.
EXTRA_libshm = -fno-tree-slp-vectorize
EXTRA_conf = $(BSD_CFLAGS)
EXTRA_supervisor = $(BSD_CFLAGS)
EXTRA_tui = $(BSD_CFLAGS)
EXTRA_cli = $(BSD_CFLAGS)

$(LIBA): $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^
$(LIBSO): $(LIB_OBJ) libshm/libtorc.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -shared -Wl,-soname,libtorc.so.$(SOMAJOR) -Wl,--version-script=libshm/libtorc.map -o $@ $(LIB_OBJ) $(ALLLDFLAGS)
	@ln -sf libtorc.so.$(SOMAJOR) $(B)/lib/libtorc.so
$(CONFA): $(CONF_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(B)/bin/torcd: $(SUP_OBJ) $(CONFA) $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(INIH_LIBS) $(BSD_LIBS)
$(B)/bin/torctop: $(TUI_OBJ) $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(CURSES_LIBS) $(BSD_LIBS)
$(B)/bin/torc: $(CLI_OBJ) $(CONFA) $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(INIH_LIBS) $(BSD_LIBS)
$(B)/examples/%: $(B)/examples/%.o $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS)

# A unit test names the objects it links in a comment line "links: libshm/ring.c conf/units.c"; nothing else is there.
define unit_rule
$(B)/tests/unit/$(1): $(B)/tests/unit/$(1).o $(call obj,$(shell sed -n 's/^.*links: *\([^*]*\).*$$/\1/p' tests/unit/$(1).c))
	$$(call say,LD,$$@)$$(CC) -o $$@ $$^ $$(ALLLDFLAGS) $$(CMOCKA_LIBS) $$(INIH_LIBS) $$(CURSES_LIBS) $$(BSD_LIBS)
endef
$(foreach t,$(patsubst tests/unit/%.c,%,$(UNIT_SRC)),$(eval $(call unit_rule,$(t))))

.SECONDARY:

# System tests use the public library as a user does.
$(B)/tests/system/%: $(B)/tests/system/%.o $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(CMOCKA_LIBS)
$(B)/tests/system/review_wake: ALLLDFLAGS += -Wl,--wrap=wait_announce,--wrap=wait_announce_quick,--wrap=wait_pause
$(B)/tests/system/review_counts: ALLLDFLAGS += -Wl,--wrap=stream_total,--wrap=limit_count,--wrap=nanosleep,--wrap=segment_open

deps:
	@packaging/deps.sh
check-deps:
	@packaging/deps.sh --quiet

test: check-deps
	@$(MAKE) --no-print-directory all tests-picked
	@tests/run.sh $(B) $(TESTS)

demo: check-deps
	@$(MAKE) --no-print-directory all
	@B=$(B) examples/demo.sh

asan:
	$(MAKE) B=build-asan SAN=address,undefined CFLAGS="-O1 -g" $(if $(TESTS),,all) tests-picked
	tests/run.sh build-asan $(TESTS)
clean:
	rm -rf build build-*
format:
	clang-format -i $$(git ls-files '*.c' '*.h')

include tests/fuzz/fuzz.mk
include tests/crash/crash.mk
include bench/bench.mk
include tests/cross/cross.mk
-include $(shell find $(B) -name '*.d' 2>/dev/null)

docs:
	@tests/man.sh
labels:
	@tests/labels.sh
faults:
	@tests/faults.sh
layers: $(B)/libshm/ring.o
	@tests/layers.sh
# Does each gate fail when it should? PLANTED="word ..." picks planted bugs.
.PHONY: test-the-tests
test-the-tests:
	@tests/planted/run.sh $(PLANTED)
.PHONY: model
model:
	@tests/model/run.sh

tsan:
	$(MAKE) B=build-tsan SAN=thread CFLAGS="-O1 -g" build-tsan/tests/unit/test_ring_threads
	tests/run.sh build-tsan test_ring_threads

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCDIR) \
	        $(addprefix $(DESTDIR)$(MANDIR)/man,1 5 8)
	install -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	install -m 644 libshm/torc.h libshm/torc_admin.h $(DESTDIR)$(INCDIR)
	install -m 644 $(LIBA) $(DESTDIR)$(LIBDIR)
	install -m 755 $(LIBSO) $(DESTDIR)$(LIBDIR)/libtorc.so.$(VERSION)
	ln -sf libtorc.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libtorc.so.$(SOMAJOR)
	ln -sf libtorc.so.$(SOMAJOR) $(DESTDIR)$(LIBDIR)/libtorc.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	        packaging/libtorc.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libtorc.pc
	for m in docs/man/*.[158]; do install -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,torc torcd torctop) $(DESTDIR)$(LIBDIR)/libtorc.* \
	        $(DESTDIR)$(LIBDIR)/pkgconfig/libtorc.pc $(addprefix $(DESTDIR)$(INCDIR)/,torc.h torc_admin.h)
	for m in docs/man/*.[158]; do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$$(basename $$m); done

help:
	@sed -n '3,9s/^# \{0,1\}//p' Makefile
	@echo "  make asan, tsan  sanitizer builds and their tests"
	@echo "  make aarch64     the library and its tests on AArch64, under qemu-user"
	@echo "                   of test, asan, aarch64 with TESTS=\"word ...\": the tests whose name holds a word"
	@echo "  make bench       measure speed; make bench-quick: its target table in a minute; make bench-count: instructions"
	@echo "  make model       the protocol's models, exhaustively; tests/model/run.sh --large: bigger instances"
	@echo "  make crash       kill and stop each role behind each store; TORC_CRASH_PASSES=9: at more of its passes"
	@echo "  make fuzz-smoke  fuzzers, 20 s each; make fuzz: 10 minutes each"
	@echo "  make test-the-tests  each gate finds the bugs planted for it (tests/planted); PLANTED=\"word ...\": those"
	@echo "  make labels      atomic pairs agree with docs/ARCHITECTURE.md"
	@echo "  make faults      every store that others can see has a fault point behind it"
	@echo "  make layers      includes follow the arrows of docs/ARCHITECTURE.md"
	@echo "  make docs        check the man pages"
	@echo "  make deps        install the packages of packaging/packages.txt"
