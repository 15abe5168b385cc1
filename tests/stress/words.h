/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h - shows what is inside the channels of this process, for the report of a failure
 */
#ifndef STRESS_WORDS_H
#define STRESS_WORDS_H

struct shmipc_channel;

/**
 * words_add - have a channel shown; words_remove() before it is destroyed
 */
void words_add(struct shmipc_channel *channel);
void words_remove(struct shmipc_channel *channel);

/**
 * words_dump_all - both lanes' words, the private counters and the next slots, on stderr
 */
void words_dump_all(void);

/**
 * words_dump_on_signal - do so on SIGUSR1, and go on
 */
void words_dump_on_signal(void);

#endif /* STRESS_WORDS_H */
