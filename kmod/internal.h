/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shmipc: what the files of the module share
 *
 * OVERVIEW
 *
 *	main.c      load and unload, nothing else
 *	file.c      the life of a file: open, release, poll, fdinfo
 *	ioctl.c     arguments in, checked; results out
 *	channel.c   channels, endpoints, lanes: create, bind, grow, retire, hang up, free
 *	pages.c     a part's pages
 *	limits.c    what a user, and all users, may hold
 *	mmap.c      parts into address spaces, and what may be done with them there
 *	doorbell.c  wait, ring, kick: the hot path, with the memory-ordering table
 *	info.c      INFO and fdinfo
 *	trace.c     instances of the tracepoints of trace.h
 *
 * LIFETIME
 *
 * A channel has one reference for each of its two files, and nothing else holds any: mappings, and
 * whoever is inside a call, hold the file. So no reference can appear after the second file's
 * release, because only CREATE makes files. An endpoint is a member of its channel.
 *
 * A part (a head or a segment) has one reference while its lane's table names it, and one for each
 * mapping. It leaves the table by RETIRE, or when both endpoints are dead; a part that no table
 * names gets no new reference but from a mapping that exists already (mremap).
 *
 * Death comes in two steps. An endpoint is marked dead, and then everybody who sleeps on either
 * side is woken (doorbell.c says why in this order); memory goes when the second endpoint is dead
 * and unmapped. The two pages that hold the control words stay until the channel is freed: poll
 * and wait read them without a lock.
 *
 * LOCKING
 *
 * channel->lock is a mutex and protects what is not hot: lane tables, part references, bindings,
 * deaths. It nests inside mmap_lock, because mmap and munmap take it; therefore user memory is
 * never touched under it. Pages are not allocated or freed under it either. limits.c has a
 * spinlock of its own, innermost. The doorbell takes no lock.
 */
#ifndef SHMIPC_INTERNAL_H
#define SHMIPC_INTERNAL_H

#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include <linux/shmipc.h>

#ifndef CONFIG_64BIT
#error "shmipc needs a 64-bit kernel: an mmap offset names the part in bits that a 32-bit one drops"
#endif

/*
 * For all that a user can cause to be allocated: charged to the memory cgroup; tries hard, but
 * fails rather than have the OOM killer choose a process.
 */
#define SHMIPC_GFP (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* A lane's parts: its head and its segments. */
#define SHMIPC_PARTS SHMIPC_SEGMENT(SHMIPC_SEGMENTS)

struct file;
struct pid;
struct seq_file;
struct vm_area_struct;
struct shmipc_channel;
struct shmipc_user;

/**
 * struct shmipc_part - pages that are mapped as a whole: a lane's head or one of its segments
 * @user: whom the pages are charged to; set before publish
 * @lane: whose part it is; set before publish
 * @number: its number in the lane's table; set before publish
 * @refs: the lane's table and each mapping; channel->lock
 * @dying: on the list of parts to be freed, once @refs is 0
 * @count: number of pages; set before publish
 * @pages: the pages; set before publish
 */
struct shmipc_part {
	struct shmipc_user *user;
	struct shmipc_lane *lane;
	unsigned int number;
	unsigned int refs;
	struct list_head dying;
	unsigned long count;
	struct page *pages[];
};

/**
 * struct shmipc_lane - the memory that one endpoint writes; all under channel->lock
 * @parts: what can be mapped; %NULL: no such part
 * @taken: numbers in use: those in @parts, being allocated, or retired and still mapped
 * @size: bytes of all taken numbers
 * @max: limit of @size; set before publish
 * @head_size: bytes of the head; set before publish
 */
struct shmipc_lane {
	struct shmipc_part *parts[SHMIPC_PARTS];
	u64 taken;
	u64 size;
	u64 max;
	u64 head_size;
};
static_assert(SHMIPC_PARTS <= 64);

/**
 * struct shmipc_endpoint - one end of a channel; file->private_data of its file
 * @words: control words of the own lane; hostile, read with READ_ONCE() only; set before publish
 * @peer_words: those of the peer's lane, likewise
 * @peer: the other endpoint; set before publish
 * @channel: set before publish
 * @mm: whom it is bound to, only compared, never followed; %NULL before binding and after death;
 *	written under channel->lock
 * @waiter: the task inside WAIT, %NULL if none; atomic; doorbell.c
 * @rang: the value of rung that was rung for last; atomic; doorbell.c
 * @cpu: processor where RING_WAIT was called last, -1 if it never was; a hint
 * @yielder: the task that gives way inside RING_WAIT, %NULL if none; RCU; doorbell.c
 * @yield_pause: calls of RING_WAIT that will not give way first; a hint
 * @yield_vain: how many those were when it was in vain last; a hint
 * @yield_after: in jiffies: not before then; a hint, looked at when @yield_pause is over
 * @sleeps: waits that went to sleep; written by @waiter only
 * @rings: rings that found the peer waiting; atomic
 * @pollers: who polls the file
 * @pid: the process it bound to, %NULL before; channel->lock
 * @uid: effective user of that process when it bound; channel->lock
 * @gid: effective group, likewise
 * @mappings: writable mappings of the own lane in @mm; channel->lock
 * @lane: the own lane; channel->lock
 *
 * Whatever the hot path only reads stands on the first cache line, what it writes on the second.
 */
