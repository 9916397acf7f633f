# bench.mk - the benchmark; included by the Makefile.
#
#   make bench          every figure of docs/PERFORMANCE.md: table, build/bench/results.json, plots as PNG
#   make bench-quick    the target table in less than a minute
#   make bench-page     the same, and put the report and the plots into docs/PERFORMANCE.md
#   make bench-count    count instructions per message, fail if they grew by more than 3 % (bench/instructions.txt)
#
# Other queues are measured beside torc where their packages are there (packaging/packages-bench.txt); nothing here is needed
# by `make all` or `make test`.

BENCH_SRC := $(filter-out bench/instructions.c,$(wildcard bench/*.c))
BENCH_OBJ := $(call obj,$(BENCH_SRC))
BENCH_BIN := $(B)/bench/torc-bench
CXX       ?= g++
NICE      ?= nice -n 5

# Looked for when something of the benchmark is built, and only then.
bench_have = $(shell echo '\#include <$(1)>' | $(2) -E -o /dev/null - 2>/dev/null && echo yes)
ifneq ($(filter bench% $(B)/bench/%,$(MAKECMDGOALS)),)
ifeq ($(call bench_have,zmq.h,$(CC) -x c),yes)
EXTRA_bench += -DWITH_ZMQ
BENCH_LIBS  += -lzmq
else
BENCH_LACKS += ZeroMQ (libzmq3-dev)
endif
ifeq ($(call bench_have,nng/nng.h,$(CC) -x c),yes)
EXTRA_bench += -DWITH_NNG
BENCH_LIBS  += -lnng
else
BENCH_LACKS += nng (libnng-dev)
endif
ifeq ($(call bench_have,boost/interprocess/ipc/message_queue.hpp,$(CXX) -x c++),yes)
EXTRA_bench += -DWITH_BOOST
BENCH_OBJ   += $(B)/bench/boost.o
BENCH_LD    := $(CXX)
else
BENCH_LACKS += boost message_queue (libboost-dev, g++)
endif
endif
BENCH_LD ?= $(CC)

# A package that came or went changes what is compiled.
BENCH_WITH := $(B)/bench/with.$(subst $(eval) ,_,$(strip $(subst -DWITH_,,$(EXTRA_bench))))
$(BENCH_WITH):
	@mkdir -p $(@D)
	@rm -f $(B)/bench/with.*
	@touch $@
$(addprefix $(B)/bench/,zmq.o nng.o boost_queue.o) $(BENCH_BIN): $(BENCH_WITH)

$(B)/bench/boost.o: bench/boost.cc bench/boost.h $(BENCH_WITH)
	@mkdir -p $(@D)
	$(call say,CXX,$<)$(CXX) -std=c++17 -pthread $(CFLAGS) -Wall -Wextra -c -o $@ $<
$(BENCH_BIN): $(BENCH_OBJ) $(LIBA)
	$(call say,LD,$@)$(BENCH_LD) -o $@ $(filter %.o %.a,$^) $(ALLLDFLAGS) $(BENCH_LIBS) -lrt
$(B)/bench/instructions: $(B)/bench/instructions.o $(LIBA)
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALLLDFLAGS)

.PHONY: bench bench-quick bench-build bench-count bench-plots bench-page
bench-build: $(BENCH_BIN)
	@$(if $(BENCH_LACKS),echo "bench: measured without: $(BENCH_LACKS)",:)
# The report goes to the terminal when it is whole: progress is told on stderr meanwhile.
bench: bench-build
	@$(NICE) $(BENCH_BIN) --json $(B)/bench/results.json --instructions bench/instructions.txt >$(B)/bench/report.txt; \
	 rc=$$?; cat $(B)/bench/report.txt; exit $$rc
	@bench/plot.sh $(B)/bench/results.json $(B)/bench
bench-quick: bench-build
	@$(NICE) $(BENCH_BIN) --quick --json $(B)/bench/quick.json --instructions bench/instructions.txt >$(B)/bench/quick.txt; \
	 rc=$$?; cat $(B)/bench/quick.txt; exit $$rc
bench-plots:
	@bench/plot.sh $(B)/bench/results.json $(B)/bench
bench-page: bench
	@bench/page.sh docs/PERFORMANCE.md $(B)/bench/report.txt $(B)/bench/results.json
bench-count: $(B)/bench/instructions
	@bench/instructions.sh --check $(B)/bench/instructions
