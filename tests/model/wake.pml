/*
 * wake.pml - sleeping and waking on an event count, on a machine whose stores wait in buffers.
 *
 * Models    wait_announce, wait_needed, wait_wake, wait_sleep of libshm/wait.c and wait.h, with the looks around them:
 *           commit and look for sleepers; look, announce, look again, sleep. One access to memory a step. A change is a
 *           store that sits in its thread's buffer until the machine lets go of it, at any moment; an announcement is a
 *           relaxed read-modify-write whose result nobody uses, and may be late just the same (as on AArch64; on x86-64 it
 *           is a barrier of its own). A waker's exchange and its event + 1 act on memory at once, one after the other
 *           (release), though its change may still be on its way. A full fence waits until the own buffer is empty; the
 *           sleeper's membarrier empties those of the registered wakers, one after the other.
 * Bounds    NW wakers with CHANGES changes each, NS sleepers, DEATHS of wakers before any step.
 *           FORM 0: wakers carry a fence (not registered); 1: all are registered and carry none; 2: the first is
 *           registered, the second not. FAILS 1: membarrier fails in the sleeper, or is left out (wait_announce_quick); then it
 *           looks by itself now and then.
 * Left out  what is slept for: a counter for each waker stands for a stamp, a cursor, a slot's word. Pollable descriptors
 *           (the same announcement; the byte in their FIFO is not modelled). Cancelling.
 * Properties
 *   W1  nobody sleeps while there is something that it has not seen: without a death and with a working membarrier no
 *       sleep ever has to end by itself
 *   W2  with deaths of wakers, or without membarrier, the slice is enough
 */
#ifndef NW
#define NW 2
#endif
#ifndef NS
#define NS 1
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef FORM
#define FORM 1
#endif
#ifndef FAILS
#define FAILS 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif

#define REGISTERED(w) (FORM == 1 || (FORM == 2 && w == 0))
#ifdef BROKEN_NO_SLICES
#define SLICES 0
#else
#define SLICES (DEATHS || FAILS)
#endif

/* memory */
byte change[NW], event;
bit waiters;

/* what sits in buffers: stores of change, each one higher than the last; announcements */
byte late_changes[NW];
bit late_announcement[NS];

bool asleep[NS];
byte deaths = DEATHS, wakers = NW;

#define ALL_SEEN (wakers == 0 && late_changes[0] == 0 && late_changes[NW - 1] == 0 && \
		  seen == change[0] + (NW > 1 -> change[NW - 1] : 0))

/* ---- the machine: buffered stores reach memory, sooner or later ------------------------------------------ */

active proctype buffers()
{
	byte i;
end:
	do
	:: d_step { late_changes[0] > 0 -> late_changes[0]--; change[0]++ }
#if NW > 1
	:: d_step { late_changes[1] > 0 -> late_changes[1]--; change[1]++ }
#endif
	:: d_step { late_announcement[0] -> late_announcement[0] = 0; waiters = 1 }
#if NS > 1
	:: d_step { late_announcement[1] -> late_announcement[1] = 0; waiters = 1 }
#endif
	od
}

/* ---- wakers ---------------------------------------------------------------------------------------------- */

/* One step; or the last moment. What is in the buffer gets out all the same. */
#define STEP(statement) \
	atomic { \
		if \
		:: statement \
		:: deaths > 0 -> deaths--; goto dead \
		fi \
	}

inline wake_all()
{
	STEP(d_step {
		asleep[0] = false;
		asleep[NS - 1] = false
	})
}

proctype waker(byte w)
{
	byte n;
	bit kinds;
	do
	:: n < CHANGES ->
		n++;
#ifdef BROKEN_LOOK_BEFORE_CHANGE
		STEP(kinds = waiters);
		STEP(late_changes[w]++);
#else
		STEP(late_changes[w]++);
#ifndef BROKEN_NO_WAKER_FENCE
		if
		:: !REGISTERED(w) -> STEP(late_changes[w] == 0) /* seq_cst fence [wake.w] */
		:: else
		fi;
#endif
		STEP(kinds = waiters);
#endif
		if
		:: kinds ->
#ifdef BROKEN_EVENT_BEFORE_CLEAR
			STEP(event++);
			STEP(d_step { kinds = waiters; waiters = 0 });
#else
			STEP(d_step { kinds = waiters; waiters = 0 });
			STEP(event++); /* [event.w] */
#endif
			if
			:: kinds -> wake_all()
			:: else
			fi;
			kinds = 0
		:: else
		fi
	:: n == CHANGES -> break
	od;
dead:
	atomic { n = 0; kinds = 0; wakers-- }
}

/* ---- sleepers -------------------------------------------------------------------------------------------- */

inline look()
{
	sum = change[0];
#if NW > 1
	sum = sum + change[1];
#endif
}

inline membarrier()
{
#if FAILS || defined(BROKEN_NO_MEMBARRIER)
	skip
#else
	d_step {
		if
		:: REGISTERED(0) -> change[0] = change[0] + late_changes[0]; late_changes[0] = 0
		:: else
		fi
	};
#if NW > 1
	d_step {
		if
		:: REGISTERED(1) -> change[1] = change[1] + late_changes[1]; late_changes[1] = 0
		:: else
		fi
	};
#endif
#endif
}

proctype sleeper(byte s)
{
	byte seen, sum, read;
	do
	:: ALL_SEEN -> break
	:: else ->
		look();
		if
		:: sum > seen -> seen = sum
		:: else ->
#ifndef BROKEN_EVENT_READ_LATE
			read = event; /* [event.r] */
#endif
			late_announcement[s] = 1;
#ifndef BROKEN_NO_SLEEPER_FENCE
			late_announcement[s] == 0; /* seq_cst fence [wake.r] */
#endif
			membarrier();
#ifndef BROKEN_NO_LOOK_AGAIN
			look();
#endif
#ifdef BROKEN_EVENT_READ_LATE
			read = event;
#endif
			if
			:: sum > seen -> seen = sum
			:: else ->
				late_announcement[s] == 0; /* the system call is a barrier in any case */
				atomic {
					if
					:: event == read -> asleep[s] = true
					:: else
					fi;
					sum = 0;
					read = 0
				};
				if
				:: !asleep[s]
				:: ALL_SEEN -> asleep[s] = false /* W1: nothing is missed; this sleep may last */
#if SLICES
				:: timeout -> asleep[s] = false /* the slice is over, W2 */
#endif
				fi
			fi;
			read = 0
		fi;
		sum = 0
	od
}

init {
	atomic {
		run waker(0);
#if NW > 1
		run waker(1);
#endif
		run sleeper(0);
#if NS > 1
		run sleeper(1)
#endif
	}
}
