/*
 * access.pml - who may produce: the four access modes, hand-over, fencing, under the ctl lock and its redo record.
 *
 * Models    stream_lock, stream_redo, change_apply, redo_carry_out (redo_chain, redo_fence, the words in their order),
 *           change_successor of libshm/stream.c; access_attach, access_grant, access_own, access_try_own, access_detach,
 *           access_fence_all of access.c; stream_reap_producers, stream_retire_producer of reap.c; limit_grow;
 *           producer_follow and producer_check. Each store that others can see is a step, before which its maker may die;
 *           the kernel then drops its lock. Whoever is slow or stopped is an interleaving like any other.
 * Bounds    NC clients, each with a slot and a name of its own, ROUNDS attachments each in any mode, DEATHS, GROWS of the
 *           ring, MODES allowed (a set of bits).
 * Left out  claims and their recovery (ring.pml): a claim is the one step that decides it, and a slot of the dead is
 *           settled; slot generations; the files of segments (chain.pml); a stream that ended; how waiters sleep (wake.pml).
 * Properties
 *   A1  at most one slot is OWNER with a live peer, and then no live slot is SHARED
 *   A2  the epoch grows with each new owner and never shrinks; two owners never write under the same epoch
 *   A3  a fenced producer claims nothing in the segment that shuts it out, nor in a later one
 *   A4  waiters become owners in the order of their tickets, the dead left out
 *   A5  whoever has the lock finds the stream whole, whatever its last holder died of (S1, S3): current exists, it alone is
 *       not sealed, the epoch is that of current, the owner's word is in place
 *   A6  nobody waits for ever
 *   A7  a slot is freed by its occupant or after that one's death
 */
#ifndef NC
#define NC 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef GROWS
#define GROWS 0
#endif
#ifndef SENDS
#define SENDS 1
#endif
#ifndef MODES
#define MODES 31
#endif

#define SEGMENTS (NC * ROUNDS + GROWS + 3) /* numbers from 1 */
#define NONE 255
#define EVERYBODY 254

/* a slot's word */
#define FREE 0
#define SHARED 1
#define OWNER 2
#define WAITING 3
#define FENCED 4

/* modes of access, as bits */
#define M_SHARED 1
#define M_EXCLUSIVE 2
#define M_WAIT 4
#define M_FENCING 8
#define M_FENCE_ALL 16 /* no producer: shuts all out, access_fence_all */

/* the ctl file */
byte word[NC], ticket[NC], next_ticket, current = 1, epoch = 1, owner, owner_name; /* slot + 1, 0: none */
/* the redo record */
bool armed;
byte r_link, r_epoch, r_fence = NONE, r_owner, r_slot, r_word;
bool r_owns; /* it names an owner (or none), and an epoch */
/* segments */
bool exists[SEGMENTS], sealed[SEGMENTS], used[SEGMENTS];
byte seg_epoch[SEGMENTS];

bool alive[NC];
byte lock = NONE; /* its holder */
byte deaths = DEATHS, grows = GROWS;

/* Ghosts */
byte g_writer[SEGMENTS + 1]; /* by epoch: the owner that wrote under it, + 1 */
byte g_shut[NC];             /* from this segment on the client is shut out; 0: it is not */
byte g_epoch = 1;            /* the highest epoch that anybody was granted */

#define PRODUCES(c) (alive[c] && (word[c] == SHARED || word[c] == OWNER))
#define UNLOCK lock = NONE
#define WAITS(c) (alive[c] && word[c] == WAITING)
#define BEFORE(c) (WAITS(c) && ticket[c] < ticket[me])
/* of up to three clients; access_not_yet */
#define MAY_BE_TURN (!PRODUCES(0) && !PRODUCES(NC / 2) && !PRODUCES(NC - 1) && \
		     !BEFORE(0) && !BEFORE(NC / 2) && !BEFORE(NC - 1))

#define DIE deaths > 0 -> deaths--; goto dead
#define STEP(statement) \
	atomic { \
		if \
		:: statement \
		:: DIE \
		fi \
	}

