#!/bin/sh
# labels.sh - every atomic pair named in the code has both sides there and a row in docs/ARCHITECTURE.md, and the table
# names no pair that the code does not have. Every acquire, release and seq_cst access or fence in libshm carries the label
# of its pair: on its line, or in a comment not more than eight lines above it in the same function.
set -eu
cd "$(dirname "$0")/.."
bad=0
# Each comment on a line of its own, without the partners it names: those are the other side's labels.
code=$(cat libshm/*.c libshm/*.h | tr '\n' ' ' | sed -E 's|\*/|\n|g' | sed -E 's/ +\* +/ /g; s/ +/ /g' |
        sed -E 's/pairs? with( and|,| \[[a-z]+\.[wr]\])+//g' | grep -o '\[[a-z]*\.[wr]\]' | sort -u)
table=$(grep -o '^| \[[a-z]*\.w\]' docs/ARCHITECTURE.md | grep -o '[a-z]*\.w' | sed 's/\.w//' | sort -u)
pairs=$(echo "$code" | sed 's/\[\([a-z]*\)\..\]/\1/' | sort -u)
for p in $pairs; do
        for side in w r; do
                echo "$code" | grep -qF "[$p.$side]" || { echo "labels: [$p.$side] is nowhere in libshm/"; bad=1; }
        done
        echo "$table" | grep -qx "$p" || { echo "labels: pair $p has no row in docs/ARCHITECTURE.md"; bad=1; }
done
for p in $table; do
        echo "$pairs" | grep -qx "$p" || { echo "labels: docs/ARCHITECTURE.md names $p, the code does not"; bad=1; }
done
# Orders are explicit: no atomic access without one.
if grep -nE 'atomic_(load|store|exchange|fetch_[a-z]+|compare_exchange_[a-z]+)\(' libshm/*.c libshm/*.h; then
        echo "labels: an atomic access without an explicit order"
        bad=1
fi
# An order without a label is an order that nobody has argued for.
awk 'FNR == 1 || /^}/ { last = -99 }
     /\[[a-z]+\.[wr]\]/ { last = FNR }
     /memory_order_(acquire|release|acq_rel|seq_cst)/ && !/^ *\/?\*/ && FNR - last > 8 {
             printf "labels: %s:%d: an order without its pair\n", FILENAME, FNR
             found = 1
     }
     END { exit found }' libshm/*.c libshm/*.h || bad=1
[ $bad -eq 0 ] && echo "labels: $(echo "$pairs" | wc -l) pairs, code and docs/ARCHITECTURE.md agree"
exit $bad
