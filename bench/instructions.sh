#!/bin/sh
# instructions.sh [--check | --keep] PROGRAM - count the instructions of send + recv for a message, with callgrind.
#
#   --check   compare with bench/instructions.txt; fail if a figure grew by more than 3 %
#   --keep    write bench/instructions.txt
#
# Counted is what runs inside the library's two calls, the callback of torc_consumer_poll() included. Two runs that differ by
# 20480 messages only: what is not per message cancels out. The counts are the same on any machine with the same compiler and
# C library; the kernel is not counted, and nobody sleeps, so there is no system call to count.
set -eu
here=$(dirname "$0")
mode=print
case ${1-} in --check | --keep) mode=${1#--}; shift ;; esac
program=${1-build/bench/instructions}
kept=$here/instructions.txt
few=20480 many=40960
[ -x "$program" ] || { echo "bench: $program is not there; make bench-count builds it" >&2; exit 1; }
command -v valgrind >/dev/null 2>&1 || { echo "bench: instructions not counted: valgrind is not here"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

count() { # BATCH MESSAGES
        valgrind --tool=callgrind --callgrind-out-file="$tmp/out" --toggle-collect=torc_producer_send \
                --toggle-collect=torc_producer_send_batch --toggle-collect=torc_consumer_recv \
                --toggle-collect=torc_consumer_poll "$program" "$1" "$2" >"$tmp/log" 2>&1 ||
                { cat "$tmp/log" >&2; exit 1; }
        sed -n 's/^summary: \([0-9]*\).*/\1/p;s/^totals: \([0-9]*\).*/\1/p' "$tmp/out" | head -n 1
}
each() { # BATCH
        a=$(count "$1" $few)
        b=$(count "$1" $many)
        awk -v a="$a" -v b="$b" -v n=$((many - few)) 'BEGIN { printf "%.1f\n", (b - a) / n }'
}
{
        echo "# Instructions for one message of 32 bytes, sent and received, counted by callgrind: bench/instructions.sh"
        echo "# $(${CC:-gcc} --version | head -n 1), $(uname -m), CFLAGS ${CFLAGS:--O2 -g}"
        echo "batch1 $(each 1)"
        echo "batch64 $(each 64)"
} >"$tmp/now"
cat "$tmp/now"
case $mode in
keep) cp "$tmp/now" "$kept" ;;
check)
        awk 'FNR == NR { if ($1 !~ /^#/) kept[$1] = $2; next }
             $1 in kept { seen++; if ($2 > kept[$1] * 1.03) { bad = 1; printf "bench: %s: %s, was %s: more than 3 %% up\n", $1, $2, kept[$1] } }
             END { if (!seen) { print "bench: nothing to compare with in bench/instructions.txt"; bad = 1 } exit bad }' \
                "$kept" "$tmp/now" && echo "bench: no growth"
        ;;
esac
