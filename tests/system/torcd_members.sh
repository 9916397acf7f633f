#!/bin/sh
# torcd runs members: starts, restarts, quarantines and stops them, and sees to what they leave behind.
. "$(dirname "$0")/torcd_checks.inc"

# --- --check and --dump touch nothing
cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[stream s]
capacity = 64KiB
[group web]
command = sleep 1000
count = 3
stream = s
start_delay = 0ms
start_jitter = 0ms
backoff_min = 20ms
END
printf '[group x]\nstream = s\ncout = 2\n' >bad.ini
exits "--check of a good file" 0 "$torcd" --check -c "$ini"
exits "--check of a bad file" 1 "$torcd" --check -c bad.ini
ok "  says where and what was meant" says err "bad.ini:3:1:"
ok "  and counts" says err "errors in bad.ini"
exits "--dump" 0 "$torcd" --dump -c "$ini"
cp out dumped.ini
exits "  what it prints is right" 0 "$torcd" --check -c dumped.ini
exits "  and the same again" 0 "$torcd" --dump -c dumped.ini
ok "looking at a file makes no bus" test ! -e "$TORC_ROOT"
exits "a missing file" 1 "$torcd" -c nothing.ini
exits "no file at all" 2 "$torcd"
exits "--check and --dump at once" 2 "$torcd" --check --dump -c "$ini"
exits "a file with mistakes is not run" 1 "$torcd" -c bad.ini
ok "  and makes no bus" test ! -e "$TORC_ROOT"
exits "--version" 0 "$torcd" --version

# --- start
torcd_start
await running web-0 web-1 web-2
ok "all members run" running web-0 web-1 web-2
ok "the stream is there" "$torc" stat s
exits "another torcd on the same bus" 1 "$torcd" -c "$ini"
ok "  is told who is there" says err "another torcd (pid $torcd_pid)"

# --- restart of one, siblings untouched
p0=$(pid_of web-0) p1=$(pid_of web-1) p2=$(pid_of web-2)
kill -9 "$p1"
await new_pid web-1 "$p1"
ok "a killed member is started again" await running web-1
is "its sibling before keeps its pid" "$p0" "$(pid_of web-0)"
is "its sibling after keeps its pid" "$p2" "$(pid_of web-2)"
is "one restart is counted" 1 "$(field web-1 4)"

# --- by hand
exits "ctl restart of one member" 0 "$torc" ctl restart web-0
await new_pid web-0 "$p0"
ok "  it has a new pid" new_pid web-0 "$p0"
is "  the others have not" "$p2" "$(pid_of web-2)"
exits "ctl stop of a group" 0 "$torc" ctl stop web
for m in web-0 web-1 web-2; do
        await is_state $m stopped
done
is "  stopped" "stopped stopped stopped" "$(state web-0) $(state web-1) $(state web-2)"
ok "  its process is gone" gone "$p2"
exits "ctl start of a group" 0 "$torc" ctl start web
await running web-0 web-1 web-2
ok "  running" running web-0 web-1 web-2
p0=$(pid_of web-0)
exits "ctl scale up" 0 "$torc" ctl scale web 5
await running web-3 web-4
ok "  the new ones run" running web-3 web-4
is "  the old ones keep their pids" "$p0" "$(pid_of web-0)"
p4=$(pid_of web-4)
exits "ctl scale down" 0 "$torc" ctl scale web 1
await gone "$p4"
is "  the first one keeps its pid" "$p0" "$(pid_of web-0)"
await sh -c "! '$torc' ctl status | grep -q '^web-1'"
is "  the others are gone" 1 "$("$torc" ctl status | grep -c '^web-')"
torcd_stop
is "SIGTERM: torcd exits with 0" 0 $status
ok "  its members are gone" gone "$p0"
ok "  its socket is gone" test ! -e "$TORC_ROOT/default/control"
exits "ctl without a torcd" 1 "$torc" ctl status
ok "  says so" says err "no supervisor runs"

