#!/bin/sh
# demo.sh - run the demo of conf/demo.ini on a private bus, and leave nothing behind.
#
# On a terminal it opens torctop and ends everything when that is left with q. Without one it runs for ten seconds, kills
# one producer of each group with SIGKILL, prints what happened, and exits 0 only if no message was lost or came twice.
#
#   B      directory of the build (build)
#   TORC_DEMO_SECONDS   how long to run without a terminal (10)
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/.." || exit 1

B=${B:-build}
SECONDS_TO_RUN=${TORC_DEMO_SECONDS:-10}
case $B in /*) ;; *) B=$PWD/$B ;; esac
BIN=$B/bin

say() { printf 'demo: %s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

for program in bin/torcd bin/torctop bin/torc examples/telemetry examples/procwatch examples/alerts; do
    [ -x "$B/$program" ] || die "$B/$program is missing: run make first"
done

# A tmpfs if there is one: that is where a bus belongs.
shm=/dev/shm
[ -d $shm ] && [ -w $shm ] || shm=${TMPDIR:-/tmp}
DIR=$(mktemp -d "$shm/torc-demo.XXXXXX") || die "no temporary directory can be made in $shm"
export TORC_DEMO_DIR="$DIR" TORC_DEMO_BIN="$B/examples" TORC_ROOT="$DIR/buses" TORC_BUS=demo
torcd='' alerts='' tail='' busy=''

# ---- ending ----

# The processes of this demo: whoever has its directory in the environment. This shell has it not, for what it exports
# shows in its children's environment only; nor have the commands used here.
ours() (
    mark="TORC_ROOT=$TORC_ROOT"
    unset TORC_ROOT
    for environ in /proc/[0-9]*/environ; do
        tr '\0' '\n' <"$environ" 2>/dev/null | grep -qxF "$mark" || continue
        environ=${environ#/proc/}
        echo "${environ%/environ}"
    done 2>/dev/null
)

running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Wait until a process is gone, at most so many tenths of a second.
gone() {
    for _ in $(seq "$2"); do
        running "$1" || return 0
        sleep 0.1
    done
    return 1
}

cleanup() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    for pid in $busy $tail $torcd; do
        running "$pid" && kill "$pid" 2>/dev/null
    done
    running "$torcd" && ! gone "$torcd" 80 && kill -9 "$torcd" 2>/dev/null
    running "$alerts" && kill "$alerts" 2>/dev/null && ! gone "$alerts" 20
    for pid in $(ours); do
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$DIR"
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

stop_torcd() {
    kill "$torcd" 2>/dev/null
    gone "$torcd" 100 || die "torcd did not end within 10 s of SIGTERM"
    wait "$torcd"
    torcd_status=$?
}

# ---- starting ----

"$BIN/torcd" --check -c conf/demo.ini || exit 1
"$BIN/torcd" -c conf/demo.ini >"$DIR/torcd.out" 2>&1 &
torcd=$!
"$B/examples/alerts" --check --cpu 40 >"$DIR/alerts.out" 2>&1 &
alerts=$!

# What alerts said last about a producer: its pid. "telemetry-1", or the last owner for "procwatch-[01]".
pid_of() { sed -n "s/.* $1 \(is back as \)\{0,1\}pid \([0-9]*\).*/\2/p" "$DIR/alerts.out" | tail -n 1; }

await_line() {
    for _ in $(seq "$2"); do
        grep -q "$1" "$DIR/alerts.out" && return 0
        running "$torcd" || break
        running "$alerts" || break
        sleep 0.1
    done
    return 1
}

not_up() {
    cat "$DIR/torcd.out" "$DIR/alerts.out" >&2
    cat "$DIR"/log/* 2>/dev/null >&2
    die "$1"
}
for name in telemetry-0 telemetry-1 telemetry-2 'procwatch-[01]'; do
    await_line "$name pid" 100 || not_up "$name does not publish"
done

# ---- on a terminal: watch ----

if [ -t 0 ] && [ -t 1 ]; then
    "$BIN/torctop" --root "$TORC_ROOT" --bus demo
    status=$?
    stop_torcd
    kill "$alerts" && gone "$alerts" 50
    cat "$DIR/alerts.out"
    wait "$alerts" || status=1
    alerts=''
    exit $status
fi

# ---- without one: show a restart and a hand-over ----

say "running on $TORC_ROOT; this is what alerts sees:"
tail -n +1 -f "$DIR/alerts.out" &
tail=$!

# Never kill a pid that is not, or no longer, the program it is meant to be.
kill_producer() {
    victim=$(pid_of "$1")
    [ "$(cat "/proc/${victim:-none}/comm" 2>/dev/null)" = "$2" ] || not_up "no $2 to kill"
    say "kill -9 $victim ($3)"
    kill -9 "$victim"
}

part=$((SECONDS_TO_RUN / 5))
sleep $part
kill_producer telemetry-1 telemetry "a member of the shared group"
await_line "RESTART .*telemetry-1 is back" 100 || not_up "telemetry-1 was not restarted"
sleep $part
kill_producer 'procwatch-[01]' procwatch "the owner of processes"
await_line "HAND-OVER processes: epoch 2" 100 || not_up "no standby took over"
sleep $part
say "two seconds of work for every processor"
for _ in $(seq "$(nproc)"); do
    timeout 2 sh -c 'while :; do :; done' &
    busy="$busy $!"
done
sleep $((part + 2))
kill $tail 2>/dev/null
tail=''

echo
say "torc ctl status"
"$BIN/torc" ctl status || not_up "torcd does not answer"
stop_torcd
echo
say "torc stat, after the supervisor has stopped its groups"
for stream in telemetry processes; do
    "$BIN/torc" stat $stream | tee "$DIR/$stream.stat" || not_up "torc stat $stream failed"
done
kill "$alerts"
gone "$alerts" 50 || not_up "alerts did not end"
wait "$alerts"
checked=$?
alerts=''

# ---- the verdict ----

sed -n '/^$/,$p' "$DIR/alerts.out"
echo

# A number from the books: total stream=NAME ... KEY=VALUE
total() { sed -n "s/^total stream=$1\( .*\)\{0,1\} $2=\([0-9]*\).*/\2/p" "$DIR/alerts.out"; }
# A number from the stream's own counters.
counter() { sed -n "s/.*[ ,]$2  *\([0-9][0-9]*\).*/\1/p" "$DIR/$1.stat" | head -n 1; }

# Numbers without gaps cannot show that a killed producer's LAST messages are missing; the stream's counter can. It
# may be behind by one for each kill, which can fall between a commit and its count.
failed=0
for stream in telemetry processes; do
    sent=$(counter $stream messages) received=$(total $stream messages) killed=$(total $stream killed)
    lost=$(($(counter $stream overwritten) + $(counter $stream disconnected)))
    aborted=$(counter $stream aborted)
    say "$stream: $sent sent, $received received, $lost lost, $aborted aborted by $killed kills, epoch $(total $stream epoch)"
    [ "$received" -ge "$sent" ] && [ "$received" -le $((sent + killed)) ] || failed=1
    [ "$lost" = 0 ] && [ "$aborted" -le "$killed" ] && [ "$killed" = 1 ] || failed=1
done
[ $checked = 0 ] || failed=1
[ $failed = 0 ] || die "FAILED: the books are not right"
[ "$torcd_status" = 0 ] || die "FAILED: torcd ended with $torcd_status"
say "passed: a restart, a hand-over, and nothing lost or doubled"
