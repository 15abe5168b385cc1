/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - two streams of two sessions, joined: what arrives on one goes out on the other
 *
 * Bytes, message boundaries, half-closes, resets and back-pressure all pass through.
 */
#ifndef LINK_H
#define LINK_H

#include <shmipc/shmipc.h>

/*
 * Join them, for as long as either lives. Both belong to the link from now on, also on failure. The sessions of both
 * must be driven by one thread.
 *
 * Returns 0 or -ENOMEM.
 */
int link_streams(struct shmipc_stream *a, struct shmipc_stream *b);

#endif /* LINK_H */
