/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what a session shows to tools, in its lane's tool page
 *
 * Written by the lane's owner alone; nobody trusts it. A bare channel has none: magic is 0.
 */
#ifndef SHMIPC_SESSION_RECORD_H
#define SHMIPC_SESSION_RECORD_H

#include "../shm/layout.h"

#define SESSION_RECORD_MAGIC 0x6e6f697373657377ull
#define SESSION_RECORD_VERSION 1u
/* From the head's start: behind the channel's counters. */
#define LAYOUT_SESSION (LAYOUT_PAGE + 2048u)

enum session_record_state { SESSION_RECORD_ALIVE = 1, SESSION_RECORD_ENDED };

struct session_record {
	_Atomic uint64_t magic; /* stored last */
	uint32_t version;
	uint32_t server; /* 0: the client, 1: the server */
	int64_t started; /* CLOCK_MONOTONIC nanoseconds */
	uint64_t window;
	uint64_t private_max;
	uint32_t streams_max;
	uint32_t reserved;
	char address[112]; /* what was connected to or listened on; "" where unknown; ends with a NUL */
	_Atomic uint32_t state;
	_Atomic int32_t error; /* why it ended: -errno */
	_Atomic uint32_t streams;
	_Atomic int64_t unhealthy_until; /* CLOCK_MONOTONIC nanoseconds; 0: it never fell back */
	_Atomic uint64_t streams_opened;
	_Atomic uint64_t streams_accepted;
	_Atomic uint64_t streams_refused;
	_Atomic uint64_t streams_reset;
	_Atomic uint64_t writes_waited;
	_Atomic uint64_t fallback_sent;
	_Atomic uint64_t fallback_sent_bytes;
	_Atomic uint64_t fallback_received;
	_Atomic uint64_t fallback_received_bytes;
	_Atomic uint64_t exhaustions;
};

static_assert(sizeof(struct lane_tool) <= 2048, "the session's record is behind the channel's");
static_assert(sizeof(struct session_record) <= 2048, "tool page");

#endif /* SHMIPC_SESSION_RECORD_H */
