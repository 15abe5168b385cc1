// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: what a user, and all users together, may hold
 *
 * Counts bytes of pages for each user and in all, and channels in all, against the module's
 * parameters. Memory cgroups count the same pages on their own, at allocation (pages.c).
 *
 * A charge is taken whole or not at all, under one spinlock, before anything is allocated: no
 * count ever exceeds its limit, not even for a moment, unless the limit was lowered afterwards.
 * Lowering a limit takes nothing away from anybody.
 *
 * A user (by real uid) is in the table exactly while something is charged to him; his bytes are his
 * reference count.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "internal.h"

/**
 * struct shmipc_user - what is charged to one user
 * @uid: the user; set before publish
 * @bytes: bytes charged, never 0 while in the table; users_lock
 * @node: in the table; users_lock
 */
struct shmipc_user {
	kuid_t uid;
	u64 bytes;
	struct hlist_node node;
};

static unsigned long max_user_bytes;
module_param(max_user_bytes, ulong, 0644);
MODULE_PARM_DESC(max_user_bytes, "Bytes of shared pages that one user may hold (0 at load: a quarter of memory)");

static unsigned long max_bytes;
module_param(max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes, "Bytes of shared pages that all users together may hold (0 at load: half of memory)");

static unsigned long max_channels = 65536;
module_param(max_channels, ulong, 0644);
MODULE_PARM_DESC(max_channels, "Channels that may exist at the same time (default 65536)");

static DEFINE_SPINLOCK(users_lock);	/* protects all below; innermost; process context only */
static DEFINE_HASHTABLE(users, 6);
static u64 total_bytes;
static u64 total_channels;

static struct shmipc_user *find_user_locked(kuid_t uid)
{
	struct shmipc_user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

/* Whether @more fits; @used may exceed @max, if that was lowered. */
static bool fits(u64 used, u64 more, unsigned long max)
{
	return used <= max && more <= max - used;
}

/**
 * shmipc_user_charge() - charge the calling user
 * @bytes: how much; not 0
 * @charged: whom; to be given to shmipc_user_uncharge() with the same @bytes
 *
 * Context: process, may sleep.
 * Return: 0, -EDQUOT (the user's limit), -ENOSPC (the limit for all), -ENOMEM.
 */
int shmipc_user_charge(u64 bytes, struct shmipc_user **charged)
{
	struct shmipc_user *user, *fresh;
	int err = 0;

	fresh = kzalloc(sizeof(*fresh), SHMIPC_GFP);
	if (!fresh)
		return -ENOMEM;
	fresh->uid = current_uid();

	spin_lock(&users_lock);
	user = find_user_locked(fresh->uid) ?: fresh;
	if (!fits(user->bytes, bytes, READ_ONCE(max_user_bytes)))
		err = -EDQUOT;
	else if (!fits(total_bytes, bytes, READ_ONCE(max_bytes)))
		err = -ENOSPC;
	if (!err) {
		if (user == fresh) {
			hash_add(users, &user->node, __kuid_val(user->uid));
			fresh = NULL;
		}
		user->bytes += bytes;
		total_bytes += bytes;
		*charged = user;
	}
	spin_unlock(&users_lock);

	kfree(fresh);
	return err;
}

/**
 * shmipc_user_uncharge() - undo shmipc_user_charge()
 * @user: as it was charged; may be freed here
 * @bytes: as they were charged
 */
void shmipc_user_uncharge(struct shmipc_user *user, u64 bytes)
{
	spin_lock(&users_lock);
	total_bytes -= bytes;
	user->bytes -= bytes;
	if (user->bytes)
		user = NULL;
	else
		hash_del(&user->node);
	spin_unlock(&users_lock);

	kfree(user);
}

/**
 * shmipc_channels_charge() - count one more channel
 *
 * Return: 0, or -ENOSPC.
 */
int shmipc_channels_charge(void)
{
	int err = 0;

	spin_lock(&users_lock);
	if (fits(total_channels, 1, READ_ONCE(max_channels)))
		total_channels++;
	else
		err = -ENOSPC;
	spin_unlock(&users_lock);
	return err;
}

/**
 * shmipc_channels_uncharge() - count one channel less
 */
void shmipc_channels_uncharge(void)
{
	spin_lock(&users_lock);
	total_channels--;
	spin_unlock(&users_lock);
}

/**
 * shmipc_limits_init() - choose the limits that were not given at load
 */
void __init shmipc_limits_init(void)
{
	if (!max_user_bytes)
		max_user_bytes = (totalram_pages() / 4) << PAGE_SHIFT;
	if (!max_bytes)
		max_bytes = (totalram_pages() / 2) << PAGE_SHIFT;
}

/**
 * shmipc_limits_exit() - check that nothing was left behind
 */
void __exit shmipc_limits_exit(void)
{
	WARN_ON(total_bytes || total_channels || !hash_empty(users));
}
