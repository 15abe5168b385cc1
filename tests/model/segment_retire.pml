/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_retire.pml: a lane gives a segment back and uses its number again
 *
 * MODELLED  the four steps of libshmipc/src/channel/memory.c and consume.c, for one segment number:
 *     owner    nothing of it is lent: allocates no more from it, sets its bit of `retired`     (1)
 *     reader   unmaps it, sets its bit of `unmapped`                                           (2)
 *     owner    frees it, clears `retired`; the number is `releasing`                           (3)
 *     reader   clears `unmapped`; the owner that sees it may name a new segment so             (4)
 *   A segment is an object: 1, 2, ... G. A slot in the ring (FIFO) names the number; the ghost `named`
 *   remembers which object its writer meant. The reader maps whatever object bears the number when a slot
 *   names it and nothing is mapped (after it did its chores), keeps up to one message to read it again
 *   later, and gives back. The reader sleeps (as doorbell.pml, in one step) when it has nothing to do; the
 *   owner wants to send M messages, a segment each time it has none, and may retire at any time.
 *   KMOD=1  the number is looked up in the module's table; a new object while the old one is mapped is EEXIST
 *   KMOD=0  objects come over a socket (FIFO); the reader takes what is there when it looks for one
 * ASSUMES  sequentially consistent memory; both sides tell the truth. (A lying owner can retire what is lent:
 *   the reader must refuse to unmap what it holds, which no model of truthful sides shows.)
 * CHECKED  a reader only reads the object that the slot's writer meant, and only while it is mapped; a number
 *   is given to a new object only when the old one is unmapped; no hang.
 * OPTIONS
 *   TELL  who wakes a reader that sleeps: 1 the owner at step (1) and at step (3)   2 at step (1) alone: a reader
 *         that did step (2) and slept again never does step (4); the owner hangs when it needs the number
 *         0 at neither
 *   RELEASING 1 as above   0 a number is free again at step (3), before the reader cleared its bit
 *   CHORES    1 as above   0 a reader that finds nothing mapped maps, without a look at `retired` first
 *   ACKFIRST  0 as above   1 the reader sets `unmapped`, then unmaps
 *   BUG       1 the owner retires a segment of which a slice is lent   2 the owner frees at step (1), without waiting
 * EXPECTED  RELEASING=0 and ACKFIRST=1 pass alone, where the module says who bears a number: the fourth step
 *   covers for the one, the chores before a mapping for the other. RELEASING=0 with CHORES=0 or ACKFIRST=1 gives a
 *   number to a new object while the old one is mapped. Without the module RELEASING=0 alone loses an announcement.
 */
#ifndef M
#define M 3
#endif
#ifndef G
#define G 3
#endif
#ifndef KMOD
#define KMOD 1
#endif
#ifndef TELL
#define TELL 1
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef RELEASING
#define RELEASING 1
#endif
#ifndef CHORES
#define CHORES 1
#endif
#ifndef ACKFIRST
#define ACKFIRST 0
#endif
byte object;                    /* which object bears the number now; 0: none */
byte mapped;                    /* which one the reader has mapped under it; 0: none */
bool retired;                   /* a bit in the owner's lane */
bool unmapped;                  /* a bit in the reader's lane */
chan ring = [2] of { byte };    /* slots: the ghost `named` */
chan announced = [2] of { byte };
byte lent;                      /* slices out: given back by the reader, collected in the same step */
bool asleep, done;

#define READ_AS(o) assert(mapped == (o))
#define WAKE asleep = 0

active proctype owner() {
  byte sent, generation;
  bool retiring, releasing;
  do
  :: sent < M ->
     if
     :: object && !retiring ->
        /* lend and publish, ring; or retire */
        if
        :: atomic { nfull(ring) -> lent++; ring ! object; sent++ }; WAKE
        :: (lent == 0 || BUG == 1) && generation < G ->                        /* (1) */
           retiring = 1;
           if :: BUG == 2 -> object = 0; retiring = 0 :: else -> retired = 1 fi;
           if :: TELL -> WAKE :: else fi
        fi
     :: !object && !retiring && !releasing && generation < G ->
        assert(BUG == 2 || !KMOD || mapped == 0);                              /* EEXIST */
        generation++; object = generation;
        if :: !KMOD -> announced ! generation :: else fi
     :: retiring && unmapped ->                                                /* (3) */
        object = 0; retiring = 0; releasing = RELEASING;
        retired = 0;
        if :: TELL == 1 -> WAKE :: else fi
     :: releasing && !unmapped -> releasing = 0                                /* after (4) */
     fi
  :: else -> break
  od;
  done = 1; WAKE
}

/* see_retired() */
inline chores() {
  seen = retired;
  if
  :: seen && !unmapped ->                                                      /* (2) */
     if :: ACKFIRST -> unmapped = 1 :: else fi;
     mapped = 0;
     do :: !KMOD && announced ? [_] -> announced ? _ :: else -> break od;      /* announced and never named */
     unmapped = 1
  :: !seen && unmapped -> unmapped = 0                                         /* (4) */
  :: else
  fi
}

active proctype reader() {
  byte named, kept;
  bool seen;
  do
  :: if
     :: ring ? [_] ->
        atomic { ring ? named };
        if
        :: mapped == 0 ->
           if :: CHORES -> chores() :: else fi;
           if
           :: KMOD -> mapped = object
           :: else -> announced ? mapped
           fi
        :: else
        fi;
        READ_AS(named);
        if
        :: kept == 0 -> kept = named                  /* keep: read it again before it is given back */
        :: lent--
        fi
     :: kept -> READ_AS(kept); kept = 0; lent--
     :: retired != unmapped -> chores()
     :: empty(ring) && kept == 0 && retired == unmapped && done -> break
     :: atomic { empty(ring) && kept == 0 && retired == unmapped && !done -> asleep = 1 }; !asleep
     fi
  od
}
