/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_skip.pml: a publisher that drops its barrier, and takes it up again, while it runs
 *
 * MODELLED
 *   As doorbell_tso.pml: P sends N messages to C through R slots and sleeps for space, C sleeps for data;
 *   each has a store buffer of K stores, which drains whenever it likes. prod stands for the slots' lap.
 *   Each lane has one more word, skip: "the owner publishes without a barrier". Its owner turns it on and
 *   off as it pleases between two publications (TOGGLE: 1 P does, 2 C does for its cons, 3 both).
 *     turn on    register for membarrier; store skip = 1; full barrier; from now on no barrier
 *     turn off   full barrier; store skip = 0, release; from now on a barrier again
 *     publish    store prod (or cons), release; full barrier unless skip; load the peer's seq; if it asks
 *                and is not rung: store rung; ring
 *     sleep      store seq odd; full barrier; load the peer's skip; if set: membarrier; look again; wait
 *   membarrier drains its caller's buffer, then in one step the peer's, if the peer is registered.
 *   The kernel puts the waiter on the queue, compares, sleeps; ring is a full barrier, then looks at the queue.
 *   WEAK=0  the buffers are FIFO (x86)
 *   WEAK=1  stores to different words may leave in any order, but a release after all before it (one half
 *           of ARM; the other half, loads that overtake each other, is written out as SKIPLOAD=3)
 * ASSUMES  one publishing thread and one sleeping thread each side (doorbell_skip_pair.pml has two); a
 *   membarrier takes effect at one point in time between call and return, after its caller's stores are out.
 * CHECKED  no hang; rings <= sleeps both ways. "fair": no endless loop.
 * OPTIONS
 *   ON        1 as above   0 no barrier after skip = 1   2 barrier before skip = 1, not after it
 *             3 registers after skip = 1 and the barrier, before the first publication   4 never registers
 *   OFF       1 as above   2 release store, no barrier   0 plain store, no barrier
 *             3 skip = 0, then one more publication without a barrier
 *   SKIPLOAD  0 as above   1 before the announcement   2 between announcement and barrier
 *             3 after the look again (which is what a relaxed load may come to)
 *   MB        1 as above   0 none   2 before the announcement   3 after the look
 * EXPECTED
 *   pass   ON=1 or 3 with OFF=1 or 2, WEAK=0 and 1; OFF=0 with WEAK=0
 *   FAIL   OFF=0 WEAK=1: the message may come out after skip = 0 did. So the off-switch needs the release,
 *          on x86 that is any store; the barrier before it is not needed on either.
 *          all other values
 */
#ifndef N
#define N 3
#endif
#ifndef R
#define R 1
#endif
#ifndef K
#define K 3
#endif
#ifndef WEAK
#define WEAK 0
#endif
#ifndef TOGGLE
#define TOGGLE 3
#endif
#ifndef ON
#define ON 1
#endif
#ifndef OFF
#define OFF 1
#endif
#ifndef SKIPLOAD
#define SKIPLOAD 0
#endif
#ifndef MB
#define MB 1
#endif
/* A word is either always stored with release or never: stores to one word leave in order. */
#define RELEASE_SKIP (OFF == 1 || OFF == 2)
#define PROD 0
#define RUNGP 1
#define SEQP 2
#define SKIPP 3
#define CONS 4
#define RUNGC 5
#define SEQC 6
#define SKIPC 7
#define NEXT(q, bits) (((q) & 252) + 4 + (bits))

byte mem[8];
chan bP = [K] of { byte, byte, bit };   /* word, value, release */
chan bC = [K] of { byte, byte, bit };
bool qP, qC;                            /* kernel: the waiter is on the queue */
bool registered[2];
byte ringsP, ringsC, sleepsP, sleepsC;  /* ghosts */

inline membarrier(own, peer, who) {
  empty(own);
  if
  :: registered[who] ->
     d_step { do :: nempty(peer) -> peer ? a, v, f; mem[a] = v :: empty(peer) -> break od; a = 0; v = 0; f = 0 }
  :: else
  fi
}

inline toggle(own, who, word) {
  if
  :: !skip_ ->
     if :: ON < 3 -> registered[who] = 1 :: else fi;
     if :: ON == 2 -> empty(own) :: else fi;
     own ! word, 1, RELEASE_SKIP;
     if :: ON == 1 || ON == 3 -> empty(own) :: else fi;
     if :: ON == 3 -> registered[who] = 1 :: else fi;
     skip_ = 1
  :: skip_ ->
     if :: OFF == 1 -> empty(own) :: else fi;
     own ! word, 0, RELEASE_SKIP;
     if :: OFF == 3 -> late = 1 :: else fi;
     skip_ = 0
  fi
}

