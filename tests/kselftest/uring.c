// SPDX-License-Identifier: GPL-2.0
/*
 * Polling an endpoint through io_uring: one-shot and multishot, cancelled, and left behind when the
 * process goes. Raw system calls, because the machine may have no liburing.
 */
#include <kselftest_harness.h>

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/syscall.h>

#include "endpoint.h"
#include "sleeper.h"

struct ring {
	int fd;
	char *area;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

FIXTURE(uring)
{
	struct endpoint ends[2];
	struct endpoint *end;
	struct endpoint *peer;
	struct ring ring;
	int error;
};

static int open_ring(struct ring *ring)
{
	struct io_uring_params *params = &ring->params;

	ring->fd = (int)syscall(SYS_io_uring_setup, 8, params);
	if (ring->fd < 0)
		return -errno;
	ring->area = mmap(NULL, params->cq_off.cqes +
			  params->cq_entries * sizeof(struct io_uring_cqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->entries = mmap(NULL, params->sq_entries * sizeof(struct io_uring_sqe),
			     PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->area == MAP_FAILED || ring->entries == MAP_FAILED ? -errno : 0;
}

/* Hands one entry over to the kernel. */
static int submit(struct ring *ring, const struct io_uring_sqe *entry)
{
	const struct io_sqring_offsets *at = &ring->params.sq_off;
	uint32_t *tail = (void *)(ring->area + at->tail);
	uint32_t *array = (void *)(ring->area + at->array);
	uint32_t index = *tail & (ring->params.sq_entries - 1);

	ring->entries[index] = *entry;
	array[index] = index;
	word_store(tail, *tail + 1);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1 ? 0 : -errno;
}

static int submit_poll(struct ring *ring, int fd, uint32_t how)
{
	struct io_uring_sqe entry = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = POLLIN,
		.len = how,
		.user_data = 7,
	};

	return submit(ring, &entry);
}

/* The next completion; false: there is none, though @wait asked for one. */
static bool complete(struct ring *ring, bool wait, struct io_uring_cqe *completion)
{
	const struct io_cqring_offsets *at = &ring->params.cq_off;
	uint32_t *head = (void *)(ring->area + at->head);
	const uint32_t *tail = (void *)(ring->area + at->tail);
	const struct io_uring_cqe *all = (void *)(ring->area + at->cqes);

	if (word_load(tail) == *head)
		syscall(SYS_io_uring_enter, ring->fd, 0, wait, IORING_ENTER_GETEVENTS, NULL, 0);
	if (word_load(tail) == *head)
		return false;
	*completion = all[*head & (ring->params.cq_entries - 1)];
	word_store(head, *head + 1);
	return true;
}

FIXTURE_SETUP(uring)
{
	ASSERT_EQ(0, channel_create_bound(self->ends));
	self->end = &self->ends[0];
	self->peer = &self->ends[1];
	self->error = open_ring(&self->ring);
	if (!self->error && !(self->ring.params.features & IORING_FEAT_SINGLE_MMAP))
		self->error = -EOPNOTSUPP;
	endpoint_arm(self->end);
}

FIXTURE_TEARDOWN(uring)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

#define SKIP_WITHOUT_URING()                                                                       \
	do {                                                                                       \
		if (self->error)                                                                   \
			SKIP(return, "no io_uring: %s", strerror(-self->error));                   \
	} while (0)

TEST_F(uring, a_poll_completes_by_a_ring)
{
	struct io_uring_cqe completion;

	SKIP_WITHOUT_URING();
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, submit_poll(&self->ring, self->end->fd, 0));
		EXPECT_FALSE(complete(&self->ring, false, &completion));
		ASSERT_EQ(0, endpoint_ring(self->peer));
		ASSERT_TRUE(complete(&self->ring, true, &completion));
		EXPECT_EQ(POLLIN, completion.res & ~POLLRDNORM);
		endpoint_arm(self->end);
	}
}

TEST_F(uring, a_poll_completes_by_death)
{
	struct io_uring_cqe completion;

	SKIP_WITHOUT_URING();
	ASSERT_EQ(0, submit_poll(&self->ring, self->end->fd, 0));
	endpoint_unmap(self->peer);
	ASSERT_TRUE(complete(&self->ring, true, &completion));
	EXPECT_EQ(POLLIN | POLLHUP, completion.res & ~POLLRDNORM);
}

TEST_F(uring, a_poll_completes_at_once_when_it_was_rung_before)
{
	struct io_uring_cqe completion;

	SKIP_WITHOUT_URING();
	ASSERT_EQ(0, endpoint_ring(self->peer));
	ASSERT_EQ(0, submit_poll(&self->ring, self->end->fd, 0));
	ASSERT_TRUE(complete(&self->ring, false, &completion));
	EXPECT_EQ(POLLIN, completion.res & ~POLLRDNORM);
}

TEST_F(uring, a_multishot_poll_completes_for_each_ring)
{
	struct io_uring_cqe completion;

	SKIP_WITHOUT_URING();
	ASSERT_EQ(0, submit_poll(&self->ring, self->end->fd, IORING_POLL_ADD_MULTI));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, endpoint_ring(self->peer));
		ASSERT_TRUE(complete(&self->ring, true, &completion));
		ASSERT_EQ(POLLIN, completion.res & ~POLLRDNORM);
		ASSERT_TRUE(completion.flags & IORING_CQE_F_MORE);
		EXPECT_FALSE(complete(&self->ring, false, &completion));
		endpoint_arm(self->end);
	}
}

TEST_F(uring, a_poll_can_be_cancelled)
{
	struct io_uring_sqe cancel = {
		.opcode = IORING_OP_POLL_REMOVE,
		.fd = -1,
		.addr = 7,
		.user_data = 8,
	};
	struct io_uring_cqe completion;

	SKIP_WITHOUT_URING();
	ASSERT_EQ(0, submit_poll(&self->ring, self->end->fd, 0));
	ASSERT_EQ(0, submit(&self->ring, &cancel));
	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(complete(&self->ring, true, &completion));
		EXPECT_EQ(completion.user_data == 7 ? -ECANCELED : 0, completion.res);
	}
	/* The cancelled one is off the queue. */
	ASSERT_EQ(0, endpoint_ring(self->peer));
	EXPECT_FALSE(complete(&self->ring, false, &completion));
}

TEST_F(uring, a_poll_holds_the_file_but_not_the_endpoints_life)
{
	SKIP_WITHOUT_URING();
	ASSERT_EQ(0, submit_poll(&self->ring, self->end->fd, 0));
	endpoint_close(self->end);
	EXPECT_TRUE(endpoint_state(self->peer->fd) & SHMIPC_STATE_PEER_DEAD);
}

TEST_F(uring, a_process_may_go_with_a_poll_under_way)
{
	int status;
	pid_t child;

	SKIP_WITHOUT_URING();
	child = fork();
	if (!child) {
		struct endpoint ends[2];
		struct ring ring = { .fd = -1 };

		if (channel_create_bound(ends) || open_ring(&ring))
			_exit(1);
		endpoint_arm(&ends[0]);
		endpoint_arm(&ends[1]);
		if (submit_poll(&ring, ends[0].fd, IORING_POLL_ADD_MULTI) ||
		    submit_poll(&ring, ends[1].fd, 0))
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
