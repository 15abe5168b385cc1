/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shmipc: tracepoints
 *
 * Every event names the channel and the endpoint that acts, by the numbers that INFO and fdinfo
 * show.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shmipc

#if !defined(SHMIPC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SHMIPC_TRACE_H

#include <linux/errno.h>
#include <linux/tracepoint.h>

#include "internal.h"

TRACE_DEFINE_ENUM(SHMIPC_HANGUP_UNMAP);
TRACE_DEFINE_ENUM(SHMIPC_HANGUP_RELEASE);

TRACE_EVENT(shmipc_create,
	TP_PROTO(const struct shmipc_channel *channel),
	TP_ARGS(channel),
	TP_STRUCT__entry(
		__field(u64, channel)
		__array(u64, head_size, 2)
		__array(u64, lane_max, 2)
	),
	TP_fast_assign(
		__entry->channel = channel->id;
		__entry->head_size[0] = channel->endpoint[0].lane.head_size;
		__entry->head_size[1] = channel->endpoint[1].lane.head_size;
		__entry->lane_max[0] = channel->endpoint[0].lane.max;
		__entry->lane_max[1] = channel->endpoint[1].lane.max;
	),
	TP_printk("channel=%llu head_size=%llu,%llu lane_max=%llu,%llu", __entry->channel,
		  __entry->head_size[0], __entry->head_size[1],
		  __entry->lane_max[0], __entry->lane_max[1])
);

/* @found: the peer slept, or was about to. */
TRACE_EVENT(shmipc_ring,
	TP_PROTO(const struct shmipc_endpoint *ep, u32 rung, bool found),
	TP_ARGS(ep, rung, found),
	TP_STRUCT__entry(
		__field(u64, channel)
		__field(u32, endpoint)
		__field(u32, rung)
		__field(bool, found)
	),
	TP_fast_assign(
		__entry->channel = ep->channel->id;
		__entry->endpoint = shmipc_endpoint_index(ep);
		__entry->rung = rung;
		__entry->found = found;
	),
	TP_printk("channel=%llu endpoint=%u rung=%u found=%d", __entry->channel,
		  __entry->endpoint, __entry->rung, __entry->found)
);

/* Once for each WAIT, when it is over. @seq against @own tells rung from withdrawn. */
TRACE_EVENT(shmipc_wait,
	TP_PROTO(const struct shmipc_endpoint *ep, u32 seq, int err, bool slept),
	TP_ARGS(ep, seq, err, slept),
	TP_STRUCT__entry(
		__field(u64, channel)
		__field(u32, endpoint)
		__field(u32, seq)
		__field(int, err)
		__field(bool, withdrawn)
		__field(bool, slept)
	),
	TP_fast_assign(
		__entry->channel = ep->channel->id;
		__entry->endpoint = shmipc_endpoint_index(ep);
		__entry->seq = seq;
		__entry->err = err;
		__entry->withdrawn = READ_ONCE(ep->peer_words->rung) != seq;
		__entry->slept = slept;
	),
	TP_printk("channel=%llu endpoint=%u seq=%u end=%s slept=%d", __entry->channel,
		  __entry->endpoint, __entry->seq,
		  __entry->err == -EPIPE ? "dead" :
		  __entry->err == -ETIMEDOUT ? "timeout" :
		  __entry->err ? "signal" :
		  __entry->withdrawn ? "withdrawn" : "rung",
		  __entry->slept)
);

TRACE_EVENT(shmipc_hangup,
	TP_PROTO(const struct shmipc_endpoint *ep, enum shmipc_hangup_reason reason),
	TP_ARGS(ep, reason),
	TP_STRUCT__entry(
		__field(u64, channel)
		__field(u32, endpoint)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->channel = ep->channel->id;
		__entry->endpoint = shmipc_endpoint_index(ep);
		__entry->reason = reason;
	),
	TP_printk("channel=%llu endpoint=%u reason=%s", __entry->channel, __entry->endpoint,
		  __print_symbolic(__entry->reason,
				   { SHMIPC_HANGUP_UNMAP, "unmap" },
				   { SHMIPC_HANGUP_RELEASE, "release" }))
);

DECLARE_EVENT_CLASS(shmipc_segment,
	TP_PROTO(const struct shmipc_endpoint *ep, u32 segment, u64 size),
	TP_ARGS(ep, segment, size),
	TP_STRUCT__entry(
		__field(u64, channel)
		__field(u64, size)
		__field(u32, endpoint)
		__field(u32, segment)
	),
	TP_fast_assign(
		__entry->channel = ep->channel->id;
		__entry->size = size;
		__entry->endpoint = shmipc_endpoint_index(ep);
		__entry->segment = segment;
	),
	TP_printk("channel=%llu endpoint=%u segment=%u size=%llu", __entry->channel,
		  __entry->endpoint, __entry->segment, __entry->size)
);

DEFINE_EVENT(shmipc_segment, shmipc_grow,
	TP_PROTO(const struct shmipc_endpoint *ep, u32 segment, u64 size),
	TP_ARGS(ep, segment, size)
);

DEFINE_EVENT(shmipc_segment, shmipc_retire,
	TP_PROTO(const struct shmipc_endpoint *ep, u32 segment, u64 size),
	TP_ARGS(ep, segment, size)
);

#endif /* SHMIPC_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
