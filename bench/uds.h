/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_UDS_H
#define BENCH_UDS_H

#include "transport.h"

/* What transports over Unix stream sockets have in common: how a conversation gets its socket. */

/* As prepare(). */
int uds_prepare(struct wiring *wiring, const struct plan *plan);

/* For open(): a blocking socket of a connection of its own, which side 0 makes and side 1 accepts; or -errno. */
int uds_open(struct end *end);

#endif