/* ---- changes --------------------------------------------------------------------------------------------- */

/* The redo record, written down before a change is made. What is not there is 0 or NONE. */
#define PREPARE(link, ep, fence, owns, own, slot, value) \
	r_link = link; r_epoch = ep; r_fence = fence; r_owns = owns; r_owner = own; r_slot = slot; r_word = value

/* Its steps, in order; those that the record does not ask for are passed over. */
#if defined(BROKEN_FENCED_AFTER_CURRENT)
#define SEAL 0
#define LINK 1
#define CURRENT 2
#define FENCE 3 /* and one for each slot */
#define NAME (FENCE + NC)
#elif defined(BROKEN_SEALED_LAST)
#define LINK 0
#define FENCE 1
#define NAME (FENCE + NC)
#define CURRENT (NAME + 1)
#define SEAL (NAME + 5)
#else
#define SEAL 0
#define LINK 1
#define FENCE 2
#define NAME (FENCE + NC)
#define CURRENT (NAME + 1)
#endif
#define EPOCH (NAME + 2)
#define OWN (NAME + 3)
#define WORD (NAME + 4)
#define END (NAME + 6)
#define SHUTS(i) (r_fence != NONE && (i) != r_fence && word[i] != FREE && word[i] != FENCED)
#define ASKED(s) \
	((r_link && (s == SEAL || s == LINK || s == CURRENT)) || (s >= FENCE && s < FENCE + NC && SHUTS(s - FENCE)) || \
	 (r_owns && (s == NAME || s == EPOCH || s == OWN)) || (s == OWN && r_slot != NONE && owner == r_slot + 1) || \
	 (s == WORD && r_slot != NONE))

/* One of them; each may be repeated. */
inline store_step()
{
	if
	:: step == SEAL -> sealed[r_link - 1] = true /* an or into tail */
	:: step == LINK && !exists[r_link] -> exists[r_link] = true; seg_epoch[r_link] = r_epoch
	:: step == LINK && exists[r_link] /* linked by the holder that died */
	:: step == CURRENT -> current = r_link
	:: step >= FENCE && step < FENCE + NC -> word[step - FENCE] = FENCED
	:: step == NAME -> owner_name = r_owner
#ifdef BROKEN_NOT_IDEMPOTENT
	:: step == EPOCH -> epoch = (r_link -> epoch + 1 : epoch)
#else
	:: step == EPOCH -> epoch = r_epoch
#endif
	:: step == OWN -> owner = r_owner
	:: step == WORD -> word[r_slot] = r_word
	fi
}

inline carry_out()
{
	step = 0;
	do
	:: atomic {
		step < END ->
		d_step {
			do
			:: step < END && !ASKED(step) -> step++
			:: else -> break
			od
		};
		if
		:: step == END
		:: step < END -> d_step { store_step(); step++ }
		:: step < END && DIE
		fi
	   }
	:: step == END -> step = 0; break
	od
}

/* change_apply, of the record that PREPARE wrote */
inline change_apply()
{
#ifndef BROKEN_ARMED_FIRST
	STEP(armed = true);
#endif
	d_step { /* from here on it happens */
		x = 0;
		do
		:: x < NC ->
			if
			:: r_fence != NONE && x != r_fence && word[x] != FREE && g_shut[x] == 0 -> g_shut[x] = r_link
			:: else
			fi;
			x++
		:: else -> x = 0; break
		od
	};
#ifdef BROKEN_CLEARED_FIRST
	STEP(armed = false);
#endif
	carry_out();
	STEP(armed = false)
}

/* ---- the lock -------------------------------------------------------------------------------------------- */

inline check_whole()
{
	x = 1; /* A5 */
	do
	:: x < SEGMENTS -> assert(exists[x] == (x <= current) && sealed[x] == (x < current)); x++
	:: else -> x = 0; break
	od;
	assert(epoch == seg_epoch[current] && epoch >= g_epoch); /* A2 */
	g_epoch = epoch;
	assert(owner == 0 || word[owner - 1] == OWNER || word[owner - 1] == FENCED); /* FENCED: left without the lock */
	survey();
	assert(owners == 0 || producers == 1) /* A1 */
}

