/*
 * limit.pml - the licence to overwrite: refreshing the limit, joining, disconnecting laggards, coming back.
 *
 * Models    limit_refresh, limit_kick and limit_kick_laggards of libshm/limit.c; join_announce, join_place, join_activate,
 *           consumer_note_kick, consumer_note_gap and join_again of join.c; ring_peek, ring_overwritten, consumer_confirm
 *           and consumer_publish; claims with their intents. One access to shared memory a step. A frame is a stamp and
 *           two words of payload, so that a torn one shows; each is a message, so that positions count messages.
 * Bounds    CAP frames of ring, NP producers, NC consumers, MSGS messages, REJOIN times that a consumer comes back.
 *           Of two consumers one is there from the start. Another joins live or at the earliest message whenever it likes, and may stop for ever (SIGSTOP) anywhere.
 * Left out  deaths of producers, frames of several units, padding (ring.pml); segments after the first (chain.pml);
 *           sleeping (wake.pml): who has to wait for space waits until a refresh would find some. Where a consumer that
 *           was away cannot know what it missed, the library estimates from counters; the model takes the true number.
 * Properties
 *   L1  a claim overwrites nothing that an ACTIVE consumer may still read unchecked (J2)
 *   L2  no torn or overwritten frame is accepted
 *   L3  each consumer gets every message from its first on, in order, or counts it as missed: none lost uncounted, none
 *       doubled, none counted that was delivered
 *   L4  a consumer that is slow, stopped or half joined holds no producer up: all messages get sent
 */
#ifndef CAP
#define CAP 2
#endif
#ifndef NP
#define NP 1
#endif
#ifndef NC
#define NC 1
#endif
#ifndef MSGS
#define MSGS 4
#endif
#ifndef REJOIN
#define REJOIN 1
#endif
#ifndef EARLIEST
#define EARLIEST 1 /* consumers may begin at the earliest message */
#endif
#ifndef KICK
#define KICK 1 /* lag policy: disconnect; 0: producers wait */
#endif
#ifndef STOPS
#define STOPS 1
#endif

#define NONE 255
#define AT(p) ((p) % CAP)
#define STAMPED(p) (stamp[AT(p)] == (p) + 1)
#define HELD(c) (state[c] == JOINING || state[c] == ACTIVE)
#define OLDEST(value) (value > CAP -> value - CAP : 0) /* ring_earliest */

#define FREE 0
#define JOINING 1
#define ACTIVE 2
#define KICKED 3

byte tail, limit = CAP;
byte intent[NP] = NONE; /* start; its end is one further */
byte stamp[CAP], word1[CAP], word2[CAP];
bool locked; /* the ctl lock */
byte sent, stops = STOPS;

/* consumer records */
byte state[NC], reach[NC], cursor[NC], count[NC], count2[NC], cut[NC];

/* Ghosts */
byte g_pos[NC], g_checked[NC]; /* where it reads; history_until */

/* Would a refresh give room for a claim that ends at `need`? */
#define ROOM(c, need) (!HELD(c) || cursor[c] + CAP >= need)
#define IDLE(i, need) (intent[i] == NONE || intent[i] >= tail || STAMPED(intent[i]) || intent[i] + CAP >= need)
#define ROOMY(need) (tail + CAP >= need && ROOM(0, need) && ROOM(NC - 1, need) && IDLE(0, need) && IDLE(NP - 1, need))

/* ---- producers ------------------------------------------------------------------------------------------- */

inline scan_consumers()
{
	c = 0;
	do
	:: c < NC ->
		held = HELD(c);
		if
		:: held ->
			atomic { min = (cursor[c] < min -> cursor[c] : min) }
		:: else
		fi;
		c++
	:: else -> c = 0; break
	od
}

inline scan_intents()
{
	c = 0;
	do
	:: c == slot -> c++
	:: c < NP && c != slot ->
		other = intent[c];
		if
		:: other < min && other + 1 <= t0 ->
			held = (limit > other + CAP);
			if
			:: !held -> atomic { min = (STAMPED(other) -> min : other) }
			:: else
			fi
		:: else
		fi;
		c++
	:: c == NP -> c = 0; break
	od;
	other = 0
}

inline refresh()
{
#ifdef BROKEN_NO_REFRESH_FENCE /* the loads of the states run ahead of the load of the tail */
	min = NONE;
	scan_consumers();
	atomic { t0 = tail; min = (t0 < min -> t0 : min) };
#else
	atomic { t0 = tail; min = t0 };
#ifdef BROKEN_NO_T0
	min = NONE;
#endif
	scan_consumers();
#ifdef BROKEN_NO_T0
	min = (min == NONE -> t0 : min);
#endif
#endif
	scan_intents();
	atomic {
		limit = (min + CAP > limit -> min + CAP : limit);
		held = false;
		t0 = 0;
		min = 0
	}
}

