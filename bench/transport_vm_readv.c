// SPDX-License-Identifier: Apache-2.0
/*
 * One copy, from process to process: the sender says on a Unix seqpacket socket where a message lies, the reader takes
 * it with process_vm_readv(2) and says that it has. Where the sides take turns the answer says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "copying.h"

#define VM_BUFFERS 16

struct vm_end {
	struct end end;
	int fd;
	pid_t peer;
	unsigned char *out[VM_BUFFERS], *in;
	unsigned int next, buffers, under_way;
};

static int prepare_vm(struct wiring *wiring, const struct plan *plan)
{
	(void)plan;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wiring->fd) ? -errno : 0;
}

static int tell(struct vm_end *v, const void *what, size_t size)
{
	v->end.syscalls++;
	return send(v->fd, what, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -errno;
}

static int hear(struct vm_end *v, void *what, size_t size)
{
	ssize_t n;

	do {
		v->end.syscalls++;
		n = recv(v->fd, what, size, 0);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EPIPE;
}

static int attach_vm(struct end *end)
{
	struct vm_end *v = (struct vm_end *)end;
	pid_t self = getpid();
	unsigned int i;
	int rc;

	v->fd = end->wiring->fd[end->side];
	v->buffers = end->plan->alternating ? 1 : VM_BUFFERS;
	v->in = copying_alloc(end->plan->size);
	for (i = 0; i < v->buffers; i++)
		v->out[i] = copying_alloc(end->plan->size);
	if (!v->in || !v->out[v->buffers - 1])
		return -ENOMEM;
	/* Where only a parent may look into its children, this process lets its peer. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	rc = tell(v, &self, sizeof(self));
	return rc ? rc : hear(v, &v->peer, sizeof(v->peer));
}

static int begin_vm(struct end *end, size_t len, void **buf)
{
	struct vm_end *v = (struct vm_end *)end;
	char read_it;
	int rc = 0;

	(void)len;
	if (v->under_way == v->buffers) {
		rc = hear(v, &read_it, sizeof(read_it));
		v->under_way--;
	}
	*buf = v->out[v->next];
	return rc;
}

static int send_vm(struct end *end, size_t len, unsigned int flags)
{
	struct vm_end *v = (struct vm_end *)end;
	struct iovec where = { v->out[v->next], len };

	(void)flags;
	v->next = (v->next + 1) % v->buffers;
	v->under_way += !end->plan->alternating;
	return tell(v, &where, sizeof(where));
}

static int receive_vm(struct end *end, const void **buf, size_t *len)
{
	struct vm_end *v = (struct vm_end *)end;
	struct iovec where, here = { v->in, end->plan->size };
	int rc = hear(v, &where, sizeof(where));

	if (rc)
		return rc;
	v->end.syscalls++;
	if (process_vm_readv(v->peer, &here, 1, &where, 1, 0) != (ssize_t)where.iov_len)
		return errno ? -errno : -EIO;
	*buf = v->in;
	*len = where.iov_len;
	return 0;
}

static int done_vm(struct end *end)
{
	return end->plan->alternating ? 0 : tell((struct vm_end *)end, "", 1);
}

const struct transport transport_vm_readv = {
	.name = "vm-readv",
	.summary = "process_vm_readv, told by a Unix seqpacket socket",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct vm_end),
	.prepare = prepare_vm,
	.attach = attach_vm,
	.begin = begin_vm,
	.send = send_vm,
	.receive = receive_vm,
	.done = done_vm,
};
