#!/bin/sh
# Install the packages of packages.txt that are missing, when apt and the rights are there; else say what to install.
# --quiet: leave out those marked "gate", and say nothing when nothing is missing.
set -eu
here=$(dirname "$0")
if [ "${1-}" = --quiet ]; then
        packages=$(grep -v '# gate' "$here/packages.txt" | sed 's/#.*//')
else
        packages=$(sed 's/#.*//' "$here/packages.txt")
fi
command -v dpkg-query >/dev/null 2>&1 || { [ "${1-}" = --quiet ] || echo "deps: no dpkg here; install the equivalents of:" $packages; exit 0; }
missing=
for p in $packages; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || { [ "${1-}" = --quiet ] || echo "deps: everything is installed"; exit 0; }
as_root=
if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"
        else
                echo "deps: missing packages:$missing" >&2
                echo "deps: run: sudo apt-get install$missing" >&2
                exit 1
        fi
fi
echo "deps: installing$missing"
$as_root apt-get update -qq || true
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
