#!/bin/sh
# man.sh - the man pages are well-formed and there is one for each command and file format.
set -eu
cd "$(dirname "$0")/.."
bad=0
for m in torc.1 torctop.1 torcd.8 torc.ini.5; do
        [ -f "docs/man/$m" ] || { echo "docs: docs/man/$m is missing"; bad=1; continue; }
        out=$(mandoc -T lint -W warning "docs/man/$m" 2>&1 | grep -vE 'outdated mandoc.db|referenced manual not found|STYLE' || true)
        [ -z "$out" ] || { echo "$out"; bad=1; }
        mandoc -T utf8 "docs/man/$m" >/dev/null
done
[ $bad -eq 0 ] && echo "docs: man pages are well-formed"
exit $bad
