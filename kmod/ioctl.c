// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: the ioctls: arguments in, checked; results out
 *
 * All that touches user memory outside the lanes is here, and no lock is held here. Arguments are
 * copied once and checked whole before anything is done: every unknown flag and every reserved
 * field that is not zero is -EINVAL, and comes before what depends on the endpoint's state.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

/* The layouts are for ever. */
static_assert(sizeof(struct shmipc_words) == 8);
static_assert(sizeof(struct shmipc_ioc_create) == 72);
static_assert(sizeof(struct shmipc_ioc_wait) == 32);
static_assert(sizeof(struct shmipc_ioc_grow) == 16);
static_assert(sizeof(struct shmipc_ioc_segment) == 16);
static_assert(sizeof(struct shmipc_ioc_info) == 128);

/* Whole pages, at least one, and small enough for an mmap offset. */
static bool size_is_valid(u64 size)
{
	return size && PAGE_ALIGNED(size) && size <= BIT_ULL(SHMIPC_MMAP_PEER_SHIFT);
}

static bool create_is_valid(const struct shmipc_ioc_create *args)
{
	unsigned int i;

	if (args->flags || memchr_inv(args->reserved, 0, sizeof(args->reserved)))
		return false;
	for (i = 0; i < 2; i++) {
		if (!size_is_valid(args->head_size[i]) || args->lane_max[i] < args->head_size[i])
			return false;
	}
	return true;
}

/*
 * The new channel belongs to this function until both files have their references. From get_file()
 * on, endpoint 1's file releases its endpoint by itself; endpoint 0 is published by the cmpxchg, of
 * which only one of several threads that try can win. The descriptor is installed last.
 */
static long create_channel(struct file *file, struct shmipc_ioc_create __user *argp)
{
	struct shmipc_ioc_create args;
	struct shmipc_channel *channel;
	struct file *peer_file;
	long err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (!create_is_valid(&args))
		return -EINVAL;
	if (READ_ONCE(file->private_data))
		return -EBUSY;

	args.peer_fd = get_unused_fd_flags(O_CLOEXEC);
	if (args.peer_fd < 0)
		return args.peer_fd;
	channel = shmipc_channel_create(&args);
	if (IS_ERR(channel)) {
		err = PTR_ERR(channel);
		goto err_put_fd;
	}
	peer_file = anon_inode_getfile("[shmipc]", &shmipc_fops, &channel->endpoint[1], O_RDWR);
	if (IS_ERR(peer_file)) {
		err = PTR_ERR(peer_file);
		goto err_put_channel;
	}
	refcount_inc(&channel->files);

	err = -EFAULT;
	if (copy_to_user(argp, &args, sizeof(args)))
		goto err_put_file;
	err = -EBUSY;
	if (cmpxchg(&file->private_data, NULL, &channel->endpoint[0]))
		goto err_put_file;
	trace_shmipc_create(channel);
	fd_install(args.peer_fd, peer_file);
	return 0;

err_put_file:
	fput(peer_file);
err_put_channel:
	shmipc_channel_put(channel);
err_put_fd:
	put_unused_fd(args.peer_fd);
	return err;
}

static long get_info(struct shmipc_endpoint *ep, struct shmipc_ioc_info __user *argp)
{
	struct shmipc_ioc_info info = {};

	shmipc_endpoint_info(ep, &info);
	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

static long grow_lane(struct shmipc_endpoint *ep, const struct shmipc_ioc_grow __user *argp)
{
	struct shmipc_ioc_grow args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || !size_is_valid(args.size) || args.segment >= SHMIPC_SEGMENTS)
		return -EINVAL;
	return shmipc_endpoint_check_caller(ep) ?: shmipc_lane_grow(ep, args.segment, args.size);
}

static long retire_segment(struct shmipc_endpoint *ep, unsigned long number)
{
	int err = shmipc_endpoint_check_caller(ep);

	if (err)
		return err;
	return number < SHMIPC_SEGMENTS ? shmipc_lane_retire(ep, number) : -ENOENT;
}

