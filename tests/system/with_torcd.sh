#!/bin/sh
# with_torcd.sh - the data path beside a supervisor: a million lines to three readers are the same lines while torcd runs,
# while it is killed in the middle, and after the next one has adopted.
cd "$(dirname "$0")/../.."
. tests/system/cli_checks.inc
torcd=$B/bin/torcd
config=$work/torc.ini
cat >"$config" <<END
[bus]
root = $TORC_ROOT
name = default

[stream numbers]
lag = block
online_min = 0

[group idle]
command = sleep 1000
count = 2
start_delay = 0ms
start_jitter = 0ms
END
sums() { md5sum <"$work/sub.$1" | cut -d ' ' -f 1; }
round() { # round NAME COMMAND...: the command runs while the lines flow
        name=$1
        shift
        for i in 1 2 3; do
                "$torc" sub numbers -n 1000000 >"$work/sub.$i" 2>/dev/null &
                eval "sub$i=$!"
        done
        ok "$name: three readers" await consumers numbers 3
        seq 1 1000000 | "$torc" pub numbers --access exclusive >/dev/null 2>&1 &
        pub=$!
        "$@"
        wait $pub $sub1 $sub2 $sub3
        for i in 1 2 3; do
                is "$name: reader $i" "$expected" "$(sums $i)"
        done
}
pids() { "$torc" ctl status | awk '$1 ~ /^idle-/ { print $3 }' | sort; }
running() { [ "$(pids | grep -c '[0-9]')" -eq 2 ]; }

expected=$(seq 1 1000000 | md5sum | cut -d ' ' -f 1)
"$torcd" -c "$config" 2>"$work/torcd.log" &
first=$!
ok "torcd runs the group" await running
before=$(pids)
round "torcd running" true
round "torcd killed" kill -9 $first
wait $first 2>/dev/null
"$torcd" -c "$config" 2>>"$work/torcd.log" &
second=$!
ok "the next torcd answers" await running
is "the next torcd adopted the same members" "$before" "$(pids)"
round "torcd adopted" true
kill "$second"
wait "$second"
is "torcd ends cleanly" 0 $?
for p in $before; do
        ok "no member is left" sh -c '! kill -0 "$1" 2>/dev/null || grep -q "^State:.Z" /proc/$1/status' sh "$p"
done
finish
