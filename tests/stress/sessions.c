// SPDX-License-Identifier: Apache-2.0
/*
 * sessions.c - two processes and many streams, every way to write and to read, resets, closes, fallback, growth, callbacks and
 * blocking calls mixed; each byte is checked for its stream and place
 *
 *	sessions [--backend memfd|kmod] [--seed S] [--seconds N] [--patience S] [--rounds] [--stop] [--kill N] [--quiet]
 *
 * --rounds: a new session with other options every second or so, for as long as --seconds says; --stop: either side is stopped for
 * a while, again and again; --kill: N times, a side is killed at a random point. Exit status: plan.h.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"
#include "pair.h"
#include "side.h"

struct run {
	struct board *board;
	uint64_t seed;
	double seconds, patience;
	enum shmipc_backend backend;
	unsigned int kills;
	bool stop, rounds, quiet;
};

void crowd_plan_seed(struct crowd_plan *plan, enum shmipc_backend backend, uint64_t seed)
{
	static const uint32_t slots[] = { 16, 64, 256, 1024 };
	static const uint64_t segments[] = { 4096, 32768, 262144 }, memories[] = { 65536, 262144, 4 << 20, 64 << 20 },
			      windows[] = { 8192, 65536, 1 << 20 }, privates[] = { 65536, 1 << 20, 64 << 20 };
	const struct shmipc_session_options defaults = SHMIPC_SESSION_OPTIONS_INIT;
	struct shmipc_session_options *o = &plan->options;
	uint64_t rng = seed;

	plan->seed = seed;
	*o = defaults;
	o->channel.backend = backend;
	o->channel.slots = slots[rng_below(&rng, 4)];
	o->channel.slices = rng_below(&rng, 2) ? 64 : 512;
	o->channel.memory_max = memories[rng_below(&rng, 4)];
	o->channel.segment_bytes = segments[rng_below(&rng, 3)];
	if (o->channel.segment_bytes > o->channel.memory_max)
		o->channel.segment_bytes = o->channel.memory_max;
	o->channel.shrink_after_ms = (uint32_t)rng_below(&rng, 3);
	o->channel.sync = rng_below(&rng, 3)   ? SHMIPC_SYNC_ADAPTIVE
			  : rng_below(&rng, 2) ? SHMIPC_SYNC_DEMAND
					       : SHMIPC_SYNC_TIMED;
	o->channel.timed_ns = 50000;
	o->window = windows[rng_below(&rng, 3)];
	o->private_max = privates[rng_below(&rng, 3)];
	o->exhaustion = rng_below(&rng, 3) ? SHMIPC_EXHAUSTION_FALLBACK : SHMIPC_EXHAUSTION_WAIT;
	o->breaker_ms = rng_below(&rng, 4) ? 0 : 1;
	plan->loop[0] = rng_below(&rng, 2);
	plan->loop[1] = rng_below(&rng, 2);
	plan->edge = rng_below(&rng, 2);
}

static void describe(const struct crowd_plan *p, char *text, size_t size)
{
	const struct shmipc_session_options *o = &p->options;

	snprintf(
		text, size,
		"seed %llu: slots %u, slices %u, segment %llu, memory %llu, shrink %u, sync %d, window %llu, private %llu, %s, "
		"breaker %u, loops %d %d %s",
		(unsigned long long)p->seed, o->channel.slots, o->channel.slices,
		(unsigned long long)o->channel.segment_bytes, (unsigned long long)o->channel.memory_max,
		o->channel.shrink_after_ms, (int)o->channel.sync, (unsigned long long)o->window,
		(unsigned long long)o->private_max, o->exhaustion == SHMIPC_EXHAUSTION_WAIT ? "wait" : "fallback",
		o->breaker_ms, p->loop[0], p->loop[1], p->edge ? "edge" : "level");
}

static void start(const struct crowd_plan *plan, struct board *board, struct watched *processes)
{
	struct crowd_end ends[2];
	int pair[2], i;

	memset(board, 0, sizeof(*board));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		perror("socketpair");
		exit(RUN_FAILED);
	}
	for (i = 0; i < 2; i++)
		ends[i] = (struct crowd_end){ plan, board, (unsigned int)i, pair[i], pair[!i] };
	for (i = 0; i < 2; i++)
		watch_start(&processes[i], crowd_run, &ends[i]);
	close(pair[0]);
	close(pair[1]);
}

static bool are_attached(const struct board *board)
{
	return atomic_load(&board->side[0].attached) && atomic_load(&board->side[1].attached);
}

/* In a process of its own: stop a side, and let it go on. */
static pid_t disturb(const struct watched *processes, uint64_t seed)
{
	pid_t pid = fork();

	while (pid == 0) {
		pid_t side = processes[rng_below(&seed, 2)].pid;

		usleep((useconds_t)rng_below(&seed, 60000));
		kill(side, SIGSTOP);
		usleep((useconds_t)rng_below(&seed, 60000));
		kill(side, SIGCONT);
	}
	return pid;
}

