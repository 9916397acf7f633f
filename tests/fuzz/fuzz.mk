# fuzz.mk - the fuzzers (clang's libFuzzer with ASan and UBSan); included by the Makefile.
#
#   make fuzz           every target for FUZZ_SECONDS (600); new inputs stay in build-fuzz/corpus
#   make fuzz-smoke     every target for 20 s, from the seeds and always in the same order: FUZZ_SEED=1
#   make fuzz-seeds     every target over its seeds, nothing else: the same each time
#
# FUZZ="ring bus" picks targets. That each finds a bug when there is one, `make test-the-tests` shows (tests/planted).
# They are built apart from all else: clang, another set of flags, build-fuzz/.

FUZZ_CC      ?= clang
FUZZ_B       ?= build-fuzz
FUZZ_SECONDS ?= 600
FUZZ_MAKE     = $(MAKE) --no-print-directory CC=$(FUZZ_CC) B=$(FUZZ_B) SAN=fuzzer-no-link,address,undefined \
                CFLAGS="-O1 -g"

# What each target is linked from, and nothing else.
FUZZ_ring    := libshm/ring.c
FUZZ_text    := libshm/meta.c libshm/name.c libshm/error.c
FUZZ_state   := libshm/supervisor_state.c libshm/file.c libshm/wait.c
FUZZ_conf    := $(CONF_SRC) $(LIB_SRC)
FUZZ_control := $(filter-out $(addprefix supervisor/,torcd.c spawn.c proc.c sweep.c log.c),$(SUP_SRC)) $(CONF_SRC) $(LIB_SRC)
FUZZ_bus     := $(LIB_SRC) $(filter-out tui/torctop.c tui/term.c,$(TUI_SRC)) \
                tests/fuzz/guard_map.c tests/fuzz/bus_files.c

FUZZ_NAMES := ring text state conf control bus
FUZZ_BINS  := $(addprefix $(B)/tests/fuzz/fuzz_,$(FUZZ_NAMES))

define fuzz_rule
$(B)/tests/fuzz/fuzz_$(1): $(B)/tests/fuzz/fuzz_$(1).o $(call obj,$(FUZZ_$(1)))
	$$(call say,LD,$$@)$$(CC) -fsanitize=fuzzer -o $$@ $$^ $$(ALLLDFLAGS) $$(FUZZ_LD_$(1)) $$(INIH_LIBS) $$(BSD_LIBS)
endef
$(foreach t,$(FUZZ_NAMES),$(eval $(call fuzz_rule,$(t))))
# Every map has a page before and behind it that cannot be touched: guard_map.c.
FUZZ_LD_bus := -Wl,--wrap=mmap -Wl,--wrap=munmap $(CMOCKA_LIBS)

.PHONY: fuzz fuzz-smoke fuzz-seeds fuzz-build fuzz-targets fuzz-check
fuzz-targets: $(if $(FUZZ),$(addprefix $(B)/tests/fuzz/fuzz_,$(FUZZ)),$(FUZZ_BINS))
fuzz-check:
	@echo 'int main(void) { return 0; }' | $(FUZZ_CC) -x c -fsanitize=address,undefined -o /dev/null - 2>/dev/null || \
	{ echo "fuzz: $(FUZZ_CC) with its sanitizers is not here; install clang and libclang-rt-14-dev ('make deps')," \
	  "or name another clang with FUZZ_CC=" >&2; exit 1; }
fuzz-build: fuzz-check
	@$(FUZZ_MAKE) fuzz-targets
fuzz: fuzz-build
	@FUZZ_SEED=$(FUZZ_SEED) tests/fuzz/run.sh $(FUZZ_B) $(FUZZ_SECONDS) $(FUZZ)
fuzz-smoke: fuzz-build
	@FUZZ_SEED=$(or $(FUZZ_SEED),1) tests/fuzz/run.sh $(FUZZ_B) 20 $(FUZZ)
fuzz-seeds: fuzz-build
	@tests/fuzz/run.sh $(FUZZ_B) 0 $(FUZZ)
