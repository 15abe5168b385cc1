/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_room.pml: two threads of one endpoint wait at the same time: leader and follower
 *
 * MODELLED  libshmipc/src/channel/wait.c: sleep_once, lead, follow, with their letters.
 *   Thread A waits for data, thread B for room, each until it took all its items. `state` is one word: whether
 *   somebody leads (LED), whether somebody follows (FOLLOWED), and what all of them wait for (READ, WRITE).
 *   Empty, a thread makes it LED and leads:
 *     lead    announce with the bits of all that wait; load state again (Q), wider: announce again; look for
 *             all that wait; kernel wait; seq even; state := empty, was FOLLOWED: wake the room
 *     follow  state |= FOLLOWED and the own want (R); load seq (S), too narrow: make it even by
 *             compare-and-swap and kick; look for oneself; sleep while state is what it was (a futex)
 *   Peer: one process publishes data, one publishes room, each rings by the usual rule (load, compare and
 *   store of rung in one step here). TIMEOUTS: so many sleeps of either thread may end by their deadline;
 *   the thread then gives up (with LAZY: B alone, and it waits anew).
 *   LAZY: the peer sleeps at first, and does nothing until it was rung for. B publishes, takes the duty
 *   and leaves the system call to its next wait (SHMIPC_LAZY), at once or after a wait that timed out. A leader
 *   makes it together with its sleep.  LAZY=1: a follower makes it before it sleeps. LAZY=2: it does not.
 *   DEP  0 the two come in any order   1 data comes only after B took its room (a reply to what B then sent)
 *        2 room comes only after A took its data
 *   BOTH=1: thread A waits for data or room.
 *   A thread does not sleep while something is there for another one that waits: in the code it would look,
 *   announce, look and leave again and again until that one runs. Here it stands still, so that a thread that
 *   was not woken shows as a hang.
 * ASSUMES  sequentially consistent memory: (R) and (S) are seq_cst operations, (E) is followed by a barrier.
 * CHECKED  no hang of either thread.
 * OPTIONS  BUG
 *     1  a follower does not kick                       2  the leader leaves without waking the room
 *     3  the announcement has the leader's own bits     4  the leader looks for its own events alone
 *     5  no second load of state (Q)                    6  a follower loads seq (S) before it says what it wants (R)
 *     7  the kick does not change seq                   8  a leader whose deadline passed does not wake the room
 *     9  a follower sleeps without a look of its own after (R)
 *    10  a thread that leaves takes its wants out of the state, though another has the same (with BOTH=1)
 */
#ifndef NA
#define NA 1
#endif
#ifndef NB
#define NB 1
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifndef LAZY
#define LAZY 0
#endif
#ifndef BOTH
#define BOTH 0
#endif
#ifndef MOD
#define MOD 8                   /* values of seq's count */
#endif
#ifndef DEP
#define DEP 0
#endif
#define READ 1
#define WRITE 2
#define WANTS 3
#define LED 4
#define FOLLOWED 8
#define SPACE(w) (((w) & WRITE) -> 2 : 0)

byte data, room, rung;          /* the peer's lane: what it published; the seq it took the duty for */
byte seq;                       /* the own lane */
byte state;                     /* struct room */
byte took_data, took_room;      /* what the threads have consumed */
byte wants[2];                  /* ghost: what each thread waits for */
bool queued, in_room[2];        /* kernel: asleep in WAIT; on the room's futex */
bool owed, peer_awake = (LAZY == 0);
byte timeouts = TIMEOUTS;
bool gone;                      /* a thread gave up */

#define THERE(e) (((e) & READ && data > took_data) || ((e) & WRITE && room > took_room))
/* Something is there for a thread that waits. */
#define OTHERS THERE(wants[0] | wants[1])
#define TIMES_OUT atomic { timeouts > 0 && (!LAZY || me == 1) -> timeouts-- }

