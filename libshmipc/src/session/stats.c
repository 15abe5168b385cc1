// SPDX-License-Identifier: Apache-2.0
/*
 * stats.c - counters of a session and of a stream
 */
#include <string.h>

#include "internal.h"

/* What the streams that are open have counted, and the session not yet. */
struct sums {
	uint64_t unread, written, read;
};

static uint64_t count_unread(const struct shmipc_stream *stream)
{
	return load_relaxed(&stream->bytes_received) - load_relaxed(&stream->bytes_read);
}

static void add_stream(struct shmipc_stream *stream, void *arg)
{
	struct sums *sums = arg;

	sums->unread += count_unread(stream);
	sums->written += load_relaxed(&stream->bytes_written) - stream->counted_written;
	sums->read += load_relaxed(&stream->bytes_read) - stream->counted_read;
}

/* All of them. */
static int fill_stats(struct shmipc_session *session, struct shmipc_session_stats *stats)
{
	struct sums sums = { 0 };
	int r;

	stats->channel.size = sizeof(stats->channel);
	r = shmipc_channel_stats(session->channel, &stats->channel);
	if (r)
		return r;
	lock_take(&session->lock);
	table_for_each(&session->table, add_stream, &sums);
	stats->streams = session->open;
	lock_release(&session->lock);
	stats->streams_opened = load_relaxed(&session->record->streams_opened);
	stats->streams_accepted = load_relaxed(&session->record->streams_accepted);
	stats->streams_refused = load_relaxed(&session->record->streams_refused);
	stats->streams_reset = load_relaxed(&session->record->streams_reset);
	stats->bytes_written = load_relaxed(&session->counts.written) + sums.written;
	stats->bytes_read = load_relaxed(&session->counts.read) + sums.read;
	stats->writes_waited = load_relaxed(&session->record->writes_waited);
	stats->fallback_sent = load_relaxed(&session->record->fallback_sent);
	stats->fallback_sent_bytes = load_relaxed(&session->record->fallback_sent_bytes);
	stats->fallback_received = load_relaxed(&session->record->fallback_received);
	stats->fallback_received_bytes = load_relaxed(&session->record->fallback_received_bytes);
	stats->exhaustions = load_relaxed(&session->record->exhaustions);
	stats->errors = load_relaxed(&session->counts.errors);
	stats->restarts = load_relaxed(&session->counts.restarts);
	stats->restarts_failed = load_relaxed(&session->counts.restarts_failed);
	stats->private_bytes = load_relaxed(&session->private_received) - load_relaxed(&session->private_direct) -
			       load_relaxed(&session->private_consumed);
	stats->unread_bytes = sums.unread;
	stats->leads = load_relaxed(&session->leads);
	stats->follows = load_relaxed(&session->counts.follows);
	return 0;
}

int shmipc_session_stats(struct shmipc_session *session, struct shmipc_session_stats *stats)
{
	size_t size = stats->size;
	struct shmipc_session_stats all = { 0 };
	int r = session_check(session);

	if (r)
		return r;
	if (size < offsetof(struct shmipc_session_stats, streams_opened) || size > sizeof(all))
		return -EINVAL;
	r = fill_stats(session, &all);
	all.size = size;
	if (!r)
		memcpy(stats, &all, size);
	return r;
}

int shmipc_stream_stats(struct shmipc_stream *stream, struct shmipc_stream_stats *stats)
{
	struct shmipc_session *session = stream->session;
	struct shmipc_stream_stats all = { .size = stats->size };
	int r = session_check(session);

	if (r)
		return r;
	if (all.size < offsetof(struct shmipc_stream_stats, bytes_read) || all.size > sizeof(all))
		return -EINVAL;
	all.bytes_written = load_relaxed(&stream->bytes_written);
	all.bytes_read = load_relaxed(&stream->bytes_read);
	all.messages_received = load_relaxed(&stream->messages_received);
	all.unread_bytes = count_unread(stream);
	lock_take(&session->lock);
	all.pinned = stream->pinned_count;
	lock_release(&session->lock);
	lock_take(&session->out_lock);
	all.messages_sent = stream->messages_sent;
	all.fallback_sent = stream->fallback_sent;
	all.in_flight = load_relaxed(&stream->sent) - load_relaxed(&stream->acked);
	lock_release(&session->out_lock);
	memcpy(stats, &all, all.size);
	return 0;
}
