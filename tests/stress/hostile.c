// SPDX-License-Identifier: Apache-2.0
/*
 * hostile.c - thousands of rounds with a peer that lies, against a victim that at the same time talks to
 * an honest one
 *
 *	hostile [--backend memfd|kmod] [--seed S] [--rounds N] [--seconds N] [--only ROUND] [--patience S]
 *
 * The victim must return only what the contract says, in time; it may not crash, nor keep descriptors,
 * mappings or memory; and its other channel's messages must go on, whole and in order.
 */
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdpass.h"
#include "pair.h"
#include "round.h"
#include "side.h"
#include "words.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
/* A sanitizer holds freed memory back. */
#define GROWTH_MAX_KB (SANITIZED ? 400 << 10 : 8 << 10)
/* Rounds before what is held is measured first. */
#define WARM_UP 100

struct hostile {
	struct plan plan; /* of the honest channel */
	uint64_t seed, rounds, only;
	struct board *board;
	_Atomic uint64_t *done;
	int nursery, honest_socket;
	struct side side;
	int64_t honest_since;
	uint64_t honest_last;
};

static long count_entries(const char *path)
{
	DIR *directory = opendir(path);
	long n = 0;

	while (directory && readdir(directory))
		n++;
	if (directory)
		closedir(directory);
	return n;
}

static long count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	long n = 0;
	int c;

	while (file && (c = fgetc(file)) != EOF)
		n += c == '\n';
	if (file)
		fclose(file);
	return n;
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long size = 0, resident = 0;

	if (file && fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void fail(const struct order *order, const char *what, long before, long now)
{
	fprintf(stderr, "# attack '%s', seed %#llx, creator %u: %s: %ld before, %ld now\n", attack_name(order->attack),
		(unsigned long long)order->seed, order->creator, what, before, now);
	words_dump_all();
	_exit(RUN_FAILED);
}

static void order_round(struct hostile *h, uint64_t number, struct order *order)
{
	uint32_t attacks = 0;
	uint64_t rng;
	int pair[2];

	while (attack_name(attacks))
		attacks++;
	*order = (struct order){ .seed = round_seed(h->seed, number), .backend = h->plan.channel.backend };
	rng = order->seed;
	order->attack = (uint32_t)(number % attacks);
	order->creator = (uint32_t)rng_below(&rng, 2);
	order->ms = 2 + (uint32_t)rng_below(&rng, 10);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    fdpass_send(h->nursery, order, sizeof(*order), &pair[1], 1, false) < 0)
		fail(order, "the nursery is gone", 0, 0);
	close(pair[1]);
	victim_round(order, pair[0], h->plan.patience);
	close(pair[0]);
}

static void check_honest(struct hostile *h, const struct order *order)
{
	uint64_t now = pair_progress(h->board);

	if (now != h->honest_last) {
		h->honest_last = now;
		h->honest_since = clock_now();
	}
	if (clock_now() - h->honest_since > (int64_t)(h->plan.patience * 5e8))
		fail(order, "the honest channel stands still", (long)h->honest_last, (long)now);
}

static void play(struct hostile *h)
{
	uint64_t first = h->only ? h->only : 0, last = h->only ? h->only + 1 : h->rounds, i;
	int64_t until = clock_now() + (int64_t)(h->plan.seconds * 1e9);
	long fds = 0, mappings = 0, resident = 0;
	struct order order;

	for (i = first; i < last && (clock_now() < until || i == first); i++) {
		long before = count_entries("/proc/self/fd");

		order_round(h, i, &order);
		/* What a victim opens with its first round, and keeps, is counted over all rounds. */
		if (i != first && count_entries("/proc/self/fd") > before)
			fail(&order, "descriptors", before, count_entries("/proc/self/fd"));
		check_honest(h, &order);
		atomic_fetch_add(h->done, 1);
		if (i != first + WARM_UP)
			continue;
		fds = count_entries("/proc/self/fd");
		mappings = count_lines("/proc/self/maps");
		resident = resident_kb();
	}
	if (i <= first + WARM_UP)
		return;
	if (count_entries("/proc/self/fd") > fds + 2)
		fail(&order, "descriptors over all rounds", fds, count_entries("/proc/self/fd"));
	if (count_lines("/proc/self/maps") > mappings + (SANITIZED ? 2000 : 50))
		fail(&order, "mappings over all rounds", mappings, count_lines("/proc/self/maps"));
	if (resident_kb() > resident + GROWTH_MAX_KB)
		fail(&order, "resident kilobytes over all rounds", resident, resident_kb());
}

static void *work_honestly(void *argument)
{
	struct hostile *h = argument;

	if (side_run(&h->side))
		side_fail(&h->side, "the honest peer is gone");
	return NULL;
}

