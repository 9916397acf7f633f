#!/bin/sh
# torc sub: which streams, from where, how printed, how it ends.
. "$(dirname "$0")/cli_checks.inc"
echo x >x

# --- from where
seq 1 5 | "$torc" pub five
is "from earliest" "1 2 3 4 5 " "$("$torc" sub five --from earliest -n 5 | tr '\n' ' ')"
id=$("$torc" sub five --from earliest -n 3 --meta | tail -n 1 | cut -f 2)
is "from an id, including it" "3 4 5 " "$("$torc" sub five --from "$id" -n 3 | tr '\n' ' ')"
exits "live: what was before is not printed" 4 "$torc" sub five --timeout 100
is "  nothing at all" "" "$(cat out)"
exits "an id that is not there" 1 "$torc" sub five --from 0-1-123456
ok "  it says what to do" says err "--from earliest"

# --- formats
is "meta has seven columns" "five 0-1-0 0 1 - - 1" "$("$torc" sub five --from earliest -n 1 --meta | tr '\t' ' ')"
is "json" '{"stream":"five","id":"0-1-0","producer":0,"len":1,"data":"1","properties":{},"event_time":null}' \
        "$("$torc" sub five --from earliest -n 1 --json)"
printf 'a\377b' | "$torc" pub binary
ok "json: bytes that are not UTF-8 are in base64" sh -c "'$torc' sub binary --from earliest -n 1 --json | grep -q '\"data_base64\":\"Yf9i\"'"
printf 'q"\\\t\001\177' | "$torc" pub escapes
ok "json: escapes" sh -c "'$torc' sub escapes --from earliest -n 1 --json | grep -q -F '\"data\":\"q\\\"\\\\\\t\\u0001\\u007f\"'"
printf 'a\nb\n' | "$torc" pub raw
is "raw has no newlines" ab "$("$torc" sub raw --from earliest -n 2 --raw)"
if command -v python3 >/dev/null; then
        head -c 50000 /dev/urandom | "$torc" pub noise --raw 500 --prop 'k=v'
        ok "json: a hundred random blocks are valid JSON and the same bytes" sh -c "head -c 0 /dev/null; '$torc' sub noise --from earliest -n 100 --json >noise.json && '$torc' sub noise --from earliest -n 100 --raw >noise.raw && python3 -c '