struct shmipc_endpoint {
	const struct shmipc_words *words;
	const struct shmipc_words *peer_words;
	struct shmipc_endpoint *peer;
	struct shmipc_channel *channel;
	struct mm_struct *mm;

	struct task_struct __rcu *waiter ____cacheline_aligned_in_smp;
	u32 rang;
	int cpu;
	unsigned int yield_pause;
	unsigned int yield_vain;
	unsigned long yield_after;
	struct task_struct __rcu *yielder;
	unsigned long sleeps;
	atomic_long_t rings;
	wait_queue_head_t pollers;

	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	unsigned int mappings;
	struct shmipc_lane lane;
};

/**
 * struct shmipc_channel - two endpoints
 * @endpoint: endpoint 0 and endpoint 1
 * @dead: bit n: endpoint n is dead; set under @lock, never cleared, read without
 * @files: references, see above
 * @lock: what it protects is said above
 * @id: unique while the module is loaded; set before publish
 */
struct shmipc_channel {
	struct shmipc_endpoint endpoint[2];
	unsigned int dead;
	refcount_t files;
	struct mutex lock;
	u64 id;
};

enum shmipc_hangup_reason {
	SHMIPC_HANGUP_UNMAP,
	SHMIPC_HANGUP_RELEASE,
};

/* 0 or 1. */
static inline unsigned int shmipc_endpoint_index(const struct shmipc_endpoint *ep)
{
	return ep == &ep->channel->endpoint[1];
}

/* Whether @ep itself is dead: for good if true; if false, only while the lock is held. */
static inline bool shmipc_endpoint_dead(const struct shmipc_endpoint *ep)
{
	return READ_ONCE(ep->channel->dead) & BIT(shmipc_endpoint_index(ep));
}

/*
 * Whether the caller is the process @ep is bound to: 0, -EPERM, or -EPIPE when @ep is dead. The
 * answer may be out of date at once if another thread unmaps the lane; whoever sleeps or changes
 * something looks at dead again.
 */
static inline int shmipc_endpoint_check_caller(const struct shmipc_endpoint *ep)
{
	if (likely(READ_ONCE(ep->mm) == current->mm))
		return 0;
	return shmipc_endpoint_dead(ep) ? -EPIPE : -EPERM;
}

static inline u64 shmipc_part_size(const struct shmipc_part *part)
{
	return (u64)part->count << PAGE_SHIFT;
}

/* file.c */
extern const struct file_operations shmipc_fops;

/* ioctl.c */
long shmipc_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* channel.c */
struct shmipc_channel *shmipc_channel_create(const struct shmipc_ioc_create *args);
void shmipc_channel_put(struct shmipc_channel *channel);
int shmipc_endpoint_check_bind_locked(const struct shmipc_endpoint *ep);
void shmipc_endpoint_bind_locked(struct shmipc_endpoint *ep);
void shmipc_endpoint_unmap_locked(struct shmipc_endpoint *ep, struct list_head *dying);
void shmipc_endpoint_release(struct shmipc_endpoint *ep);
int shmipc_lane_grow(struct shmipc_endpoint *ep, unsigned int number, u64 size);
int shmipc_lane_retire(struct shmipc_endpoint *ep, unsigned int number);
u64 shmipc_segment_size(struct shmipc_endpoint *ep, unsigned int number);
void shmipc_part_put_locked(struct shmipc_part *part, struct list_head *dying);

/* pages.c */
struct shmipc_part *shmipc_part_create(struct shmipc_lane *lane, unsigned int number, u64 size);
void shmipc_part_destroy(struct shmipc_part *part);
void shmipc_part_destroy_all(struct list_head *dying);

/* limits.c */
void shmipc_limits_init(void);
void shmipc_limits_exit(void);
int shmipc_user_charge(u64 bytes, struct shmipc_user **charged);
void shmipc_user_uncharge(struct shmipc_user *user, u64 bytes);
int shmipc_channels_charge(void);
void shmipc_channels_uncharge(void);

/* mmap.c */
int shmipc_file_mmap(struct file *file, struct vm_area_struct *vma);

/* doorbell.c */
void shmipc_doorbell_init(void);
int shmipc_doorbell_wait(struct shmipc_endpoint *ep, u32 seq, ktime_t *deadline);
int shmipc_doorbell_ring_wait(struct shmipc_endpoint *ep, u32 seq, ktime_t *deadline);
int shmipc_doorbell_ring(struct shmipc_endpoint *ep, bool sync);
void shmipc_doorbell_kick(struct shmipc_endpoint *ep);
void shmipc_doorbell_hangup(struct shmipc_endpoint *ep);
__poll_t shmipc_doorbell_poll(struct shmipc_endpoint *ep);

/* info.c */
void shmipc_endpoint_info(struct shmipc_endpoint *ep, struct shmipc_ioc_info *info);
void shmipc_file_show_fdinfo(struct seq_file *m, struct file *file);

#endif /* SHMIPC_INTERNAL_H */
