/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector_drop.pml: a producer of a vector takes back the oldest chunk that is not being read
 *
 * MODELLED  the words floor, claim and freed of libshmipc/src/vector/vector.h, letters (A) to (K). A chunk has an
 *   id (its memory; there are K) and in each use a sequence number; the producer writes chunks 0 to M-1, each into memory
 *   that is free, or was released, or is taken back. END of a chunk names the next one's id. The consumer reads a chunk, goes
 *   on to the next, and releases at any time, or never: what it was shown since the last release it may look at still.
 *   `content` is what stands in a memory; the ghost `shown` says who may look at it.
 * ASSUMES  the two words of the race may be seen late, until a full barrier of their writer, or its next store to
 *   the same word; all else is sequentially consistent. Both tell the truth: of a liar inlet.c and outlet.c believe nothing.
 * CHECKED  no memory is written while the consumer may look at it; what it reads in a chunk is that chunk, and the
 *   sequence numbers go up; neither waits for the other for ever.
 * OPTIONS
 *   BP      1 the producer's barrier (G)   0 none
 *   BC      1 the consumer's barrier (J)   0 none
 *   ORDERP  0 as above   1 claim is loaded before floor is stored
 *   ORDERC  0 as above   1 floor is loaded before claim is stored
 *   TAKE    0 (H): the claim is before v   1 it is v, or before
 *   YIELD   1 (K): a floor behind n is gone to   0 n is read all the same
 *   AGAIN   1 and claimed, and looked at again   0 it is read at once
 *   FIRST   1 chunk 0 counts as claimed from the beginning   0 the consumer reads it without a claim
 *   EARLY   0 freed is stored when the batch is done with   1 when it is opened
 */
#ifndef K
#define K 3
#endif
#ifndef M
#define M 6
#endif
#ifndef BP
#define BP 1
#endif
#ifndef BC
#define BC 1
#endif
#ifndef ORDERP
#define ORDERP 0
#endif
#ifndef ORDERC
#define ORDERC 0
#endif
#ifndef TAKE
#define TAKE 0
#endif
#ifndef YIELD
#define YIELD 1
#endif
#ifndef AGAIN
#define AGAIN 1
#endif
#ifndef FIRST
#define FIRST 1
#endif
#ifndef EARLY
#define EARLY 0
#endif

#define NONE 255

byte content[K];                        /* which chunk stands in this memory */
byte next[K] = NONE;                         /* its END: the next one's id; NONE: not ended yet */
bool shown[K];                          /* ghost: the consumer may look at it */
byte floor, floor_id;                   /* one word in the library */
byte claim = FIRST - 1;                 /* NONE + 1 is 0: with FIRST the first chunk is claimed */
byte freed;                             /* chunks before this one are released */
bool done;

/* Stores that are not to be seen yet. */
bool floor_late, claim_late;
byte late_floor, late_floor_id, late_claim;

inline store_floor(s, i) {
  if
  :: BP -> d_step { floor = s; floor_id = i }
  :: else -> d_step { floor_late = 1; late_floor = s; late_floor_id = i }
  fi
}

inline store_claim(s) {
  if
  :: BC -> claim = s
  :: else -> d_step { claim_late = 1; late_claim = s }
  fi
}

/* Whether v is not claimed, nor any after it. */
#define BEFORE(c, v) ((c) == NONE || (c) < (v) || (TAKE && (c) == (v)))

active proctype producer() {
  byte v, id, i, after, seen, current, cur_id;
  byte seq[K] = NONE;                   /* of its latest use; NONE: never used */
  bool live[K];
  byte low;                             /* the own floor */
  byte known;                           /* of freed */

  d_step { live[0] = 1; seq[0] = 0 };
  do
  :: current + 1 < M ->
     id = NONE;
     d_step {                                                                  /* (A) */
       known = freed;
       for (i : 0 .. K - 1) {
         if
         :: live[i] && seq[i] < known && i != cur_id -> live[i] = 0
         :: else
         fi
       };
       for (i : 0 .. K - 1) {
         if
         :: !live[i] -> id = i
         :: else
         fi
       }
     };
     v = low;
     do
     :: id != NONE || v >= current -> break
     :: else ->
        /* chunk v, if it is one of ours, and the one after it that still is */
        d_step {
          seen = NONE; after = NONE;
          for (i : 0 .. K - 1) {
            if
            :: live[i] && seq[i] == v -> seen = i
            :: live[i] && seq[i] > v && (after == NONE || seq[i] < seq[after]) -> after = i
            :: else
            fi
          };
          id = seen; seen = 0
        };
        if
        :: id == NONE -> v++
        :: id != NONE ->
           seen = claim;
           if
           :: !BEFORE(seen, v) -> id = NONE; v++
           :: else ->
              low = seq[after];
              store_floor(seq[after], after);                                  /* (F), (G) */
              if :: !ORDERP -> seen = claim :: else fi;                        /* (H) */
              if
              :: !BEFORE(seen, v) -> id = NONE; v++
              :: else -> live[id] = 0
              fi
           fi
        fi
     od;
     if
     :: id != NONE ->
        assert(!shown[id]);
        d_step { content[id] = current + 1; next[id] = NONE; seq[id] = current + 1; live[id] = 1 };
        next[cur_id] = id;
        d_step { cur_id = id; current++; id = 0; after = 0; seen = 0 }
     :: else ->
        /* All are being read, or seem to be: until some are released, the newest are dropped. */
        if
        :: freed > known -> known = freed
        :: break
        fi
     fi
  :: else -> break
  od;
  done = 1
}

active proctype consumer() {
  byte c, id, n, nid, f, i;
  shown[0] = 1;
end:
  do
  :: content[id] == c && next[id] != NONE ->
     assert(content[id] == c);
     n = c + 1; nid = next[id];
     do
     :: if
        :: ORDERC -> f = floor; nid = (f > n -> floor_id : nid); store_claim(n)
        :: else ->
           store_claim(n);                                                     /* (I), (J) */
           atomic { f = floor; nid = (YIELD && f > n -> floor_id : nid) }      /* (K) */
        fi;
        if
        :: YIELD && f > n ->
           n = f;
           if :: !AGAIN -> break :: else fi
        :: else -> break
        fi
     od;
     if :: EARLY -> freed = n :: else fi;
     shown[nid] = 1;
     assert(content[nid] == n);
     assert(n > c);
     c = n; id = nid;
     /* release, or look at all of it for longer */
     if
     :: d_step { for (i : 0 .. K - 1) { shown[i] = (i == id) }; i = 0 }; freed = c
     :: skip
     fi
  :: done && next[id] == NONE -> break
  od
}

/* Stores come out at some time. */
active proctype memory() {
end:
  do
  :: d_step { floor_late -> floor = late_floor; floor_id = late_floor_id; floor_late = 0 }
  :: d_step { claim_late -> claim = late_claim; claim_late = 0 }
  od
}
