#!/bin/sh
# run.sh BUILD-DIR [PATTERN...] - run the tests that are built there, one after the other, each with a bound on its time,
# and end with one line that counts them. A test that exits non-zero, hangs, or counts no test has failed. Checks that no
# file in /dev/shm is left behind. What failed is told twice: in full where it happened, and the end of its log once more
# before the closing line, because the front of a long output is what gets lost.
#   TORC_TEST_SECONDS (300)       bound for each test
#   TORC_TEST_SHARED_MACHINE=1    others use this machine: what appears in /dev/shm may be theirs
#   TORC_TEST_RUN="qemu-..."      a command to run built tests by; scripts are not run then, nor are the programs they need
set -u
B=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
limit=${TORC_TEST_SECONDS:-300}
passed=0 failed=0 skipped=0
tail_lines=40
log=$(mktemp)
failures=$(mktemp)
trap 'rm -f "$log" "$failures"' EXIT

wanted() { # does the name match one of the patterns, if there are any?
        name=$1
        shift
        [ $# -gt 0 ] || return 0
        for p in "$@"; do
                case $name in *$p*) return 0 ;; esac
        done
        return 1
}

number() { # the number before a word in cmocka's closing lines: "[  PASSED  ] 12 test(s)."
        sed -n "s/^\[ *$1 *\] \([0-9][0-9]*\) test(s).*/\1/p" "$log" | awk '{ n += $1 } END { print n + 0 }'
}

plain() { # the number before a word in "12 passed, 0 failed, 1 skipped"
        sed -n "s/^\(.*[ :,]\)\{0,1\}\([0-9][0-9]*\) $1\(,.*\)\{0,1\}$/\2/p" "$log" | tail -n 1
}

count() {
        p=$(number PASSED) f=$(number FAILED) s=$(number SKIPPED)
        if [ $((p + f + s)) -eq 0 ]; then
                p=$(plain passed) f=$(plain failed) s=$(plain skipped)
        fi
        p=${p:-0} f=${f:-0} s=${s:-0}
}

run() {
        name=$1
        shift
        B=$B TORC_TEST_BUILD=$B timeout -k 5 "$limit" "$@" >"$log" 2>&1 </dev/null
        status=$?
        count
        verdict=ok
        if [ $status -ne 0 ] || [ $((p + f + s)) -eq 0 ]; then
                [ "$f" -gt 0 ] || f=1
                [ $status -ne 124 ] || echo "run.sh: $name took more than $limit s" >>"$log"
        fi
        if [ "$f" -gt 0 ]; then
                verdict=FAILED
                sed "s/^/    /" "$log"
                { echo "  $name, exit status $status, the last lines of its log:"; tail -n $tail_lines "$log" | sed 's/^/    /'; } >>"$failures"
        fi
        printf '%-40s %-6s %d passed, %d failed, %d skipped\n' "$name" $verdict "$p" "$f" "$s"
        [ "$s" -eq 0 ] || grep -i 'skip' "$log" | grep -v '^\[' | head -n 5 | sed 's/^/    /'
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

before=$(ls -A /dev/shm 2>/dev/null | sort)
for t in "$B"/tests/unit/test_* "$B"/tests/system/* "$B"/tests/crash/crash_*; do
        case $t in *.o | *.d) continue ;; esac
        [ -x "$t" ] && [ -f "$t" ] || continue
        # shellcheck disable=SC2086 # a command and its arguments
        wanted "$t" "$@" && run "$(basename "$t")" ${TORC_TEST_RUN:-} "$t"
done
for t in "$here"/system/*.sh "$here"/doc/*.sh; do
        [ -f "$t" ] && [ -z "${TORC_TEST_RUN:-}" ] || continue
        wanted "$t" "$@" && run "$(basename "$t")" sh "$t"
done
left=$(ls -A /dev/shm 2>/dev/null | sort | comm -13 /dev/fd/3 - 3<<END
$before
END
)
if [ -n "$left" ] && [ -z "${TORC_TEST_SHARED_MACHINE:-}" ]; then
        echo "  left behind in /dev/shm: $left" >>"$failures"
        failed=$((failed + 1))
fi
if [ -s "$failures" ]; then
        echo "failed tests:"
        cat "$failures"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
