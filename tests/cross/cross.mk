# cross.mk - the library and its tests on AArch64, under qemu-user; included by the Makefile.
#
#   make aarch64                 libtorc, examples and tests built with gcc-aarch64-linux-gnu, and the tests run
#   make aarch64 TESTS=test_ring those whose path holds "test_ring"; words separated by spaces
#
# cmocka for arm64 would need a foreign architecture in dpkg: a stand-in header does (tests/cross/cmocka.h). Without
# inih and ncurses for arm64, what needs them stays out: torc, torcd, torctop, and the tests named below.
#
# qemu runs AArch64's instructions on the host's memory, whose ordering is stronger on x86-64: what is shown here is that
# nothing depends on x86's types, alignment, instructions or system calls. That the orders suffice is argued in
# docs/ARCHITECTURE.md and checked by ThreadSanitizer, which believes the orders and not the machine.

CROSS      ?= aarch64-linux-gnu-
CROSS_B    ?= build-aarch64
CROSS_RUN  ?= qemu-aarch64 -L /usr/aarch64-linux-gnu
CROSS_MAKE  = $(MAKE) --no-print-directory CC=$(CROSS)gcc B=$(CROSS_B) PKG=false CFLAGS="-O2 -g -Itests/cross"

# Not here: test_conf needs inih; review_steps single-steps x86-64 and flip_bytes takes a minute; the others drive torcd and
# torctop.
CROSS_NOT := test_conf review_steps flip_bytes $(patsubst tests/system/%.c,%,$(wildcard tests/system/torcd_*.c tests/system/torctop_*.c))
CROSS_TESTS = $(filter-out $(addprefix %/,$(CROSS_NOT)),$(call picked,$(UNITS) $(SYSTESTS)))

.PHONY: aarch64 aarch64-check aarch64-build
aarch64-check:
	@command -v $(CROSS)gcc >/dev/null && command -v $(firstword $(CROSS_RUN)) >/dev/null || \
	{ echo "aarch64: $(CROSS)gcc or $(firstword $(CROSS_RUN)) is not here; install gcc-aarch64-linux-gnu, libc6-dev-arm64-cross" \
	  "and qemu-user ('make deps')" >&2; exit 1; }
aarch64-build: lib $(EXAMPLES) $(CROSS_TESTS)
aarch64: aarch64-check
	+@$(CROSS_MAKE) aarch64-build
	@echo "aarch64: not run: $(CROSS_NOT)"
	@TORC_TEST_RUN="$(CROSS_RUN)" tests/run.sh $(CROSS_B) $(patsubst $(B)/%,/%,$(CROSS_TESTS))