/* limit_kick: stands, counts what lies ahead up to the tail or to the first hole, cuts off there */
inline kick()
{
	do
	:: st = state[c];
#ifdef BROKEN_KICK_ACTIVE_ONLY
		if
		:: st != ACTIVE -> break
		:: else
		fi;
#else
		if
		:: st != JOINING && st != ACTIVE -> break
		:: else
		fi;
#endif
		do /* kick_stand: a cursor and the count that belongs to it */
		:: after = count2[c];
			from = cursor[c];
			n = count[c];
#ifndef BROKEN_ONE_COUNT
			if
			:: n == after -> break
			:: else
			fi
#else
			break
#endif
		od;
		other = tail;
		min = from;
		do
		:: min < other ->
			held = STAMPED(min);
			if
			:: held -> min++
			:: else -> break
			fi
		:: else -> break
		od;
#ifdef BROKEN_CUT_BEHIND_HOLE
		cut[c] = other;
#else
		cut[c] = min;
#endif
		atomic {
			if
			:: state[c] == st -> state[c] = KICKED; reach[c] = n + min - from; st = FREE
			:: else
			fi
		};
		if
		:: st == FREE -> break
		:: else
		fi
	od;
	st = 0; after = 0; from = 0; n = 0; other = 0; min = 0; held = false
}

inline kick_laggards()
{
	atomic { !locked -> locked = true };
#ifdef BROKEN_LIMIT_BEFORE_KICK
	atomic { limit = (limit < tail + 1 -> tail + 1 : limit) };
#endif
	c = 0;
	do
	:: c < NC ->
		from = cursor[c];
		if
		:: from + CAP < t + 1 -> kick()
		:: else
		fi;
		from = 0;
		c++
	:: else -> break
	od;
	atomic {
		c = 0;
		assert(ROOM(0, t + 1) && ROOM(NC - 1, t + 1)); /* L4: nobody is in the way now */
		locked = false
	}
}

