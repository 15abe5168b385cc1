/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_kernel.pml: the module's wait, ring, kick and hang-up, without a lock and with one waiter
 *
 * MODELLED  kmod/doorbell.c; its letters (A) to (H) stand at the steps here.
 *   Sleeper C of endpoint E: announces, looks again, calls WAIT. WAIT stores its task state and then
 *   E.waiter with a full barrier, compares (peer's rung; own seq; dead; signal) and sleeps until its task
 *   state is made RUNNING or a signal comes. A signal ends the call, which is then made again.
 *   Wakers W(0), W(1): two threads of the peer. Each publishes a word of its own, full barrier, looks at
 *   seq and rung, takes the duty under their lock, calls RING. RING loads rung, exchanges it with rang (a
 *   repeat ends here), loads waiter, makes it RUNNING. A RING may be repeated (a restarted RING_WAIT).
 *   Kicker K: a thread of C's process that has C return: sets a private word, changes seq from the odd
 *   value it finds to an even one by compare-and-swap, calls KICK.
 *   Reaper D: stops both wakers at any point, marks the peer dead, barrier, wakes the waiter.
 *   Each has a FIFO store buffer (x86) that drains when it likes; a compare-and-swap, an exchange and a
 *   wake-up empty the own one.
 * ASSUMES  the scheduler: a wake-up compares and changes the task state in one step (the task's pi_lock).
 *   That the task found in `waiter` still exists is RCU's affair and not shown here.
 * CHECKED  no hang; rings that were not taken for repeats <= sleeps; a C that ends with EPIPE has taken
 *   all that was published. "fair": no endless loop.
 * OPTIONS
 *   BUG
 *     1  RING: no full barrier between rung and the look at waiter                             (D)
 *     2  WAIT compares first, then stores waiter                                               (A)(C)
 *     3  WAIT stores waiter without a full barrier                                             (B)
 *     4  WAIT stores its task state after the compare
 *     5  KICK without a changed seq
 *     6  KICK, then seq changed
 *     7  the waiter is woken, then dead is marked                                              (G)
 *     8  dead is marked without a full barrier before the look at waiter                       (H)
 *     9  RING compares rang with rung at its start and stores it at its end, with no exchange
 *    10  RING stores rang at its end, from a rung that it loads again: it remembers a value for which it
 *        did not look, and the ring of the thread that stored it is ignored
 *    11  WAIT does not compare the own seq
 *    12  WAIT, restarted after a signal, goes on without comparing rung (trusts the wake it missed)
 *   XCHG
 *     1  rang is exchanged (wrong). Two rings at one time may leave the older value there; a repeat of the newer
 *        one then rings once more than there was a sleep. Without repeats (REPEAT=0) it cannot.
 *     2  compare-and-swap loop that loads rang, then rung, as the code has it: never a ring too many
 *   REPEAT  how many of its RINGs each waker makes twice
 *   DIE, KICKS, SIGNALS  0 or 1; N0, N1 messages of the wakers
 */
#ifndef N0
#define N0 1
#endif
#ifndef N1
#define N1 1
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef XCHG
#define XCHG 2
#endif
#ifndef REPEAT
#define REPEAT 0
#endif
#ifndef DIE
#define DIE 0
#endif
#ifndef KICKS
#define KICKS 0
#endif
#ifndef SIGNALS
#define SIGNALS 0
#endif
#define K 2                     /* stores a buffer holds */
#define PUB 0                   /* and 1: what W(0) and W(1) published */
#define RUNG 2
#define SEQ 3
#define LOCK 4
#define WAITER 5
#define STATE 6                 /* of C's task: 1 INTERRUPTIBLE, 0 RUNNING */
#define RANG 7
#define DEAD 8
#define STOP 9

byte mem[10];
chan buffer[4] = [K] of { byte, byte };  /* W(0), W(1), C, reaper */
#define MINE_C buffer[2]
#define MINE_D buffer[3]
bool killed, sig;
byte rings, sleeps;             /* ghosts */

#define WAKE  d_step { if :: mem[STATE] == 1 -> mem[STATE] = 0 :: else fi }
#define COUNT d_step { rings++; assert(rings <= sleeps) }

/* The RING call of W(me), whose last store of rung was `mine`. */
inline ring() {
  /* a load of one's own word finds one's own store, though it may not have left the buffer */
  if
  :: buffer[me] ?? [RUNG, eval(mine)] -> r = mine
  :: else -> r = mem[RUNG]
  fi;
  if
  :: mem[DEAD]
  :: else ->
#if BUG == 9
     old = mem[RANG];
     if
     :: old == r
     :: else ->
        empty(buffer[me]);
        if :: mem[WAITER] -> COUNT; WAKE :: else fi;
        buffer[me] ! RANG, r
     fi;
#elif BUG == 10
     old = mem[RANG];
     if
     :: old == r
     :: else ->
        empty(buffer[me]);
        if :: mem[WAITER] -> WAKE :: else fi;
        r = mem[RUNG]; atomic { empty(buffer[me]) -> mem[RANG] = r }
     fi;
#else
#if BUG == 1
     d_step { old = mem[RANG]; mem[RANG] = r };           /* atomic, but nothing has to leave the buffer */
#elif XCHG == 1
     atomic { empty(buffer[me]) -> old = mem[RANG]; mem[RANG] = r };           /* (D) */
#else
     do
     :: old = mem[RANG];
        if
        :: buffer[me] ?? [RUNG, eval(mine)] -> r = mine
        :: else -> r = mem[RUNG]
        fi;
        if
        :: old == r -> break
        :: else ->
           atomic { empty(buffer[me]) -> if :: mem[RANG] == old -> mem[RANG] = r; won = 1 :: else fi };
           if :: won -> won = 0; break :: else fi
        fi
     od;
#endif
     if
     :: old == r
     :: else ->
        if :: mem[WAITER] -> COUNT; WAKE :: else fi        /* (E) */
     fi;
#endif
  fi;
  r = 0; old = 0
}

proctype W(byte me) {
  byte n, s, r, old, mine, again = REPEAT;
  bit won;
  {
  do
  :: n < (me == 0 -> N0 : N1) ->
     n++;
     buffer[me] ! PUB + me, n;
     empty(buffer[me]);
     s = mem[SEQ];
     if
     :: (s & 1) && s != mem[RUNG] ->
        atomic { empty(buffer[me]) && !mem[LOCK] -> mem[LOCK] = 1 };
        s = mem[SEQ];
        if
        :: (s & 1) && s != mem[RUNG] ->
           mine = s; buffer[me] ! RUNG, s;
           buffer[me] ! LOCK, 0;
           ring();
           if
           :: again -> again--; ring()
           :: skip
           fi
        :: else -> buffer[me] ! LOCK, 0
        fi
     :: else
     fi;
     s = 0
  :: else -> break
  od
  } unless { killed }
}

/* The WAIT call; d: it ended with EPIPE. */
inline wait() {
  do
  ::
#if BUG == 2
     if
     :: mem[RUNG] == s -> break
     :: else
     fi;
     MINE_C ! STATE, 1; empty(MINE_C); mem[WAITER] = 1;
     if
     :: mem[SEQ] != s -> leave()
     :: mem[SEQ] == s && mem[DEAD] -> d = 1; leave()
     :: else -> mem[STATE] == 0; leave()
     fi
#else
#if BUG == 3
     MINE_C ! STATE, 1; MINE_C ! WAITER, 1;
#elif BUG == 4
     empty(MINE_C); mem[WAITER] = 1;
#else
     MINE_C ! STATE, 1;
     atomic { empty(MINE_C) -> mem[WAITER] = 1 };                              /* (A) (B) */
#endif
     do
     :: if
        :: mem[RUNG] == s && !(BUG == 12 && again) -> over = 1; break                          /* (C) */
        :: else
        fi;
        if
        :: BUG != 11 && mem[SEQ] != s -> over = 1; break
        :: else
        fi;
        if
        :: mem[DEAD] -> d = 1; over = 1; break
        :: else
        fi;
        if
        :: sig -> sig = 0; again = 1; break                                    /* EINTR: made again */
        :: else
        fi;
#if BUG == 4
        MINE_C ! STATE, 1; empty(MINE_C);
#endif
        (mem[STATE] == 0 || sig);                                           /* schedule() */
        MINE_C ! STATE, 1; empty(MINE_C)                                       /* (B) again */
     od;
     leave();
     if :: over -> break :: else fi
#endif
  od;
  over = 0; again = 0
}
inline leave() { MINE_C ! STATE, 0; MINE_C ! WAITER, 0 }

proctype C() {
  byte got[2], seq, s;
  bit d, over, again;
  do
  :: got[0] < mem[PUB] -> got[0]++
  :: got[1] < mem[PUB + 1] -> got[1]++
  :: else ->
     if
     :: d || mem[STOP] || (!KICKS && got[0] == N0 && got[1] == N1) -> break
     :: else
     fi;
     d_step { seq = (seq & 252) + 4 + 1; s = seq; sleeps++ };
     MINE_C ! SEQ, s;
     empty(MINE_C);
     if
     :: got[0] == mem[PUB] && got[1] == mem[PUB + 1] && !mem[STOP] -> wait()
     :: else
     fi;
     MINE_C ! SEQ, s & 252
  od;
  assert(!d || (got[0] == mem[PUB] && got[1] == mem[PUB + 1]))
}

#if KICKS
active proctype kicker() {
  byte s;
  mem[STOP] = 1;                                 /* under a mutex: a full barrier */
#if BUG == 5
  if :: mem[WAITER] -> WAKE :: else fi
#elif BUG == 6
  s = mem[SEQ];
  if :: mem[WAITER] -> WAKE :: else fi;
  d_step { if :: (s & 1) && mem[SEQ] == s -> mem[SEQ] = s & 252 :: else fi }
#else
  do
  :: s = mem[SEQ];
     if
     :: s & 1 ->
        atomic { if :: mem[SEQ] == s -> mem[SEQ] = s & 252; s = 0 :: else fi };
        if
        :: s == 0 ->                             /* (F): the compare-and-swap was one already */
           if :: mem[WAITER] -> WAKE :: else fi; /* (E) */
           break
        :: else                                  /* changed under our feet: look at the new one */
        fi
     :: else -> break                            /* awake: it will look before it sleeps */
     fi
  od
#endif
}
#endif

#if SIGNALS
active proctype signaller() { sig = 1 }
#endif

/* One store leaves a buffer. */
active proctype memory() {
  byte a, v;
end:
  do
  :: d_step { buffer[0] ? a, v -> mem[a] = v; a = 0; v = 0 }
  :: d_step { buffer[1] ? a, v -> mem[a] = v; a = 0; v = 0 }
  :: d_step { buffer[2] ? a, v -> mem[a] = v; a = 0; v = 0 }
  :: d_step { buffer[3] ? a, v -> mem[a] = v; a = 0; v = 0 }
  od
}

init {
  atomic { run W(0); run W(1); run C() };
#if DIE
  if
  :: killed = 1;
     empty(buffer[0]) && empty(buffer[1]);       /* an exiting process leaves nothing behind */
#if BUG == 7
     if :: mem[WAITER] -> WAKE :: else fi;
     MINE_D ! DEAD, 1
#else
     MINE_D ! DEAD, 1;                           /* (G) */
#if BUG != 8
     empty(MINE_D);                              /* (H) */
#endif
     if :: mem[WAITER] -> WAKE :: else fi        /* (E) */
#endif
  :: skip
  fi
#endif
}