/* Who is there, of the living? */
inline survey()
{
	producers = 0; owners = 0; waiters = 0; before = 0;
	x = 0;
	do
	:: x < NC ->
		producers = producers + PRODUCES(x);
		owners = owners + (alive[x] && word[x] == OWNER);
		waiters = waiters + WAITS(x);
		before = before + BEFORE(x);
		x++
	:: else -> x = 0; break
	od
}

inline take_lock()
{
	atomic {
		lock == NONE -> lock = me;
#ifdef BROKEN_NO_REDO
		armed = false;
#endif
		if
		:: !armed -> d_step { check_whole() }
		:: else
		fi
	};
	if
	:: armed ->
		carry_out();
		STEP(d_step { armed = false; check_whole() })
	:: else
	fi
}

#ifdef BROKEN_ARMED_FIRST
#define ARM_FIRST STEP(armed = true); STEP(skip) /* it may die here */
#else
#define ARM_FIRST skip
#endif

/* Free the slots of the dead; their claims are settled. */
inline reap()
{
	do
	:: atomic {
		k = 0;
		do
		:: k < NC && (word[k] == FREE || alive[k]) -> k++
		:: else -> break
		od
	   };
		if
		:: k < NC ->
			ARM_FIRST;
			d_step { PREPARE(0, 0, NONE, false, 0, k, FREE); k = 0 };
			change_apply()
		:: else -> break
		fi
	od;
	k = 0
}

/* access_own: a returning owner keeps its epoch if nobody owned the stream since, the first of an unused one takes it */
inline own(fence)
{
	ARM_FIRST;
	d_step {
		assert(!producers || fence);
		if
		:: !fence && (owner_name == me + 1 || (owner_name == 0 && current == 1 && !used[1])) ->
			PREPARE(0, epoch, NONE, true, me + 1, me, OWNER)
		:: else ->
			PREPARE(current + 1, epoch + 1, (fence -> me : NONE), true, me + 1, me, OWNER)
		fi
	};
	change_apply()
}

/* ---- a client -------------------------------------------------------------------------------------------- */

