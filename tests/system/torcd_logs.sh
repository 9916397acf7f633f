#!/bin/sh
# What members print: whole lines in rotated files, through kills and stops of torcd and of its log writer, which no member
# ever feels.
. "$(dirname "$0")/torcd_checks.inc"

writer() { # the pid of the log writer: the child of torcd that has its name
        for p in /proc/[0-9]*/stat; do
                read -r line 2>/dev/null <"$p" || continue
                case $line in *"(torcd-log)"*) ;; *) continue ;; esac
                p=${p%/stat}
                # One of another bus has another spool directory open.
                ls -l "$p/fd" 2>/dev/null | grep -q "$TORC_ROOT" && echo "${p#/proc/}" && return
        done
}
has_writer() { [ -n "$(writer)" ]; }
other_writer() { has_writer && [ "$(writer)" != "$1" ]; }
stopped() { sed -n 's/^.*) \(.\) .*$/\1/p' "/proc/$1/stat" | grep -q T; }
log_of() { # all of a member's output, oldest first; $2: its log directory
        i=100
        while [ $i -gt 0 ]; do
                [ ! -e "${2:-logs}/$1.log.$i" ] || cat "${2:-logs}/$1.log.$i"
                i=$((i - 1))
        done
        cat "${2:-logs}/$1.log"
}
counts_from_1_to() { # LAST MEMBER [DIRECTORY]: the lines 1 to LAST, each once, in order, whole
        log_of "$2" "${3:-logs}" | awk -v last="$1" '$0 != "line " NR " of the output" { print NR ": " $0; exit bad = 1 }
                END { exit bad || NR != last }'
}

config() { # config FULL MAX_SIZE FILES
        cat <<END
[bus]
root = $TORC_ROOT
[log]
directory = $work/logs
full = $1
max_size = $2
files = $3
END
}
group() { # group NAME COMMAND
        cat <<END
[group $1]
command = $2
cwd = $work
restart = temporary
start_delay = 0ms
start_jitter = 0ms
END
}
cat >print.sh <<'END'
# print.sh FROM TO PAUSE EVERY: the numbered lines, with a pause after each EVERY of them
awk -v from="$1" -v to="$2" -v pause="$3" -v every="$4" 'BEGIN {
        for (i = from; i <= to; i++) {
                print "line " i " of the output"
                if (every && i % every == 0) { fflush(); system("sleep " pause) }
        }
}'
END

# --- rotation
{ config drop 16KiB 3 && group small "sh -c 'sh print.sh 1 20000 0.01 1000; echo done >small.done; exec sleep 1000'" &&
        group cut "sh -c 'printf no.newline; echo error >&2; printf half'" && group long "sh -c 'head -c 100000 /dev/zero | tr \"\\\\0\" x; echo'"; } >"$ini"
torcd_start
await test -s small.done
await sh -c 'tail -n 1 logs/small-0.log | grep -q "line 20000"'
is "the last line is there" "line 20000 of the output" "$(tail -n 1 logs/small-0.log)"
is "so many rotated files are kept" "small-0.log small-0.log.1 small-0.log.2 small-0.log.3" "$(cd logs && echo small-0.log*)"
ok "none is larger than max_size" sh -c "! find logs -size +16384c | grep -q ."
ok "every line in them is whole, and none is missing between" sh -c "cat logs/small-0.log.3 logs/small-0.log.2 logs/small-0.log.1 logs/small-0.log |
        awk 'NR == 1 { n = \$2 } \$0 != \"line \" n++ \" of the output\" { print; exit 1 }'"
await sh -c "tail -c 1 logs/cut-0.log | od -c | grep -q n"
is "standard error goes there, too; an unfinished last line is ended" "no.newlineerror half" "$(tr '\n' ' ' <logs/cut-0.log | sed 's/ $//')"
await sh -c 'test "$(cat logs/long-0.log* | tr -d "\n" | wc -c)" -ge 49152'
ok "a line longer than a file is cut" sh -c "! find logs -size +16384c | grep -q ."
ok "all that is read is given back" sh -c "test \$(du -k --apparent-size '$TORC_ROOT/default/spool' | tail -n 1 | cut -f 1) -ge \$(du -k '$TORC_ROOT/default/spool' | tail -n 1 | cut -f 1)"
torcd_stop
ok "nothing is left of the spools" test ! -e "$TORC_ROOT/default/spool"

