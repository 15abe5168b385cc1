/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_duplex.pml: two threads of one endpoint ring for different reasons
 *
 * MODELLED
 *   Endpoint A: thread DATA publishes messages and rings when bit 0 of the peer's seq is set; thread SPACE
 *   consumes what B sends, publishes cons (or a give-back) and rings when bits 0 and 1 are set. Both move
 *   the same word rungA. Here A never sleeps.
 *   Endpoint B: one thread that sends and receives. It sleeps when there is nothing to read and, if it has
 *   something to send, no room; then it sets bit 1. Its ring has R slots. A reads B's message number n
 *   only after B has read A's number n (a request and its reply).
 *   RULE
 *     0  right  publish; then under the endpoint's bell lock: load seq, compare with rung, store rung; ring after it
 *     7  right  as 0, behind a look at seq and rung without the lock that may end it early
 *     1  wrong  each thread has a lock of its own
 *     2  wrong  SPACE compares bits and rung before it takes the lock, and stores that seq
 *     3  wrong  DATA rings only when bit 1 is clear ("that one waits for space")
 *     4  wrong  SPACE takes the duty (stores rung) when bit 0 is set, and rings only if bit 1 is set as well
 *     5  wrong  as 7, but the early look treats rung >= s as rung already (values are compared for equality only)
 * ASSUMES  sequentially consistent memory; nobody dies.
 * CHECKED  no hang; rings <= sleeps. "fair": no endless loop.
 * WRAP-AROUND (MOD: how many values seq's count takes)
 *   RULE=0 does not mind. RULE=7 does: a thread that was stopped between loading seq and storing rung,
 *   while the sleeper's count went all the way round, steps rung back after another thread's early look
 *   took the old rung for today's. The code's count has 29 or 30 bits: that thread would have to stand
 *   still, holding the lock, for 2^29 sleeps, and come back at exactly one of them. MOD=2 shows it.
 */
#ifndef NA
#define NA 3                    /* messages from A to B */
#endif
#ifndef NB
#define NB 2                    /* messages from B to A */
#endif
#ifndef R
#define R 1
#endif
#ifndef RULE
#define RULE 0
#endif
#ifndef MOD
#define MOD 64
#endif
#define NEXT(q, bits) (((((q) >> 2) + 1) % MOD) * 4 + (bits))
#define DATA 1                  /* the bits of seq that ask for it */
#define SPACE 3

byte prodA, consA, rungA;       /* A's lane */
byte prodB, seqB, got;          /* B's lane; what it has read */
bool lock[2], queued;
byte rings, sleeps;             /* ghosts */

#if RULE == 1
#define LOCK(b) lock[(b) >> 1]
#else
#define LOCK(b) lock[0]
#endif
#if RULE == 3
#define ASKS(s, b) (b == SPACE -> ((s) & 3) == 3 : ((s) & 3) == 1)
#else
#define ASKS(s, b) (((s) & (b)) == (b))
#endif
#if RULE == 5
#define RUNG(s) (rungA >= (s))
#else
#define RUNG(s) (rungA == (s))
#endif

inline ring() { d_step { rings++; assert(rings <= sleeps); queued = 0 } }
inline decide_locked(b) {
  s = seqB;
  if
  :: ASKS(s, b) && s != rungA -> rungA = s; LOCK(b) = 0; ring()
  :: else -> LOCK(b) = 0
  fi
}
inline wake(b) {
#if RULE == 0 || RULE == 1 || RULE == 3
  atomic { !LOCK(b) -> LOCK(b) = 1 }; decide_locked(b)
#elif RULE == 7 || RULE == 5
  s = seqB;
  if
  :: ASKS(s, b) ->
     if
     :: RUNG(s)
     :: else -> atomic { !LOCK(b) -> LOCK(b) = 1 }; decide_locked(b)
     fi
  :: else
  fi
#elif RULE == 2
  if
  :: b == SPACE ->
     s = seqB;
     if
     :: ASKS(s, b) && s != rungA -> atomic { !LOCK(b) -> LOCK(b) = 1 }; rungA = s; LOCK(b) = 0; ring()
     :: else
     fi
  :: else -> atomic { !LOCK(b) -> LOCK(b) = 1 }; decide_locked(b)
  fi
#elif RULE == 4
  atomic { !LOCK(b) -> LOCK(b) = 1 };
  s = seqB;
  if
  :: (s & 1) && s != rungA ->
     rungA = s; LOCK(b) = 0;
     if :: ASKS(s, b) -> ring() :: else fi
  :: else -> LOCK(b) = 0
  fi
#endif
}

active proctype data() {
  byte s;
  do
  :: prodA < NA -> prodA++; wake(DATA)
  :: else -> break
  od
}

active proctype space() {
  byte s;
  do
  :: consA == NB -> break
  :: consA < prodB && got > consA -> consA++; wake(SPACE)
  od
}

active proctype B() {
  byte s;
  do
  :: got == NA && prodB == NB -> break
  :: else ->
     if
     :: got < prodA -> got++
     :: prodB < NB && prodB - consA < R -> prodB++
     :: else ->
        d_step { seqB = NEXT(seqB, (prodB < NB -> SPACE : DATA)); s = seqB; sleeps++ };
        if
        :: got < prodA                                  /* look again, at both */
        :: else ->
           if
           :: prodB < NB && prodB - consA < R
           :: else ->
              do
              :: atomic { rungA == s -> break }
              :: atomic { rungA != s -> queued = 1 }; queued == 0
              od
           fi
        fi;
        seqB = seqB & 252
     fi
  od
}
