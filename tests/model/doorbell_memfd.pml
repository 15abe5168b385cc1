/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_memfd.pml: sleeping and waking without the module
 *
 * MODELLED  libshmipc/src/bell/doorbell_memfd.c
 *   Sleeper C takes N messages; its own thread K withdraws one of its sleeps (kick) to have it stop; the
 *   watcher D marks the peer dead and kicks. Waker W publishes, takes the duty (one step here), rings.
 *   PPOLL=0  futex_waitv on the peer's rung and the private word kicks: both values are loaded, then it is
 *            looked whether the sleep is over, then each word is compared and queued for, one after the other,
 *            each in one step; any wake-up of either ends it. ring: FUTEX_WAKE on rung. kick: kicks + 1, FUTEX_WAKE.
 *   PPOLL=1  ppoll on the socket and an eventfd. ring: a byte, dropped if the socket holds CAP of them.
 *            Before each look the socket is read empty; the eventfd is read after ppoll reported it.
 *   FIND     PPOLL=1: another thread reads the same socket for announced segments, F times
 *     1  and drops the wake-up bytes it finds
 *     2  and kicks the own sleeper if it found any
 * ASSUMES  sequentially consistent memory (doorbell_tso.pml; FUTEX_WAKE and send are full barriers).
 * CHECKED  no hang; rings <= sleeps; a C that ends with EPIPE has taken all that was published. "fair": no endless loop.
 * OPTIONS  KICKS, DIE: 0 or 1   BUG
 *     1  the values for futex_waitv are loaded after the look
 *     2  a kick wakes, but does not change its word          3  the kick comes before seq is changed
 *     4  FUTEX_WAKE before rung is stored                    5  the wait is on rung alone
 *     6  kicked, then marked dead                            7  ppoll: the socket is emptied after the look
 *     8  ppoll: the eventfd is emptied after the look        9  ppoll: a waker rings the futex, not the socket
 */
#ifndef N
#define N 2
#endif
#ifndef PPOLL
#define PPOLL 0
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef FIND
#define FIND 0
#endif
#ifndef F
#define F 1
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
byte kicks, kick_fd, bytes;     /* private futex; eventfd; wake-up bytes in the socket */
bool on_rung, on_kicks, woken;  /* kernel: C's futex queues */
bool dead, killed, stop;
byte rings, sleeps;             /* ghosts */

inline wake_rung() { d_step { if :: on_rung -> woken = 1 :: else fi } }
inline kick() {
#if PPOLL
  kick_fd = 1
#else
  if :: BUG != 2 -> kicks++ :: else fi;
  d_step { if :: on_kicks -> woken = 1 :: else fi }
#endif
}

active proctype W() {
  byte s;
  {
  do
  :: prod < N ->
     prod++;
#if BUG == 4
     s = seq;
     if
     :: (s & 1) && s != rung -> wake_rung(); rung = s
     :: else
     fi
#else
     atomic { s = seq; if :: (s & 1) && s != rung -> rung = s :: else -> s = 0 fi };
     if
     :: s ->
        d_step { rings++; assert(rings <= sleeps) };
#if PPOLL && BUG != 9
        d_step { if :: bytes < CAP -> bytes++ :: else fi }
#else
        wake_rung()
#endif
     :: else
     fi
#endif
  :: else -> break
  od
  } unless { killed }
}

/* Sets over: 1 rung or withdrawn, 2 dead. */
inline look() {
  if
  :: rung == s -> over = 1
  :: else ->
     if
     :: seq != s -> over = 1
     :: else -> if :: dead -> over = 2 :: else fi
     fi
  fi
}

inline wait() {
#if PPOLL
  do
  :: if :: BUG != 7 -> bytes = 0 :: else fi;
     look();
     if :: over -> break :: else fi;
     if :: BUG == 7 -> bytes = 0 :: else fi;
     if :: BUG == 8 -> kick_fd = 0 :: else fi;
     (bytes || kick_fd);
     if :: kick_fd && BUG != 8 -> kick_fd = 0 :: else fi
  od;
#else
  do
  :: if :: BUG == 1 -> look() :: else fi;
     v = rung; k = kicks;
     if
     :: v == s && BUG != 1 -> over = 1
     :: else -> if :: BUG != 1 -> look() :: else fi
     fi;
     if :: over -> break :: else fi;
     woken = 0;
     atomic { if :: rung == v -> on_rung = 1; again = 0 :: else -> again = 1 fi };
     if
     :: !again -> atomic { if :: kicks == k || BUG == 5 -> on_kicks = (BUG != 5) :: else -> again = 1 fi }
     :: else
     fi;
     again || woken;                              /* EAGAIN: a word has changed; or asleep */
     d_step { on_rung = 0; on_kicks = 0 }
  od;
#endif
}

active proctype C() {
  byte got, s, v, k, over;
  bool again;
  do
  :: got < prod -> got++
  :: else ->
     if
     :: over == 2 || stop || (got == N && !KICKS) -> break
     :: else
     fi;
     over = 0;
     d_step { seq = (seq & 252) + 4 + 1; s = seq; sleeps++ };
     if
     :: got == prod && !stop -> wait()
     :: else
     fi;
     seq = seq & 252
  od;
  assert(over != 2 || got == prod)
}

#if KICKS
active proctype kicker() {
  byte s;
  stop = 1;
#if BUG == 3
  kick();
  atomic { s = seq; if :: s & 1 -> seq = s & 252 :: else fi }
#else
  atomic { s = seq; if :: s & 1 -> seq = s & 252 :: else -> s = 0 fi };
  if :: s -> kick() :: else fi
#endif
}
#endif

#if DIE
active proctype watcher() {
  if
  :: killed = 1;
#if BUG == 6
     kick(); dead = 1
#else
     dead = 1; kick()
#endif
  :: skip
  fi
}
#endif

#if FIND
active proctype finder() {
  byte n, taken;
  do
  :: n < F ->
     n++;
     d_step { taken = bytes; bytes = 0 };
     if :: FIND == 2 && taken -> kick() :: else fi
  :: else -> break
  od
}
#endif
