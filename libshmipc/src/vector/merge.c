// SPDX-License-Identifier: Apache-2.0
/*
 * merge.c - a batch by time of push
 *
 * A binary heap of the inlets that have a message, by that message's time. A time is the producer's word: a producer
 * that lies about it misplaces its own messages.
 */
#include "consumer.h"

static bool is_earlier(const struct shmipc_vector *v, uint32_t a, uint32_t b)
{
	return inlet_time(v->inlet[v->heap[a]]) < inlet_time(v->inlet[v->heap[b]]);
}

static void swap(struct shmipc_vector *v, uint32_t a, uint32_t b)
{
	uint32_t i = v->heap[a];

	v->heap[a] = v->heap[b];
	v->heap[b] = i;
}

static void sink(struct shmipc_vector *v, uint32_t i)
{
	uint32_t child;

	for (;; i = child) {
		child = 2 * i + 1;
		if (child >= v->heap_count)
			return;
		if (child + 1 < v->heap_count && is_earlier(v, child + 1, child))
			child++;
		if (!is_earlier(v, child, i))
			return;
		swap(v, i, child);
	}
}

void merge_begin(struct shmipc_vector *v)
{
	uint32_t i;

	v->heap_count = 0;
	for (i = 0; i < v->count; i++)
		if (inlet_settle(v->inlet[i], v->batch))
			v->heap[v->heap_count++] = i;
	for (i = v->heap_count / 2; i-- > 0;)
		sink(v, i);
}

int merge_next(struct shmipc_vector *v, struct shmipc_vector_message *message)
{
	struct inlet *in;

	while (v->heap_count) {
		in = v->inlet[v->heap[0]];
		if (inlet_next(in, v->batch, message)) {
			if (inlet_settle(in, v->batch)) {
				sink(v, 0);
				return 1;
			}
			swap(v, 0, --v->heap_count);
			sink(v, 0);
			return 1;
		}
		swap(v, 0, --v->heap_count);
		sink(v, 0);
	}
	return 0;
}
