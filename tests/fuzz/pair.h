/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.h - both endpoints of a small memfd channel in one process
 */
#ifndef FUZZ_PAIR_H
#define FUZZ_PAIR_H

#include "shmipc/channel.h"

struct pair {
	struct shmipc_channel *end[2];
};

void pair_open(struct pair *pair);
void pair_close(struct pair *pair);

/**
 * pair_options - small, so that everything is soon full
 */
struct shmipc_channel_options pair_options(void);

#endif /* FUZZ_PAIR_H */
