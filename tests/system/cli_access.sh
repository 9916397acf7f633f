#!/bin/sh
# Access modes as a person meets them: refusal, waiting in turn, fencing.
. "$(dirname "$0")/cli_checks.inc"
echo x >x
mkfifo hold

# --- refused by an exclusive owner
"$torc" pub s --access exclusive --name first <hold 2>first.err &
first=$!
exec 3>hold
await producers s 1
for mode in shared exclusive; do
        exits "$mode is refused by an owner" 3 "$torc" pub s --access $mode <x
        ok "  it says who holds the stream" says err "held by first (pid $first), exclusively, epoch 1"
        ok "  it says how to wait" says err "torc pub s --access wait_for_exclusive"
        ok "  it says how to take over" says err "torc pub s --access exclusive_with_fencing"
done

# --- waiting in turn
exits "waiting with a time-out: exit 4" 4 "$torc" pub s --access wait_for_exclusive --timeout 100 <x
ok "  it says what it waits for, and its place" says err "waiting for exclusive access to 's', held by first (pid $first); place 1"
echo second | "$torc" pub s --access wait_for_exclusive --name second 2>second.err 3>&- &
second=$!
await says second.err "place 1 in the queue"
(echo third | "$torc" pub s --access wait_for_exclusive --name third 2>third.err) 3>&- &
third=$!
await says third.err "place 2 in the queue"
is "the second in the queue is told so" 0 $?
exits "shared is refused while somebody waits" 3 "$torc" pub s <x
is "waiting is said once" 1 "$(grep -c waiting second.err)"
exec 3>&-
wait $first $second $third
ok "the next in turn owns it, with the next epoch" says second.err "owner of 's' now, epoch 2"
ok "and then the one after" says third.err "owner of 's' now, epoch 3"
is "they sent in turn" "second third" "$("$torc" sub s --from earliest -n 2 | tr '\n' ' ' | sed 's/ $//')"

# --- a waiting producer that is told to stop leaves the queue
"$torc" pub s --access exclusive --name owner <hold &
owner=$!
exec 3>hold
await producers s 1
"$torc" pub s --access wait_for_exclusive --name quitter <x 2>quitter.err 3>&- &
quitter=$!
await says quitter.err waiting
kill -TERM $quitter
wait $quitter
is "a waiting producer dies of SIGTERM" 143 $?
ok "and leaves the queue" sh -c "! '$torc' stat s | grep -q quitter"

# --- fencing: the old owner is idle, a waiter waits
"$torc" pub s --access wait_for_exclusive --name waiter <x 2>waiter.err 3>&- &
waiter=$!
await says waiter.err waiting
"$torc" pub s --access wait_for_exclusive --name sleeper </dev/null 2>/dev/null 3>&- &
sleeper=$!
echo taken >y
exits "fencing takes over at once" 0 "$torc" pub s --access exclusive_with_fencing --name usurper <y
wait $owner
is "the fenced owner exits with 81 though its input is idle" 81 $?
wait $waiter
is "waiters exit with 81" 81 $?
wait $sleeper
ok "it says by whom, and which epoch" says waiter.err "fenced: usurper (pid"
ok "  the epoch" says waiter.err "took stream 's' over, epoch"
exec 3>&-

# --- fencing a busy producer: none of its messages after the new owner's
(
        i=0
        while [ $i -lt 100000 ]; do
                echo old
                i=$((i + 1))
        done
        cat hold
) | "$torc" pub busy --access exclusive --name old --lag disconnect 2>old.err &
old=$!
exec 3>hold
await sh -c "'$torc' stat busy | grep -q ' old '"
echo new | "$torc" pub busy --access exclusive_with_fencing --name new
exec 3>&-
wait $old
is "the fenced producer exits with 81" 81 $?
ok "it says how much it had sent" says old.err "messages had been sent"
is "the new owner's message is the last" new "$("$torc" sub busy --from earliest --timeout 200 | tail -n 1)"
