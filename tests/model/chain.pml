/*
 * chain.pml - the segments of a stream: sealing one and opening its successor, following, joining, being cut off, and
 * deleting what nobody needs.
 *
 * Models    the order of change_successor, redo_carry_out and stream_reclaim (with stream_first) of libshm/stream.c and
 *           reap.c; producer_follow; consumer_follow; limit_slowest over several segments; join_oldest, join_place,
 *           join_resume, join_gap with join_ahead, consumer_note_gap; limit_kick with limit_count over the chain. One
 *           access to shared memory a step. Whoever deletes a segment may die between the file and the word `first`.
 *           Frames are one unit, each a message, as in limit.pml.
 * Bounds    CAP units a segment, SEGMENTS, NP producers, NC consumers (the first is there from the start, others join),
 *           MSGS messages, KICKS, DEATHS of reclaimers.
 * Left out  what limit.pml and ring.pml have; the redo record (access.pml): whoever seals and links lives.
 * Properties
 *   C1  whoever is sent to a segment finds it: no segment is deleted that an ACTIVE or JOINING consumer stands in or
 *       will go to, and none is named before it is there (S1, J3)
 *   C2  a segment begins where its predecessor ended, and no claim succeeds in a sealed one (S2)
 *   C3  a claim overwrites nothing that an ACTIVE consumer may still read unchecked, wherever that one stands (L1, J2)
 *   C4  consumers get every message in one order, or count it as missed, exactly; they all reach the end
 *   C5  in the end only segments that somebody needs are left
 */
#ifndef CAP
#define CAP 1
#endif
#ifndef SEGMENTS
#define SEGMENTS 3
#endif
#ifndef NP
#define NP 1
#endif
#ifndef NC
#define NC 1
#endif
#ifndef MSGS
#define MSGS 3
#endif
#ifndef KICKS
#define KICKS 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef EARLIEST
#define EARLIEST 1
#endif

#define NONE 255
#define FREE 0
#define JOINING 1
#define ACTIVE 2
#define KICKED 3
#define STAMPED(n, p) (stamp[(n) * CAP + (p) % CAP] == (p) + 1)
#define HELD(c) (state[c] == JOINING || state[c] == ACTIVE)

/* segments */
bool exists[SEGMENTS], sealed[SEGMENTS];
byte base[SEGMENTS], tail[SEGMENTS], limit[SEGMENTS], stamp[SEGMENTS * CAP];
byte first, current; /* numbers, from 0 */
bool locked;         /* the ctl lock */
byte istart[NP] = NONE, iseg[NP];

/* consumer records */
byte state[NC], segment[NC], cursor[NC], count[NC], count2[NC], reach[NC], cut[NC], cutseg[NC];

byte sent, changes = SEGMENTS - 1, deaths = DEATHS, done;

/* Ghosts */
byte g_pos[NC], g_checked[NC];
bool g_sent; /* everything is sent and committed */

/* Whose cursor counts how far for a producer in segment n */
#ifdef BROKEN_SEGMENT_TABLE /* each segment has a consumer table of its own */
#define STANDS(c, n) (segment[c] != (n) -> NONE : cursor[c])
#else
#define STANDS(c, n) (segment[c] > (n) -> NONE : (segment[c] < (n) -> base[n] : cursor[c]))
#endif
#define ROOM(c, n, need) (!HELD(c) || STANDS(c, n) + CAP >= need)
#define IDLE(i, n, need) (istart[i] == NONE || iseg[i] != (n) || istart[i] + CAP >= need)
#define ROOMY(n, need) (ROOM(0, n, need) && ROOM(NC - 1, n, need) && IDLE(0, n, need) && IDLE(NP - 1, n, need))

inline lock()
{
	atomic { !locked -> locked = true }
}

/* ---- deleting what nobody needs: stream_reclaim, under the ctl lock -------------------------------------- */

/* In `oldest`: the lowest number of a segment that a consumer stands in. */
inline oldest_needed()
{
	oldest = NONE;
	i = 0;
	do
	:: i < NC ->
		b = HELD(i);
		if
		:: b ->
#ifdef BROKEN_RECLAIM_BY_CURSOR
			atomic {
				if
				:: cursor[i] < base[f + 1] && f < oldest -> oldest = f
				:: else
				fi
			}
#else
			atomic { oldest = (segment[i] < oldest -> segment[i] : oldest) }
#endif
		:: else
		fi;
		i++
	:: else -> i = 0; break
	od
}