import json, base64
data = b\"\"
for line in open(\"noise.json\"):
    m = json.loads(line)
    data += base64.b64decode(m[\"data_base64\"]) if \"data_base64\" in m else m[\"data\"].encode()
assert data == open(\"noise.raw\", \"rb\").read() and len(data) == 50000'"
else
        skip "json of random blocks" "python3 is not installed"
fi

# --- a stream that does not exist yet
"$torc" sub later -n 3 >got 2>err &
sub=$!
await says err "stream 'later' does not exist yet; waiting for it"
is "a name that does not exist is waited for, and said so" 0 $?
seq 1 3 | "$torc" pub later
wait $sub
is "  it attaches when the stream is made, from its beginning" "1 2 3 " "$(tr '\n' ' ' <got)"

# --- several streams, globs
"$torc" sub 'g.*' >got 2>err &
sub=$!
await says err "no stream matches 'g.*' yet"
echo one | "$torc" pub g.a --online 1
echo two | "$torc" pub g.b.c --online 1
echo other | "$torc" pub h.a
echo three | "$torc" pub g.a
await sh -c "[ \$(wc -l <got) -ge 3 ]"
is "a glob matches streams that appear later, and only those" "one three two " "$(sort got | tr '\n' ' ')"
"$torc" end g.a
"$torc" end g.b.c
"$torc" end h.a
echo four | "$torc" pub g.d --online 1
await says got four
is "a glob goes on when its streams have ended" 0 $?
kill -TERM $sub
wait $sub
is "sub dies of SIGTERM" 143 $?

"$torc" sub e1 e2 >got 2>/dev/null &
sub=$!
echo 1 | "$torc" pub e1 --online 1 --end
echo 2 | "$torc" pub e2 --online 1
await says got 2
ok "one of two ended: it goes on" kill -0 $sub
"$torc" end e2
wait $sub
is "all named streams ended: it ends with 0" 0 $?
is "  with everything printed" "1 2 " "$(sort got | tr '\n' ' ')"
exits "a stream that ended before prints what is there, and ends" 0 "$torc" sub e1 --from earliest
is "  that is" 1 "$(cat out)"

# --- nothing stays in a buffer
mkfifo slow
"$torc" sub lone -n 2 >got 2>/dev/null &
sub=$!
"$torc" pub lone --online 1 <slow &
pub=$!
exec 3>slow
echo first >&3
await says got first
is "a lone message is printed while nothing else comes" 0 $?
echo second >&3
exec 3>&-
wait $sub $pub

# --- the reader of our output goes away
mkfifo silent
"$torc" pub quiet <silent &
pub=$!
exec 3>silent
await producers quiet 1
(
        "$torc" sub quiet --from earliest
        echo $? >status
) | head -n 1 >got &
await consumers quiet 1
echo only >&3
await says got only
await consumers quiet 0
is "sub ends when its reader has gone, without another message" 0 $?
await test -s status
is "  with exit code 0" 0 "$(cat status)"
exec 3>&-
wait $pub
ok "a full device is an error" sh -c "'$torc' sub five --from earliest -n 1 >/dev/full 2>err; [ \$? = 1 ] && grep -q 'No space left' err"

# --- lagging: what is printed and what is said to be missed is all there was
"$torc" pub lag --lag disconnect --capacity 64KiB </dev/null
"$torc" sub lag >got 2>err &
sub=$!
jobs_to_kill=$sub
(
        await consumers lag 1
        kill -STOP $sub
        seq 1 300000
) | "$torc" pub lag
kill -CONT $sub
"$torc" end lag
wait $sub
missed=$(sed -n 's/.*missed \([0-9]*\) messages.*/\1/p' err | awk '{ n += $1 } END { print n + 0 }')
ok "a stopped consumer misses messages, and says how many" test "$missed" -gt 0
is "printed and missed are all" 300000 $((missed + $(wc -l <got)))
ok "what was printed is in order and whole" sh -c "sort -n -c got && ! grep -v -q '^[1-9][0-9]*\$' got"

"$torc" pub skip --lag skip --capacity 64KiB </dev/null
"$torc" sub skip >got 2>err &
sub=$!
(
        await consumers skip 1
        kill -STOP $sub
        seq 1 300000
) | "$torc" pub skip
kill -CONT $sub
"$torc" end skip
wait $sub
missed=$(sed -n 's/.*missed \([0-9]*\) messages.*/\1/p' err | awk '{ n += $1 } END { print n + 0 }')
is "skip: printed and missed are all" 300000 $((missed + $(wc -l <got)))
ok "skip: what was printed is in order and whole" sh -c "sort -n -c got && ! grep -v -q '^[1-9][0-9]*\$' got"

# --- removed
"$torc" sub gone >got 2>err &
sub=$!
"$torc" pub gone --online 1 <x
"$torc" rm gone
wait $sub
is "sub ends when its stream is removed" 0 $?
ok "  and says so" says err "stream 'gone' was removed"

# --- odd names
name="odd name ünï [x] $(printf 'tab\there')"
echo odd | "$torc" pub "$name"
is "any name is a stream" odd "$("$torc" sub 'odd name*' --from earliest -n 1)"
ok "control characters are not printed" sh -c "'$torc' ls | grep -q -F 'tab\\x09here'"

# --- wrong usage
exits "no stream" 2 "$torc" sub
exits "bad name" 2 "$torc" sub a/b
exits "bad count" 2 "$torc" sub a -n 0
exits "bad from" 2 "$torc" sub a --from yesterday
exits "an id for two streams" 2 "$torc" sub a b --from 0-1-0
exits "two formats" 2 "$torc" sub a --json --meta
exits "unknown option" 2 "$torc" sub a --colour
