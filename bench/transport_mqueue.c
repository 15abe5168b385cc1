// SPDX-License-Identifier: Apache-2.0
/* Two POSIX message queues, blocking, as long and as wide as the system allows everyone. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <unistd.h>

#include "whole.h"

#define MQUEUE_MESSAGES 10
#define MQUEUE_SIZE 8192

static ssize_t put_mqueue(struct whole_end *w, const void *data, size_t size)
{
	return mq_send(w->fd_out, data, size, 0);
}

static ssize_t get_mqueue(struct whole_end *w, void *data, size_t size)
{
	return mq_receive(w->fd_in, data, size, NULL);
}

/* fd[0]: to side 0. fd[1]: to side 1. Their names are gone at once. */
static int prepare_mqueue(struct wiring *wiring, const struct plan *plan)
{
	struct mq_attr attr = { .mq_maxmsg = MQUEUE_MESSAGES, .mq_msgsize = MQUEUE_SIZE };
	char name[48];
	int i;

	(void)plan;
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "/shmipc-bench-%ld-%d", (long)getpid(), i);
		wiring->fd[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
		if (wiring->fd[i] < 0)
			return -errno;
		mq_unlink(name);
	}
	return 0;
}

static int attach_mqueue(struct end *end)
{
	struct whole_end *w = (struct whole_end *)end;

	w->fd_in = end->wiring->fd[end->side];
	w->fd_out = end->wiring->fd[!end->side];
	w->put = put_mqueue;
	w->get = get_mqueue;
	return whole_init(w, MQUEUE_SIZE);
}

static int check_mqueue(const char **why)
{
	struct wiring wiring;
	int rc;

	*why = "there are no POSIX message queues";
	wiring_init(&wiring);
	rc = prepare_mqueue(&wiring, NULL);
	wiring_fini(&wiring);
	return rc;
}

const struct transport transport_mqueue = {
	.name = "mqueue",
	.summary = "two POSIX message queues, blocking",
	.flags = TRANSPORT_SYSCALLS,
	.size_most = MQUEUE_SIZE,
	.end_size = sizeof(struct whole_end),
	.check = check_mqueue,
	.prepare = prepare_mqueue,
	.attach = attach_mqueue,
	.detach = whole_detach,
	.begin = whole_begin,
	.send = whole_send,
	.receive = whole_receive,
	.done = whole_done,
};
