# Fault injection: a build of its own, with a point behind each store (libshm/fault.h). Included by the Makefile.
CRASH_B := build-faults
CRASH_SRC := $(wildcard tests/crash/crash_*.c)
CRASH_TESTS := $(patsubst tests/crash/%.c,$(B)/tests/crash/%,$(CRASH_SRC))

.PHONY: crash crash-build
$(B)/tests/crash/%: $(B)/tests/crash/%.o $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(CMOCKA_LIBS)

crash-build: $(CRASH_TESTS)
crash:
	@$(MAKE) --no-print-directory B=$(CRASH_B) CFLAGS="-O1 -g -DTORC_FAULTS" crash-build
	@TORC_TEST_SECONDS=900 tests/run.sh $(CRASH_B) tests/crash/
