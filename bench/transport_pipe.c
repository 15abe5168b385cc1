// SPDX-License-Identifier: Apache-2.0
/* Two pipes, plain blocking read(2) and write(2), capacity as the system sets it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "copying.h"

/* fd[0], fd[1]: from side 0 to side 1. fd[2], fd[3]: back. */
static int prepare_pipe(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return pipe2(wiring->fd, O_CLOEXEC) || pipe2(wiring->fd + 2, O_CLOEXEC) ? -errno : 0;
}

static int attach_pipe(struct end *end)
{
	const int *fd = end->wiring->fd;

	return copying_init((struct copying_end *)end, fd[end->side ? 3 : 1], fd[end->side ? 0 : 2]);
}

const struct transport transport_pipe = {
	.name = "pipe",
	.summary = "two pipes, blocking read and write",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct copying_end),
	.prepare = prepare_pipe,
	.attach = attach_pipe,
	.detach = copying_detach,
	.begin = copying_begin,
	.send = copying_send,
	.receive = copying_receive,
	.done = copying_done,
};
