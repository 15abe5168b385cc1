// SPDX-License-Identifier: Apache-2.0
/*
 * The vector of 2007, for `shmipc-bench vector`: one file mapped by all, grown with ftruncate(2) and mapped again
 * where it is too short, one process-shared semaphore around every push and every receive. receive takes
 * all that is queued into memory of the reader's, and empties the file.
 */
#include "vector.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct head {
	sem_t lock;
	size_t size; /* of the file */
	size_t used;
};

#define FIRST_SIZE 65536

/* This process's mapping of the file, and the reader's copy. */
static struct head *head;
static size_t mapped;
static unsigned char *copy;
static size_t copy_size;

static int map(struct vector_run *run, size_t size)
{
	void *p = head ? mremap(head, mapped, size, MREMAP_MAYMOVE)
		       : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, run->fd[0], 0);

	if (p == MAP_FAILED)
		return -errno;
	head = p;
	mapped = size;
	return 0;
}

static int prepare(struct vector_run *run)
{
	run->fd[0] = memfd_create("vector", 0);
	if (run->fd[0] < 0 || ftruncate(run->fd[0], FIRST_SIZE) || map(run, FIRST_SIZE))
		return -errno;
	head->size = FIRST_SIZE;
	return sem_init(&head->lock, 1, 1) ? -errno : 0;
}

static int open_nothing(struct vector_run *run)
{
	(void)run;
	return 0;
}

/* With the lock held: map what the other side has added. */
static int follow(struct vector_run *run)
{
	return head->size == mapped ? 0 : map(run, head->size);
}

static void take(void)
{
	while (sem_wait(&head->lock))
		;
}

static int grow(struct vector_run *run)
{
	size_t size = mapped * 2;

	if (ftruncate(run->fd[0], (off_t)size))
		return -errno;
	head->size = size;
	return map(run, size);
}

static int push(struct vector_run *run, const void *data, size_t size)
{
	uint32_t length = (uint32_t)size;
	unsigned char *to;
	int r;

	take();
	r = follow(run);
	while (!r && sizeof(*head) + head->used + sizeof(length) + size > mapped)
		r = grow(run);
	if (!r) {
		to = (unsigned char *)(head + 1) + head->used;
		memcpy(to, &length, sizeof(length));
		memcpy(to + sizeof(length), data, size);
		head->used += sizeof(length) + size;
	}
	sem_post(&head->lock);
	return r;
}

static int receive(struct vector_run *run, struct vector_tally *tally)
{
	size_t used, at;
	uint32_t length;
	int r;

	take();
	r = follow(run);
	used = r ? 0 : head->used;
	if (used > copy_size) {
		free(copy);
		copy_size = mapped;
		copy = malloc(copy_size);
		if (!copy)
			abort();
	}
	if (used)
		memcpy(copy, head + 1, used);
	head->used = 0;
	sem_post(&head->lock);
	for (at = 0; at < used; at += sizeof(length) + length) {
		memcpy(&length, copy + at, sizeof(length));
		vector_see(tally, copy + at + sizeof(length), length);
	}
	return r;
}

static uint64_t count_nothing(struct vector_run *run)
{
	(void)run;
	return UINT64_MAX;
}

static void unmap(struct vector_run *run)
{
	(void)run;
	if (head)
		munmap(head, mapped);
	head = NULL;
}

const struct carrier carrier_semaphore = {
	.name = "semaphore",
	.summary = "one mapped file and one semaphore, as mp::ipc_vector (2007)",
	.prepare = prepare,
	.reader_open = open_nothing,
	.read = receive,
	.writer_open = open_nothing,
	.write = push,
	.writer_calls = count_nothing,
	.cleanup = unmap,
};
