// SPDX-License-Identifier: Apache-2.0
/*
 * A Unix stream socket driven by io_uring: a request leaves by the io_uring_enter(2) that waits for its answer. A side
 * with one thread has one ring, with all of its sockets as registered files. Where it has several, each conversation has
 * a ring of its own, because it is not always the same thread that uses it.
 */
#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include "copying.h"
#include "uds.h"
#include "workload.h"

enum kind { SENT, RECEIVED };

struct uring_end {
	struct copying_end copying;
	struct io_uring ring;
	bool has_ring;
	struct uring_end *owner; /* of the ring in use */
	unsigned int file;	 /* number of the socket there */
	size_t request;		 /* bytes in out that leave with the next receive */
};

/* The best that the kernel has: work is done when its one thread asks for it; no thread is interrupted; plain. */
static int make_ring(struct io_uring *ring, bool one_thread)
{
	int rc = -EINVAL;

	if (one_thread)
		rc = io_uring_queue_init(4, ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	if (rc == -EINVAL)
		rc = io_uring_queue_init(4, ring, IORING_SETUP_COOP_TASKRUN);
	return rc == -EINVAL ? io_uring_queue_init(4, ring, 0) : rc;
}

static int find_ring(struct uring_end *u)
{
	const struct plan *plan = u->copying.end.plan;
	bool one_thread = plan->threads[u->copying.end.side] == 1;
	unsigned int files = !one_thread ? 1 : plan->workload->whole ? plan->count : plan->streams;
	int rc;

	u->owner = one_thread ? (struct uring_end *)u->copying.end.attached : u;
	u->file = one_thread ? u->copying.end.stream : 0;
	if (u->owner->has_ring)
		return 0;
	rc = make_ring(&u->owner->ring, one_thread);
	u->owner->has_ring = !rc;
	return rc ? rc : io_uring_register_files_sparse(&u->owner->ring, files);
}

/* An entry for the socket, with what the kernel shall know about it. */
static void finish_entry(struct io_uring_sqe *entry, enum kind kind, unsigned int flags)
{
	io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE | flags);
	io_uring_sqe_set_data64(entry, kind);
}

/* Submits what is prepared, and waits for the one completion that is to come: one call, unless a signal comes. */
static ssize_t wait_for(struct uring_end *u, enum kind kind)
{
	struct io_uring *ring = &u->owner->ring;
	struct io_uring_cqe *cqe;
	ssize_t done;
	int rc;

	while (!io_uring_cq_ready(ring)) {
		rc = io_uring_submit_and_wait(ring, 1);
		if (rc < 0 && rc != -EINTR) {
			errno = -rc;
			return -1;
		}
	}
	io_uring_peek_cqe(ring, &cqe);
	/* A request that could not be sent completes in place of its answer. */
	done = cqe->user_data == kind || cqe->res < 0 ? cqe->res : -EIO;
	io_uring_cqe_seen(ring, cqe);
	if (done >= 0)
		return done;
	errno = -done;
	return -1;
}

static void prepare_send(struct uring_end *u, const void *data, size_t size, unsigned int flags)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&u->owner->ring);

	io_uring_prep_send(entry, u->file, data, size, MSG_WAITALL | MSG_NOSIGNAL);
	finish_entry(entry, SENT, flags);
}

static ssize_t put_uring(struct copying_end *c, const void *data, size_t size)
{
	struct uring_end *u = (struct uring_end *)c;

	prepare_send(u, data, size, 0);
	return wait_for(u, SENT);
}

/*
 * A request completes in silence. To wait for two completions at once would not do: the kernel may then let a send that
 * found no room wait for the answer, too.
 */
static ssize_t get_uring(struct copying_end *c, void *data, size_t size)
{
	struct uring_end *u = (struct uring_end *)c;
	struct io_uring_sqe *entry;

	if (u->request)
		prepare_send(u, c->out, u->request, IOSQE_CQE_SKIP_SUCCESS);
	u->request = 0;
	entry = io_uring_get_sqe(&u->owner->ring);
	io_uring_prep_recv(entry, u->file, data, size, 0);
	finish_entry(entry, RECEIVED, 0);
	return wait_for(u, RECEIVED);
}

static int send_uring(struct end *end, size_t len, unsigned int flags)
{
	struct uring_end *u = (struct uring_end *)end;

	if (!(flags & SEND_EXPECT))
		return copying_send(end, len, flags);
	u->request = u->copying.filled + len;
	u->copying.filled = 0;
	return 0;
}

static int open_uring(struct end *end)
{
	struct uring_end *u = (struct uring_end *)end;
	int fd = uds_open(end), rc;

	if (fd < 0)
		return fd;
	u->copying.put = put_uring;
	u->copying.get = get_uring;
	end->syscalls++;
	rc = find_ring(u);
	if (!rc)
		rc = io_uring_register_files_update(&u->owner->ring, u->file, &fd, 1);
	return rc < 0 ? rc : copying_init(&u->copying, fd, fd);
}

static void close_uring(struct end *end)
{
	struct uring_end *u = (struct uring_end *)end;
	int none = -1;

	end->syscalls += 2;
	io_uring_register_files_update(&u->owner->ring, u->file, &none, 1);
	close(u->copying.fd_in);
}

static int check_uring(const char **why)
{
	struct io_uring ring;
	int rc = make_ring(&ring, false);

	*why = rc == -ENOSYS ? "the kernel has no io_uring" : "the kernel refuses io_uring (sysctl, or a sandbox)";
	if (!rc)
		io_uring_queue_exit(&ring);
	return rc;
}

const struct transport transport_uds_uring = {
	.name = "uds-uring",
	.summary = "Unix stream socket, io_uring: request and wait for the answer in one call",
	.flags = TRANSPORT_SYSCALLS,
	.end_size = sizeof(struct uring_end),
	.check = check_uring,
	.prepare = uds_prepare,
	.detach = copying_detach,
	.open = open_uring,
	.close = close_uring,
	.begin = copying_begin,
	.send = send_uring,
	.receive = copying_receive,
	.done = copying_done,
};
