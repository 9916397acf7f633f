#!/bin/sh
# torcd killed at any moment: the next one adopts what runs, starts nothing twice, and remembers what it has to.
. "$(dirname "$0")/torcd_checks.inc"
kills=${TORC_TEST_KILLS:-40}

# A member that finds its twin at work says so.
cat >member.sh <<'END'
#!/bin/sh
exec 9>>"lock.$TORC_NAME"
flock -n 9 || echo "$TORC_NAME runs twice: pid $$" >>doubles
echo $$ >>"starts.$TORC_NAME"
exec sleep "${1:-1000}"
END
chmod +x member.sh
cat >"$ini" <<END
[bus]
root = $TORC_ROOT
[log]
directory = $work/logs
[group calm]
command = $work/member.sh
cwd = $work
count = 3
start_delay = 0ms
start_jitter = 0ms
[group busy]
command = $work/member.sh 0.05
cwd = $work
count = 3
start_delay = 0ms
start_jitter = 0ms
backoff_min = 1ms
backoff_max = 20ms
max_restarts = 100000
[group given-up]
command = sh -c 'exit 1'
max_restarts = 1
backoff_min = 1ms
start_delay = 0ms
start_jitter = 0ms
[group backing-off]
command = sh -c 'exit 1'
backoff_min = 20s
backoff_max = 20s
start_delay = 0ms
start_jitter = 0ms
[group idle]
command = sleep 1000
start_delay = 0ms
start_jitter = 0ms
[group codes]
command = sh -c 'while ! test -e code; do sleep 0.02; done; exit 42'
cwd = $work
restart = temporary
start_delay = 0ms
start_jitter = 0ms
[group nice]
command = true
restart = transient
start_delay = 0ms
start_jitter = 0ms
END

torcd_start
await running calm-0 calm-1 calm-2 idle-0 codes-0
await is_state given-up-0 quarantined
await is_state backing-off-0 delayed
"$torc" ctl stop idle >/dev/null
await is_state idle-0 stopped
pids="$(pid_of calm-0) $(pid_of calm-1) $(pid_of calm-2)"
gave_up=$(field given-up-0 4)

# --- killed with time to settle, then at once, then at moments in between
for i in $(seq "$kills"); do
        torcd_kill
        torcd_start
        case $((i % 4)) in
        0) await running calm-0 ;;
        1) sleep 0.0$((i % 10)) ;;
        2) sleep 0.00$((i % 10)) ;;
        esac
done
await running calm-0 calm-1 calm-2
is "after $kills kills of torcd the same pids" "$pids" "$(pid_of calm-0) $(pid_of calm-1) $(pid_of calm-2)"
is "  each was started once" "1 1 1" "$(cat starts.calm-0 | wc -l) $(cat starts.calm-1 | wc -l) $(cat starts.calm-2 | wc -l)"
ok "no member ran twice at a time, also none of those that end all the time" test ! -e doubles
ok "  and those were started many times" test "$(cat starts.busy-* | wc -l)" -gt "$kills"
is "a quarantine lasts" "quarantined $gave_up" "$(state given-up-0) $(field given-up-0 4)"
is "a stop by request lasts" stopped "$(state idle-0)"
is "what ended well stays ended" stopped "$(state nice-0)"
is "a back-off goes on" "delayed 1" "$(state backing-off-0) $(field backing-off-0 4)"

# --- how an adopted member ended
: >code
await is_state codes-0 stopped
ok "the exit status of an adopted member is known" sh -c "'$torc' ctl status | grep 'codes-0.*exited with status 42'"
p=$(pid_of calm-0)
kill -SEGV "$p"
await new_pid calm-0 "$p"
ok "the signal that killed an adopted member is known" grep -q "calm-0 was killed by SIGSEGV" torcd.log
running calm-0
is "  it runs again, and its siblings still" "$pids" "$p $(pid_of calm-1) $(pid_of calm-2)"

# --- a member that ends while there is no torcd
p=$(pid_of calm-1)
torcd_kill
kill -9 "$p"
torcd_start
await new_pid calm-1 "$p"
ok "one that ended meanwhile is started again" running calm-1

# --- a count that was changed by hand
"$torc" ctl scale calm 4 >/dev/null
await running calm-3
p=$(pid_of calm-3)
torcd_kill
torcd_start
await running calm-3
is "a scaled count lasts as long as torc.ini says the same" "$p" "$(pid_of calm-3)"

# --- torc.ini has changed meanwhile: what it no longer has is stopped
p2=$(pid_of calm-2)
p0=$(pid_of calm-0)
torcd_kill
sed -i -e '/^\[group calm/,/^\[group busy/s/count = 3/count = 2/' -e '/^\[group nice\]/,$d' "$ini"
sed -i -e '/^\[group busy\]/,/^\[group given/{/^\[group given/!d}' "$ini"
torcd_start
await gone "$p2"
ok "a member beyond the new count is stopped" gone "$p2"
is "  those within it go on" "$p0" "$(pid_of calm-0)"
await sh -c "! '$torc' ctl status | grep -q '^busy-'"
ok "members of a group that is gone are stopped" sh -c "! '$torc' ctl status | grep -q '^busy-'"

# --- a stop in good order after adoption
torcd_stop
is "stop: exit 0" 0 $status
ok "  adopted members are stopped" gone "$p0"
rm -f starts.*
torcd_start
await running calm-0 calm-1
is "after a stop in good order all begins anew" 1 "$(cat starts.calm-0 | wc -l)"
is "  what had been stopped by request runs again" running "$(state idle-0)"
torcd_stop
