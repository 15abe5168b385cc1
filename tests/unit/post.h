/* SPDX-License-Identifier: Apache-2.0 */
/*
 * post.h - what the tests of the vector begin with: a consumer, and producers that attach to it, in this process
 */
#ifndef TESTS_UNIT_POST_H
#define TESTS_UNIT_POST_H

#include "pair.h"
#include "shmipc/vector.h"

struct post {
	char path[64];
	struct shmipc_vector_options vector_options;
	struct shmipc_producer_options producer_options;
	struct shmipc_vector *vector;
};

/* A path of its own, and options with the pair's backend and sync mode demand. Nothing is opened yet. */
void post_init(struct post *post, const struct pair *pair);

/* Open the consumer; a producer, attached if there is a consumer. */
void post_open(struct post *post);
struct shmipc_producer *post_producer(struct post *post);

/* All three: a producer that is attached, with those options. */
struct shmipc_producer *post_start(struct post *post, const struct pair *pair);

/* Serve, in this thread, until a producer is attached. */
void post_attach(struct post *post, struct shmipc_producer *producer);

void post_close(struct post *post);

/* Push a message that pattern_is() knows again by its number; expect 0. */
void post_push(struct shmipc_producer *producer, size_t size, uint32_t number);

/* Whether the next message of the open batch is that one; fails the test if it is not. */
void post_expect(struct post *post, size_t size, uint32_t number);

/* Receive until so many came; checks that they are number `first` and so on, of one size. Releases. */
void post_take(struct post *post, size_t size, uint32_t first, uint32_t count);

/* Receive and release what is there, for as long as there is something; counts. */
struct post_count {
	uint64_t messages, dropped, repeated;
	uint32_t last; /* number of the last one */
};
struct post_count post_drain(struct post *post, size_t size);

struct shmipc_producer_stats producer_stats_of(struct shmipc_producer *producer);
struct shmipc_vector_stats vector_stats_of(struct shmipc_vector *vector);

#endif /* TESTS_UNIT_POST_H */
