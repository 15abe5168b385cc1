/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pooled.h - a pool, and the server in this process that it is connected to
 */
#ifndef TESTS_UNIT_POOLED_H
#define TESTS_UNIT_POOLED_H

#include "server.h"

struct pooled {
	struct server server;
	struct shmipc_pool_options options;
	struct shmipc_pool *pool;
};

void pooled_open(struct pooled *f, const struct pair *pair);
void pooled_open_with(struct pooled *f, const struct pair *pair, const struct shmipc_pool_options *options);
void pooled_close(struct pooled *f);

/* A stream of the pool. */
struct shmipc_stream *pooled_get(struct shmipc_pool *pool);

#endif /* TESTS_UNIT_POOLED_H */
