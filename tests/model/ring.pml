/*
 * ring.pml - one segment: claim, commit, refresh the limit, recover a hole, reap a dead producer, use its slot again.
 *
 * Models    ring_claim, ring_stamp_frame, ring_advance_intent, ring_clear_intent, ring_min_intent, ring_raise_limit,
 *           ring_recover, ring_fill and ring_reap of libshm/ring.c, limit_refresh of limit.c with one consumer or none,
 *           and the order of reaping and reuse of reap.c. One access to shared memory a step. A producer dies before any
 *           step, a mender (whoever holds the recovery lock) too; the kernel then drops its lock. Units of 16 bytes:
 *           a position is a unit's number, a frame is one or two units, its first unit holds stamp and info.
 * Bounds    CAP units of ring, BASE the first position, MSGS messages in all, DEATHS and MENDER_DEATHS, REUSE new
 *           occupants of reaped slots, MENDS rounds of mending, MENDERS menders at a time.
 * Left out  weak memory (wake.pml has store buffers, docs/ARCHITECTURE.md the ordering argument of each pair); consumers
 *           that join or are kicked (limit.pml); sealing and succession (chain.pml); ring_keep_history: any limit below
 *           the one set here is safe too; stamps of equal value by chance.
 * Properties, as assertions on ghosts that no process reads
 *   R1  a stamped frame is one that was claimed, whole, with the length it was claimed with (I4, I5)
 *   R2  recovery fills units only that a dead producer claimed and did not commit, and only while the ring has not
 *       moved on; a live producer never finds its claim filled
 *   R3  a claim takes no unit that is still open, or that the consumer still needs (I2, L1)
 *   R4  a slot is used again only when nothing that its last occupant claimed is open (I3)
 *   R5  when everybody rests, mending settles every hole: nobody who rests is in the way, and the consumer has read all
 *       up to the tail: what was committed as a message, what was not as padding
 */
#ifndef CAP
#define CAP 4
#endif
#ifndef BASE
#define BASE 0
#endif
#ifndef NP
#define NP 2
#endif
#ifndef MSGS
#define MSGS 4
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef MENDER_DEATHS
#define MENDER_DEATHS 1
#endif
#ifndef REUSE
#define REUSE 1
#endif
#ifndef MENDS
#define MENDS 2
#endif
#ifndef MENDERS
#define MENDERS 1
#endif
#ifndef CONSUMER
#define CONSUMER 1
#endif
#ifndef WIDE /* frames of up to two units, and batches of two frames */
#define WIDE 1
#endif

#define END (BASE + MSGS * (WIDE * 2 + 1) + 1) /* positions stay below */
#define NONE 255
#define AT(p) ((p) % CAP)
#define STAMPED(p) (stamp[AT(p)] == (p) + 1)
#define OVERWRITTEN(p) (limit > (p) + CAP)
#define RESTING (rests[0] && rests[NP / 2] && rests[NP - 1]) /* of up to three */

byte tail = BASE, limit = BASE + CAP, cursor = BASE;
byte istart[NP] = NONE, iend[NP];
byte stamp[CAP]; /* position + 1; payload: 0 */
byte units[CAP];   /* info: units of the frame */
bit pad[CAP];    /* info: padding, no message */

bool alive[NP] = true; /* the slot's peer holds its lock */
bool rests[NP];        /* the occupant has done what it wanted */
bool locked;           /* the recovery lock */
byte deaths = DEATHS, mender_deaths = MENDER_DEATHS, reuse = REUSE, msgs = MSGS, mends = MENDS, menders = MENDERS;

/* Ghosts */
byte g_open[END]; /* unit is claimed and not committed: slot + 1 */
bit g_start[END]; /* a frame begins here */
bit g_msg[END];   /* a message was committed here */

inline check_frame(p, n) /* R1: nothing begins within, something at its end */
{
	assert(g_start[p] && g_start[p + n] && (n == 1 || !g_start[p + 1]) && (n < 3 || !g_start[p + 2]));
}

/* ---- a producer ------------------------------------------------------------------------------------------ */

/* One step of a live producer; or its last moment. A death without an intent leaves nothing, and is left out. */
#define STEP(statement) \
	atomic { \
		if \
		:: statement \
		:: deaths > 0 && istart[slot] != NONE -> deaths--; alive[slot] = false; goto dead \
		fi \
	}

