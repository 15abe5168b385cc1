// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: channels, their endpoints and their lanes
 *
 * Responsible for what exists and who owns it: creating a channel, binding an endpoint to a
 * process, growing and retiring segments, hanging up, freeing. internal.h says how long each thing
 * lives and what channel->lock protects; this file takes it in every function that is not called
 * _locked.
 *
 * Parts whose last reference goes are collected on a list while the lock is held and destroyed
 * after it was dropped, because giving back many pages takes long.
 */
#include <linux/bitops.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

static atomic64_t last_id = ATOMIC64_INIT(0);

static int init_lane(struct shmipc_lane *lane, u64 head_size, u64 max)
{
	struct shmipc_part *head = shmipc_part_create(lane, SHMIPC_HEAD, head_size);

	if (IS_ERR(head))
		return PTR_ERR(head);
	lane->parts[SHMIPC_HEAD] = head;
	lane->taken = BIT_ULL(SHMIPC_HEAD);
	lane->size = head_size;
	lane->head_size = head_size;
	lane->max = max;
	return 0;
}

/* The channel's own reference to the page with the control words: see shmipc_channel_put(). */
static const struct shmipc_words *get_words(const struct shmipc_lane *lane)
{
	struct page *page = lane->parts[SHMIPC_HEAD]->pages[0];

	get_page(page);
	return page_address(page);
}

static void init_endpoint(struct shmipc_channel *channel, unsigned int index)
{
	struct shmipc_endpoint *ep = &channel->endpoint[index];

	ep->channel = channel;
	ep->peer = &channel->endpoint[!index];
	ep->words = get_words(&ep->lane);
	ep->peer_words = ep->peer->words;
	ep->peer->peer_words = ep->words;
	ep->cpu = -1;
	init_waitqueue_head(&ep->pollers);
}

/**
 * shmipc_channel_create() - make a channel, both heads allocated and charged to the caller
 * @args: checked by the caller
 *
 * Context: process, may sleep; no lock held.
 * Return: a channel with one reference, which is to become endpoint 0's file's; or ERR_PTR() of
 * -ENOMEM, -EDQUOT, -ENOSPC, -EINTR.
 */
struct shmipc_channel *shmipc_channel_create(const struct shmipc_ioc_create *args)
{
	struct shmipc_channel *channel;
	int err;

	err = shmipc_channels_charge();
	if (err)
		return ERR_PTR(err);

	err = -ENOMEM;
	channel = kzalloc(sizeof(*channel), SHMIPC_GFP);
	if (!channel)
		goto err_uncharge;
	err = init_lane(&channel->endpoint[0].lane, args->head_size[0], args->lane_max[0]);
	if (err)
		goto err_free;
	err = init_lane(&channel->endpoint[1].lane, args->head_size[1], args->lane_max[1]);
	if (err)
		goto err_destroy_head;

	refcount_set(&channel->files, 1);
	mutex_init(&channel->lock);
	channel->id = atomic64_inc_return(&last_id);
	init_endpoint(channel, 0);
	init_endpoint(channel, 1);
	return channel;

err_destroy_head:
	shmipc_part_destroy(channel->endpoint[0].lane.parts[SHMIPC_HEAD]);
err_free:
	kfree(channel);
err_uncharge:
	shmipc_channels_uncharge();
	return ERR_PTR(err);
}

/**
 * shmipc_part_put_locked() - drop a reference to a part
 * @part: the part
 * @dying: where it goes if that was the last one; the caller destroys what is there after unlocking
 *
 * The part's number and its share of lane_max are free as soon as this returns.
 */
void shmipc_part_put_locked(struct shmipc_part *part, struct list_head *dying)
{
	struct shmipc_lane *lane = part->lane;

	if (--part->refs)
		return;
	lane->taken &= ~BIT_ULL(part->number);
	lane->size -= shmipc_part_size(part);
	list_add(&part->dying, dying);
}

