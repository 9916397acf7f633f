#!/bin/sh
# run.sh [--large] [PATTERN...] - check the models of the protocol with spin, each instance exhaustively, and check that
# each rule of the protocol is needed: with the rule left out (-DBROKEN_...), spin has to find a counterexample. One line
# an instance, with its states and the time of the search, then a line that counts them. PATTERN picks instances by a part
# of their line in `instances`.
#   --large      the bigger instances, which take minutes and gigabytes each
#   TORC_MODEL_JOBS (2), TORC_MODEL_SECONDS (900), TORC_MODEL_MB (3000)   bounds, the last two for each instance
# To see a counterexample: tests/model/run.sh --trail PATTERN
set -u
here=$(cd "$(dirname "$0")" && pwd)
jobs=${TORC_MODEL_JOBS:-2} seconds=${TORC_MODEL_SECONDS:-900} mb=${TORC_MODEL_MB:-3000}

# One instance: "ok|bad|large|largebad MODEL FLAGS...". Prints "ok ..." or "FAILED ...".
check() {
        expect=$1 model=$2
        shift 2
        dir=$(mktemp -d "$TORC_MODEL_DIR/XXXXXX") && cd "$dir" || exit 1
        verdict=FAILED result=
        optimize=-O1 # compiling takes longer than most searches
        [ "$expect" = ok ] || optimize=-O0
        case $expect in large*) optimize=-O2 expect=${expect#large} ;; esac
        if ! spin -a "$@" "$here/$model.pml" >log 2>&1 ||
                ! gcc $optimize -w -DSAFETY -DCOLLAPSE -DMEMLIM="$mb" -o pan pan.c >>log 2>&1; then
                result="does not build: $(head -n 1 log)"
        else
                nice timeout "$seconds" ./pan -m200000 >log 2>&1
                [ $? -ne 124 ] || result="not done after $seconds s"
                errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' log)
                found=$(sed -n 's/^pan:[0-9]*: \(assertion violated\|invalid end state\).*/\1/p' log | head -n 1)
                states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' log)
                took=$(sed -n 's/^pan: elapsed time \([0-9.]*\) seconds.*/\1/p' log)
                took="$states states, ${took:-?} s"
                if grep -q -e 'out of memory' -e 'memory limit' -e 'max search depth too small' -e 'Search not completed' log &&
                        [ -z "$found" ]; then
                        result=$(grep -h -m 1 -e memory -e 'max search depth' log)
                elif [ "$expect" = bad ] && [ -n "$found" ]; then
                        verdict=ok result="counterexample: $found; $took"
                elif [ "$expect" != bad ] && [ "$errors" = 0 ]; then
                        verdict=ok result=$took
                elif [ -z "$result" ]; then
                        result=${found:-$([ "$errors" = 0 ] && echo "no counterexample" || tail -n 1 log)}
                fi
        fi
        printf '%-6s %-7s %s: %s\n' "$verdict" "$model" "$(echo "$*" | sed 's/-D//g')" "$result"
        if [ -n "${TORC_MODEL_TRAIL:-}" ] && [ -f "$model.pml.trail" ]; then
                spin -t -k "$model.pml.trail" -p -g "$@" "$here/$model.pml" 2>/dev/null | sed "s|$here/||"
        fi
        cd / && rm -rf "$dir"
}

if [ "${1:-}" = --check ]; then # one line of `instances`, from xargs
        # shellcheck disable=SC2086
        check $2
        exit
fi
kinds='ok|bad'
case ${1:-} in
--large) kinds='large|largebad' seconds=${TORC_MODEL_SECONDS:-3600} mb=${TORC_MODEL_MB:-12000} && shift ;;
--trail) export TORC_MODEL_TRAIL=1 && shift ;;
-*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
command -v spin >/dev/null || { echo "run.sh: spin is not installed; 'make deps' installs it" >&2; exit 2; }

TORC_MODEL_DIR=$(mktemp -d) && export TORC_MODEL_DIR TORC_MODEL_SECONDS="$seconds" TORC_MODEL_MB="$mb"
trap 'rm -rf "$TORC_MODEL_DIR"' EXIT
trap 'exit 130' INT TERM
pick=$(printf '%s\n' "${@:-.}" | paste -s -d '|')
grep -E "^($kinds) " "$here/instances" | grep -E -e "$pick" |
        xargs -P "$jobs" -d '\n' -n 1 "$0" --check | tee "$TORC_MODEL_DIR/results"
passed=$(grep -c '^ok ' "$TORC_MODEL_DIR/results")
failed=$(grep -c '^FAILED ' "$TORC_MODEL_DIR/results")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