inline reclaim()
{
	f = first;
	/* stream_first: a reclaimer may have died between deleting a segment and saying so */
	if
	:: f < current && !exists[f] -> f++; first = f
	:: else
	fi;
#ifndef BROKEN_RECLAIM_BY_CURSOR
	oldest_needed();
#endif
	do
	:: f < current ->
#ifdef BROKEN_RECLAIM_BY_CURSOR
		oldest_needed();
#endif
		if
		:: f < oldest ->
			exists[f] = false;
			if
			:: deaths > 0 -> deaths--; dead = true; break
			:: true
			fi;
			f++;
			first = f
		:: else -> break
		fi
	:: else -> break
	od;
	oldest = 0; b = false; f = 0
}

/* ---- succession ------------------------------------------------------------------------------------------ */

/* Whoever grows, fences or takes over; at any moment, so that segments may be empty */
proctype changer()
{
	byte i, f, oldest, end;
	bool b, dead;
	do
	:: changes > 0 ->
		lock();
		reclaim();
		if
		:: !dead ->
#ifdef BROKEN_BASE_BEFORE_SEAL
			end = tail[current];
			sealed[current] = true;
#else
			atomic { sealed[current] = true; end = tail[current] }; /* an or into tail */
#endif
#ifdef BROKEN_CURRENT_BEFORE_LINK
			current = current + 1;
			atomic {
				base[current] = end; tail[current] = end; limit[current] = end + CAP;
				exists[current] = true
			};
#else
			atomic { /* whole, or not there */
				base[current + 1] = end; tail[current + 1] = end; limit[current + 1] = end + CAP;
				exists[current + 1] = true
			};
			current = current + 1;
#endif
			end = 0;
			atomic { locked = false; changes-- }
		:: else -> atomic { locked = false; dead = false } /* the next one comes */
		fi
	:: changes == 0 -> break
	od
}

/* ---- producers ------------------------------------------------------------------------------------------- */

inline refresh()
{
	min = tail[seg];
	c = 0;
	do
	:: c < NC ->
		b = HELD(c);
		if
		:: b ->
			at = segment[c]; /* the segment first */
			if
#ifdef BROKEN_SEGMENT_TABLE
			:: at == seg -> atomic { min = (cursor[c] < min -> cursor[c] : min) }
#else
			:: at < seg -> min = (base[seg] < min -> base[seg] : min)
			:: at == seg -> atomic { min = (cursor[c] < min -> cursor[c] : min) }
#endif
			:: else
			fi
		:: else
		fi;
		c++
	:: else -> c = 0; break
	od;
#if NP > 1
	atomic { /* another's open claim */
		if
		:: istart[1 - slot] < min && iseg[1 - slot] == seg && !STAMPED(seg, istart[1 - slot]) -> min = istart[1 - slot]
		:: else
		fi
	};
#endif
	atomic {
		limit[seg] = (min + CAP > limit[seg] -> min + CAP : limit[seg]);
		min = 0; b = false; at = 0
	}
}

