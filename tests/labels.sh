#!/bin/sh
# labels.sh - every atomic pair named in the code has both sides there and a row in docs/ARCHITECTURE.md, and the table
# names no pair that the code does not have.
set -eu
cd "$(dirname "$0")/.."
bad=0
code=$(cat libshm/*.c libshm/*.h | grep -o '\[[a-z]*\.[wr]\]' | sort -u)
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
[ $bad -eq 0 ] && echo "labels: $(echo "$pairs" | wc -l) pairs, code and docs/ARCHITECTURE.md agree"
exit $bad