static long get_segment(struct shmipc_endpoint *ep, struct shmipc_ioc_segment __user *argp)
{
	struct shmipc_ioc_segment args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.lane > SHMIPC_PEER)
		return -EINVAL;
	if (args.segment >= SHMIPC_SEGMENTS)
		return -ENOENT;
	args.size = shmipc_segment_size(args.lane == SHMIPC_OWN ? ep : ep->peer, args.segment);
	if (!args.size)
		return -ENOENT;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

static long wait_until(struct shmipc_endpoint *ep, const struct shmipc_ioc_wait __user *argp)
{
	struct shmipc_ioc_wait args;
	ktime_t deadline;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (!(args.seq & 1) || args.flags & ~SHMIPC_WAIT_RING ||
	    memchr_inv(args.reserved, 0, sizeof(args.reserved)))
		return -EINVAL;
	err = shmipc_endpoint_check_caller(ep);
	if (err)
		return err;
	deadline = ns_to_ktime(min_t(u64, args.deadline_ns, KTIME_MAX));
	if (args.flags & SHMIPC_WAIT_RING)
		return shmipc_doorbell_ring_wait(ep, args.seq, &deadline);
	return shmipc_doorbell_wait(ep, args.seq, &deadline);
}

/* WAIT and RING_WAIT. */
static long wait_for_ring(struct shmipc_endpoint *ep, unsigned long seq, bool ring)
{
	int err;

	if (!(seq & 1) || seq > U32_MAX)
		return -EINVAL;
	err = shmipc_endpoint_check_caller(ep);
	if (err)
		return err;
	if (ring)
		return shmipc_doorbell_ring_wait(ep, seq, NULL);
	return shmipc_doorbell_wait(ep, seq, NULL);
}

static long ring_peer(struct shmipc_endpoint *ep, unsigned long arg)
{
	if (arg)
		return -EINVAL;
	return shmipc_endpoint_check_caller(ep) ?: shmipc_doorbell_ring(ep, false);
}

static long kick_waiter(struct shmipc_endpoint *ep, unsigned long arg)
{
	int err;

	if (arg)
		return -EINVAL;
	err = shmipc_endpoint_check_caller(ep);
	if (!err)
		shmipc_doorbell_kick(ep);
	return err;
}

/* All but RING_WAIT, which alone is so frequent that a jump and a stack frame count. */
static noinline long dispatch(struct file *file, struct shmipc_endpoint *ep, unsigned int cmd,
			      unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case SHMIPC_IOC_CREATE:
		return create_channel(file, argp);
	case SHMIPC_IOC_INFO:
		return ep ? get_info(ep, argp) : -EINVAL;
	case SHMIPC_IOC_GROW:
		return ep ? grow_lane(ep, argp) : -EINVAL;
	case SHMIPC_IOC_SEGMENT:
		return ep ? get_segment(ep, argp) : -EINVAL;
	case SHMIPC_IOC_RETIRE:
		return ep ? retire_segment(ep, arg) : -EINVAL;
	case SHMIPC_IOC_RING_WAIT:
		return -EINVAL;
	case SHMIPC_IOC_WAIT:
		return ep ? wait_for_ring(ep, arg, false) : -EINVAL;
	case SHMIPC_IOC_RING:
		return ep ? ring_peer(ep, arg) : -EINVAL;
	case SHMIPC_IOC_WAIT_UNTIL:
		return ep ? wait_until(ep, argp) : -EINVAL;
	case SHMIPC_IOC_KICK:
		return ep ? kick_waiter(ep, arg) : -EINVAL;
	default:
		return -ENOTTY;
	}
}

/**
 * shmipc_file_ioctl() - the ioctl file operation; linux/shmipc.h has the commands and errors
 * @file: of the device or of an endpoint 1
 * @cmd: SHMIPC_IOC_*
 * @arg: a value, or a user pointer, as @cmd says
 *
 * Return: 0 or -errno.
 */
long shmipc_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct shmipc_endpoint *ep = READ_ONCE(file->private_data);

	if (likely(cmd == SHMIPC_IOC_RING_WAIT && ep))
		return wait_for_ring(ep, arg, true);
	return dispatch(file, ep, cmd, arg);
}
