/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.pml: the seq/rung protocol at its smallest, to be read first
 *
 * MODELLED
 *   One producer publishes N messages, one consumer takes them and sleeps when there is none.
 *   producer's lane: prod, rung    prod counts published slots (the code has a lap number in each slot)
 *   consumer's lane: cons, seq     every word has one writer
 *   The kernel sleeps only while rung != s, compared in one step with the queueing.
 * ASSUMES  sequentially consistent memory; nobody dies; the ring is never full. See the other models.
 * CHECKED  no hang; rings <= sleeps.
 * EXPECTED
 *   pass   (default)
 *   FAIL   SCHEME=1   the obvious doorbell: a flag that the waker clears, a wait that compares the
 *                     ring index. A waker that read the flag before one sleep clears that of the next.
 *          BUG=1      sleeps without the look again after the announcement
 *          BUG=2      the kernel compares the ring index, not rung
 *          BUG=3      looks again before it announces
 */
#ifndef N
#define N 4
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef SCHEME
#define SCHEME 0
#endif

byte prod, rung;                /* the producer's lane */
byte cons, seq;                 /* the consumer's lane */
bool asleep;                    /* SCHEME=1: written by both */
bool queued;                    /* kernel: the consumer is on the wait queue */
byte rings, sleeps;             /* ghosts: they count, they decide nothing */

active proctype producer() {
  byte s;
  do
  :: prod < N ->
     prod++;
#if SCHEME == 1
     if
     :: asleep -> asleep = 0; rings++; queued = 0
     :: else
     fi
#else
     s = seq;
     if
     :: (s & 1) && s != rung -> rung = s; rings++; queued = 0
     :: else
     fi
#endif
  :: else -> break
  od
}

/* Sleeps until STAY is false: compares and queues in one step, under the queue's lock. */
#define STAY (BUG == 2 || SCHEME == 1 -> prod == cons : rung != s)
inline wait() {
  do
  :: atomic { STAY -> queued = 1 }; queued == 0
  :: atomic { !STAY -> break }
  od
}

active proctype consumer() {
  byte s;
  bool found;
  do
  :: cons < N ->
     if
     :: cons < prod -> cons++
     :: else ->
        found = (BUG == 3 && prod != cons);
#if SCHEME == 1
        asleep = 1; sleeps++;
#else
        seq++; s = seq; sleeps++;                       /* announce */
#endif
        if
        :: BUG != 3 -> found = (prod != cons)           /* look again */
        :: else
        fi;
        if
        :: BUG == 1 || !found -> wait()
        :: else
        fi;
#if SCHEME == 1
        asleep = 0
#else
        seq++
#endif
     fi
  :: else -> break
  od;
  assert(rings <= sleeps)
}
