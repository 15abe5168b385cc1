// SPDX-License-Identifier: Apache-2.0
/*
 * pooled.c - a pool and its server
 */
#include "pooled.h"

#include <string.h>

void pooled_open_with(struct pooled *f, const struct pair *pair, const struct shmipc_pool_options *options)
{
	memset(f, 0, sizeof(*f));
	server_start(&f->server, pair, 2, -1);
	f->options = *options;
	assert_code(shmipc_pool_create(f->server.address, options, &f->pool), 0);
	assert_non_null(f->pool);
}

void pooled_open(struct pooled *f, const struct pair *pair)
{
	struct shmipc_pool_options options = pool_options(pair);

	pooled_open_with(f, pair, &options);
}

void pooled_close(struct pooled *f)
{
	shmipc_pool_close(f->pool);
	server_stop(&f->server);
}

struct shmipc_stream *pooled_get(struct shmipc_pool *pool)
{
	struct shmipc_stream *stream = NULL;

	assert_code(shmipc_pool_get(pool, &stream, FAR), 0);
	assert_non_null(stream);
	return stream;
}
