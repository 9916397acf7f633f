#!/bin/sh
# readme.sh - the README's C example is examples/hello.c to the letter, compiles as it says, and runs; its torc.ini is
# valid; `make install` into a fresh place gives programs and a library that a foreign directory can use.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
passed=0 failed=0
check() {
        what=$1
        shift
        if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}
tmp=$(mktemp -d)
root=$(mktemp -d /dev/shm/torc-readme-XXXXXX)
trap 'rm -rf "$tmp" "$root"' EXIT
export XDG_RUNTIME_DIR="$root"

sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$tmp/readme.c"
check "README's example differs from examples/hello.c" cmp -s "$tmp/readme.c" examples/hello.c
check "README's example is at most 40 lines" [ "$(wc -l <examples/hello.c)" -le 40 ]

sed -n '/^    \[bus\]$/,/^    \$ torcd/p' README.md | sed 's/^    //; /^\$/d' >"$tmp/torc.ini"
check "README's torc.ini is refused" "$B/bin/torcd" --check -c "$tmp/torc.ini"

if [ "$B" = build ]; then
        make --no-print-directory install PREFIX="$tmp/usr" >"$tmp/install.log" 2>&1 || cat "$tmp/install.log"
        export PKG_CONFIG_PATH="$tmp/usr/lib/pkgconfig" LD_LIBRARY_PATH="$tmp/usr/lib"
        cp examples/hello.c "$tmp/hello.c"
        check "hello.c does not build against the installed library" \
                sh -c 'cd "$1" && cc -o hello hello.c $(pkg-config --cflags --libs libtorc)' sh "$tmp"
        check "the shared library has no soname" sh -c 'readelf -d "$1" | grep -q "soname.*libtorc.so.0"' sh \
                "$tmp/usr/lib/libtorc.so"
        check "the library exports more than torc_*" sh -c \
                '! nm -D --defined-only "$1" | grep -vE " (A|T|D|B|R) (torc_|LIBTORC_)" | grep -q .' sh \
                "$tmp/usr/lib/libtorc.so"
        command -v c++ >/dev/null 2>&1 && check "the header is not C++-safe" sh -c 'echo "#include <torc_admin.h>" | c++ -I"$1" -fsyntax-only -x c++ -' sh \
                "$tmp/usr/include"
        check "uninstall leaves something behind" sh -c \
                'make --no-print-directory uninstall PREFIX="$1/usr" >/dev/null 2>&1; [ -z "$(find "$1/usr" -type f -o -type l)" ]' sh "$tmp"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
