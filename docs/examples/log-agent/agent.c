// SPDX-License-Identifier: Apache-2.0
/*
 * agent.c - writes what many programs log to one file
 *
 *	agent ADDRESS FILE
 *
 * A line in the file is the program's pid, as the kernel gave it, its name, as it said, and what it logged. Lines of
 * one program stay in their order. The agent reads in place: a line is copied once, into the file's buffer.
 */
#include <errno.h>
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 32

static struct shmipc_dispatcher *dispatcher;

static struct {
	pthread_mutex_t lock;
	FILE *file;		       /* under lock */
	unsigned long lines, programs; /* under lock */
} output = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct program {
	pid_t pid;
	char name[NAME_MAX_BYTES]; /* "": it did not say yet */
};

/* The file has a line for each message, whatever the program put in it. */
static void write_line(const struct program *program, const char *text, size_t size)
{
	size_t i;

	fprintf(output.file, "%d %s: ", (int)program->pid, program->name);
	for (i = 0; i < size; i++)
		putc_unlocked(text[i] == '\n' || text[i] == '\r' ? ' ' : text[i], output.file);
	putc_unlocked('\n', output.file);
	output.lines++;
}

static void take_name(struct program *program, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size && i < NAME_MAX_BYTES - 1; i++)
		program->name[i] = text[i] > ' ' && text[i] < 0x7f && text[i] != ':' ? text[i] : '?';
	if (i == 0)
		program->name[i++] = '?';
	program->name[i] = '\0';
	output.programs++;
}

/* All that is there, under the lock once. */
static void on_readable(struct shmipc_stream *stream, void *arg)
{
	struct program *program = arg;
	struct shmipc_piece piece;
	int r;

	pthread_mutex_lock(&output.lock);
	while ((r = shmipc_stream_receive(stream, &piece, 0)) > 0) {
		if (program->name[0])
			write_line(program, piece.data, piece.size);
		else
			take_name(program, piece.data, piece.size);
		shmipc_stream_release(stream, &piece);
	}
	fflush(output.file);
	pthread_mutex_unlock(&output.lock);
	if (r == 0) /* the program logs no more */
		shmipc_stream_end(stream);
}

static void on_stream_end(struct shmipc_stream *stream, int reason, void *arg)
{
	(void)reason;
	shmipc_stream_close(stream);
	free(arg);
}

static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { .on_readable = on_readable, .on_end = on_stream_end };
	struct program *program = calloc(1, sizeof(*program));
	struct shmipc_peer peer = { 0 };

	(void)arg;
	if (!program) {
		shmipc_stream_close(stream);
		return;
	}
	shmipc_session_peer(session, &peer);
	program->pid = peer.pid;
	shmipc_stream_set_callbacks(stream, &callbacks, program);
}

static void on_session_end(struct shmipc_session *session, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	shmipc_session_close(session);
}

static void on_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = on_stream, .on_end = on_session_end };

	(void)listener;
	(void)arg;
	shmipc_session_set_callbacks(session, &callbacks, NULL);
	if (shmipc_dispatcher_add_session(dispatcher, session) == -ENOMEM)
		shmipc_session_close(session);
}

static int serve(struct shmipc_listener *listener, const sigset_t *stop)
{
	int signal, r;

	r = shmipc_dispatcher_create(0, &dispatcher);
	if (r == 0)
		r = shmipc_dispatcher_add_listener(dispatcher, listener, on_session, NULL);
	if (r == 0)
		sigwait(stop, &signal);
	shmipc_dispatcher_close(dispatcher); /* no callback runs any more */
	return r;
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener = NULL;
	sigset_t stop;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: agent ADDRESS FILE\n");
		return 2;
	}
	output.file = fopen(argv[2], "ae");
	if (!output.file) {
		perror(argv[2]);
		return 1;
	}
	/* Before there is a thread, so that all inherit it; and before anybody can see that we are there. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	r = shmipc_listener_create(argv[1], NULL, &listener);
	if (r == 0)
		r = serve(listener, &stop);
	shmipc_listener_close(listener);
	if (r)
		fprintf(stderr, "agent: %s\n", shmipc_strerror(r));
	else
		printf("%lu lines of %lu programs\n", output.lines, output.programs);
	if (fclose(output.file) && r == 0)
		r = -errno;
	return r != 0;
}