inline lead() {
  do
  :: bits = SPACE(BUG == 3 -> mine : state);
     d_step { seq = (((seq >> 2) + 1) % MOD) * 4 + 1 + bits; s = seq };  /* (E) (F) */
     w = state;                                                          /* (Q) */
     if
     :: BUG != 5 && BUG != 3 && (SPACE(w) & ~bits)
     :: else -> break
     fi
  od;
  if :: BUG == 4 -> w = mine :: else fi;
  late = 0;
  if
  :: THERE(w)                                                            /* (H) */
  :: else ->
     if :: owed -> owed = 0; peer_awake = 1 :: else fi;
     do
     :: atomic { rung == s || seq != s -> break }
     :: atomic { rung != s && seq == s -> queued = 1 };
        if
        :: !queued
        :: TIMES_OUT -> queued = 0; late = 1; break
        fi
     od
  fi;
  seq = seq & 252;
  d_step { w = state; state = 0 };
  if
  :: (w & FOLLOWED) && BUG != 2 && !(BUG == 8 && late) -> in_room[0] = 0; in_room[1] = 0
  :: else
  fi;
  w = 0; bits = 0; s = 0
}

inline follow() {
  late = 0;
  atomic { if :: state & LED -> state = state | FOLLOWED | mine; w = state :: else -> w = 0 fi };   /* (R) */
  if
  :: !w
  :: else ->
#if BUG != 6
     s = seq;                                                            /* (S) */
#endif
     if
     :: BUG != 1 && (s & 1) && (SPACE(mine) & ~s) ->
#if BUG != 7
        atomic { if :: seq == s -> seq = s & 252 :: else -> s = 0 fi };
#endif
        if :: s -> queued = 0 :: else fi
     :: else
     fi;
#if LAZY == 1
     if :: owed -> owed = 0; peer_awake = 1 :: else fi;
#endif
     if
     :: BUG != 9 && THERE(mine)
     :: else ->
        atomic { if :: state == w -> in_room[me] = 1 :: else fi };
        if
        :: !in_room[me]
        :: TIMES_OUT -> in_room[me] = 0; late = 1
        fi
     fi
#if BUG == 10
     ; state = state & ~mine
#endif
  fi;
  s = 0; w = 0
}

inline sleep_once() {
#if BUG == 6
  s = seq;
#endif
  atomic { if :: state == 0 -> state = LED | mine; w = 1 :: else -> w = 0 fi };
  wants[me] = mine;
  if
  :: w -> lead()
  :: else -> follow()
  fi;
  wants[me] = 0
}

proctype A(byte me; byte mine) {
  byte s, w, bits;
  bool late;
  do
  :: took_data == NA -> break
  :: else ->
     if
     :: data > took_data -> took_data++
     :: else ->
        !OTHERS || data > took_data;
        if
        :: data > took_data
        :: else ->
           sleep_once();
           if :: late -> gone = 1; break :: skip fi
        fi
     fi
  od
}

/* A message is published and the duty taken; the system call is left to the next wait. */
inline submit() { submitted = 1; owed = 1 }

proctype B(byte me; byte mine) {
  byte s, w, bits;
  bool late, submitted;
#if LAZY
  if :: submit() :: skip fi;
#endif
  do
  :: took_room == NB -> break
  :: else ->
     if
     :: room > took_room -> took_room++
     :: else ->
        !OTHERS || room > took_room;
        if
        :: room > took_room
        :: else ->
           sleep_once();
#if LAZY
           if :: late && !submitted -> submit() :: else fi
#else
           if :: late -> gone = 1; break :: skip fi
#endif
        fi
     fi
  od
}

#define RING(b) \
  atomic { s = seq; \
    if :: (s & (b)) == (b) && s != rung -> rung = s :: else -> s = 0 fi }; \
  if :: s -> queued = 0 :: else fi

proctype sender() {
  byte s;
  peer_awake;
  do
  :: data < NA -> DEP != 1 || took_room > data || took_room == NB || gone; data++; RING(1)
  :: else -> break
  od
}

proctype reader() {
  byte s;
  peer_awake;
  do
  :: room < NB -> DEP != 2 || took_data > room || took_data == NA || gone; room++; RING(3)
  :: else -> break
  od
}

init {
  atomic { run A(0, (BOTH -> READ | WRITE : READ)); run B(1, WRITE); run sender(); run reader() }
}
