#!/bin/sh
# selftest.sh BUILD-DIR [PATTERN...] - does each fuzzer find a bug when there is one? Each patch of tests/fuzz/plants,
# TARGET-WHAT.patch, takes a check out of the code; the target is built with it in a copy of the tree, and has 240 s
# of running to fail: seconds on a machine that has nothing else to do. Ends with a line that counts.
set -u
B=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' INT TERM HUP
passed=0 failed=0
export ASAN_OPTIONS=allocator_may_return_null=1

wanted() {
        name=$1
        shift
        [ $# -gt 0 ] || return 0
        for p; do case $name in *$p*) return 0 ;; esac done
        return 1
}

say() { printf '%-40s %-7s %s\n' "$1" "$2" "$3"; }

fuzz() { # TARGET SECONDS: the output is in $copy/log
        mkdir -p "$copy/new"
        seeds=
        [ ! -d "$here/corpus/$1" ] || seeds="$here/corpus/$1"
        [ "$1" != conf ] || seeds="$seeds $here/../golden/conf"
        case $1 in text | conf) length=-max_len=4096 ;; *) length="-max_len=700 -len_control=0" ;; esac
        # -timeout: a plant may make an endless loop; -seed: the same luck each time
        # shellcheck disable=SC2086
        nice -n 19 "$copy/$B/tests/fuzz/fuzz_$1" -max_total_time="$2" -timeout=10 -seed=7 $length -rss_limit_mb=2048 \
                -artifact_prefix="$copy/found-" "$copy/new" $seeds >"$copy/log" 2>&1 </dev/null
        code=$?
        rm -rf "$copy/new"
        return $code
}

# Times are kept, so that make builds what a patch has touched and nothing else.
(cd "$top" && tar -cf - --exclude=./.git --exclude='./build*' .) | tar -xf - -C "$copy" || exit 1
mkdir "$copy/$B"
for d in libshm conf supervisor tui tests; do [ ! -d "$top/$B/$d" ] || cp -a "$top/$B/$d" "$copy/$B"; done

for patch in "$here"/plants/*.patch; do
        name=$(basename "$patch" .patch) target=${patch##*/}
        target=${target%%-*}
        wanted "$name" "$@" || continue
        file=$(sed -n 's|^+++ b/||p' "$patch")
        cp -a "$copy/$file" "$copy/before"
        if ! patch -s -d "$copy" -p1 <"$patch" >"$copy/log" 2>&1 ||
                ! make -C "$copy" -s CC="${FUZZ_CC:-clang}" B="$B" SAN=fuzzer-no-link,address,undefined CFLAGS="-O1 -g" \
                        "$B/tests/fuzz/fuzz_$target" >"$copy/log" 2>&1; then
                failed=$((failed + 1))
                say "$name" FAILED "the patch or the build does not work any more:"
                tail -n 10 "$copy/log"
        elif start=$(date +%s) && fuzz "$target" 240; then
                failed=$((failed + 1))
                say "$name" FAILED "240 s have not found it"
        elif grep -q 'Test unit written to' "$copy/log"; then
                passed=$((passed + 1))
                say "$name" found "after $(($(date +%s) - start)) s: $(sed -n 's/^SUMMARY: //p; /does not hold/p' "$copy/log" |
                        head -n 1 | cut -c1-90)"
        else
                failed=$((failed + 1))
                say "$name" FAILED "it ended otherwise:"
                tail -n 10 "$copy/log"
        fi
        # The old file with a new time: the next build compiles it again.
        cp "$copy/before" "$copy/$file"
        rm -f "$copy"/found-* "$copy/$file.orig" "$copy/$file.rej"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