/* The lane's table names nothing any more. With channel->lock, or where nobody else is left. */
static void empty_lane(struct shmipc_lane *lane, struct list_head *dying)
{
	unsigned int i;

	for (i = 0; i < SHMIPC_PARTS; i++) {
		if (lane->parts[i])
			shmipc_part_put_locked(lane->parts[i], dying);
		lane->parts[i] = NULL;
	}
}

/* Mark @ep dead and tell everybody; if it is the second one, nothing can be mapped any more. */
static void hangup_locked(struct shmipc_endpoint *ep, enum shmipc_hangup_reason reason,
			  struct list_head *dying)
{
	struct shmipc_channel *channel = ep->channel;

	if (shmipc_endpoint_dead(ep))
		return;
	trace_shmipc_hangup(ep, reason);
	WRITE_ONCE(ep->mm, NULL);
	WRITE_ONCE(channel->dead, channel->dead | BIT(shmipc_endpoint_index(ep)));
	shmipc_doorbell_hangup(ep);

	if (shmipc_endpoint_dead(ep->peer)) {
		empty_lane(&ep->lane, dying);
		empty_lane(&ep->peer->lane, dying);
	}
}

/**
 * shmipc_endpoint_check_bind_locked() - whether the caller may map the own lane writable
 * @ep: the endpoint
 *
 * Return: 0, -EPIPE (dead), -EBUSY (bound to another process).
 */
int shmipc_endpoint_check_bind_locked(const struct shmipc_endpoint *ep)
{
	lockdep_assert_held(&ep->channel->lock);
	if (shmipc_endpoint_dead(ep))
		return -EPIPE;
	if (ep->mm && ep->mm != current->mm)
		return -EBUSY;
	return 0;
}

/**
 * shmipc_endpoint_bind_locked() - count a writable mapping of the own lane, made by the caller
 * @ep: the endpoint; bound to the caller's mm from now on. The check above has said yes.
 */
void shmipc_endpoint_bind_locked(struct shmipc_endpoint *ep)
{
	lockdep_assert_held(&ep->channel->lock);
	ep->mappings++;
	if (ep->mm)
		return;
	ep->pid = get_pid(task_tgid(current));
	current_euid_egid(&ep->uid, &ep->gid);
	WRITE_ONCE(ep->mm, current->mm);
}

/**
 * shmipc_endpoint_unmap_locked() - a counted mapping is gone; with the last one, the endpoint dies
 * @ep: the endpoint
 * @dying: as in shmipc_part_put_locked()
 */
void shmipc_endpoint_unmap_locked(struct shmipc_endpoint *ep, struct list_head *dying)
{
	lockdep_assert_held(&ep->channel->lock);
	if (!--ep->mappings)
		hangup_locked(ep, SHMIPC_HANGUP_UNMAP, dying);
}

/**
 * shmipc_endpoint_release() - the endpoint's file is gone, and with it any mapping
 * @ep: the endpoint; must not be used any more afterwards
 */
void shmipc_endpoint_release(struct shmipc_endpoint *ep)
{
	struct shmipc_channel *channel = ep->channel;
	LIST_HEAD(dying);

	mutex_lock(&channel->lock);
	hangup_locked(ep, SHMIPC_HANGUP_RELEASE, &dying);
	mutex_unlock(&channel->lock);

	shmipc_part_destroy_all(&dying);
	shmipc_channel_put(channel);
}

/**
 * shmipc_channel_put() - drop a file's reference
 * @channel: freed if that was the last one: both endpoints are dead then, or were never published
 */
void shmipc_channel_put(struct shmipc_channel *channel)
{
	LIST_HEAD(dying);
	unsigned int i;

	if (!refcount_dec_and_test(&channel->files))
		return;

	for (i = 0; i < 2; i++) {
		struct shmipc_endpoint *ep = &channel->endpoint[i];

		empty_lane(&ep->lane, &dying);
		put_page(virt_to_page(ep->words));
		put_pid(ep->pid);
	}
	shmipc_part_destroy_all(&dying);
	mutex_destroy(&channel->lock);
	kfree(channel);
	shmipc_channels_uncharge();
}