proctype client(byte me)
{
	byte step, k, x, mode, seg, at, rounds, sends, producers, owners, waiters, before;
	bool yes;
again:
	do
	:: rounds < ROUNDS ->
		atomic {
		rounds++;
		if
		:: MODES & M_SHARED -> mode = M_SHARED
		:: MODES & M_EXCLUSIVE -> mode = M_EXCLUSIVE
		:: MODES & M_WAIT -> mode = M_WAIT
		:: MODES & M_FENCING -> mode = M_FENCING
		:: MODES & M_FENCE_ALL -> mode = M_FENCE_ALL
		fi
		};
		/* access_attach. It comes as another peer: a slot that it died with is reaped like any. */
		take_lock();
		reap();
		d_step { alive[me] = true; g_shut[me] = 0; assert(word[me] == FREE); survey() };
		if
		:: mode == M_FENCE_ALL ->
			ARM_FIRST;
			d_step { PREPARE(current + 1, epoch + 1, EVERYBODY, true, 0, NONE, 0) };
			change_apply();
			mode = 0
		:: mode == M_SHARED ->
			if
			:: owners || waiters -> mode = 0 /* TORC_EBUSY */
			:: else -> STEP(word[me] = SHARED)
			fi
		:: mode == M_EXCLUSIVE ->
			if
			:: producers || waiters -> mode = 0
			:: else -> own(false)
			fi
		:: mode == M_WAIT ->
			STEP(d_step { ticket[me] = next_ticket; next_ticket++ });
			STEP(word[me] = WAITING)
		:: mode == M_FENCING -> own((producers + waiters > 0))
		fi;
		UNLOCK;
		if
		:: mode == 0 -> goto next
		:: else
		fi;

		/* access_try_own, when it may be its turn */
		do
		:: mode == M_WAIT ->
			if
			:: MAY_BE_TURN || word[me] == FENCED || (armed && lock == NONE)
			:: deaths > 0 -> deaths--; goto dead
			:: goto leave /* cancelled, timed out */
			fi;
			take_lock();
			if
			:: word[me] == FENCED -> mode = 0
			:: else ->
				reap();
#ifdef BROKEN_TURN_UNCHECKED
				d_step { survey(); before = 0 };
#else
				d_step { survey() };
#endif
				if
				:: producers || before
				:: else ->
					assert(!BEFORE(0) && !BEFORE(NC / 2) && !BEFORE(NC - 1)); /* A4 */
					own(false);
					mode = 0
				fi
			fi;
			UNLOCK
		:: else -> break
		od;

		/* producer_follow, then claims where it stands, until that is sealed */
		at = current;
		atomic { assert(word[me] != FREE); yes = (word[me] == FENCED) };
		if
		:: yes -> goto leave
		:: else -> atomic { seg = at; assert(exists[seg]) }
		fi;
		do
		:: sends < SENDS ->
			STEP(d_step {
				yes = !sealed[seg];
				if
				:: yes -> /* the claim */
					assert(g_shut[me] == 0 || seg < g_shut[me]); /* A3 */
					assert(!exists[seg + 1]); /* S1, S2 */
					used[seg] = true;
					if
					:: word[me] == OWNER -> /* A2 */
						assert(g_writer[seg_epoch[seg]] == 0 ||
						       g_writer[seg_epoch[seg]] == me + 1);
						g_writer[seg_epoch[seg]] = me + 1
					:: else
					fi
				:: else
				fi
			});
			if
			:: yes -> sends++
			:: else -> /* producer_follow */
				at = current;
				atomic { assert(word[me] != FREE); yes = (word[me] == FENCED) };
				if
				:: yes -> goto leave
				:: !yes && at != seg -> atomic { seg = at; assert(exists[seg]) }
				:: else -> /* its maker is at it, or died at it */
					(lock == NONE || current != seg);
					if
					:: current == seg -> take_lock(); assert(current != seg); UNLOCK
					:: else
					fi
				fi
			fi
#if GROWS
		:: atomic { sends < SENDS && grows > 0 -> grows-- }; /* limit_grow */
			take_lock();
			if
			:: current == seg ->
				ARM_FIRST;
				d_step { PREPARE(seg + 1, epoch, NONE, false, 0, NONE, 0) };
				change_apply()
			:: else -> assert(sealed[seg])
			fi;
			UNLOCK
#endif
		:: break
		od;

leave:		/* access_detach: with the lock or, if that cannot be had, without */
		if
		:: take_lock();
			assert(word[me] != FREE); /* A7 */
			ARM_FIRST;
			d_step { PREPARE(0, 0, NONE, false, 0, me, FREE) };
			change_apply();
			UNLOCK
		:: lock != NONE -> /* FENCED, and free when its peer is reaped */
			STEP(word[me] = FENCED);
			goto dead
		fi;
next:
		atomic {
			alive[me] = false;
			seg = 0; at = 0; sends = 0; mode = 0; producers = 0; owners = 0; waiters = 0; before = 0; yes = false
		}
	:: rounds == ROUNDS -> goto quit
	od;
dead:
	atomic { /* the kernel drops its lock */
		alive[me] = false;
		lock = (lock == me -> NONE : lock);
		step = 0; k = 0; x = 0; mode = 0; seg = 0; at = 0; sends = 0; producers = 0; owners = 0; waiters = 0; before = 0;
		yes = false
	};
	goto again;
quit:
	skip
}

init {
	atomic {
		exists[1] = true;
		seg_epoch[1] = 1;
		run client(0);
#if NC > 1
		run client(1);
#endif
#if NC > 2
		run client(2)
#endif
	}
}