proctype producer(byte slot)
{
	byte seg, t, min, c, at;
	bool b, end;
	do
	:: atomic { sent < MSGS -> sent++ };
retry:
		atomic { t = tail[seg]; end = sealed[seg] };
		if
		:: end -> /* producer_follow */
			end = false;
			do
			:: current != seg ->
				at = current;
				atomic { b = exists[at]; assert(b || current != at) /* C1 */ };
				if
				:: b -> break
				:: else /* gone, because there is another by now */
				fi
			od;
			seg = at;
			at = 0;
			goto retry
		:: else
		fi;
		b = (t + 1 > limit[seg]);
		if
		:: b ->
			refresh();
			b = (t + 1 > limit[seg]);
			if
			:: b -> b = false; ROOMY(seg, t + 1) || sealed[seg]
			:: else
			fi;
			goto retry
		:: else
		fi;
#if NP > 1
		atomic { istart[slot] = t; iseg[slot] = seg };
#endif
		d_step {
			if
#ifdef BROKEN_CLAIM_SEALED
			:: tail[seg] == t ->
#else
			:: tail[seg] == t && !sealed[seg] ->
#endif
				b = false;
				tail[seg] = t + 1;
				assert(seg == current || !exists[seg + 1]); /* C2 */
				do /* C3 */
				:: c < NC ->
					assert(t < base[seg] + CAP || state[c] != ACTIVE || t - CAP < g_checked[c] ||
					       t - CAP < g_pos[c]);
					c++
				:: else -> c = 0; break
				od
			:: else -> b = true
			fi
		};
		if
		:: b -> b = false; istart[slot] = NONE; goto retry
		:: else
		fi;
		stamp[seg * CAP + t % CAP] = t + 1;
		istart[slot] = NONE;
		t = 0
	:: sent == MSGS -> break
	od;
	atomic { done++; g_sent = (done == NP) }
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

inline publish()
{
	count[me] = passed;
	cursor[me] = pos;
	count2[me] = passed
}

/* Still there, where an ACTIVE consumer goes? If not, it was cut off meanwhile. */
inline check_exists(n)
{
	atomic { assert(exists[n] || state[me] == KICKED) /* C1 */; b = exists[n] }
}

/* join_oldest, under the ctl lock: in seg and pos, the oldest place from which on everything is still there */
inline join_oldest()
{
	f = first;
#ifndef BROKEN_FIRST_UNCHECKED
	if
	:: f < current && !exists[f] -> f++; first = f
	:: else
	fi;
#endif
	at = current + 1;
	do
	:: at > f ->
		at--;
		assert(exists[at]); /* C1 */
		atomic {
			seg = at;
			pos = (limit[at] > base[at] + CAP -> limit[at] - CAP : base[at]);
			b = (pos > base[at])
		};
		if
		:: b -> break
		:: else
		fi
	:: else -> break
	od;
	b = false
}

/*
 * join_ahead: in `at`, how many messages lie between pos and `to`. What was overwritten meanwhile is skipped (join_skip).
 * The total that they are taken off is exact here; in the library it lags behind by the claims in flight.
 */
inline count_ahead(to)
{
	f = seg;
	i = pos;
	at = 0;
	do
	:: i < to ->
		atomic {
			b = exists[f];
			if
			:: b && limit[f] > i + CAP && i < tail[f] ->
				at = 0;
				seg = f;
				pos = limit[f] - CAP;
				i = pos
			:: b && !(limit[f] > i + CAP && i < tail[f]) ->
				oldest = (tail[f] < to -> tail[f] : to);
				at = at + oldest - i;
				i = oldest;
				f = (i < to -> f + 1 : f)
			:: else -> break
			fi;
			oldest = 0
		}
	:: else -> break
	od;
	atomic { f = 0; i = 0; oldest = 0; b = false }
}

proctype consumer(byte me)
{
	byte pos, seg, until, passed, begun, f, at, oldest, i, mine, mineseg;
	bool fresh = true, live, inexact, b, dead, end;

	if
	:: me == 0 -> goto reading
	:: else
	fi;
come_back:
#ifdef BROKEN_JOIN_LATE
	at = current;
#endif
	lock();
	if
	:: fresh -> live = true; seg = current; pos = tail[seg]
#if EARLIEST
	:: fresh -> live = false; join_oldest()
#endif
	:: !fresh -> /* join_resume: at the cut, or where we are if we read on; else at what is left */
		live = false;
		mine = pos;
		mineseg = seg;
		join_oldest();
		if
		:: cut[me] >= mine -> mine = cut[me]; mineseg = cutseg[me]
		:: else
		fi;
		if
		:: seg <= mineseg && pos <= mine -> seg = mineseg; pos = mine
		:: else -> inexact = true
		fi;
		mine = 0;
		mineseg = 0
	fi;
	segment[me] = seg;
	publish();
	atomic { state[me] = JOINING; locked = false };
	/* join_place */
	if
	:: live ->
#ifdef BROKEN_JOIN_LATE
		seg = at; /* where the stream stood before we were announced */
#else
		seg = current;
#endif
		at = 0;
		check_exists(seg);
		if
		:: !b -> goto outrun
		:: else
		fi;
		pos = tail[seg];
		publish();
		segment[me] = seg;
		atomic { pos = tail[seg]; until = pos };
		publish()
	:: else ->
		check_exists(seg);
		if
		:: !b -> goto outrun
		:: else
		fi;
		publish();
		segment[me] = seg;
		do
		:: at = current;
			b = exists[at];
			if
			:: b -> break
			:: else
			fi
		od;
		until = tail[at];
		at = 0
	fi;
	if
	:: inexact ->
		count_ahead(until);
#ifndef BROKEN_GAP_UNCONFIRMED
		b = (state[me] == JOINING); /* else what was to be counted may be gone */
		if
		:: !b -> at = 0; goto outrun
		:: else
		fi;
#endif
		passed = until - at - begun;
		at = 0;
		publish();
		segment[me] = seg
	:: else
	fi;
	d_step {
		g_pos[me] = pos;
		g_checked[me] = until;
		begun = (fresh -> pos : begun);
		state[me] = (state[me] == JOINING -> ACTIVE : state[me]);
		b = (state[me] == ACTIVE)
	};
	if
	:: !b ->
outrun:		if
		:: fresh -> goto come_back
		:: else -> passed = (reach[me] > passed -> reach[me] : passed); goto come_back
		fi
	:: else
	fi;
	fresh = false;
	inexact = false;
	assert(passed == pos - begun); /* C4 */

reading:
	fresh = false;
	do
	:: STAMPED(seg, pos) || state[me] != ACTIVE || limit[seg] > pos + CAP || tail[seg] > pos + CAP ||
	   (sealed[seg] && tail[seg] == pos && (current != seg || (g_sent && changes == 0))) ||
	   (g_sent && changes == 0 && current == seg && tail[seg] == pos) ->
		b = STAMPED(seg, pos);
		atomic { end = (!b && tail[seg] == pos && sealed[seg]) };
		/* consumer_note_kick */
		if
		:: state[me] != ACTIVE ->
			passed = (reach[me] > passed -> reach[me] : passed);
			b = false;
			end = false;
			goto come_back
		:: else
		fi;
		if
		:: b ->
			b = (pos < until && limit[seg] > pos + CAP);
			if
			:: !b ->
				atomic { pos++; passed++; g_pos[me] = pos };
				publish()
			:: else -> goto gap
			fi
		:: !b && end -> /* consumer_follow */
			if
			:: current == seg -> break /* the end */
			:: else
			fi;
#ifdef BROKEN_SEGMENT_TABLE
			segment[me] = NONE;
#endif
			check_exists(seg + 1);
			if
			:: b ->
				assert(base[seg + 1] == pos); /* C2 */
				seg++;
				publish();
				segment[me] = seg;
				if
				:: d_step { !locked -> locked = true };
					reclaim();
					dead = false;
					locked = false
				:: true /* it was taken */
				fi
			:: else -> passed = (reach[me] > passed -> reach[me] : passed); end = false; goto come_back
			fi
		:: else ->
			if
			:: limit[seg] > pos + CAP || tail[seg] > pos + CAP ->
gap:				/* consumer_note_gap: history was overwritten */
				atomic {
					assert(limit[seg] - CAP > pos && pos < until);
					pos = limit[seg] - CAP;
					g_pos[me] = pos
				};
				do /* join_mark */
				:: at = current;
					b = exists[at];
					if
					:: b -> break
					:: else
					fi
				od;
				mine = tail[at];
				count_ahead(mine);
#ifndef BROKEN_GAP_UNCONFIRMED
				b = (state[me] == ACTIVE);
#else
				b = true;
#endif
				if
				:: b -> passed = mine - at - begun; publish(); segment[me] = seg
				:: else -> inexact = true /* it is counted when we come back */
				fi;
				mine = 0;
				at = 0
			:: else
			fi;
			if
			:: g_sent && changes == 0 && current == seg && tail[seg] == pos -> break
			:: else
			fi
		fi;
		b = false;
		end = false
	od;
	atomic { assert(g_sent && passed == pos - begun) /* C4 */; b = false; end = false; until = 0 }
}

/* ---- a kick: limit_kick and limit_count ------------------------------------------------------------------- */

#if KICKS
proctype kicker()
{
	byte seg, from, after, n, p, end, st, kicks = KICKS, now;
	bool b;
	do
	:: kicks > 0 ->
		kicks--;
		lock();
		do
		:: st = state[NC - 1];
			if
			:: st != JOINING && st != ACTIVE -> break
			:: else
			fi;
			do /* kick_stand */
			::
				seg = segment[NC - 1];
				after = count2[NC - 1];
				from = cursor[NC - 1];
				n = count[NC - 1];
				if
				:: n == after && seg == segment[NC - 1] -> break
				:: else
				fi
			od;
			p = from;
			do /* limit_count */
			:: now = current;
				end = tail[seg];
				do
				:: p < end ->
					b = STAMPED(seg, p);
					if
					:: b -> p++
					:: else -> break
					fi
				:: else -> break
				od;
				if
				:: p < end || seg >= now -> break
				:: else -> seg++
				fi
			od;
			cutseg[NC - 1] = seg;
			cut[NC - 1] = p;
			atomic {
				if
				:: state[NC - 1] == st -> state[NC - 1] = KICKED; reach[NC - 1] = n + p - from; st = FREE
				:: else
				fi
			};
			if
			:: st == FREE -> break
			:: else
			fi
		od;
		atomic { locked = false; seg = 0; from = 0; after = 0; n = 0; p = 0; end = 0; st = 0; now = 0; b = false }
	:: break
	od
}
#endif

init {
	atomic {
		exists[0] = true;
		limit[0] = CAP;
		state[0] = ACTIVE;
		run changer();
#if KICKS
		run kicker();
#endif
		run producer(0);
#if NP > 1
		run producer(1);
#endif
		run consumer(0);
#if NC > 1
		run consumer(1)
#endif
	}
#if DEATHS == 0
	/* C5: the last look deletes all that is not needed */
	byte i, f, oldest;
	bool b, dead;
	atomic {
		g_sent && changes == 0 && _nr_pr == 1 -> reclaim(); assert(first == current && exists[current]);
		i = 0;
		do
		:: i < current -> assert(!exists[i]); i++
		:: else -> break
		od
	}
#endif
}
