#!/bin/sh
# torctop --once and --json, its options, and what it says when it cannot look.
. "$(dirname "$0")/cli_checks.inc"
top=$B/bin/torctop
export LC_ALL=C.UTF-8 TZ=UTC
unset COLUMNS NO_COLOR
printf 'x\n' >x

# --- options
exits "--help" 0 "$top" --help
ok "  lists the options" says out --interval
exits "--version" 0 "$top" --version
ok "  says it" grep -Eqx 'torctop [0-9]+\.[0-9]+\.[0-9]+' out
for bad in "--bogus" "--view nothing --once" "--interval fast" "--interval 10" "--interval -1" "--interval 4000000" \
        "--once --json" "--json --view peers" "extra" "--root"; do
        # shellcheck disable=SC2086
        exits "wrong: $bad" 2 "$top" $bad
        ok "  one line, on standard error" sh -c 'test ! -s out && test "$(wc -l <err)" = 1 && grep -q "^torctop: " err'
done
exits "a wrong interval is named" 2 "$top" --interval 12parsecs
ok "  in the message" says err "12parsecs"

# --- no bus, no terminal
exits "no bus" 1 "$top" --once
ok "  it says where it looked" says err "there is no bus at $TORC_ROOT/default"
ok "  looking makes none" test ! -e "$TORC_ROOT/default"
exits "a bus name that is none" 1 "$top" --once --bus a/b
ok "  is explained" says err TORC_ENAME
exits "a bus name with an escape" 1 "$top" --once --bus "$(printf 'a\033[2Jb')"
ok "  does not reach the terminal" sh -c '! grep -q "$(printf "\033")" err'
"$torc" pub x.one <x
exits "no terminal" 1 "$top"
ok "  points to --once" says err --once

# --- text
"$torc" pub "$(printf 'x.evil \033[31m"quoted"\\')" <x
exits "--once" 0 "$top" --once --interval 50
ok "  all views" sh -c 'for v in Streams Groups Consumers Peers Events; do grep -qx "$v" out || exit 1; done'
ok "  streams" grep -Eq '^ x\.one  +idle ' out
ok "  rates are known" grep -Eq 'msg/s' out
ok "  the loss ledger" says out "lost 0   aborted 0   overwritten 0   disconnected 0"
ok "  there was never a torcd" says out "no torcd"
ok "  no escape" sh -c '! grep -q "$(printf "\033")" out'
exits "--once --interval 0" 0 "$top" --once --interval 0
ok "  rates are not known" sh -c '! grep -q msg/s out'
exits "--once --view" 0 "$top" --once --interval 0 --view peers
ok "  only that" sh -c 'grep -qx Peers out && ! grep -qx Streams out'
exits "--ascii" 0 "$top" --once --interval 0 --ascii
ok "  nothing else" sh -c '! LC_ALL=C grep -q "[^ -~]" out'
exits "C locale" 0 env LC_ALL=C "$top" --once --interval 0
ok "  nothing else" sh -c '! LC_ALL=C grep -q "[^ -~]" out'
COLUMNS=60 "$top" --once --interval 0 >out
ok "COLUMNS" sh -c 'test "$(wc -L <out)" -le 60'
ok "a full device" sh -c '"$0" --once --interval 0 >/dev/full 2>err; test $? = 1 && grep -q "cannot write" err' "$top"

# --- the members that torctop and torc stat tell are the same
"$torc" sub x.one --name reader --tags red >/dev/null &
jobs_to_kill=$!
await consumers x.one 1
exits "a consumer" 0 "$top" --once --interval 0 --view consumers
ok "  is there" grep -Eq '^ reader +x\.one +connected ' out

# --- JSON
exits "--json" 0 "$top" --json --interval 50
if command -v python3 >/dev/null; then
        cat >check.py <<'END'
import json, sys
d = json.load(open("out"))
assert d["bus"] == "default" and d["path"].endswith("/root/default")
assert d["supervisor"] == {"known": False, "error": "", "alive": False, "pid": 0, "started_ns": 0, "updated_ns": 0, "config": ""}
names = [s["name"] for s in d["streams"]]
assert names == sorted(names) == ['x.evil \x1b[31m"quoted"\\', "x.one"], names
one = d["streams"][1]
assert one["error"] == "" and one["messages"] == 1 and one["bytes"] == 1 and one["messages_per_s"] == 0
assert one["losses"] == {"aborted": 0, "overwritten": 0, "disconnected": 0}
assert one["consumers"][0]["name"] == "reader" and one["consumers"][0]["tags"] == "red"
assert one["segments"][0]["number"] == 1 and one["segments"][0]["state"] == "active"
assert [p["name"] for p in d["peers"] if p["alive"]] == ["torc-sub"] or len(d["peers"]) >= 1
END
        ok "  means what it says" python3 check.py
        exits "--json --interval 0" 0 "$top" --json --interval 0
        ok "  rates are null" python3 -c 'import json; assert json.load(open("out"))["messages_per_s"] is None'
else
        skip "--json means what it says" "there is no python3"
fi

# --- a damaged stream does not hide the others
printf 'damaged!' | dd of="$TORC_ROOT/default/@x.one/ctl" bs=1 seek=100 conv=notrunc 2>/dev/null
exits "--once with a damaged stream" 0 "$top" --once --interval 0
ok "  says so" grep -Eq '^ x\.one  +damaged' out
ok "  and shows the other" says out 'x.evil'
exits "--json with a damaged stream" 0 "$top" --json --interval 0
ok "  says so" grep -q '"name":"x.one","error":"TORC_ECORRUPT"' out

# --- it maps read-only and leaves no trace
before=$(cd "$TORC_ROOT/default" && find . -type f -exec md5sum {} + | sort)
"$top" --once --interval 0 >out
after=$(cd "$TORC_ROOT/default" && find . -type f -exec md5sum {} + | sort)
is "looking changes no byte" "$before" "$after"
if command -v strace >/dev/null; then
        strace -f -e trace=openat,mmap,fcntl -o calls "$top" --once --interval 0 >out
        ok "no file of the bus is opened for writing" sh -c '! grep "$0" calls | grep -E "O_RDWR|O_WRONLY|O_CREAT"' "$TORC_ROOT"
        ok "no shared map is writable" sh -c '! grep MAP_SHARED calls | grep PROT_WRITE'
        ok "no lock is taken" sh -c '! grep -E "F_(OFD_)?SETLK" calls'
else
        skip "nothing is opened for writing" "there is no strace"
fi