static int run_once(const struct run *run, struct crowd_plan *plan)
{
	struct watched processes[2];
	pid_t disturber = 0;
	char text[512];
	int verdict;

	start(plan, run->board, processes);
	if (run->stop)
		disturber = disturb(processes, plan->seed);
	verdict = watch_all(processes, 2, run->patience, pair_progress, run->board, 0);
	if (disturber > 0) {
		kill(disturber, SIGKILL);
		waitpid(disturber, NULL, 0);
	}
	if (verdict == RUN_SKIPPED)
		return verdict;
	describe(plan, text, sizeof(text));
	if (verdict || !run->quiet)
		printf("# %s: %s\n", verdict == RUN_HUNG ? "HUNG" : verdict ? "FAILED" : "passed", text);
	if (!verdict && !run->quiet)
		printf("# %llu and %llu calls, %llu and %llu streams ended\n",
		       (unsigned long long)run->board->side[0].sent, (unsigned long long)run->board->side[1].sent,
		       (unsigned long long)run->board->side[0].received,
		       (unsigned long long)run->board->side[1].received);
	return verdict;
}

/* The survivor comes to its end, soon, with -EPIPE, and leaves nothing behind: crowd.c looks. */
static int kill_once(const struct run *run, struct crowd_plan *plan, uint64_t *rng)
{
	int victim = (int)rng_below(rng, 2), verdict;
	struct watched processes[2];
	int64_t killed, until = clock_now() + 10000000000;

	start(plan, run->board, processes);
	if (rng_below(rng, 8))
		while (!are_attached(run->board) && clock_now() < until && !watch_poll(&processes[0]))
			usleep(50);
	usleep((useconds_t)rng_below(rng, 30000));
	if (rng_below(rng, 3) == 0) {
		kill(processes[victim].pid, SIGSTOP);
		usleep((useconds_t)rng_below(rng, 20000));
	}
	kill(processes[victim].pid, SIGKILL);
	killed = clock_now();
	verdict = watch_all(processes, 2, run->patience, pair_progress, run->board, SIGKILL);
	if (!verdict && clock_now() - killed > (int64_t)(run->patience * 1e9 / 4)) {
		fprintf(stderr, "# the survivor took %.1f s\n", (double)(clock_now() - killed) / 1e9);
		verdict = RUN_FAILED;
	}
	if (!verdict && are_attached(run->board) && !atomic_load(&run->board->side[!victim].broken_off)) {
		fprintf(stderr, "# the survivor came to its end without an error\n");
		verdict = RUN_FAILED;
	}
	return verdict;
}

static int run_kills(const struct run *run)
{
	int64_t until = clock_now() + (int64_t)(run->seconds * 1e9);
	struct crowd_plan plan = { .patience = run->patience, .seconds = 3600, .may_break = true };
	uint64_t rng = run->seed;
	char text[512];
	unsigned int i;
	int verdict;

	for (i = 0; i < run->kills && (!i || clock_now() < until); i++) {
		crowd_plan_seed(&plan, run->backend, rng_next(&rng));
		verdict = kill_once(run, &plan, &rng);
		if (verdict == RUN_SKIPPED)
			return verdict;
		if (!verdict)
			continue;
		describe(&plan, text, sizeof(text));
		printf("# %s at kill %u of --seed %llu: %s\n", verdict == RUN_HUNG ? "HUNG" : "FAILED", i,
		       (unsigned long long)run->seed, text);
		return verdict;
	}
	if (!run->quiet)
		printf("# passed: %u kills\n", i);
	return RUN_PASSED;
}

static int run_rounds(const struct run *run)
{
	int64_t until = clock_now() + (int64_t)(run->seconds * 1e9);
	struct crowd_plan plan = { .patience = run->patience };
	uint64_t rng = run->seed;
	int verdict;

	do {
		plan.seconds = run->rounds ? 0.3 : run->seconds;
		crowd_plan_seed(&plan, run->backend, run->rounds ? rng_next(&rng) : run->seed);
		verdict = run_once(run, &plan);
	} while (!verdict && clock_now() < until);
	return verdict;
}

static int parse(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {
		{ "backend", 1, NULL, 'b' },  { "seed", 1, NULL, 'S' },	 { "seconds", 1, NULL, 's' },
		{ "patience", 1, NULL, 'p' }, { "kill", 1, NULL, 'k' },	 { "stop", 0, NULL, 't' },
		{ "rounds", 0, NULL, 'r' },   { "quiet", 0, NULL, 'q' }, { 0 }
	};
	const char *patience = getenv("STRESS_PATIENCE");
	int c;

	*run = (struct run){
		.seed = 1, .seconds = 3, .backend = SHMIPC_BACKEND_MEMFD, .patience = patience ? atof(patience) : 20
	};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			run->backend = !strcmp(optarg, "kmod") ? SHMIPC_BACKEND_KMOD : SHMIPC_BACKEND_MEMFD;
			break;
		case 'S':
			run->seed = strtoull(optarg, NULL, 0);
			break;
		case 's':
			run->seconds = atof(optarg);
			break;
		case 'p':
			run->patience = atof(optarg);
			break;
		case 'k':
			run->kills = (unsigned int)atoi(optarg);
			break;
		case 't':
			run->stop = true;
			break;
		case 'r':
			run->rounds = true;
			break;
		case 'q':
			run->quiet = true;
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct run run;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (parse(&run, argc, argv)) {
		fprintf(stderr,
			"usage: sessions [--backend memfd|kmod] [--seed S] [--seconds N] [--patience SECONDS] [--rounds] "
			"[--stop] [--kill N] [--quiet]\n");
		return RUN_USAGE;
	}
	run.board = board_create();
	return run.kills ? run_kills(&run) : run_rounds(&run);
}
