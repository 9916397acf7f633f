#!/bin/sh
# seeds.sh BUILD-DIR [TARGET...] - make the seeds in tests/fuzz/corpus anew from what the fuzzers have found (BUILD-DIR/
# corpus, after `make fuzz`): of the smallest set that reaches the same, SEEDS (10) inputs of all sizes for each target.
set -eu
B=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- ring text state conf control bus
for t; do
        least=$(mktemp -d)
        nice -n 19 "$B/tests/fuzz/fuzz_$t" -merge=1 "$least" "$B/corpus/$t" >"$B/fuzz_$t.merge" 2>&1 </dev/null
        rm -rf "$here/corpus/$t"
        mkdir -p "$here/corpus/$t"
        # From the whole range of sizes: the small ones alone would all be about beginnings.
        ls -S "$least" | awk -v want="${SEEDS:-10}" '{ name[NR] = $0 }
                END { step = NR / want; if (step < 1) step = 1; for (i = 1; i <= NR; i += step) print name[int(i)] }' |
                while read -r f; do cp "$least/$f" "$here/corpus/$t/$(printf %.12s "$f")"; done
        rm -rf "$least"
        echo "$t: $(ls "$here/corpus/$t" | wc -l) seeds, $(cat "$here/corpus/$t"/* | wc -c) bytes"
done
