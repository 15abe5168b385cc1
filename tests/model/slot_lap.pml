/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot_lap.pml: a slot's lap number says whether it is published, also when the numbers wrap around
 *
 * MODELLED  the slot ring of libshmipc/src/channel/produce.c and consume.c, with their letters.
 *   Slot index & (R - 1); the lap is 1 + the free-running index, modulo LAPS (2^32 in the code); slots are
 *   0 at first. The producer writes a slot when less than R are out by the consumer's cons (K), payload,
 *   then lap (L). The consumer loads the next slot's lap; it is published if the lap is 1 + its own index
 *   (M); it reads the payload, then stores cons (N). Both run for ever; the payload counts modulo PAYLOADS,
 *   a number that has no divisor in common with LAPS, so that an old slot's payload is never the right one.
 *   consume_ready(): the lap is neither the last round's nor the first round's 0. For a producer that tells
 *   the truth it must be the same as "published".
 *   RELEASE=0: the lap comes out before the payload (what a plain store may come to).
 *   The return ring is the same with one 64-bit word for payload and lap, and so needs no order between them.
 * CHECKED  every payload is read once, in order; ready == published. "fair" means nothing here: it runs for ever.
 * EXPECTED
 *   pass   LAPS a multiple of R, at least 2 R. So the least modulus is twice the slots; the code has
 *          2^32 / 65536 = 65536 times the slots in the worst case, and slots is a power of two.
 *   FAIL   LAPS=R: the old lap is the new one    LAPS no multiple of R: a slot's number jumps at the wrap
 *          RELEASE=0   lap before payload        ORDER=1   cons stored before the payload is read
 *          ORDER=2   the producer looks at no cons   READY=1   ready means "not the last lap" (0 at first counts)
 *          READY=2   ready means "not 0": an old lap counts
 */
#ifndef R
#define R 2
#endif
#ifndef LAPS
#define LAPS 4
#endif
#ifndef PAYLOADS
#define PAYLOADS 7
#endif
#ifndef RELEASE
#define RELEASE 1
#endif
#ifndef ORDER
#define ORDER 0
#endif
#ifndef READY
#define READY 0
#endif
byte lap[R], payload[R];        /* the producer's lane */
byte cons;                      /* the consumer's lane */

#define LAP(index) (((index) + 1) % LAPS)
#define OUT(p, c) (((p) + LAPS - (c)) % LAPS)

active proctype producer() {
  byte prod, value, c;
  do
  :: c = cons;                                                   /* (K) */
     if
     :: OUT(prod, c) < R || ORDER == 2 ->
#if RELEASE
        payload[prod % R] = value;
        lap[prod % R] = LAP(prod);                               /* (L) */
#else
        lap[prod % R] = LAP(prod);
        payload[prod % R] = value;
#endif
        prod = (prod + 1) % LAPS; value = (value + 1) % PAYLOADS
     :: else
     fi
  od
}

active proctype consumer() {
  byte next, value, l, old;
  bool ready;
  do
  :: l = lap[next % R];                                          /* (M) */
     old = (next + 1 + LAPS - R) % LAPS;
#if READY == 0
     ready = (l != old && (l || next >= R));
#elif READY == 1
     ready = (l != old);
#else
     ready = (l != 0);
#endif
     assert(ready == (l == LAP(next)));
     if
     :: l == LAP(next) ->
        if :: ORDER == 1 -> cons = (next + 1) % LAPS :: else fi;
        assert(payload[next % R] == value);
        if :: ORDER != 1 -> cons = (next + 1) % LAPS :: else fi; /* (N) */
        next = (next + 1) % LAPS; value = (value + 1) % PAYLOADS
     :: else
     fi
  od
}
