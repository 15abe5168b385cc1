// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: the pages of a part
 *
 * A part's pages are all there, zeroed and charged before anybody can map it, so that no access to
 * it can fail later. They are single pages with a reference count each: what pins one (a direct
 * read into it under way, a registered buffer) keeps that page, and no more, when the part is
 * freed.
 *
 * No lock is held here and none is needed: a part is created before it is published and destroyed
 * after its last reference went.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

static void free_pages_of(struct shmipc_part *part)
{
	while (part->count) {
		put_page(part->pages[--part->count]);
		cond_resched();
	}
}

static int alloc_pages_of(struct shmipc_part *part, unsigned long count)
{
	while (part->count < count) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_page(SHMIPC_GFP | __GFP_ZERO);
		if (!page)
			return -ENOMEM;
		part->pages[part->count++] = page;
		cond_resched();
	}
	return 0;
}

/**
 * shmipc_part_create() - allocate a part and charge it to the caller
 * @lane: whose part it will be
 * @number: its number there
 * @size: bytes; whole pages, at least one
 *
 * Context: process, may sleep long; no lock held.
 * Return: a part with one reference and in no table, or ERR_PTR() of -ENOMEM, -EDQUOT, -ENOSPC, or
 * -EINTR if the caller is being killed.
 */
struct shmipc_part *shmipc_part_create(struct shmipc_lane *lane, unsigned int number, u64 size)
{
	unsigned long count = size >> PAGE_SHIFT;
	struct shmipc_user *user;
	struct shmipc_part *part;
	int err;

	err = shmipc_user_charge(size, &user);
	if (err)
		return ERR_PTR(err);

	err = -ENOMEM;
	part = kvzalloc(struct_size(part, pages, count), SHMIPC_GFP);
	if (!part)
		goto err_uncharge;
	err = alloc_pages_of(part, count);
	if (err)
		goto err_free;

	part->user = user;
	part->lane = lane;
	part->number = number;
	part->refs = 1;
	return part;

err_free:
	free_pages_of(part);
	kvfree(part);
err_uncharge:
	shmipc_user_uncharge(user, size);
	return ERR_PTR(err);
}

/**
 * shmipc_part_destroy() - free a part and release its charge
 * @part: without references, or never published
 *
 * Context: process, may sleep; no lock held.
 */
void shmipc_part_destroy(struct shmipc_part *part)
{
	struct shmipc_user *user = part->user;
	u64 size = shmipc_part_size(part);

	free_pages_of(part);
	kvfree(part);
	shmipc_user_uncharge(user, size);
}

/**
 * shmipc_part_destroy_all() - destroy what shmipc_part_put_locked() has collected
 * @dying: list of parts; must not be used any more afterwards
 */
void shmipc_part_destroy_all(struct list_head *dying)
{
	struct shmipc_part *part, *next;

	list_for_each_entry_safe(part, next, dying, dying)
		shmipc_part_destroy(part);
}
