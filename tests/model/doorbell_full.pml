/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_full.pml: both directions of a lane's doorbell, two producer threads, space, death
 *
 * MODELLED
 *   producer process: threads T(0), T(1); its lane: prod, rungP, seqP, slots; private: lock L, lead, lent
 *   consumer process: one thread C; its lane: cons, retp (give-backs published), rungC, seqC
 *   A ring of R slots. Even messages ride inside their slot, odd ones carry one of SL slices, which C
 *   gives back. seq: bit 0 asleep, bit 1 wants space too, the rest counts (modulo MOD).
 *   C consumes in batches: it may put off publishing cons and give-backs, and flushes before it sleeps.
 *   The kernel's wait(s) returns when the peer's rung == s or the peer is dead; compare and queueing are
 *   one step (doorbell_kernel.pml takes it apart).
 *   A reaper stops one process at any point, marks it dead, then wakes the other one.
 *   prod stands for the lap numbers in the slots: "the next slot's lap is the one I wait for".
 * ASSUMES  sequentially consistent memory (doorbell_tso.pml has the barriers).
 * CHECKED  no hang; no slot overwritten before it was consumed; rings <= sleeps both ways; a C that ends
 *   with EPIPE has consumed all that was published; T ends. "fair": no endless loop.
 * OPTIONS
 *   RULE  how a thread decides to ring
 *     0  right  seq loaded, compared and rung stored inside the lock that orders publications
 *     6  right  the same inside a lock of its own, after the publication
 *     7  right  as 6, behind a look at seq and rung without the lock that may end it early
 *     1  right  a compare-and-swap loop that only moves rung forward (a read-modify-write on the lane)
 *     2  wrong  check and store without a lock
 *     3  wrong  exchange
 *     4  wrong  one compare-and-swap whose loser leaves the duty to the winner
 *     5  wrong  seq loaded before the lock is taken
 *     8  wrong  as 7, but the locked part stores the seq of the early look (compares it with rung again)
 *     9  wrong  as 7, but the locked part does not compare again
 *    10  wrong  as 7, but the early look comes before the publication
 *   BUG
 *     1  a producer sleeps without the look again
 *     2  it does not set bit 1
 *     3  only give-backs ring, cons does not (R=1 or INLINE shows it)
 *     4  C does not flush before it sleeps
 *     5  two sleepers share one seq
 *     6  EPIPE without a last look
 *     7  the peer is woken, then marked dead
 *     8  the kernel's wait does not look at dead
 *     9  C loads the peer's seq before it publishes what it consumed
 *   DIE 1 the producer may die, 2 the consumer may, 3 either; 0 neither
 *   NOCOUNT  do not check rings <= sleeps: shows the lost wake-up that follows
 *   INLINE   all messages ride inside: there are no give-backs
 */
#ifndef N
#define N 4
#endif
#ifndef R
#define R 2
#endif
#ifndef SL
#define SL 1
#endif
#ifndef RULE
#define RULE 0
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef DIE
#define DIE 3
#endif
#ifndef MOD
#define MOD 64
#endif
#ifdef NOCOUNT
#define CHECK(x) skip
#else
#define CHECK(x) assert(x)
#endif
#define NEXT(q, bits) (((((q) >> 2) + 1) % MOD) * 4 + (bits))
#ifdef INLINE
#define ODD(p) 0
#else
#define ODD(p) ((p) & 1)
#endif
#define SPACE(c, r) (prod - (c) < R && (!ODD(prod) || lent - (r) < SL))

byte slot[R], prod, rungP, seqP;          /* the producer's lane */
byte cons, retp, rungC, seqC;             /* the consumer's lane */
bool qP, qC, deadP, deadC, killP, killC;  /* kernel: queued, dead; the reaper's order */
bool L, lead; byte lent;                  /* private to the producer process */
byte ringsP, ringsC, sleepsP, sleepsC;    /* ghosts */

#define LOCK   atomic { !L -> L = 1 }
#define UNLOCK L = 0

/* The kernel's wait; d: the peer is dead. */
inline kwait(q, rung, s, dead, d) {
  do
  :: atomic { (rung == s || (BUG != 8 && dead)) -> d = (d || dead); break }
  :: atomic { !(rung == s || (BUG != 8 && dead)) -> q = 1 }; q == 0
  od
}
inline ring_consumer() { d_step { ringsP++; CHECK(ringsP <= sleepsC); qC = 0 } }
inline ring_producer() { d_step { ringsC++; CHECK(ringsC <= sleepsP); qP = 0 } }

/* Holding L: seq loaded, compared, rung stored; the lock is left, the ring comes after it. */
inline decide_locked() {
  s = seqC;
  if
  :: (s & 1) && s != rungP -> rungP = s; UNLOCK; ring_consumer()
  :: else -> UNLOCK
  fi
}

