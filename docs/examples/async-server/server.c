// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - sends whoever asks as many bytes as they ask for: any number of clients, no thread waits for any of them
 *
 * A request is a 64-bit number. Byte n of the answer is n % 251. A client that reads slowly, or not at all, fills its own stream's
 * window; the stream's callback returns and comes again when there is room. Nothing is queued here.
 *
 * Threads: callbacks of different streams run in parallel, those of one stream never do, so a download needs no lock. The list
 * of clients has one.
 */
#include <errno.h>
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536
#define PATTERN 251

static unsigned char pattern[BLOCK + PATTERN];

struct client {
	struct client *next, **link;
	struct shmipc_session *session;
};

static struct {
	struct shmipc_dispatcher *dispatcher;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct client *clients; /* under lock */
	unsigned long served;	/* under lock */
} server = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct download {
	uint64_t sent, size;
	int asked;
};

static void send_more(struct shmipc_stream *stream, struct download *download)
{
	uint64_t left;
	ssize_t n;

	while ((left = download->size - download->sent) > 0) {
		n = shmipc_stream_write(stream, pattern + download->sent % PATTERN, left < BLOCK ? left : BLOCK, 0, 0);
		if (n <= 0)
			return; /* -EAGAIN: on_writable goes on; else on_end cleans up */
		download->sent += (uint64_t)n;
	}
	shmipc_stream_end(stream);
}

static void on_readable(struct shmipc_stream *stream, void *arg)
{
	struct download *download = arg;
	const void *data;
	ssize_t n;

	if (download->asked)
		return;
	n = shmipc_stream_peek(stream, sizeof(download->size), &data, 0);
	if (n == -EAGAIN)
		return; /* not all of the number is here */
	if (n < (ssize_t)sizeof(download->size)) {
		shmipc_stream_reset(stream, EBADMSG);
		return;
	}
	memcpy(&download->size, data, sizeof(download->size));
	shmipc_stream_discard(stream, sizeof(download->size), 0);
	download->asked = 1;
	send_more(stream, download);
}

static void on_writable(struct shmipc_stream *stream, void *arg)
{
	send_more(stream, arg);
}

/* The last callback of a stream: the place to give back what it has. */
static void on_stream_end(struct shmipc_stream *stream, int reason, void *arg)
{
	(void)reason;
	shmipc_stream_close(stream);
	free(arg);
}

static void on_stream(struct shmipc_session *session, struct shmipc_stream *stream, void *arg)
{
	static const struct shmipc_stream_callbacks callbacks = { on_readable, on_writable, on_stream_end };
	struct download *download = calloc(1, sizeof(*download));

	(void)session;
	(void)arg;
	if (!download || shmipc_stream_set_callbacks(stream, &callbacks, download)) {
		free(download);
		shmipc_stream_close(stream);
	}
}

static void forget(struct client *client)
{
	pthread_mutex_lock(&server.lock);
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	server.served++;
	pthread_cond_signal(&server.changed);
	pthread_mutex_unlock(&server.lock);
}

/* The last callback of a session, after all of its streams'. */
static void on_session_end(struct shmipc_session *session, int reason, void *arg)
{
	struct client *client = arg;

	if (reason == -EBADMSG)
		fprintf(stderr, "server: a client: %s\n", shmipc_strerror(reason));
	forget(client); /* from here on nobody else has the session */
	shmipc_session_close(session);
	free(client);
}

static void on_session(struct shmipc_listener *listener, struct shmipc_session *session, void *arg)
{
	static const struct shmipc_session_callbacks callbacks = { .on_stream = on_stream, .on_end = on_session_end };
	struct client *client = malloc(sizeof(*client));

	(void)listener;
	(void)arg;
	if (!client) {
		shmipc_session_close(session);
		return;
	}
	pthread_mutex_lock(&server.lock);
	*client = (struct client){ .next = server.clients, .link = &server.clients, .session = session };
	if (client->next)
		client->next->link = &client->next;
	server.clients = client;
	pthread_mutex_unlock(&server.lock);
	shmipc_session_set_callbacks(session, &callbacks, client);
	if (shmipc_dispatcher_add_session(server.dispatcher, session) == -ENOMEM)
		on_session_end(session, -ENOMEM, client);
}

/* End all sessions, and wait until each has had its last callback. */
static void end_sessions(void)
{
	struct client *client;

	pthread_mutex_lock(&server.lock);
	for (client = server.clients; client; client = client->next)
		shmipc_session_shutdown(client->session);
	while (server.clients)
		pthread_cond_wait(&server.changed, &server.lock);
	pthread_mutex_unlock(&server.lock);
}

static int serve(struct shmipc_listener *listener, const sigset_t *stop)
{
	int signal, r;

	r = shmipc_dispatcher_create(0, &server.dispatcher);
	if (r == 0)
		r = shmipc_dispatcher_add_listener(server.dispatcher, listener, on_session, NULL);
	if (r == 0) {
		sigwait(stop, &signal);
		shmipc_dispatcher_remove_listener(server.dispatcher, listener);
		end_sessions();
	}
	shmipc_dispatcher_close(server.dispatcher);
	return r;
}

int main(int argc, char **argv)
{
	struct shmipc_listener *listener = NULL;
	sigset_t stop;
	size_t i;
	int r;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i % PATTERN);
	/* Before there is a thread, so that all inherit it; and before anybody can see that we are there. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	r = shmipc_listener_create(argc > 1 ? argv[1] : "@async-server", NULL, &listener);
	if (r == 0)
		r = serve(listener, &stop);
	shmipc_listener_close(listener);
	if (r)
		fprintf(stderr, "server: %s\n", shmipc_strerror(r));
	else
		printf("%lu clients were served\n", server.served);
	return r != 0;
}
