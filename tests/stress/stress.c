// SPDX-License-Identifier: Apache-2.0
/*
 * stress.c - two processes exchange messages through a channel, as many and as mixed as possible, and
 * check every byte; a third one watches
 *
 * Exit status: plan.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "killing.h"
#include "pair.h"
#include "side.h"

static void report(const struct plan *plan, const struct board *board, double seconds)
{
	const struct shmipc_channel_stats *a = &board->side[0].stats, *b = &board->side[1].stats;

	if (plan->quiet)
		return;
	printf("# %.1f s, %llu and %llu messages, %llu MB, %llu kept, %llu growths, %llu retires, sleeps %llu %llu, rings "
	       "%llu %llu, barriers paid %llu %llu\n",
	       seconds, (unsigned long long)a->messages_sent, (unsigned long long)b->messages_sent,
	       (unsigned long long)((a->bytes_sent + b->bytes_sent) >> 20),
	       (unsigned long long)(board->side[0].kept + board->side[1].kept),
	       (unsigned long long)(a->growths + b->growths), (unsigned long long)(a->retires + b->retires),
	       (unsigned long long)a->sleeps, (unsigned long long)b->sleeps, (unsigned long long)a->rings,
	       (unsigned long long)b->rings, (unsigned long long)a->barriers_paid,
	       (unsigned long long)b->barriers_paid);
}

int main(int argc, char **argv)
{
	struct watched processes[2];
	struct board *board;
	struct plan plan;
	char text[512];
	int64_t start;
	int verdict, n;

	if (plan_parse(&plan, argc, argv))
		return RUN_USAGE;
	board = board_create();
	if (plan.kills)
		return killing_run(&plan, board);
	start = clock_now();
	n = pair_start(&plan, board, processes, false);
	verdict = watch_all(processes, n, plan.patience, pair_progress, board, 0);
	if (verdict == RUN_PASSED)
		verdict = pair_compare(board);
	if (verdict == RUN_SKIPPED)
		return verdict;
	plan_describe(&plan, text, sizeof(text));
	if (!plan.quiet || verdict)
		printf("# %s: %s\n", verdict == RUN_HUNG ? "HUNG" : verdict ? "FAILED" : "passed", text);
	if (verdict == RUN_PASSED)
		report(&plan, board, (double)(clock_now() - start) / 1e9);
	return verdict;
}
