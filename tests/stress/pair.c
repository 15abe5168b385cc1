// SPDX-License-Identifier: Apache-2.0
/*
 * pair.c - brings two sides together, runs them, and compares what they counted
 */
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../left.h"
#include "side.h"
#include "words.h"

int pair_open(const struct end *end, struct shmipc_channel **channel)
{
	struct shmipc_channel_options options = end->plan->channel;
	int64_t deadline = clock_now() + (int64_t)(end->plan->patience * 1e9);
	int r;

	options.sync = (unsigned int)end->plan->sync[end->endpoint];
	if (end->endpoint)
		return shmipc_channel_receive(end->socket, &options, deadline, channel);
	r = shmipc_channel_create(&options, channel);
	if (r == -EOPNOTSUPP || r == -EACCES)
		exit(RUN_SKIPPED);
	if (r)
		return r;
	r = shmipc_channel_send(*channel, end->socket, deadline);
	if (!r)
		return 0;
	shmipc_channel_destroy(*channel);
	*channel = NULL;
	return r;
}

static void check_left_over(struct side *s, int fds)
{
	if (count_lane_mappings())
		side_fail(s, "%d lanes are still mapped after destroy", count_lane_mappings());
	/* The watcher of memfd channels keeps one descriptor for good. */
	if (count_fds() > fds + 1)
		side_fail(s, "%d descriptors after destroy, %d before", count_fds(), fds);
}

static void finish(struct end *end, struct side *s)
{
	struct board_side *mine = &end->board->side[end->endpoint];

	side_settle(s);
	board_arrive(end->board, 0);
	mine->stats.size = sizeof(mine->stats);
	if (shmipc_channel_stats(s->channel, &mine->stats))
		side_fail(s, "stats");
	board_arrive(end->board, 1);
}

static int run_side(void *argument)
{
	struct end *end = argument;
	struct side *s = malloc(sizeof(*s));
	int fds, r;

	if (end->other_socket >= 0)
		close(end->other_socket);
	fds = count_fds();
	side_init(s, end->plan, end->endpoint, end->board);
	r = pair_open(end, &s->channel);
	if (r && end->may_break) {
		atomic_store(&s->board->broken_off, 1);
		goto out;
	}
	if (r)
		side_fail(s, "%s: %d", end->endpoint ? "receive" : "create or send", r);
	words_add(s->channel);
	atomic_store(&s->board->attached, 1);
	r = side_run(s);
	if (r && !end->may_break)
		side_fail(s, "the other side is gone");
	if (r)
		atomic_store(&s->board->broken_off, 1);
	else if (!end->may_break)
		finish(end, s);
	words_remove(s->channel);
	shmipc_channel_destroy(s->channel);
out:
	if (!end->plan->in_process)
		check_left_over(s, fds);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->moved);
	free(s);
	return 0;
}

static void *run_side_in_thread(void *argument)
{
	run_side(argument);
	return NULL;
}

static int run_both(void *argument)
{
	struct end *ends = argument;
	pthread_t thread;

	ends[0].other_socket = ends[1].other_socket = -1;
	if (pthread_create(&thread, NULL, run_side_in_thread, &ends[1]))
		return RUN_FAILED;
	run_side(&ends[0]);
	pthread_join(thread, NULL);
	return 0;
}

int pair_start(const struct plan *plan, struct board *board, struct watched *processes, bool may_break)
{
	struct end ends[2];
	int pair[2], i;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		perror("socketpair");
		exit(RUN_FAILED);
	}
	memset(board, 0, sizeof(*board));
	for (i = 0; i < 2; i++)
		ends[i] = (struct end){ .plan = plan, .board = board, .endpoint = (unsigned int)i, .socket = pair[i],
					.other_socket = pair[!i], .may_break = may_break };
	if (plan->in_process)
		watch_start(&processes[0], run_both, ends);
	for (i = 0; i < 2 && !plan->in_process; i++)
		watch_start(&processes[i], run_side, &ends[i]);
	close(pair[0]);
	close(pair[1]);
	return plan->in_process ? 1 : 2;
}

uint64_t pair_progress(void *argument)
{
	struct board *board = argument;
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 2; i++)
		sum += atomic_load(&board->side[i].sent) + atomic_load(&board->side[i].received) +
		       (uint64_t)atomic_load(&board->side[i].attached);
	return sum + atomic_load(&board->arrived[0]) + atomic_load(&board->arrived[1]);
}

static int complain(int endpoint, const char *what, uint64_t a, uint64_t b)
{
	fprintf(stderr, "# endpoint %d: %s: %llu, %llu\n", endpoint, what, (unsigned long long)a, (unsigned long long)b);
	return RUN_FAILED;
}

int pair_compare(const struct board *board)
{
	int i, verdict = RUN_PASSED;

	for (i = 0; i < 2; i++) {
		const struct shmipc_channel_stats *mine = &board->side[i].stats, *other = &board->side[!i].stats;

		if (mine->slices_lent || mine->bytes_lent)
			verdict = complain(i, "still lent", mine->slices_lent, mine->bytes_lent);
		if (mine->rings > other->sleeps)
			verdict = complain(i, "more rings than sleeps of the other side", mine->rings, other->sleeps);
		/* One more than was counted here: the last message. */
		if (mine->messages_sent != other->messages_received ||
		    mine->messages_sent != atomic_load(&board->side[i].sent) + 1)
			verdict = complain(i, "messages sent, received", mine->messages_sent, other->messages_received);
		if (mine->bytes_sent != other->bytes_received)
			verdict = complain(i, "bytes sent, received", mine->bytes_sent, other->bytes_received);
		if (mine->depth_in || mine->depth_out)
			verdict = complain(i, "messages not consumed", mine->depth_in, mine->depth_out);
		if (mine->growths < mine->retires)
			verdict = complain(i, "fewer growths than retires", mine->growths, mine->retires);
	}
	return verdict;
}