static void open_honest(struct hostile *h, unsigned int endpoint, int socket)
{
	struct end end = { .plan = &h->plan, .board = h->board, .endpoint = endpoint, .socket = socket, .other_socket = -1 };
	int r;

	side_init(&h->side, &h->plan, endpoint, h->board);
	atomic_store(&h->side.until, INT64_MAX);
	r = pair_open(&end, &h->side.channel);
	if (r)
		side_fail(&h->side, "the honest channel: %d", r);
	words_add(h->side.channel);
}

static void close_honest(struct hostile *h)
{
	side_settle(&h->side);
	board_arrive(h->board, 0);
	h->side.board->stats.size = sizeof(h->side.board->stats);
	shmipc_channel_stats(h->side.channel, &h->side.board->stats);
	board_arrive(h->board, 1);
	words_remove(h->side.channel);
	shmipc_channel_destroy(h->side.channel);
}

static int run_victim(void *argument)
{
	struct hostile *h = argument;
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	open_honest(h, 0, h->honest_socket);
	h->honest_since = clock_now();
	if (pthread_create(&thread, NULL, work_honestly, h))
		return RUN_FAILED;
	play(h);
	atomic_store(&h->side.until, 0);
	atomic_store(&h->board->over, true);
	pthread_join(thread, NULL);
	close_honest(h);
	return 0;
}

static void *end_with_victim(void *argument)
{
	struct hostile *h = argument;

	while (!atomic_load(&h->board->over))
		usleep(2000);
	atomic_store(&h->side.until, 0);
	return NULL;
}

static int run_honest_peer(void *argument)
{
	struct hostile *h = argument;
	pthread_t thread;

	open_honest(h, 1, h->honest_socket);
	if (pthread_create(&thread, NULL, end_with_victim, h))
		return RUN_FAILED;
	work_honestly(h);
	pthread_join(thread, NULL);
	close_honest(h);
	return 0;
}

static uint64_t progress(void *argument)
{
	struct hostile *h = argument;

	return atomic_load(h->done) + atomic_load(&h->board->arrived[0]) + atomic_load(&h->board->arrived[1]);
}

static int parse(struct hostile *h, int argc, char **argv)
{
	static const struct option options[] = { { "backend", 1, NULL, 'b' },  { "seed", 1, NULL, 'S' },
						 { "rounds", 1, NULL, 'r' },   { "seconds", 1, NULL, 's' },
						 { "only", 1, NULL, 'o' },     { "patience", 1, NULL, 'p' }, { 0 } };
	char *name[] = { argv[0], NULL };
	const char *backend = "memfd";
	int c;

	if (plan_parse(&h->plan, 1, name))
		return -1;
	h->plan.seconds = 5;
	h->rounds = UINT64_MAX / 2;
	h->seed = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'b': backend = optarg; break;
		case 'S': h->seed = strtoull(optarg, NULL, 0); break;
		case 'r': h->rounds = strtoull(optarg, NULL, 0); break;
		case 's': h->plan.seconds = atof(optarg); break;
		case 'o': h->only = strtoull(optarg, NULL, 0); break;
		case 'p': h->plan.patience = atof(optarg); break;
		default: return -1;
		}
	}
	h->plan.channel.backend = !strcmp(backend, "kmod") ? SHMIPC_BACKEND_KMOD : SHMIPC_BACKEND_MEMFD;
	h->plan.sizes = SIZES_SMALL;
	h->plan.sync[0] = h->plan.sync[1] = SHMIPC_SYNC_DEMAND;
	h->plan.window = 4;
	return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct hostile h;
	struct watched processes[2];
	int orders[2], honest[2], verdict;
	pid_t nursery;

	if (parse(&h, argc, argv)) {
		fprintf(stderr, "usage: hostile [--backend memfd|kmod] [--seed S] [--rounds N] [--seconds N] [--only ROUND] "
				"[--patience SECONDS]\n");
		return RUN_USAGE;
	}
	h.board = board_create();
	h.done = &h.board->rounds;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, honest))
		return RUN_FAILED;
	nursery = fork();
	if (nursery == 0) {
		close(orders[0]);
		nursery_run(orders[1]);
	}
	close(orders[1]);
	h.nursery = orders[0];
	h.honest_socket = honest[0];
	watch_start(&processes[0], run_victim, &h);
	h.honest_socket = honest[1];
	watch_start(&processes[1], run_honest_peer, &h);
	close(orders[0]);
	verdict = watch_all(processes, 2, h.plan.patience, progress, &h, 0);
	kill(nursery, SIGKILL);
	if (verdict == RUN_PASSED)
		verdict = pair_compare(h.board);
	if (verdict != RUN_SKIPPED)
		printf("# %s: hostile --seed %llu, %llu rounds, %llu honest messages\n",
		       verdict == RUN_HUNG ? "HUNG" : verdict ? "FAILED" : "passed", (unsigned long long)h.seed,
		       (unsigned long long)atomic_load(h.done),
		       (unsigned long long)h.board->side[0].stats.messages_received);
	return verdict;
}
