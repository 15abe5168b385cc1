// SPDX-License-Identifier: Apache-2.0
/*
 * killing.c - kills or stops and kills one side at a random point, again and again
 *
 * The survivor must get all that was published, then -EPIPE, soon, and must leave nothing behind.
 */
#include "killing.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"
#include "side.h"

static void sleep_ns(uint64_t ns)
{
	struct timespec time = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	nanosleep(&time, NULL);
}

static bool are_attached(const struct board *board)
{
	return atomic_load(&board->side[0].attached) && atomic_load(&board->side[1].attached);
}

/* Mostly after the handover, which takes most of the time; else at any point, the handover included. */
static void wait_for_the_point(const struct board *board, struct watched *processes, uint64_t *rng)
{
	int64_t until = clock_now() + 10000000000ll;
	uint64_t most = rng_below(rng, 4) ? 3000000 : 30000000;

	if (rng_below(rng, 8))
		while (!are_attached(board) && clock_now() < until && !watch_poll(&processes[0]))
			sleep_ns(50000);
	sleep_ns(rng_below(rng, most));
}

static void kill_one(struct watched *victim, uint64_t *rng)
{
	if (rng_below(rng, 4) == 0) {
		kill(victim->pid, SIGSTOP);
		sleep_ns(rng_below(rng, 20000000));
	}
	kill(victim->pid, SIGKILL);
}

/* What the dead side had said to be published must have come, in order and whole: the survivor checked the rest. */
static int check_prefix(const struct board *board, int dead)
{
	uint64_t sent = atomic_load(&board->side[dead].sent), received = atomic_load(&board->side[!dead].received);

	if (!are_attached(board) || received >= sent)
		return RUN_PASSED;
	fprintf(stderr, "# %llu messages were published, %llu came\n", (unsigned long long)sent,
		(unsigned long long)received);
	return RUN_FAILED;
}

static int kill_once(const struct plan *plan, struct board *board, uint64_t *rng)
{
	struct watched processes[2];
	int victim = (int)rng_below(rng, 2), verdict;
	int64_t killed;

	pair_start(plan, board, processes, true);
	wait_for_the_point(board, processes, rng);
	kill_one(&processes[victim], rng);
	killed = clock_now();
	verdict = watch_all(processes, 2, plan->patience, pair_progress, board, SIGKILL);
	if (verdict)
		return verdict;
	if (clock_now() - killed > (int64_t)(plan->patience * 1e9 / 8)) {
		fprintf(stderr, "# the survivor took %.1f s\n", (double)(clock_now() - killed) / 1e9);
		return RUN_FAILED;
	}
	if (!atomic_load(&board->side[!victim].broken_off)) {
		fprintf(stderr, "# the survivor came to its end without -EPIPE\n");
		return RUN_FAILED;
	}
	return check_prefix(board, victim);
}

int killing_run(const struct plan *plan, struct board *board)
{
	int64_t until = clock_now() + (int64_t)(plan->seconds * 1e9);
	struct plan once = *plan;
	uint64_t rng = plan->seed;
	char text[512];
	unsigned int i;
	int verdict = RUN_PASSED;

	once.seconds = 3600;
	for (i = 0; i < plan->kills && (!i || clock_now() < until); i++) {
		plan_seed(&once, rng_next(&rng));
		verdict = kill_once(&once, board, &rng);
		if (verdict)
			break;
	}
	if (verdict == RUN_SKIPPED)
		return verdict;
	plan_describe(&once, text, sizeof(text));
	if (verdict)
		printf("# %s at kill %u of seed %llu: %s\n", verdict == RUN_HUNG ? "HUNG" : "FAILED", i,
		       (unsigned long long)plan->seed, text);
	else if (!plan->quiet)
		printf("# passed: %u kills\n", i);
	return verdict;
}