# --- back-off, quarantine, restart policies, what members are told
cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[group loop]
command = sh -c 'date +%s%N >>loop.times; exit 3'
cwd = $work
max_restarts = 5
backoff_min = 50ms
start_delay = 0ms
start_jitter = 0ms
[group once]
command = sh -c 'exit 1'
restart = temporary
start_delay = 0ms
start_jitter = 0ms
[group good]
command = true
restart = transient
start_delay = 0ms
start_jitter = 0ms
[group fenced]
command = sh -c 'exit 81'
start_delay = 0ms
start_jitter = 0ms
[group lost]
command = /nowhere/program
max_restarts = 0
start_delay = 0ms
start_jitter = 0ms
[group late]
command = sleep 1000
start_delay = 60s
[group told]
command = sh -c 'env >told.env; umask >told.umask; ls -l /proc/self/fd >told.fd; grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status >told.sig; ps -o nice= -p \$\$ >told.nice; exec sleep 1000'
stream = prices
access = wait_for_exclusive
tags = red,blue
env.COLOUR = green
cwd = $work
umask = 027
nice = 3
start_delay = 0ms
start_jitter = 0ms
END
torcd_start
await is_state loop-0 quarantined
ok "a crash loop ends in quarantine" is_state loop-0 quarantined
is "after as many starts as were allowed" 6 "$(wc -l <loop.times)"
ok "the waits grow" awk 'NR > 1 { gap[NR] = ($1 - last) / 1e6 } { last = $1 }
        END { exit !(gap[2] >= 43 && gap[3] >= 87 && gap[4] >= 175 && gap[5] >= 350 && gap[6] >= 700) }' loop.times
ok "quarantine tells its cause" sh -c "'$torc' ctl status | grep 'loop-0.*restarted 5 times in 60 s; last: exited with status 3'"
exits "ctl start ends a quarantine" 0 "$torc" ctl start loop
await sh -c 'test "$(wc -l <loop.times)" -gt 6'
ok "  it runs again" sh -c 'test "$(wc -l <loop.times)" -gt 6'
is "temporary: not started again" stopped "$(state once-0)"
is "transient: not started again after success" stopped "$(state good-0)"
is "fenced: not started again" stopped "$(state fenced-0)"
ok "  and says why" sh -c "'$torc' ctl status | grep 'fenced-0.*fenced: shut out'"
is "a program that is not there" quarantined "$(state lost-0)"
ok "  and says why" sh -c "'$torc' ctl status | grep \"lost-0.*cannot run '/nowhere/program': No such file\""
is "one that waits for its start delay" "delayed -" "$(state late-0) $(pid_of late-0)"
await test -s told.nice
for line in "TORC_NAME=told-0" "TORC_MEMBER=0" "TORC_STREAM=prices" "TORC_ACCESS=wait_for_exclusive" "TORC_TAGS=red,blue" \
        "TORC_ROOT=$TORC_ROOT" "TORC_BUS=default" "COLOUR=green"; do
        ok "members are told $line" grep -qx "$line" told.env
done
is "umask" 0027 "$(cat told.umask)"
# The member's is added to ours, as nice(1) adds, up to 19.
nice=$(($(ps -o nice= -p $$) + 3))
[ "$nice" -le 19 ] || nice=19
is "nice" "$nice" "$(tr -d ' ' <told.nice)"
ok "no signal is blocked or ignored" sh -c "! grep -v '0000000000000000\$' told.sig | grep -E 'Blk|Ign'"
is "no descriptor but 0, 1, 2 and that of ls" "0 1 2 3" "$(sed -n 's/.* \([0-9]*\) -> .*/\1/p' told.fd | tr '\n' ' ' | sed 's/ $//')"
torcd_stop
is "a stop with members in all states" 0 $status