inline ghost_claim()
{
	x = t;
	do
	:: x < end ->
		/* R3 */
		assert(x < BASE + CAP || (!g_open[x - CAP] && (!CONSUMER || x - CAP < cursor)));
		g_open[x] = slot + 1;
		x++
	:: else -> break
	od;
	g_start[t] = 1;
	g_start[end - n] = 1;
	if
	:: batch -> g_start[end - 1] = 1
	:: else
	fi;
	g_start[end] = 1;
	x = 0
}

inline ghost_commit(p, n, padding)
{
	g_msg[p] = !padding;
	x = 0;
	do
	:: x < n -> g_open[p + x] = 0; x++
	:: else -> break
	od;
	x = 0
}

inline commit_frame(p, n, padding)
{
#if WIDE /* else every info is the same */
	STEP(d_step {
		assert(g_open[p] == slot + 1 && tail <= p + CAP); /* R2: it was not filled under us */
		units[AT(p)] = n;
		pad[AT(p)] = padding;
		if
		:: n == 2 && !padding -> stamp[AT(p + 1)] = 0 /* payload */
		:: else
		fi
	})
#endif
	STEP(d_step {
		assert(g_open[p] == slot + 1 && tail <= p + CAP);
		stamp[AT(p)] = p + 1;
		units[AT(p)] = n;
		pad[AT(p)] = padding;
		ghost_commit(p, n, padding)
	})
}

/* ring_min_intent: are all frames from s to e committed? In `whole`. */
inline committed()
{
	whole = true;
	do
	:: s < e && whole ->
		STEP(whole = STAMPED(s));
		if
		:: whole -> /* info, which may be of a later lap by now */
			STEP(d_step {
				if
				:: units[AT(s)] == 0 || AT(s) + units[AT(s)] > CAP -> whole = false
				:: else -> s = s + units[AT(s)]
				fi
			})
		:: else
		fi
	:: else -> break
	od
}

inline refresh()
{
	STEP(d_step { min = tail; t0 = tail });
#if CONSUMER
	STEP(min = (cursor < min -> cursor : min));
#endif
#ifndef BROKEN_NO_INTENTS
	j = 0;
	do
	:: j == slot -> j++ /* we have no intent now */
	:: j < NP && j != slot ->
		STEP(s = istart[j]);
		if
		:: s < min ->
			m = s;
			STEP(e = iend[j]);
			if
			:: e <= t0 ->
				STEP(whole = OVERWRITTEN(s));
				if
				:: !whole ->
					committed();
					min = (whole -> min : m)
				:: else
				fi
			:: else
			fi
		:: else
		fi;
		j++
	:: j == NP -> break
	od;
#endif
	/* A CAS loop that only ever raises it is one atomic maximum. */
	STEP(d_step {
		limit = (min + CAP > limit -> min + CAP : limit);
		s = 0; e = 0; m = 0; j = 0; t0 = 0; min = 0; whole = false
	})
}

proctype producer(byte slot)
{
	byte t, end, n, room, s, e, m, j, t0, min, x;
	bool whole, batch, tried, over, lost;
again:
	do
	:: atomic { msgs > 0 && (slot == 0 || msgs < MSGS) -> msgs-- }; /* slots are alike: 0 is the first */
		n = 1;
		batch = false;
#if WIDE
		if
		:: n = 2
		:: n = 1
		:: n = 2; batch = true /* one claim, two frames of a unit each */
		fi;
#endif
		tried = false;
		t = tail;
retry:
		room = CAP - AT(t);
		end = t + n + (room < n -> room : 0);
		STEP(over = (end > limit));
		if
		:: over && tried -> skip /* FULL: the message stays the caller's */
		:: over && !tried ->
			tried = true;
			refresh();
			t = tail;
			goto retry
		:: else ->
#ifndef BROKEN_CLAIM_BEFORE_INTENT
			iend[slot] = end;
			istart[slot] = t;
#endif
			STEP(d_step {
				if
				:: tail == t -> lost = false; tail = end; ghost_claim()
				:: else -> lost = true; t = tail
				fi
			});
			if
			:: lost ->
#ifndef BROKEN_KEEP_LOST_INTENT
				STEP(istart[slot] = NONE);
#endif
				goto retry
			:: else
			fi;
#ifdef BROKEN_CLAIM_BEFORE_INTENT
			iend[slot] = end;
			istart[slot] = t;
#endif
#if WIDE
			if
			:: room < n -> /* fill up to the ring's end */
				commit_frame(t, room, 1);
				STEP(istart[slot] = end - n)
			:: else
			fi;
#endif
#ifdef BROKEN_CLEAR_BEFORE_STAMP
			STEP(istart[slot] = NONE);
#endif
#if WIDE
			if
			:: batch ->
				commit_frame(end - 2, 1, 0);
				STEP(istart[slot] = end - 1);
				commit_frame(end - 1, 1, 0);
				STEP(istart[slot] = end)
			:: else ->
				commit_frame(end - n, n, 0)
			fi;
#else
			commit_frame(t, 1, 0);
#endif
			STEP(istart[slot] = NONE)
		fi;
		d_step { t = 0; end = 0; n = 0; room = 0; batch = false; tried = false; over = false; lost = false }
	:: msgs == 0 -> break
	od;
	rests[slot] = true;
end_rests:
	false;
dead:
	atomic { t = 0; end = 0; n = 0; room = 0; s = 0; e = 0; m = 0; j = 0; t0 = 0; min = 0; x = 0; whole = false;
		 batch = false; tried = false; over = false; lost = false; rests[slot] = true };
end_dead:
	atomic { alive[slot] -> rests[slot] = false };
	goto again
}

