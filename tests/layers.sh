#!/bin/sh
# layers.sh - includes follow the arrows of docs/ARCHITECTURE.md. A line of the table below: file or folder, then the
# headers it may include in quotes.
set -eu
cd "$(dirname "$0")/.."
bad=0
allow() { # allow FILES-GLOB HEADER-REGEX
        for f in $1; do
                [ -f "$f" ] || continue
                out=$(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f" | grep -vxE "$2" || true)
                [ -z "$out" ] || { echo "layers: $f may not include:" $out; bad=1; }
        done
}
own() { # the headers of a folder
        ls "$1" | grep -E '\.(h|def)$' | sed 's/[.]/[.]/g' | paste -sd'|'
}
public='torc[.]h'
admin='torc[.]h|torc_admin[.]h'
allow "libshm/ring.c libshm/ring.h" 'abi[.]h|ring[.]h|fault[.]h'
allow "libshm/abi.h" 'nothing'
allow "libshm/wait.c libshm/wait.h" 'abi[.]h|wait[.]h|fault[.]h'
allow "libshm/handle.c libshm/handle.h" 'handle[.]h|torc[.]h'
allow "libshm/file.c libshm/file.h" 'file[.]h|wait[.]h|fault[.]h'
allow "libshm/bus.c libshm/bus.h" "abi[.]h|bus[.]h|fault[.]h|file[.]h|handle[.]h|name[.]h|wait[.]h|$admin"
allow "libshm/stream.c libshm/reap.c libshm/stream.h" "abi[.]h|bus[.]h|fault[.]h|file[.]h|handle[.]h|name[.]h|wait[.]h|ring[.]h|stream[.]h|$admin"
allow "libshm/limit.c libshm/limit.h libshm/access.c libshm/access.h" "stream[.]h|limit[.]h|access[.]h|fault[.]h"
allow "libshm/*.c" "$(own libshm)"
allow "conf/*.[ch]" "$(own conf)|ini[.]h|$admin"
allow "supervisor/*.[ch]" "$(own supervisor)|conf[.]h|$admin"
allow "tui/*.[ch]" "$(own tui)|$admin"
allow "cli/*.[ch]" "$(own cli)|conf[.]h|units[.]h|$admin"
allow "bench/*.[ch]" "$(own bench)|$admin"
allow "examples/*.[ch]" "$(own examples)|$public"
# ring.c works on raw memory: no system call, no allocation.
if nm -u build/libshm/ring.o 2>/dev/null | grep -vE '_GLOBAL_OFFSET_TABLE_|__stack_chk|__asan|__tsan|__ubsan|memcpy|memset' | grep -q U; then
        echo "layers: ring.o calls out:"; nm -u build/libshm/ring.o; bad=1
fi
[ $bad -eq 0 ] && echo "layers: all includes follow the arrows"
exit $bad