# --- a signal that is not heeded, grandchildren, daemons, order
rm -f told.*
cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[group first]
command = sh -c 'trap "sleep 0.1; echo first >>order; exit" TERM; echo \$\$ >first.pid; while :; do sleep 0.02; done'
cwd = $work
start_delay = 0ms
start_jitter = 0ms
[group last]
command = sh -c 'trap "sleep 0.1; echo last >>order; exit" TERM; echo \$\$ >last.pid; while :; do sleep 0.02; done'
cwd = $work
start_delay = 0ms
start_jitter = 0ms
[group deaf]
command = sh -c 'trap "" TERM; sleep 1001 & echo \$! >child.pid; setsid sleep 1002 & echo \$! >daemon.pid; wait; wait'
cwd = $work
stop_timeout = 200ms
start_delay = 0ms
start_jitter = 0ms
[group parent]
command = sh -c 'trap "" TERM; sleep 1003 & echo \$! >orphan.pid; exec sleep 1004'
cwd = $work
start_delay = 0ms
start_jitter = 0ms
backoff_min = 30s
END
torcd_start
for f in first last child daemon orphan; do await test -s $f.pid; done
await running parent-0
kill -9 "$(pid_of parent-0)"
await gone "$(cat orphan.pid)"
ok "what a killed member leaves is killed" gone "$(cat orphan.pid)"
began=$(date +%s%N)
torcd_stop
took=$((($(date +%s%N) - began) / 1000000))
is "stop: exit 0" 0 $status
ok "  the deadline held ($took ms)" test "$took" -ge 200 -a "$took" -lt 3000
ok "  a child of the deaf one is gone" gone "$(cat child.pid)"
ok "  and its daemon" gone "$(cat daemon.pid)"
is "  last group first" "last first" "$(tr '\n' ' ' <order | sed 's/ $//')"
ok "  stragglers are reported" grep -q 'deaf-0 left .* behind; killed: .*sleep' torcd.log

# --- as another user
if [ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1; then
        cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[log]
directory = $work/logs
[group other]
command = sh -c 'echo i am \$(id -u) \$(id -G); echo at home in \$HOME; echo by name >>/dev/stderr; exec sleep 1000'
user = nobody
cwd = /
start_delay = 0ms
start_jitter = 0ms
END
        torcd_start
        await sh -c 'grep -q name logs/other-0.log'
        ok "user: ids and groups are those of the user" says logs/other-0.log "i am $(id -u nobody) $(id -G nobody)"
        ok "  HOME, too" says logs/other-0.log "at home in $(getent passwd nobody | cut -d: -f6)"
        ok "  it may open /dev/stderr by its name" says logs/other-0.log "by name"
        torcd_stop
        is "  and is stopped as all are" 0 $status
else
        skip "members of other users" "only root can start them, and there has to be a user nobody"
fi

# --- streams that exist
cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[stream s]
capacity = 128KiB
lag = block
END
rm -f torcd.log
torcd_start
ok "a stream that exists with other settings is told" grep -q "stream s exists and is not as in torc.ini: it has capacity 65536, lag disconnect" torcd.log
torcd_stop

# --- a second signal hastens
cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[group deaf]
command = sh -c 'trap "" TERM; sleep 1001 & echo \$! >child.pid; setsid sleep 1002 & echo \$! >daemon.pid; wait; wait'
cwd = $work
stop_timeout = 200ms
start_delay = 0ms
start_jitter = 0ms
END
sed -i 's/stop_timeout = 200ms/stop_timeout = 60s/' "$ini"
rm -f ./*.pid
torcd_start
for f in child daemon; do await test -s $f.pid; done
kill -INT "$torcd_pid"
await is_state deaf-0 stopping
kill -INT "$torcd_pid"
wait "$torcd_pid"
is "a second SIGINT does not wait" 0 $?
torcd_pid=
ok "  and leaves nothing" gone "$(cat daemon.pid)"
