# Fault injection: a build of its own, with a point behind each store (libshm/fault.h). Included by the Makefile.
CRASH_B := build-faults
CRASH_SRC := $(wildcard tests/crash/crash_*.c)
CRASH_TESTS := $(patsubst tests/crash/%.c,$(B)/tests/crash/%,$(CRASH_SRC))

.PHONY: crash crash-build
$(B)/tests/crash/%: $(B)/tests/crash/%.o $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(CMOCKA_LIBS)

# torcd, with a plan from the environment. It is no test: run.sh takes what is named crash_*.
$(B)/tests/crash/torcd: $(SUP_OBJ) $(B)/tests/crash/fault_env.o $(CONFA) $(LIBA)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS) $(INIH_LIBS) $(BSD_LIBS)

crash-build: $(CRASH_TESTS) $(B)/tests/crash/torcd
crash:
	@$(MAKE) --no-print-directory B=$(CRASH_B) CFLAGS="-O1 -g -DTORC_FAULTS" crash-build
	@TORC_TEST_SECONDS=900 tests/run.sh $(CRASH_B) $(or $(TESTS),tests/crash/)
