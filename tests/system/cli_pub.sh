#!/bin/sh
# torc pub: what becomes a message, when it goes out, what ends it.
. "$(dirname "$0")/cli_checks.inc"

# --- a million lines to three consumers: they are there first, or they come when told that one is waited for
seq 1 1000000 >million
million() { # million STREAM OPTION...
        stream=$1
        shift
        subs=
        for i in 1 2 3; do
                "$torc" sub $stream >got.$i 2>err.$i &
                subs="$subs $!"
        done
        for i in 1 2 3; do
                await says err.$i 'waiting for it'
        done
        "$torc" pub $stream --access exclusive --end "$@" <million
        is "pub a million lines $* exits 0" 0 $?
        wait $subs
        for i in 1 2 3; do
                ok "consumer $i printed the same million lines" cmp million got.$i
        done
        ok "nothing was lost" sh -c "'$torc' stat $stream | grep -q 'lost  *aborted 0, overwritten 0, disconnected 0'"
}
million numbers
million small --capacity 4KiB
million awaited --online 3

# --- lines
printf 'a\n\nb\nno newline at the end' | "$torc" pub lines
"$torc" sub lines --from earliest -n 4 --json | sed 's/.*"data":"\([^"]*\)".*/[\1]/' >got
printf '[a]\n[]\n[b]\n[no newline at the end]\n' >expected
ok "each line is a message, empty ones and the last too" cmp expected got
exits "empty input sends nothing" 0 "$torc" pub empty </dev/null
ok "empty input makes the stream" sh -c "'$torc' stat empty | grep -q '^  messages   0 '"
exits "closed standard input ends like an empty one" 0 "$torc" pub closed <&-

# --- blocks
head -c 100001 /dev/urandom >random
"$torc" pub blocks --raw 4KiB <random
"$torc" sub blocks --from earliest --raw -n 25 >got
ok "blocks: 24 whole ones and a shorter last one" cmp random got
is "blocks: lengths" "4096 1697" "$("$torc" sub blocks --from earliest --meta -n 25 | tr -d '\000' | LC_ALL=C awk -F'\t' '$1 == "blocks" { print $4 }' | sort -rnu | tr '\n' ' ' | sed 's/ $//')"

# --- files
printf 'first\nfile\n' >one
: >two
"$torc" pub files --file one two - <random
is "files: one message each, - is standard input" "11 0 100001" "$("$torc" sub files --from earliest -n 3 --json | sed 's/.*"len":\([0-9]*\).*/\1/' | tr '\n' ' ' | sed 's/ $//')"
exits "a missing file is an error" 1 "$torc" pub files --file one missing
ok "a missing file is named" says err "missing: No such file"

# --- a lone line goes out at once
mkfifo slow
"$torc" pub lone <slow &
pub=$!
exec 3>slow
echo now >&3
is "a lone line goes out while its pipe stays open" now "$("$torc" sub lone --from earliest -n 1 --timeout 5000)"
exec 3>&-
wait $pub
is "pub ends with its input" 0 $?

# --- metadata
printf 'x' | "$torc" pub meta --prop 'k=a=b "c"' --prop 'u=é' --event-time 123456789
"$torc" sub meta --from earliest -n 1 --json >got
ok "properties and event time arrive" says got '"data":"x","properties":{"k":"a=b \"c\"","u":"é"},"event_time":123456789}'
before=$(date +%s)
echo x | "$torc" pub meta --event-time now
stamp=$("$torc" sub meta --from earliest -n 2 --json | sed -n '2s/.*"event_time":\([0-9]*\)[0-9]\{9\}}/\1/p')
ok "event time now is now" test "$stamp" -ge "$before" -a "$stamp" -le "$(date +%s)"

# --- defaults from the environment, as torcd sets them
echo member | TORC_STREAM=group TORC_NAME=g-0 TORC_ACCESS=exclusive "$torc" pub
is "TORC_STREAM names the stream" member "$("$torc" sub group --from earliest -n 1)"
exits "TORC_ACCESS must be a mode" 2 env TORC_ACCESS=mine "$torc" pub x </dev/null
ok "TORC_ACCESS is named in the complaint" says err "TORC_ACCESS 'mine'"

