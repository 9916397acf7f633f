#!/bin/sh
# faults.sh - every store in libshm that others can see has a fault point behind it, before the next store; every point
# of fault.def stands in the code once, and no other does. (That each is reached, make crash tells.)
#
# A store is: an atomic store, exchange, RMW or CAS; memcpy, memset, snprintf and the like into a mapped record; a file
# operation that changes what others find. Exempt are atomics of the process alone (handle.c, and the names below), and
# places marked "no FAULT here", up to the end of their block: their file has no name yet.
set -eu
cd "$(dirname "$0")/.."
bad=0

find_bare() {
        awk '
        function report() {
                if (pending != "") {
                        printf "faults: %s:%d: a store without a point: %s\n", FILENAME, at, pending
                        found = 1
                }
                pending = ""
        }
        function statement(text) {
                if (text ~ /FAULT\([a-z]/) {
                        pending = ""
                        return
                }
                if (exempt)
                        return
                if (text ~ /atomic_(store|exchange|fetch_[a-z]+|compare_exchange_[a-z]+)_explicit *\(/ ? text !~ own : \
                    text ~ /[^a-z_](link|unlink|rename|mkdir|mkfifo|mknod|symlink)(at|at2)? *\(/ || \
                    text ~ /[^a-z_](f?chmod(at)?|pwrite|ftruncate|fallocate) *\(/ && text !~ unnamed || \
                    text ~ /[^a-z_](write|copy_in) *\(/ || \
                    text ~ /[^a-z_]F_OFD_SETLK,/ || \
                    text ~ /(memcpy|memset|snprintf|meta_encode) *\((peer->|rec->|p->(name|fencer)|s->ctl->|\(unsigned char \*\)shared|producer_body|to, data|meta, meta_len, body)/) {
                        report()
                        pending = text
                        gsub(/^[ \t]+/, "", pending)
                        pending = substr(pending, 1, 70)
                        at = FNR
                }
        }
        BEGIN {
                own = "wait_registered|wait_unsure|->dead|[>.]canceled|&counter"
                unnamed = "\\(fd, (perm->mode|cfg->mode)|pwrite\\(fd, file, offsetof"
        }
        FNR == 1 { report(); exempt = 0; text = "" }
        /no FAULT here|No FAULT here/ { exempt = 1; depth = match($0, /[^ ]/) }
        {
                line = $0
                # Comments go; they may span lines.
                if (comment) {
                        if (!sub(/^.*\*\//, "", line))
                                next
                        comment = 0
                }
                gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
                if (sub(/\/\*.*$/, "", line))
                        comment = 1
                text = text " " line
                if (line ~ /[;{}:] *$/) {
                        statement(text)
                        text = ""
                }
        }
        /^}/ { report(); exempt = 0 }
        exempt && /^ +}/ && match($0, /[^ ]/) < depth { exempt = 0 }
        END { report(); exit found }
        ' "$@"
}

# handle.c: lists and flags of the process. fault.*: the points themselves. copy.h: it is its callers who store.
files=$(ls libshm/*.c libshm/*.h | grep -vE 'libshm/(handle|fault|copy)[.]')
# shellcheck disable=SC2086
find_bare $files || bad=1

list=$(sed -n 's/^FAULT_POINT(\([a-z0-9_]*\)).*/\1/p' libshm/fault.def | sort)
# shellcheck disable=SC2086
code=$(cat $files | grep -o 'FAULT([a-z][a-z0-9_]*)' | sed 's/FAULT(\(.*\))/\1/' | sort)
for p in $(echo "$list" | uniq -d); do
        echo "faults: $p stands in fault.def twice"
        bad=1
done
for p in $(echo "$code" | uniq -d); do
        echo "faults: $p stands in the code twice"
        bad=1
done
for p in $list; do
        echo "$code" | grep -qx "$p" || { echo "faults: $p is nowhere in the code"; bad=1; }
done
for p in $code; do
        echo "$list" | grep -qx "$p" || { echo "faults: $p is not in fault.def"; bad=1; }
done
[ $bad -eq 0 ] && echo "faults: $(echo "$list" | wc -l) points, one behind each store"
exit $bad