/* ---- recovery -------------------------------------------------------------------------------------------- */

#define OK 0
#define HOLE 1
#define BUSY 2
#define GONE 3
#define FILLED 4

/* One step of a mender; or its last moment. The lock goes with it. */
#define MEND(statement) \
	atomic { \
		if \
		:: statement \
		:: mender_deaths > 0 -> mender_deaths--; goto dead \
		fi \
	}

/* One store of ring_fill into the frame [p, q) of the hole. */
inline check_fill(p, q)
{
	x = p;
	do
	:: x < q -> /* R2 */
		assert(g_open[x] != 0 && !alive[g_open[x] - 1] && tail <= x + CAP);
		x++
	:: else -> break
	od;
	assert(g_start[p] && g_start[q])
}

inline fill_frame(p, q)
{
	MEND(d_step {
		check_fill(p, q);
		units[AT(p)] = q - p;
		pad[AT(p)] = 1
	});
	MEND(d_step {
		check_fill(p, q);
		stamp[AT(p)] = p + 1;
		x = p + 1;
		do
		:: x < q -> g_start[x] = 0; x++
		:: else -> break
		od;
		x = p;
		do
		:: x < q -> g_open[x] = 0; x++
		:: else -> break
		od;
		x = 0
	})
}

inline holders(p)
{
	i = 0;
	do
	:: r == HOLE && i < NP ->
		MEND(s = istart[i]);
		if
		:: s != NONE ->
			MEND(e = iend[i]);
			if
			:: s <= p && p < e -> MEND(r = (alive[i] -> BUSY : r))
			:: else -> q = (s > p && s < q -> s : q)
			fi
		:: else
		fi;
		i++
	:: else -> break
	od
}

inline stamps_beyond(p)
{
	s = p + 1;
	do
	:: r == HOLE && s < q && s - p <= CAP ->
		MEND(q = (STAMPED(s) -> s : q));
		s++
	:: else -> break
	od
}

/* ring_recover: the result in r */
inline recover(p)
{
	MEND(d_step { q = tail; r = (p >= q -> OK : HOLE) });
	if
	:: r == HOLE -> MEND(r = (STAMPED(p) -> OK : r))
	:: else
	fi;
#ifdef BROKEN_STAMPS_BEFORE_INTENTS
	stamps_beyond(p);
#endif
	holders(p);
#ifndef BROKEN_NO_SECOND_LOOK
	if
	:: r == HOLE -> MEND(r = (STAMPED(p) -> OK : r))
	:: else
	fi;
#endif
#ifndef BROKEN_NO_LIMIT_CHECK
	if
	:: r == HOLE -> MEND(r = (OVERWRITTEN(p) -> GONE : r))
	:: else
	fi;
#endif
#ifndef BROKEN_STAMPS_BEFORE_INTENTS
	stamps_beyond(p);
#endif
	if
	:: r == HOLE ->
		assert(q - p <= CAP);
		s = p + CAP - AT(p); /* the ring's end */
		if
		:: s < q -> fill_frame(s, q)
		:: else -> s = q
		fi;
		fill_frame(p, s);
		r = FILLED
	:: else
	fi;
	i = 0; q = 0; s = 0; e = 0
}