/* Take @number and @size of the lane, before the pages are allocated without the lock. */
static int reserve_part_locked(struct shmipc_endpoint *ep, unsigned int number, u64 size)
{
	struct shmipc_lane *lane = &ep->lane;

	if (shmipc_endpoint_dead(ep))
		return -EPIPE;
	if (lane->taken & BIT_ULL(number))
		return -EEXIST;
	if (size > lane->max - lane->size)
		return -EFBIG;
	lane->taken |= BIT_ULL(number);
	lane->size += size;
	return 0;
}

/**
 * shmipc_lane_grow() - add a segment to an endpoint's own lane
 * @ep: the endpoint
 * @number: of the segment; below SHMIPC_SEGMENTS
 * @size: bytes; whole pages, at least one
 *
 * Context: the bound process; may sleep long; no lock held.
 * Return: 0, -EPIPE, -EEXIST, -EFBIG, -ENOMEM, -EDQUOT, -ENOSPC, -EINTR.
 */
int shmipc_lane_grow(struct shmipc_endpoint *ep, unsigned int number, u64 size)
{
	unsigned int index = SHMIPC_SEGMENT(number);
	struct mutex *lock = &ep->channel->lock;
	struct shmipc_part *part;
	LIST_HEAD(dying);
	int err;

	mutex_lock(lock);
	err = reserve_part_locked(ep, index, size);
	mutex_unlock(lock);
	if (err)
		return err;

	part = shmipc_part_create(&ep->lane, index, size);

	mutex_lock(lock);
	if (IS_ERR(part)) {
		err = PTR_ERR(part);
		ep->lane.taken &= ~BIT_ULL(index);
		ep->lane.size -= size;
	} else if (shmipc_endpoint_dead(ep)) {
		err = -EPIPE;
		shmipc_part_put_locked(part, &dying);
	} else {
		ep->lane.parts[index] = part;
		trace_shmipc_grow(ep, number, size);
	}
	mutex_unlock(lock);

	shmipc_part_destroy_all(&dying);
	return err;
}

/**
 * shmipc_lane_retire() - take a segment out of an endpoint's own lane
 * @ep: the endpoint
 * @number: of the segment
 *
 * Context: the bound process; may sleep; no lock held.
 * Return: 0, -ENOENT.
 */
int shmipc_lane_retire(struct shmipc_endpoint *ep, unsigned int number)
{
	unsigned int index = SHMIPC_SEGMENT(number);
	struct mutex *lock = &ep->channel->lock;
	struct shmipc_part *part;
	LIST_HEAD(dying);

	mutex_lock(lock);
	part = ep->lane.parts[index];
	ep->lane.parts[index] = NULL;
	if (part) {
		trace_shmipc_retire(ep, number, shmipc_part_size(part));
		shmipc_part_put_locked(part, &dying);
	}
	mutex_unlock(lock);

	shmipc_part_destroy_all(&dying);
	return part ? 0 : -ENOENT;
}

/**
 * shmipc_segment_size() - how large a segment is
 * @ep: the endpoint whose lane it is in
 * @number: of the segment; below SHMIPC_SEGMENTS
 *
 * Context: process, may sleep; no lock held.
 * Return: bytes; 0: no such segment.
 */
u64 shmipc_segment_size(struct shmipc_endpoint *ep, unsigned int number)
{
	struct shmipc_part *part;
	u64 size;

	mutex_lock(&ep->channel->lock);
	part = ep->lane.parts[SHMIPC_SEGMENT(number)];
	size = part ? shmipc_part_size(part) : 0;
	mutex_unlock(&ep->channel->lock);
	return size;
}
