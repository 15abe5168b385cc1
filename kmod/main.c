// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: load and unload
 *
 * Every open file, and through it every mapping, holds a reference to the module (fops.owner), so
 * that exit runs when no channel is left, and nothing here runs later on its own: the module has no
 * timer, work item or RCU callback.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "internal.h"

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shmipc",
	.fops = &shmipc_fops,
	.mode = 0600,
};

static int __init shmipc_init(void)
{
	shmipc_limits_init();
	shmipc_doorbell_init();
	return misc_register(&device);
}

static void __exit shmipc_exit(void)
{
	misc_deregister(&device);
	shmipc_limits_exit();
}

module_init(shmipc_init);
module_exit(shmipc_exit);

MODULE_DESCRIPTION("Shared pages and a doorbell between two processes");
MODULE_VERSION(SHMIPC_VERSION);
MODULE_LICENSE("GPL");
