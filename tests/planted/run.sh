#!/bin/sh
# run.sh [PATTERN...] - does each gate find a bug when there is one? Each patch GATE-WHAT.patch beside this script plants one
# in a copy of the tree. Its head says, in a line each:
#
#   run: COMMAND        the cheapest form of `make GATE` that has to find it; it has to fail,
#   finds: REGEX        with this in its output: a patch that merely breaks the build is not found
#   first: COMMAND      has to succeed before the patch is applied: a gate that always fails finds nothing. Without this
#                       line it is the command of `run`; "true" where the gate passes elsewhere and takes long
#
# What is built already is copied too, so that little is compiled. PATTERN picks patches by a part of their name. Ends with
# a line that counts.
#   TORC_PLANTED_SECONDS (600)   bound for each command
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
seconds=${TORC_PLANTED_SECONDS:-600}
work=$(mktemp -d)
copy=$work/tree log=$work/log
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
passed=0 failed=0
# Bugs leave things behind, and others may be at work.
export TORC_TEST_SHARED_MACHINE=1

wanted() {
        name=$1
        shift
        [ $# -gt 0 ] || return 0
        for p; do case $name in *$p*) return 0 ;; esac done
        return 1
}

head_line() { # KEY PATCH
        sed -n "/^--- /q; s/^$1: *//p" "$2"
}

command_in_copy() { # COMMAND: its output is in $log
        (cd "$copy" && exec nice -n 10 timeout -k 10 "$seconds" sh -c "$1") >"$log" 2>&1 </dev/null
}

bad() { # NAME WHAT: and the end of the log
        failed=$((failed + 1))
        printf '%-44s %-7s %s\n' "$1" FAILED "$2"
        tail -n 25 "$log" | sed 's/^/    /'
}

# Has the command succeeded in the tree as it is? Asked once for each.
succeeds() {
        grep -qxF -- "$1" "$work/good" 2>/dev/null && return 0
        command_in_copy "$1" || return 1
        echo "$1" >>"$work/good"
}

files_of() { sed -n 's|^+++ b/\([^\t]*\).*|\1|p' "$1"; }

keep() { # the files of a patch, as they are
        rm -rf "$work/before"
        for f in $(files_of "$1"); do
                mkdir -p "$work/before/$(dirname "$f")"
                [ ! -f "$copy/$f" ] || cp -p "$copy/$f" "$work/before/$f"
        done
}

restore() { # with a new time, so that the next build compiles them again
        for f in $(files_of "$1"); do
                if [ -f "$work/before/$f" ]; then cp "$work/before/$f" "$copy/$f"; else rm -f "$copy/$f"; fi
                rm -f "$copy/$f.orig" "$copy/$f.rej"
        done
}

check() {
        patch=$1 name=$2
        run=$(head_line run "$patch") finds=$(head_line finds "$patch") first=$(head_line first "$patch")
        : >"$log"
        if [ -z "$run" ] || [ -z "$finds" ]; then
                bad "$name" "its head lacks run: or finds:"
                return
        fi
        if ! succeeds "${first:-$run}"; then
                bad "$name" "without the bug already: ${first:-$run}"
                return
        fi
        keep "$patch"
        start=$(date +%s)
        if ! patch -s -d "$copy" -p1 <"$patch" >"$log" 2>&1; then
                bad "$name" "the patch does not apply any more"
        elif command_in_copy "$run"; then
                bad "$name" "not found by: $run"
        elif ! grep -qE -- "$finds" "$log"; then
                bad "$name" "failed, but not with: $finds"
        else
                passed=$((passed + 1))
                printf '%-44s %-7s after %d s: %s\n' "$name" found $(($(date +%s) - start)) \
                        "$(grep -E -m 1 -- "$finds" "$log" | sed 's/^ *//' | cut -c1-110)"
        fi
        restore "$patch"
}

mkdir "$copy"
# Times are kept, so that make builds what a patch has touched and nothing else.
(cd "$top" && tar -cf - --exclude=./.git --exclude='./build*/corpus*' --exclude='./build*/crashes' .) |
        tar -xf - -C "$copy" || exit 1
for patch in "$here"/*.patch; do
        name=$(basename "$patch" .patch)
        wanted "$name" "$@" && check "$patch" "$name"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
