/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shmipc: what differs between the kernels it builds on, 6.1 and newer
 *
 * The only place that asks for the kernel's version. Each entry gives older kernels the name and
 * meaning of the newer one, so that entries can be deleted as old kernels go.
 */
#ifndef SHMIPC_COMPAT_H
#define SHMIPC_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

/* 6.3: flags of a mapping are written through helpers. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/*
 * 6.6: the scheduler (EEVDF) lets a runnable task that calls schedule() wait for those that it owes more, without its
 * having to say for whom. yield_to() does more than that costs, and puts the caller's own turn off for too long.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define SHMIPC_YIELD_BY_NAME 1
#else
#define SHMIPC_YIELD_BY_NAME 0
#endif

#endif /* SHMIPC_COMPAT_H */
