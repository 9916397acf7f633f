#!/bin/sh
# The other commands: ls, stat, end, rm, help, version, top, bench.
. "$(dirname "$0")/cli_checks.inc"
echo x >x

# --- before there is a bus
exits "ls without a bus" 1 "$torc" ls
ok "  it says where it looked" says err "there is no bus 'default' in $TORC_ROOT"
exits "rm without a bus" 1 "$torc" rm a
exits "a bus name that is none" 2 "$torc" ls --bus a/b
ok "looking makes no bus" test ! -e "$TORC_ROOT/default"

# --- ls
seq 1 10 | "$torc" pub numbers
"$torc" pub letters.a --end <x
exits "ls" 0 "$torc" ls
ok "  a head" says out STREAM
ok "  the figures of a stream" grep -Eq '^numbers +online +shared +1 +- +0 +0 +10 +11 B +0$' out
ok "  an ended one" grep -Eq '^letters.a +ended ' out
exits "ls with a glob" 0 "$torc" ls 'l*'
ok "  leaves out the rest" sh -c "! grep -q numbers out"
exits "ls: nothing matches" 1 "$torc" ls 'z*'
exits "ls: two globs" 2 "$torc" ls a b

# --- stat
"$torc" sub numbers --name reader --tags red,blue >/dev/null &
sub=$!
jobs_to_kill=$sub
await consumers numbers 1
exits "stat STREAM" 0 "$torc" stat numbers
ok "  shows the consumer, first its ref" grep -Eq '^ +[0-9]+ +reader +'$sub' +connected .* red,blue$' out
ok "  shows the segment" grep -Eq '0\.1 +active +1 +1.0 MiB' out
exits "stat of a stream that is not there" 1 "$torc" stat nothing
exits "stat" 0 "$torc" stat
ok "  shows the peers" grep -Eq "reader +$sub " out
ok "  shows the supervisor's absence" says out "supervisor none"
if command -v python3 >/dev/null; then
        for what in "stat numbers" "stat" "ls" "ls l*"; do
                # shellcheck disable=SC2086
                ok "$what --json is JSON" sh -c "'$torc' $what --json | python3 -m json.tool"
        done
else
        skip "validity of JSON" "python3 is not installed"
fi
kill $sub
wait $sub

# --- a damaged stream
cp -r "$TORC_ROOT/default/@numbers" "$TORC_ROOT/default/@damaged"
printf 'garbage' | dd of="$TORC_ROOT/default/@damaged/ctl" bs=1 seek=70 conv=notrunc 2>/dev/null
exits "ls beside a damaged stream" 0 "$torc" ls
ok "  names the damage" grep -Eq '^damaged +TORC_ECORRUPT' out
exits "stat of a damaged stream" 1 "$torc" stat damaged
exits "pub to a damaged stream" 1 "$torc" pub damaged <x
exits "sub of a damaged stream" 1 "$torc" sub damaged
rm -r "$TORC_ROOT/default/@damaged"

# --- end and rm
exits "end" 0 "$torc" end numbers
ok "  it has ended" sh -c "'$torc' ls numbers | grep -q ' ended '"
exits "end of what is not there" 1 "$torc" end nothing
exits "end of nothing" 2 "$torc" end
exits "rm goes on after an error" 1 "$torc" rm nothing numbers
ok "  it is gone" sh -c "! '$torc' stat numbers"
ok "  with its files" test ! -e "$TORC_ROOT/default/@numbers"

# --- which bus
echo there | "$torc" --bus other pub s
is "--bus before the command" there "$("$torc" sub s --bus other --from earliest -n 1)"
is "TORC_BUS" there "$(TORC_BUS=other "$torc" sub s --from earliest -n 1)"
is "--root=DIR before the command" there "$(TORC_ROOT=/nowhere "$torc" --root="$work/root" --bus=other sub s --from earliest -n 1)"
exits "--root without a value" 2 "$torc" --root

# --- help
exits "no command" 2 "$torc"
exits "unknown command" 2 "$torc" publish
exits "almost a command" 2 "$torc" st
ok "  a suggestion" says err "did you mean 'torc stat'?"
exits "help" 0 "$torc" help
exits "version" 0 "$torc" version
ok "  the version" grep -Eq '^torc [0-9]+\.[0-9]+\.[0-9]+$' out
for command in pub sub ls stat end rm ctl bench; do
        exits "help $command" 0 "$torc" help $command
        ok "  says how it is used" says out "usage: torc $command"
        ok "  has an example" grep -q "^Example" out
        ok "  has exit codes" grep -q "^Exit codes" out
        ok "  is what --help says" sh -c "'$torc' $command --help | cmp - out"
done

# --- top runs the torctop beside it, else one in PATH
mkdir beside path
cp "$torc" beside/torc
printf '#!/bin/sh\necho beside "$@"\n' >beside/torctop
printf '#!/bin/sh\necho path "$@"\n' >path/torctop
chmod +x beside/torctop path/torctop
is "top: beside" "beside --once" "$(PATH="$work/path:$PATH" beside/torc top --once)"
rm beside/torctop
is "top: in PATH" "path --once" "$(PATH="$work/path:$PATH" beside/torc top --once)"
exits "top: nowhere" 1 env PATH=/nonexistent beside/torc top

# --- bench
before=$(ls -A /dev/shm | grep -c torc-bench)
exits "bench" 0 "$torc" bench --rounds 1 --round-ms 5
ok "  latency" says out "p50/floor"
ok "  throughput" says out "torc/pipe"
exits "bench --json" 0 "$torc" bench --rounds 1 --round-ms 2 --json
ok "  figures" says out '"messages_per_second":{"torc":{"32":'
exits "bench: bad rounds" 2 "$torc" bench --rounds 0
is "bench leaves nothing behind" "$before" "$(ls -A /dev/shm | grep -c torc-bench)"
