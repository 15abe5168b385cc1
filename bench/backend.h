/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include <shmipc/channel.h>

#include "transport.h"

/* What the transports that are ours have in common. */

/* Does the module work here? As a transport's check(). */
int backend_check_module(const char **why);

/* The library's defaults, except that a lane may hold a few of the largest messages. */
void backend_set_options(struct shmipc_channel_options *options, const struct plan *plan, enum shmipc_backend backend);

/* Until when the other side must have come. */
int64_t backend_deadline(void);

/* What a channel counted. */
void backend_count(const struct shmipc_channel_stats *stats, struct counts *counts);

#endif
