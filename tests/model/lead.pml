/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lead.pml: threads of one session wait, one of them for all
 *
 * MODELLED  libshmipc/src/session/lead.c, for N threads that each want R messages of their own stream:
 *     the lead      free, held, or offered: its holder is about to wake others, or gives way to those that have something
 *                   to read, and then takes it back if it can
 *     the ring      messages in some order, published one by one by the peer, who may pause anywhere; a leader takes one
 *                   at a time: its own, or one that it queues for another, who is roused if he follows
 *     a follower    enters the list under the lock unless something is queued for him, pays the barrier, looks at the lead,
 *                   and sleeps until roused
 *   Stores of `lead` by one that leaves are buffered (TSO): they become visible later, at the latest with the thread's next
 *   locked instruction, or when a follower's membarrier(2) makes them so. All else is locked, or read behind a lock.
 * ASSUMES  that the leader's sleep in the channel loses no wake-up: doorbell*.pml
 * CHECKED  no two threads lead at a time; no thread sleeps for ever; no message overtakes one that is queued.
 * OPTIONS
 *   OFFER  1 as above   0 the lead is held while others are woken   2 it is taken back by a plain store
 *   BUG    1 a follower pays no barrier   2 one that leaves does not look for followers   3 a follower does not look at the lead
 *          4 a follower sleeps where the lead is offered, which is taken while he does: harmless, he was on the list
 *          5 who gave way and leads again looks at the ring before his own queue
 */
#ifndef N
#define N 3
#endif
#ifndef R
#define R 1
#endif
#ifndef OFFER
#define OFFER 1
#endif
#ifndef BUG
#define BUG 0
#endif

#define FREE 0
#define HELD 1
#define OFFERED 2

byte lead;              /* as every thread sees it */
bool leaving[N];        /* a store of FREE that is not visible yet */
byte leaders;           /* ghost */
chan ring = [2] of { byte };
byte queued[N];         /* messages for each */
bool listed[N];         /* among the followers */
bool word[N];           /* roused */
bool lock;
byte sent[N];

#define TAKE atomic { !lock -> lock = 1 }
#define RELEASE lock = 0

/* What is in this thread's store buffer becomes visible. */
inline drain(t) {
  atomic { if :: leaving[t] -> leaving[t] = 0; lead = FREE :: else fi }
}

proctype buffer(byte t) {
end:
  do :: d_step { leaving[t] -> leaving[t] = 0; lead = FREE } od
}

proctype peer() {
  byte i;
  do
  :: atomic { nfull(ring) -> if :: sent[0] < R -> i = 0 :: N > 1 && sent[1] < R -> i = 1 :: N > 2 && sent[2] < R -> i = 2
              :: else -> break fi; ring ! i; sent[i]++ }
  od
}

inline wake(t) { word[t] = 1; listed[t] = 0 }

/* Somebody among the followers; under the lock. */
inline rouse_one() {
  if
  :: listed[0] -> wake(0)
  :: N > 1 && listed[1] -> wake(1)
  :: N > 2 && listed[2] -> wake(2)
  :: else
  fi
}

/* (I): the lead is offered; take it back. */
inline take_back() {
  atomic { if :: lead == OFFERED -> lead = HELD; leaders++ :: else -> leads = 0 fi }
}

/* lead_until(), and what follows it. Sets got. */
inline lead_for_all() {
  do
  :: queued[me] && !blind -> got = 1; break
  :: OFFER == 1 && !gave && (!queued[me] || blind) &&
     ((me != 0 && queued[0]) || (N > 1 && me != 1 && queued[1]) || (N > 2 && me != 2 && queued[2])) ->
     gave = 1;                                       /* once is enough to show it */
     drain(me);
     leaders--; lead = OFFERED;
     take_back();
     if :: !leads -> break :: else -> blind = (BUG == 5) fi
  :: (!queued[me] || blind) ->
     ring ? m;                                       /* or sleeps in the channel */
     blind = 0;
     if
     :: m == me -> assert(!queued[me]); got = 1; direct = 1; break
     :: else ->
        TAKE;
        queued[m]++;
        roused = listed[m];
        listed[m] = 0;
        RELEASE;
        if
        :: roused && OFFER ->
           drain(me);
           leaders--; lead = OFFERED;
           word[m] = 1;
           if
           :: OFFER == 2 -> lead = HELD; leaders++; assert(leaders == 1)
           :: else -> take_back()
           fi;
           if :: !leads -> break :: else fi
        :: roused && !OFFER -> word[m] = 1
        :: else
        fi
     fi
  od;
  if
  :: leads ->
     leaders--;
     leaving[me] = 1;                                /* (A) */
     if
     :: BUG == 2
     :: BUG != 2 && (listed[0] || (N > 1 && listed[1]) || (N > 2 && listed[2])) ->
        drain(me);                                   /* the lock is taken by a locked instruction */
        TAKE; rouse_one(); RELEASE
     :: else
     fi
  :: else
  fi
}

inline follow() {
  drain(me);
  TAKE;
  if
  :: queued[me] -> RELEASE
  :: else ->
     word[me] = 0; listed[me] = 1;                   /* (C) */
     RELEASE;
     if
     :: BUG == 1
     :: else ->                                      /* (D): of all */
        drain(0);
        if :: N > 1 -> drain(1) :: else fi;
        if :: N > 2 -> drain(2) :: else fi
     fi;
     if
     :: lead == HELD || BUG == 3 || (BUG == 4 && lead == OFFERED) -> word[me]    /* (E), and sleep */
     :: else
     fi;
     TAKE;
     listed[me] = 0;
     RELEASE
  fi
}

proctype thread(byte me) {
  byte m, left = R;
  bool got, direct, leads, roused, gave, blind;
  do
  :: left ->
     got = 0; leads = 0;
     do
     :: got -> break
     :: else ->
        drain(me);
        atomic {
          if
          :: lead != HELD -> lead = HELD; leads = 1; leaders++; assert(leaders == 1)
          :: else
          fi
        };
        if
        :: leads -> lead_for_all(); leads = 0
        :: else ->
           if
           :: queued[me] -> got = 1
           :: else -> follow()
           fi
        fi
     od;
     /* It is read: from the ring, or from what was queued. */
     if :: direct -> direct = 0 :: else -> queued[me]-- fi;
     left--
  :: else -> break
  od
}

init {
  byte i;
  atomic {
    run peer();
    i = 0;
    do :: i < N -> run thread(i); run buffer(i); i++ :: else -> break od
  }
}