# --- torcd and the log writer killed while output comes
rm -rf logs
{ config drop 64KiB 100 && group steady "sh -c 'sh print.sh 1 30000 0.03 100; echo done >steady.done; exec sleep 1000'"; } >"$ini"
torcd_start
await running steady-0
p=$(pid_of steady-0)
for i in 1 2 3; do
        torcd_kill
        await test -s logs/steady-0.log
        old=$(writer)
        torcd_start
        await other_writer "$old"
        await has_writer
        old=$(writer)
        kill -9 "$old" 2>/dev/null # it may be the one that has just finished
        await other_writer "$old"
done
torcd_kill
size=$(log_of steady-0 | wc -c)
await sh -c "test \$(cat logs/steady-0.log* | wc -c) -gt $size"
ok "with torcd dead, logs are written on" test "$(log_of steady-0 | wc -c)" -gt "$size"
torcd_start
await has_writer
for i in 1 2 3 4 5; do
        await has_writer
        old=$(writer)
        kill -9 "$old" 2>/dev/null
        await other_writer "$old"
done
is "the member was not touched" "$p" "$(pid_of steady-0)"
await test -s steady.done
torcd_stop
ok "no line is lost, doubled or torn by any of this" counts_from_1_to 30000 steady-0

# --- torcd and the log writer stopped: nobody waits for them; what is too much is dropped, counted, and noted
rm -rf logs
{ config drop 1MiB 2 && group flood "sh -c 'while ! test -e go; do sleep 0.01; done; sh print.sh 1 200000 0 0; echo done >flood.done; echo the last line; exec sleep 1000'"; } >"$ini"
torcd_start
await running flood-0
await has_writer
kill -STOP "$torcd_pid" "$(writer)"
await stopped "$torcd_pid"
: >go
began=$(date +%s%N)
await test -s flood.done
took=$((($(date +%s%N) - began) / 1000000))
ok "a member prints 5 MB with torcd and the log writer stopped ($took ms)" test -s flood.done
ok "  nothing has reached its log" test ! -s logs/flood-0.log
kill -CONT "$torcd_pid" "$(writer)"
await sh -c 'tail -n 1 logs/flood-0.log | grep -q "the last line"'
is "  the newest is kept" "the last line" "$(tail -n 1 logs/flood-0.log)"
note=$(log_of flood-0 | head -n 1)
ok "  the log tells how much is missing" sh -c "echo '$note' | grep -qx '\[torcd: [0-9]* bytes of output were dropped here\]'"
dropped=$(echo "$note" | tr -dc 0-9)
there=$(log_of flood-0 | sed 1d | wc -c)
all=$(($(sh print.sh 1 200000 0 0 | wc -c) + 14))
is "  exactly so much" "$all" $((dropped + there))
await sh -c "'$torc' ctl status | grep -q 'flood-0.*of output dropped'"
ok "  and the status, too" sh -c "'$torc' ctl status | grep -q 'flood-0.*of output dropped'"
torcd_stop

# --- the directory is removed
rm -rf logs
{ config drop 1MiB 2 && group talk "sh -c 'i=0; while i=\$((i + 1)); do echo line \$i of the output; sleep 0.02; done'"; } >"$ini"
torcd_start
await test -s logs/talk-0.log
mv logs gone && rm -rf gone
await test -s logs/talk-0.log
ok "a log directory that was removed is made again" test -s logs/talk-0.log
torcd_stop

# --- by choice, a member is held up instead
rm -rf logs go
{ config block 10MiB 2 && group held "sh -c 'while ! test -e go; do sleep 0.01; done; sh print.sh 1 100000 0 0; echo done >held.done; exec sleep 1000'"; } >"$ini"
torcd_start
await running held-0
await has_writer
kill -STOP "$(writer)"
await stopped "$(writer)"
: >go
sleep 0.5
ok "block: a member waits for a log writer that does not go on" test ! -e held.done
p=$(pid_of held-0)
torcd_kill
kill -9 "$(writer)"
sleep 0.2
ok "  and with torcd and the log writer dead it gets no SIGPIPE" test -d "/proc/$p"
torcd_start
await test -s held.done
ok "  it goes on when there is a new one" test -s held.done
torcd_stop
ok "  no line is lost" counts_from_1_to 100000 held-0

# --- without a directory
rm -rf logs go torcd.log
{ printf '[bus]\nroot = %s\n' "$TORC_ROOT" && group plain "echo to the standard error of torcd"; } >"$ini"
torcd_start
await grep -q '^to the standard error of torcd$' torcd.log
ok "without [log] output goes to torcd's own" grep -q '^to the standard error of torcd$' torcd.log
torcd_stop
mkdir logs && : >logs/file
{ config drop 16KiB 3 && echo "directory = x"; } | sed "s|$work/logs|$work/logs/file|; /^directory = x/d" >"$ini"
exits "a log directory that is none" 1 "$torcd" -c "$ini"
ok "  is told" says err "[log] directory"