/* ring_reap of slot k; r is OK when its intent is clear */
inline reap()
{
	MEND(p = istart[k]);
	r = OK;
	if
	:: p != NONE ->
		MEND(end = iend[k]);
		MEND(end = (end > tail -> tail : end));
#ifdef BROKEN_REAP_START_ONLY
		end = (p < end -> p + 1 : end);
#endif
		do
		:: p < end ->
			recover(p);
			if
			:: r == BUSY || r == GONE -> break
			:: else
			fi;
			/* the header, then: has the ring moved on? */
			MEND(n = units[AT(p)]);
			MEND(r = (OVERWRITTEN(p) -> GONE : OK));
			if
			:: r == GONE -> break
			:: else
			fi;
			assert(n > 0 && AT(p) + n <= CAP); /* else RING_CORRUPT */
			p = p + n
		:: else -> break
		od;
		if
		:: r != BUSY -> MEND(istart[k] = NONE); r = OK
		:: else
		fi
	:: else
	fi;
	p = 0; end = 0; n = 0
}

inline check_slot() /* R4 */
{
	x = BASE;
	do
	:: x < END -> assert(g_open[x] != k + 1); x++
	:: else -> break
	od;
	x = 0
}

proctype mender()
{
	byte p, q, r, i, s, e, k, end, n, x;
	bool lost;
again:
	do
	:: atomic {
		mends > 0 && !locked ->
		if
		:: /* any frame that a reader may have stood at, however long ago */
			k = NP;
			p = BASE;
			do
			:: p < tail -> p++
			:: break
			od;
			lost = !g_start[p] || p == tail || STAMPED(p)
		:: k = 0;
			do
			:: k < NP - 1 -> k++
			:: break
			od;
			lost = alive[k] || !rests[k]
		fi;
		if
		:: lost -> p = 0; k = 0; lost = false; goto again
		:: else -> mends--
		fi;
#ifndef BROKEN_NO_RECOVERY_LOCK
		locked = true
#endif
		};
		if
		:: k == NP -> recover(p)
		:: else ->
			reap();
			MEND(d_step {
				if
				:: r == OK && reuse > 0 -> /* the slot is FREE, and taken */
					check_slot();
					reuse--;
					alive[k] = true
				:: else
				fi
			})
		fi;
		atomic { locked = false; p = 0; r = 0; k = 0 }
	:: mends == 0 || RESTING -> break
	od;
	menders--;
end_done:
	false;
dead:
	atomic { locked = false; p = 0; q = 0; r = 0; i = 0; s = 0; e = 0; k = 0; end = 0; n = 0; x = 0 };
	goto again
}

/* ---- the consumer ---------------------------------------------------------------------------------------- */

#if CONSUMER
active proctype consumer()
{
	byte n;
	bit padding;
end:
	do
	:: d_step { STAMPED(cursor) -> n = units[AT(cursor)]; padding = pad[AT(cursor)] };
		d_step {
			/* R1: whole; R5: a message if and only if it was committed as one */
			check_frame(cursor, n);
			assert(g_msg[cursor] == !padding && g_open[cursor] == 0);
			cursor = cursor + n;
			n = 0;
			padding = 0
		}
	od
}
#endif

/* ---- the end --------------------------------------------------------------------------------------------- */

init {
	byte p, q, r, i, s, e, k, end, n, x;
	atomic {
		k = 0;
		do
		:: k < NP -> run producer(k); k++
		:: else -> break
		od;
		k = 0;
		do
		:: k < MENDERS -> run mender(); k++
		:: else -> break
		od;
		k = 0;
		g_start[BASE] = 1
	}
	/* The last mending, when everybody rests */
	atomic {
		menders == 0 && RESTING ->
		mender_deaths = 0;
		k = 0;
		do
		:: k < NP ->
			if
			:: !alive[k] -> reap(); assert(r == OK); check_slot() /* R5 */
			:: else
			fi;
			k++
		:: else -> break
		od;
#if CONSUMER
		p = cursor;
#else
		p = (limit > BASE + CAP -> limit - CAP : BASE);
#endif
		do
		:: p < tail ->
			assert(STAMPED(p)); /* R5 */
			check_frame(p, units[AT(p)]);
			assert(g_msg[p] == !pad[AT(p)]);
			p = p + units[AT(p)]
		:: else -> break
		od;
		assert(p == tail)
	}
end_all:
	false;
dead:
	skip
}
