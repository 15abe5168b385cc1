/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_memfd.pml: sleeping and waking without the module
 *
 * MODELLED  libshmipc/src/bell/doorbell_memfd.c, with its letters.
 *   Waker W publishes, takes the duty (one step here), wakes whoever sleeps on the futex rung.
 *   Sleeper C takes N messages. It says in `sleeping` that it sleeps and for which seq (A), loads rung,
 *   looks whether the sleep is over: rung, withdrawn, dead (B), and sleeps on rung: the kernel compares it with
 *   the value that was loaded and queues C, in one step. A wake-up makes it look again.
 *   Kicker K, a thread of C's process: withdraws a sleep (C), then wakes until `sleeping` is not that
 *   sleep's any more (D). Watcher D: marks the peer dead (C), then wakes until nobody sleeps (D).
 * ASSUMES  sequentially consistent memory; FUTEX_WAKE is a full barrier before it looks for sleepers.
 * CHECKED  no hang; rings <= sleeps; a C that ends with EPIPE has taken all that was published.
 *   "fair" only without kicks: a kicker wakes again and again, with pauses, until the sleeper has run.
 * OPTIONS  KICKS, DIE: 0 or 1   BUG
 *     1  rung is loaded after the look              2  a kicker that wakes once
 *     3  kicked, then withdrawn                     4  FUTEX_WAKE, then rung stored
 *     5  `sleeping` said after the look             6  kicked, then marked dead
 *     7  withdrawn and not kicked
 */
#ifndef N
#define N 2
#endif
#ifndef KICKS
#define KICKS 0
#endif
#ifndef DIE
#define DIE 0
#endif
#ifndef BUG
#define BUG 0
#endif
byte prod, rung;                /* the peer's lane */
byte seq;                       /* the own lane */
byte sleeping;                  /* private: the seq of the thread in wait, or 0 */
bool queued;                    /* kernel: C is on the futex's queue */
bool dead, killed, stop;
byte rings, sleeps;             /* ghosts */

active proctype W() {
  byte s;
  {
  do
  :: prod < N ->
     prod++;
#if BUG == 4
     s = seq;
     if
     :: (s & 1) && s != rung -> queued = 0; rung = s
     :: else
     fi
#else
     atomic { s = seq; if :: (s & 1) && s != rung -> rung = s :: else -> s = 0 fi };
     if
     :: s -> d_step { rings++; assert(rings <= sleeps) }; queued = 0
     :: else
     fi
#endif
  :: else -> break
  od
  } unless { killed }
}

inline wait() {
  if :: BUG != 5 -> sleeping = s :: else fi;                             /* (A) */
  do
  :: if :: BUG != 1 -> v = rung :: else fi;
     if
     :: rung == s || seq != s -> break                                   /* (B) */
     :: else -> if :: dead -> over = 1; break :: else fi                 /* (B) */
     fi;
     if :: BUG == 1 -> v = rung :: else fi;
     if :: BUG == 5 -> sleeping = s :: else fi;
     atomic { if :: rung == v -> queued = 1 :: else fi };
     !queued
  od;
  sleeping = 0
}

#define MEANT(s) ((s) -> sleeping == (s) : sleeping != 0)
inline kick(s) {
#if BUG == 2
  if :: MEANT(s) -> queued = 0 :: else fi
#elif BUG == 7
  skip
#else
  do :: MEANT(s) -> queued = 0 :: else -> break od                       /* (D) */
#endif
}

active proctype C() {
  byte got, s, v;
  bool over;
  do
  :: got < prod -> got++
  :: else ->
     if
     :: over || stop || (got == N && !KICKS) -> break
     :: else
     fi;
     d_step { seq = (seq & 252) + 4 + 1; s = seq; sleeps++ };
     if
     :: got == prod && !stop -> wait()
     :: else
     fi;
     seq = seq & 252
  od;
  assert(!over || got == prod)
}

#if KICKS
active proctype kicker() {
  byte k;
  stop = 1;
#if BUG == 3
  k = seq;
  if :: k & 1 -> kick(k) :: else fi;
  atomic { if :: seq == k && (k & 1) -> seq = k & 252 :: else fi }
#else
  do
  :: k = seq;
     if
     :: k & 1 ->
        atomic { if :: seq == k -> seq = k & 252 :: else -> k = 0 fi };  /* (C) */
        if :: k -> kick(k); break :: else fi                             /* changed under our feet */
     :: else -> break                                                    /* awake: it looks before it sleeps */
     fi
  od
#endif
}
#endif

#if DIE
active proctype watcher() {
  if
  :: killed = 1;
#if BUG == 6
     kick(0); dead = 1
#else
     dead = 1; kick(0)                                                   /* (C) */
#endif
  :: skip
  fi
}
#endif
