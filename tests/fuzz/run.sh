#!/bin/sh
# run.sh BUILD-DIR SECONDS [TARGET...] - run the fuzzers one after the other, each for SECONDS, politely, and end with
# one line that counts them; SECONDS 0: run the seeds only, which is the same each time. New inputs go to
# BUILD-DIR/corpus/TARGET, the one that failed to BUILD-DIR/crashes, with the command that repeats it. Failures: any
# report of ASan, UBSan or LeakSanitizer, a broken MUST(), an input that takes longer than 30 s, more than 2 GiB.
#   FUZZ_SEED=N   the same choices each time, and nothing kept from earlier runs; how far they get is the machine's
set -u
B=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- ring text state conf control bus
passed=0 failed=0
mkdir -p "$B/crashes"
# allocator_may_return_null: a hostile size is ENOMEM, as it is without the sanitizer.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1:quarantine_size_mb=16"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}print_stacktrace=1"

for t; do
        corpus="$B/corpus/$t" log="$B/fuzz_$t.log"
        if [ -n "${FUZZ_SEED:-}" ]; then
                corpus="$B/corpus-seeded/$t"
                rm -rf "$corpus"
        fi
        mkdir -p "$corpus"
        seeds=
        [ ! -d "$here/corpus/$t" ] || seeds="$here/corpus/$t"
        [ "$t" != conf ] || seeds="$seeds $here/../golden/conf"
        limit="-max_total_time=$seconds ${FUZZ_SEED:+-seed=$FUZZ_SEED}"
        [ "$seconds" -gt 0 ] || limit="-runs=0"
        case $t in text | conf) length="-max_len=4096" ;; *) length="-max_len=700 -len_control=0" ;; esac
        if nice -n 19 "$B/tests/fuzz/fuzz_$t" $limit -timeout=30 -rss_limit_mb=2048 $length \
                -print_final_stats=1 -artifact_prefix="$B/crashes/$t-" "$corpus" $seeds \
                >"$log" 2>&1 </dev/null; then
                passed=$((passed + 1)) verdict=ok
        else
                failed=$((failed + 1)) verdict=FAILED
        fi
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        printf '%-10s %-6s %10s executions, %5s edges\n' "$t" $verdict "${runs:-?}" "${cover:-?}"
        [ $verdict = ok ] || { grep -v '^#' "$log" | tail -n 60 | sed 's/^/    /'
                echo "    repeat: $B/tests/fuzz/fuzz_$t $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"; }
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
