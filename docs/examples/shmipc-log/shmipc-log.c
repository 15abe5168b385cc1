// SPDX-License-Identifier: Apache-2.0
/*
 * shmipc-log - writes what many processes push to a file
 *
 *	shmipc-log PATH FILE [-i INTERVAL_US] [-m MODE] [-q]
 *
 * Opens a vector at PATH and appends each message to FILE as a line, with the pid that the kernel knows its
 * sender by. The consumer is in timed sync: it looks every INTERVAL_US (1000), and the processes that log make no system
 * call. The lines of a batch go to the file with as few writev(2) as there can be, from where they were written; only
 * then are they released, so that a line that was not written yet is delivered again to the next agent. Once a
 * second the rates are shown on standard error, unless -q is given. SIGTERM and SIGINT end it, after what was
 * queued is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECES (IOV_MAX / 3 * 3)
#define SECOND 1000000000ll

/* Lines that are on their way to the file: who, what, and the end of the line. */
struct output {
	int fd;
	unsigned int count;
	struct iovec piece[PIECES];
	char who[PIECES / 3][64];
};

struct totals {
	uint64_t lines, bytes, lost;
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* Write all pieces, whatever it takes. 0 or -errno. */
static int flush(struct output *out)
{
	struct iovec *piece = out->piece;
	unsigned int left = out->count;
	ssize_t n;

	while (left) {
		n = writev(out->fd, piece, (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (; n > 0 && left; piece++, left--) {
			if ((size_t)n < piece->iov_len) {
				piece->iov_base = (char *)piece->iov_base + n;
				piece->iov_len -= (size_t)n;
				break;
			}
			n -= (ssize_t)piece->iov_len;
		}
		/* Empty ones are no reason to stay. */
		while (left && !piece->iov_len) {
			piece++;
			left--;
		}
	}
	out->count = 0;
	return 0;
}

static int put_line(struct output *out, const struct shmipc_vector_message *m)
{
	char *who = out->who[out->count / 3];
	int length;

	if (m->dropped)
		length = snprintf(who, sizeof(out->who[0]),
				  "%d: (%llu lines were lost here)\n%d: ", (int)m->sender->peer.pid,
				  (unsigned long long)m->dropped, (int)m->sender->peer.pid);
	else
		length = snprintf(who, sizeof(out->who[0]), "%d: ", (int)m->sender->peer.pid);
	out->piece[out->count++] = (struct iovec){ who, (size_t)length };
	out->piece[out->count++] = (struct iovec){ (void *)(uintptr_t)m->data, m->size };
	out->piece[out->count++] = (struct iovec){ (void *)(uintptr_t) "\n", 1 };
	return out->count == PIECES ? flush(out) : 0;
}

/* One batch into the file. 0 or -errno. */
static int write_batch(struct shmipc_vector *vector, struct output *out, struct totals *totals)
{
	struct shmipc_vector_message m;
	int r = 0;

	while (!r && shmipc_vector_next(vector, &m) == 1) {
		totals->lines++;
		totals->bytes += m.size;
		totals->lost += m.dropped;
		r = put_line(out, &m);
	}
	if (!r)
		r = flush(out);
	/* What could not be written stays the producers', for the next agent. */
	return r ? r : shmipc_vector_release(vector);
}

static void show_rates(struct shmipc_vector *vector, const struct totals *before, const struct totals *totals,
		       double seconds)
{
	struct shmipc_vector_stats stats = { .size = sizeof(stats) };

	if (shmipc_vector_stats(vector, &stats))
		return;
	fprintf(stderr, "%10.0f lines/s %8.1f MB/s  %llu producers, %llu lines, %llu lost\n",
		(double)(totals->lines - before->lines) / seconds,
		(double)(totals->bytes - before->bytes) / seconds / 1e6, (unsigned long long)stats.producers,
		(unsigned long long)totals->lines, (unsigned long long)totals->lost);
}

static int run(struct shmipc_vector *vector, struct output *out, bool quiet)
{
	struct totals totals = { 0 }, shown = { 0 };
	int64_t shown_at = now();
	bool last;
	int r;

	do {
		/* Told to end: what is queued, and no more. */
		last = ended;
		r = shmipc_vector_receive(vector, last ? 0 : shown_at + SECOND);
		if (!r)
			r = write_batch(vector, out, &totals);
		else if (r == -EAGAIN || r == -ETIMEDOUT || r == -EINTR)
			r = 1; /* nothing now */
		if (r < 0)
			return r;
		if (!quiet && now() - shown_at >= SECOND) {
			show_rates(vector, &shown, &totals, (double)(now() - shown_at) / 1e9);
			shown = totals;
		}
		if (now() - shown_at >= SECOND)
			shown_at = now();
	} while (!last || !r);
	if (!quiet)
		fprintf(stderr, "%llu lines, %llu bytes, %llu lost\n", (unsigned long long)totals.lines,
			(unsigned long long)totals.bytes, (unsigned long long)totals.lost);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: shmipc-log PATH FILE [-i INTERVAL_US] [-m MODE] [-q]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct shmipc_vector_options options = SHMIPC_VECTOR_OPTIONS_INIT;
	static struct output out;
	struct sigaction action = { .sa_handler = end };
	struct shmipc_vector *vector;
	bool quiet = false;
	int c, r;

	options.sync = SHMIPC_SYNC_TIMED;
	while ((c = getopt(argc, argv, "i:m:q")) != -1) {
		if (c == 'i')
			options.timed_ns = strtoull(optarg, NULL, 10) * 1000;
		else if (c == 'm')
			options.mode = (mode_t)strtoul(optarg, NULL, 8);
		else if (c == 'q')
			quiet = true;
		else
			return usage();
	}
	if (argc - optind != 2)
		return usage();
	out.fd = open(argv[optind + 1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (out.fd < 0) {
		perror(argv[optind + 1]);
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	r = shmipc_vector_open(argv[optind], &options, &vector);
	if (!r) {
		r = run(vector, &out, quiet);
		shmipc_vector_close(vector);
	}
	if (r)
		fprintf(stderr, "shmipc-log: %s\n", strerror(-r));
	close(out.fd);
	return r ? 1 : 0;
}
