// SPDX-License-Identifier: Apache-2.0
/*
 * attacks_on_segments.c - growth and retirement that do not do what they say
 */
#include "attacker.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fdpass.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | 0x0010 | F_SEAL_SEAL)

/* What region_memfd.c sends; it keeps this to itself. */
struct announcement {
	uint32_t segment;
	uint32_t zero;
	uint64_t bytes;
};

static int make_memfd(uint64_t bytes, uint64_t allocated, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (ftruncate(fd, (off_t)bytes) || (allocated && posix_fallocate(fd, 0, (off_t)allocated)))
		return fd;
	fcntl(fd, F_ADD_SEALS, seals);
	return fd;
}

/* A descriptor that is not what it should be, in one respect or altogether. */
static int make_wrong_fd(struct attacker *a, uint64_t bytes)
{
	int pair[2];

	switch (pick(a, 10)) {
	case 0: return make_memfd(bytes, bytes, 0);
	case 1: return make_memfd(bytes, 0, SEALS);
	case 2: return make_memfd(bytes / 2, bytes / 2, SEALS);
	case 3: return make_memfd(bytes, bytes, F_SEAL_SHRINK | F_SEAL_GROW);
	case 4: return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case 5: return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case 6: return open("/", O_PATH | O_CLOEXEC);
	case 7: return epoll_create1(EPOLL_CLOEXEC);
	case 8: return pipe2(pair, O_CLOEXEC) ? -1 : (close(pair[1]), pair[0]);
	default: return make_memfd(bytes * 2, bytes * 2, SEALS);
	}
}

static void publish_in(struct attacker *a, uint32_t segment)
{
	struct producer *out = &a->channel->out;
	struct slot *slot = &a->channel->own.ring[out->prod & out->mask];

	store_relaxed(&slot->size, 4096);
	store_relaxed(&slot->what, (uint32_t)(SLOT_SLICE << 16));
	store_relaxed(&slot->ref.slice, pick(a, 64));
	store_relaxed(&slot->ref.segment, segment);
	store_relaxed(&slot->ref.offset, 0);
	store_release(&slot->lap, ++out->prod);
	shmipc_channel_ring(a->channel);
}

static void announce(struct attacker *a, uint32_t segment, uint64_t bytes, int fd)
{
	struct announcement announcement = { .segment = segment, .bytes = bytes };

	fdpass_send(a->channel->region.fd, &announcement, sizeof(announcement), &fd, fd >= 0, false);
	if (fd >= 0)
		close(fd);
}

static void announce_wrong_memory(struct attacker *a)
{
	uint32_t segment = 20 + pick(a, 12);

	announce(a, segment, 65536, make_wrong_fd(a, 65536));
	publish_in(a, segment);
}

static void announce_too_much(struct attacker *a)
{
	static const uint64_t sizes[] = { 0, 1, 1 << 21, 1ull << 40, UINT64_MAX, UINT64_MAX - 4095 };
	uint32_t segment = pick(a, 2) ? 1 + pick(a, 31) : nasty_number(a, SHMIPC_SEGMENTS);

	announce(a, segment, sizes[pick(a, 6)], make_memfd(65536, 65536, SEALS));
	publish_in(a, segment);
}

static void announce_twice(struct attacker *a)
{
	uint32_t segment = 20 + pick(a, 12), i;

	for (i = 0; i < 3; i++)
		announce(a, segment, 4096, make_memfd(4096, 4096, SEALS));
	publish_in(a, segment);
}

static void announce_many(struct attacker *a)
{
	uint32_t i;

	for (i = 1; i < SHMIPC_SEGMENTS; i++) {
		announce(a, i, 65536, make_memfd(65536, 65536, SEALS));
		publish_in(a, i);
	}
}

static void retire_what_is_used(struct attacker *a)
{
	struct lane_words *w = a->channel->own.words;

	publish_in(a, 0);
	store_release(&w->retired, pick(a, 2) ? 1 : nasty_number(a, load_relaxed(&w->retired)));
	shmipc_channel_ring(a->channel);
}

/* And back, so that the same number names another segment while the victim has the old one. */
static void retire_and_change(struct attacker *a)
{
	struct lane_words *w = a->channel->own.words;
	uint32_t segment = 1 + pick(a, 8);

	announce(a, segment, 65536, make_memfd(65536, 65536, SEALS));
	publish_in(a, segment);
	store_release(&w->retired, load_relaxed(&w->retired) ^ 1u << segment);
	announce(a, segment, 4096, make_memfd(4096, 4096, SEALS));
	publish_in(a, segment);
	store_release(&w->retired, load_relaxed(&w->retired) ^ 1u << segment);
}

/* Say that a retired segment was unmapped, and keep it; or that one was that never retired. */
static void pretend_to_unmap(struct attacker *a)
{
	struct lane_words *w = a->channel->own.words;
	uint32_t retired = load_relaxed(&a->channel->peer.words->retired);

	store_release(&w->unmapped, pick(a, 2) ? retired : nasty_number(a, retired));
}

static void never_unmap(struct attacker *a)
{
	store_release(&a->channel->own.words->unmapped, 0);
}

const struct attack attacks_on_segments[] = {
	{ .name = "announce wrong memory", .run = announce_wrong_memory },
	{ .name = "announce too much", .run = announce_too_much },
	{ .name = "announce twice", .run = announce_twice },
	{ .name = "announce many", .run = announce_many },
	{ .name = "retire what is used", .run = retire_what_is_used },
	{ .name = "retire and change", .run = retire_and_change },
	{ .name = "pretend to unmap", .run = pretend_to_unmap },
	{ .name = "never unmap", .run = never_unmap },
	{ 0 },
};
