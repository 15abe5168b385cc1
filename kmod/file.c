// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: the life of a file
 *
 * Two kinds of file share these operations: those of /dev/shmipc, which are no endpoint
 * (private_data is %NULL) until CREATE makes them endpoint 0, for good; and the anonymous ones of
 * endpoints 1, which are born as such. private_data is read without a lock: it changes once, from
 * %NULL, to an endpoint that is complete.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>

#include "internal.h"

static int open_file(struct inode *inode, struct file *file)
{
	file->private_data = NULL;	/* misc_open() has left its device there */
	return 0;
}

static int release_file(struct inode *inode, struct file *file)
{
	struct shmipc_endpoint *ep = file->private_data;

	if (ep)
		shmipc_endpoint_release(ep);
	return 0;
}

static __poll_t poll_file(struct file *file, poll_table *wait)
{
	struct shmipc_endpoint *ep = READ_ONCE(file->private_data);

	if (!ep)
		return EPOLLERR;
	poll_wait(file, &ep->pollers, wait);
	return shmipc_doorbell_poll(ep);
}

const struct file_operations shmipc_fops = {
	.owner = THIS_MODULE,
	.open = open_file,
	.release = release_file,
	.poll = poll_file,
	.mmap = shmipc_file_mmap,
	.unlocked_ioctl = shmipc_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = shmipc_file_show_fdinfo,
};