inline publish(own, word, value, peer_seq, rung_word, bits, q, cnt, max) {
  own ! word, value, 1;
  if
  :: skip_ || late -> late = 0
  :: else -> empty(own)
  fi;
  s = mem[peer_seq];
  if
  :: (s & (bits)) == (bits) && s != rung ->
     rung = s; own ! rung_word, rung, 0;
     d_step { cnt++; assert(cnt <= max) };
     empty(own);
     if :: q -> q = 0 :: else fi
  :: else
  fi
}

/* Sleeps unless the look finds word != nothing. */
inline sleep(own, peer, who, seq_word, bits, cnt, peer_skip, word, nothing, q, peer_rung) {
  if :: SKIPLOAD == 1 -> k = mem[peer_skip] :: else fi;
  if :: MB == 2 -> membarrier(own, peer, who) :: else fi;
  d_step { seq = NEXT(seq, bits); s = seq; cnt++ };
  own ! seq_word, seq, 0;
  if :: SKIPLOAD == 2 -> k = mem[peer_skip] :: else fi;
  empty(own);
  if :: SKIPLOAD == 0 -> k = mem[peer_skip] :: else fi;
  if :: MB == 1 && k && SKIPLOAD != 3 -> membarrier(own, peer, who) :: else fi;
  x = mem[word];
  if
  :: SKIPLOAD == 3 ->
     k = mem[peer_skip];
     if :: k -> membarrier(own, peer, who); x = mem[word] :: else fi
  :: else
  fi;
  if :: MB == 3 && k -> membarrier(own, peer, who) :: else fi;
  if
  :: x == nothing ->
     do
     :: q = 1;
        if
        :: mem[peer_rung] == s -> q = 0; break
        :: mem[peer_rung] != s -> q == 0
        fi
     od
  :: else
  fi;
  seq = seq & 252; own ! seq_word, seq, 0;
  k = 0; x = 0; s = 0
}

active proctype P() {
  byte prod, rung, seq, c, s, x, a, v;
  bit f, k, skip_, late;
  do
  :: prod < N ->
     do
     :: c = mem[CONS];
        if
        :: prod - c < R -> c = 0; break
        :: else -> sleep(bP, bC, 1, SEQP, 3, sleepsP, SKIPC, CONS, prod - R, qP, RUNGC)
        fi
     od;
     if :: (TOGGLE & 1) -> toggle(bP, 0, SKIPP) :: skip fi;
     prod++;
     publish(bP, PROD, prod, SEQC, RUNGP, 1, qC, ringsP, sleepsC);
     if :: (TOGGLE & 1) -> toggle(bP, 0, SKIPP) :: skip fi
  :: else -> break
  od
}

active proctype C() {
  byte cons, rung, seq, c, s, x, a, v;
  bit f, k, skip_, late;
  do
  :: cons < N ->
     c = mem[PROD];
     if
     :: cons < c ->
        c = 0;
        if :: (TOGGLE & 2) -> toggle(bC, 1, SKIPC) :: skip fi;
        cons++;
        publish(bC, CONS, cons, SEQP, RUNGC, 3, qP, ringsC, sleepsP);
        if :: (TOGGLE & 2) -> toggle(bC, 1, SKIPC) :: skip fi
     :: else -> c = 0; sleep(bC, bP, 0, SEQC, 1, sleepsC, SKIPP, PROD, cons, qC, RUNGP)
     fi
  :: else -> break
  od
}

/* One store leaves a buffer. */
#define OUT(b) b ? a, v, f
#if WEAK
/* The oldest one to some word, unless it is a release: that one leaves as the oldest of all only. */
#define ANY(b, w) b ?? w, v, 0 -> a = w
#endif
active proctype memory() {
  byte a, v;
  bit f;
end:
  do
  :: d_step { OUT(bP) -> mem[a] = v; a = 0; v = 0; f = 0 }
  :: d_step { OUT(bC) -> mem[a] = v; a = 0; v = 0; f = 0 }
#if WEAK
  :: d_step { ANY(bP, RUNGP) -> mem[a] = v; a = 0; v = 0 }
  :: d_step { ANY(bP, SEQP) -> mem[a] = v; a = 0; v = 0 }
  :: d_step { ANY(bP, SKIPP) -> mem[a] = v; a = 0; v = 0 }
  :: d_step { ANY(bC, RUNGC) -> mem[a] = v; a = 0; v = 0 }
  :: d_step { ANY(bC, SEQC) -> mem[a] = v; a = 0; v = 0 }
  :: d_step { ANY(bC, SKIPC) -> mem[a] = v; a = 0; v = 0 }
#endif
  od
}
