#!/bin/sh
# demo.sh - the demo's bounded run: a restart, a hand-over with epoch 2, nothing lost or doubled, nothing left behind.
set -u
cd "$(dirname "$0")/../.."
B=${B:-build}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
out=$(mktemp)
trap 'rm -f "$out"' EXIT
if B=$B TORC_DEMO_SECONDS=5 examples/demo.sh </dev/null >"$out" 2>&1; then ok; else bad "the demo ended with $?"; fi
for want in 'RESTART ' 'HAND-OVER .*epoch 2' 'nothing was lost, nothing came twice' \
        'telemetry: .* 0 lost' 'processes: .* 0 lost.* epoch 2' 'lost  *aborted 0, overwritten 0, disconnected 0'; do
        if grep -q "$want" "$out"; then ok; else bad "the demo does not say: $want"; fi
done
[ "$failed" -eq 0 ] || cat "$out"
if ls -d /dev/shm/torc-demo.* >/dev/null 2>&1; then bad "the demo leaves its directory behind"; else ok; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