proctype producer(byte slot)
{
	byte t, t0, min, c, other, st, after, from, n;
	bool held, lost;
	do
	:: atomic { sent < MSGS -> sent++ };
		t = tail;
retry:
		held = (t + 1 > limit);
		if
		:: held ->
			refresh();
			held = (t + 1 > limit);
			if
			:: held ->
#if KICK
				kick_laggards();
				refresh();
#endif
				t = tail;
#if !KICK || defined(BROKEN_WAIT_WITHOUT_KICK)
				ROOMY(t + 1)
#else
				/* wait: for claims only; who joins behind is disconnected as well */
				ROOMY(t + 1) || !ROOM(0, t + 1) || !ROOM(NC - 1, t + 1)
#endif
			:: else
			fi;
			t = tail;
			goto retry
		:: else
		fi;
		intent[slot] = t;
		d_step {
			if
			:: tail == t ->
				lost = false;
				tail = t + 1;
				do /* L1 */
				:: c < NC ->
					assert(t < CAP || state[c] != ACTIVE || t - CAP < g_checked[c] || t - CAP < g_pos[c]);
					c++
				:: else -> c = 0; break
				od
			:: else -> lost = true; t = tail
			fi
		};
		if
		:: lost -> intent[slot] = NONE; goto retry
		:: else
		fi;
		word1[AT(t)] = t;
		word2[AT(t)] = t;
		stamp[AT(t)] = t + 1;
		intent[slot] = NONE;
		t = 0
	:: sent == MSGS -> break
	od
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

inline publish()
{
#ifdef BROKEN_ONE_COUNT
	cursor[me] = pos;
	count[me] = passed
#else
	count[me] = passed;
	cursor[me] = pos;
	count2[me] = passed
#endif
}

/* consumer_note_kick and join_again, or the end of this consumer */
inline lagged()
{
	/* reach is 40 bits wide in the library; if we read on while we were being cut off, we are ahead of it */
#ifdef BROKEN_MISSED_UNSIGNED
	passed = reach[me];
#else
	passed = (reach[me] > passed -> reach[me] : passed);
#endif
	if
	:: again > 0 -> again--; goto come_back
	:: goto leave
	fi
}

inline note_gap() /* history was overwritten: go on at the oldest that is left, and count what is between */
{
	from = limit;
	from = OLDEST(from);
	assert(from > pos && pos < until); /* else TORC_ECORRUPT */
	passed = passed + from - pos;
	pos = from;
	g_pos[me] = pos;
	from = 0;
	publish()
}

proctype consumer(byte me)
{
	byte pos, until, passed, first, from, again = REJOIN, seen1, seen2;
	bool live, fresh = true, b;

#if NC > 1
	if
	:: me == 0 -> fresh = false; goto reading
	:: else
	fi;
#endif
come_back:
	/* join_once, join_again: announce, under the ctl lock */
	atomic { !locked -> locked = true };
	if
	:: true -> live = fresh
#if EARLIEST
	:: fresh -> live = false
#endif
	fi;
	atomic {
		from = OLDEST(limit);
		if
		:: !fresh -> /* where the cut is, or where we are if we read on; else what is left */
#ifdef BROKEN_RESUME_AT_CUT
			b = cut[me] < pos;
			pos = cut[me];
#else
			pos = (cut[me] > pos -> cut[me] : pos);
#endif
			if
			:: from > pos -> passed = passed + from - pos; pos = from /* L3: the estimate, taken as exact */
			:: else
			fi;
			from = pos
		:: else
		fi
	};
	count[me] = passed;
	cursor[me] = from;
	count2[me] = passed;
#ifndef BROKEN_NO_JOIN_FENCE
	atomic { state[me] = JOINING; locked = false };
#endif
	if
	:: stops > 0 -> stops--; goto stopped
	:: true
	fi;
	/* join_place */
	if
	:: live ->
		pos = tail;
		publish();
		atomic { pos = tail; until = pos };
		publish()
	:: else ->
		pos = from;
		publish();
		until = tail
	fi;
#ifdef BROKEN_NO_JOIN_FENCE /* the store of JOINING becomes visible after the loads */
	atomic { state[me] = JOINING; locked = false };
#endif
	d_step {
		g_pos[me] = pos;
		g_checked[me] = until;
		from = 0;
		if
		:: fresh && live -> first = pos
		:: fresh && !live -> first = pos
		:: else
		fi
	};
	d_step {
#ifdef BROKEN_ACTIVATE_BY_STORE
		state[me] = ACTIVE;
#else
		if
		:: state[me] == JOINING -> state[me] = ACTIVE
		:: else
		fi;
#endif
		b = (state[me] == ACTIVE)
	};
	if
	:: !b && fresh -> goto come_back /* outrun while joining: join again, from the start */
	:: !b && !fresh -> goto leave
	:: else
	fi;
	fresh = false;
	assert(passed == pos - first); /* L3 */

reading:
	do
	:: /* ring_peek waits for a stamp, or finds that the ring has moved on; both end with a look at our own word */
		STAMPED(pos) || tail > pos + CAP || limit > pos + CAP || state[me] != ACTIVE || (sent == MSGS && tail == pos) ->
		b = STAMPED(pos);
		if
		:: b ->
#ifdef BROKEN_CURSOR_BEFORE_USE
			cursor[me] = pos + 1;
#endif
#ifdef BROKEN_CONFIRM_BEFORE_USE
			b = (state[me] == ACTIVE);
			if
			:: !b -> lagged()
			:: else
			fi;
#endif
			seen1 = word1[AT(pos)];
			seen2 = word2[AT(pos)];
#ifndef BROKEN_CONFIRM_BEFORE_USE
			b = (state[me] == ACTIVE);
			if
			:: !b -> seen1 = 0; seen2 = 0; lagged()
			:: else
			fi;
#endif
#ifndef BROKEN_NO_HISTORY_CHECK
			b = (pos < until && limit > pos + CAP);
#else
			b = false;
#endif
			if
			:: b -> note_gap()
			:: else ->
				assert(seen1 == pos && seen2 == pos); /* L2 */
				atomic { pos++; passed++; g_pos[me] = pos };
				publish()
			fi;
			d_step { seen1 = 0; seen2 = 0; b = false }
		:: else ->
			/* not stamped: RING_GONE if the ring has moved on, else nothing is there yet */
			b = (tail > pos + CAP || limit > pos + CAP);
			seen1 = (state[me] == ACTIVE);
			if
			:: !seen1 -> b = false; lagged()
			:: seen1 && b -> seen1 = 0; b = false; note_gap()
			:: else -> seen1 = 0
			fi
		fi
	:: sent == MSGS && tail == pos -> goto leave
	:: stops > 0 -> stops--; goto stopped /* SIGSTOP, for ever */
	od;
leave:
	/* detaching, or reaped after a death */
	if
	:: !fresh -> assert(passed >= pos - first)
	:: else
	fi;
	atomic { !locked -> state[me] = FREE };
stopped:
	skip
}

init {
	atomic {
		run producer(0);
#if NP > 1
		run producer(1);
#endif
		run consumer(0);
#if NC > 1
		state[0] = ACTIVE;
		run consumer(1)
#endif
	}
}