proctype T(byte n) {
  byte s, c, r, o;
  bool d = 0, won;
  {
  do
  :: n > 0 && !d ->
     LOCK;
     do
     :: c = cons; r = retp;
        if
        :: SPACE(c, r) || d -> break
        :: else ->
           if
           :: lead && BUG != 5 -> UNLOCK; !lead; LOCK            /* follower: waits in private */
           :: else ->
              lead = 1;
              d_step { seqP = NEXT(seqP, (BUG == 2 -> 1 : 3)); s = seqP; sleepsP++ };   /* announce */
              c = cons; r = retp;                                /* look again, at both */
              if
              :: BUG == 1 || !SPACE(c, r) ->
                 UNLOCK; kwait(qP, rungC, s, deadC, d); LOCK
              :: else
              fi;
              d_step { seqP = seqP & 252; lead = 0 }             /* seqP is only written under L */
           fi
        fi
     od;
     if
     :: d -> UNLOCK
     :: else ->
#if RULE == 10
        s = seqC; o = rungP;
#endif
        d_step { slot[prod % R] = prod; lent = lent + ODD(prod); n-- };
        prod++;
#if RULE == 0
        decide_locked()
#elif RULE == 6
        UNLOCK; LOCK;
        decide_locked()
#elif RULE == 7
        UNLOCK;
        s = seqC;
        if
        :: s & 1 ->
           if
           :: s != rungP -> LOCK; decide_locked()
           :: else
           fi
        :: else
        fi
#elif RULE == 1
        UNLOCK; s = seqC; won = 0;
        do
        :: o = rungP;
           if
           :: (s & 1) && s > o ->
              atomic { if :: rungP == o -> rungP = s; won = 1 :: else fi };
              if :: won -> break :: else fi
           :: else -> break
           fi
        od;
        if :: won -> ring_consumer() :: else fi
#elif RULE == 2
        UNLOCK; s = seqC;
        if
        :: (s & 1) && s != rungP -> rungP = s; ring_consumer()
        :: else
        fi
#elif RULE == 3
        UNLOCK; s = seqC;
        if
        :: (s & 1) -> atomic { o = rungP; rungP = s };
           if :: o != s -> ring_consumer() :: else fi
        :: else
        fi
#elif RULE == 4
        UNLOCK; o = rungP; s = seqC; won = 0;
        if
        :: (s & 1) && s != o ->
           atomic { if :: rungP == o -> rungP = s; won = 1 :: else fi };
           if :: won -> ring_consumer() :: else fi
        :: else
        fi
#elif RULE == 5
        UNLOCK; s = seqC; LOCK;
        if
        :: (s & 1) && s != rungP -> rungP = s; UNLOCK; ring_consumer()
        :: else -> UNLOCK
        fi
#elif RULE == 8
        UNLOCK; s = seqC;
        if
        :: s & 1 ->
           if
           :: s != rungP ->
              LOCK;
              if
              :: s != rungP -> rungP = s; UNLOCK; ring_consumer()
              :: else -> UNLOCK
              fi
           :: else
           fi
        :: else
        fi
#elif RULE == 9
        UNLOCK; s = seqC;
        if
        :: s & 1 ->
           if
           :: s != rungP ->
              LOCK; s = seqC;
              if
              :: s & 1 -> rungP = s; UNLOCK; ring_consumer()
              :: else -> UNLOCK
              fi
           :: else
           fi
        :: else
        fi
#elif RULE == 10
        UNLOCK;
        if
        :: (s & 1) && s != o -> LOCK; decide_locked()
        :: else
        fi
#endif
     fi
  :: else -> break
  od
  } unless { killP }
}

#define RING_FOR_SPACE(s) if \
  :: (s & 3) == 3 && s != rungC -> rungC = s; ring_producer() \
  :: else \
  fi
inline flush() {
#if BUG == 9
  s = seqP; cons = lc; retp = lr; RING_FOR_SPACE(s)
#elif BUG == 3
  cons = lc;
  if :: retp != lr -> retp = lr; s = seqP; RING_FOR_SPACE(s) :: else fi
#else
  cons = lc; retp = lr; s = seqP; RING_FOR_SPACE(s)
#endif
}

proctype C() {
  byte lc = 0, lr = 0, s;
  bool d = 0;
  {
  do
  :: lc == N -> flush(); break
  :: else ->
     if
     :: lc < prod ->
        d_step { assert(slot[lc % R] == lc); lr = lr + ODD(lc); lc++ };
        if :: flush() :: skip fi
     :: else ->
        if :: BUG != 4 -> flush() :: else fi;
        if :: d -> break :: else fi;                     /* empty AFTER dead was seen: EPIPE */
        d_step { seqC = NEXT(seqC, 1); s = seqC; sleepsC++ };
        if
        :: prod == lc ->
           kwait(qC, rungP, s, deadP, d);
           if :: BUG == 6 && d -> break :: else fi
        :: else
        fi;
        seqC = seqC & 252
     fi
  od;
  assert(lc == N || (deadP && lc == prod))
  } unless { killC }
}

init {
  atomic { run T((N + 1) / 2); run T(N / 2); run C() };
  if
  :: (DIE & 1) -> killP = 1;
#if BUG == 7
     qC = 0; deadP = 1
#else
     deadP = 1; qC = 0
#endif
  :: (DIE & 2) -> killC = 1; deadC = 1; qP = 0
  :: skip
  fi
}