# --- waiting for consumers
echo x >x
exits "no consumer, time-out 0: exit 4" 4 "$torc" pub online --online 1 --timeout 0 <x
exits "no consumer, time-out: exit 4" 4 "$torc" pub online --timeout 50 <x
ok "it says that it waits" says err "waiting for consumers"

# --- a stopped consumer holds a blocking stream up, and loses nothing
seq 1 400000 >expected
"$torc" sub held >got 2>/dev/null &
sub=$!
jobs_to_kill="$sub"
(
        await consumers held 1
        kill -STOP $sub
        seq 1 400000
) | "$torc" pub held --online 1 --end &
pub=$!
await sh -c "'$torc' stat held | grep -q blocked"
is "a full ring blocks the producer" 0 $?
kill -CONT $sub
wait $pub $sub
ok "and nothing is lost" cmp expected got

# --- too large
head -c 200000 /dev/zero >big
exits "a message above the limit is an error" 1 "$torc" pub toobig --file big
ok "it says what to do" says err "--capacity"
exits "with more capacity it fits" 0 "$torc" pub big --capacity 4MiB --file big
exits "making options on an existing stream" 0 "$torc" pub big --capacity 8MiB <x
ok "are said to have no effect" says err "have no effect"
"$torc" pub grows --capacity 64KiB..4MiB <x
ok "a range of capacity lets it grow" sh -c "'$torc' stat grows | grep -q 'capacity   64.0 KiB, grows to 4.0 MiB'"

# --- flush
"$torc" pub flushed </dev/null
"$torc" sub flushed >got 2>/dev/null &
sub=$!
jobs_to_kill="$jobs_to_kill $sub"
await consumers flushed 1
seq 1 1000 | "$torc" pub flushed --flush --timeout 5000
is "flush returns when everything was read" 0 $?
kill -STOP $sub
exits "flush waits for a consumer that does not read" 4 "$torc" pub flushed --flush --timeout 200 <x
kill -CONT $sub
kill $sub
wait $sub 2>/dev/null
exits "flush without consumers returns at once" 0 "$torc" pub flushed --flush <x

# --- signals
mkfifo never
for signal in INT:130 TERM:143 HUP:129; do
        # A shell without job control starts background commands with SIGINT ignored, which torc respects.
        env --default-signal=INT "$torc" pub signals <never &
        pub=$!
        exec 3>never
        await producers signals 1
        kill -${signal%:*} $pub
        wait $pub 2>/dev/null
        is "pub dies of SIG${signal%:*}" ${signal#*:} $?
        exec 3>&-
done
ok "and leaves no producer behind" producers signals 0

# --- wrong usage
exits "no stream" 2 "$torc" pub </dev/null
exits "two streams" 2 "$torc" pub a b </dev/null
exits "unknown option" 2 "$torc" pub a --colour </dev/null
exits "bad access" 2 "$torc" pub a --access mine </dev/null
exits "bad lag" 2 "$torc" pub a --lag never </dev/null
exits "bad capacity" 2 "$torc" pub a --capacity 1KiB </dev/null
exits "capacity above its maximum" 2 "$torc" pub a --capacity 2MiB..1MiB </dev/null
exits "bad raw size" 2 "$torc" pub a --raw 0 </dev/null
exits "raw and file" 2 "$torc" pub a --raw 5 --file x </dev/null
exits "bad property" 2 "$torc" pub a --prop novalue </dev/null
exits "bad event time" 2 "$torc" pub a --event-time yesterday </dev/null
exits "bad time-out" 2 "$torc" pub a --timeout -1 </dev/null
exits "bad stream name" 2 "$torc" pub a/b </dev/null
exits "bad producer name" 2 "$torc" pub a --name a/b </dev/null
exits "bad tags" 2 "$torc" pub a --tags a,,b </dev/null
ok "none of them made a stream" sh -c "! '$torc' ls a"
