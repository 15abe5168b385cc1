// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: parts in address spaces
 *
 * A mapping shows one part, whole. All its pages are entered at once; the fault handler only puts a
 * page back that its own process has thrown out of the page tables (MADV_DONTNEED), so no access to
 * a lane ever fails or allocates shared memory.
 *
 * What keeps a reader a reader: a mapping that is not made writable loses VM_MAYWRITE, so that
 * mprotect() cannot make it so, and being a shared one it is refused to those who write into other
 * processes (ptrace, /proc/PID/mem). VM_MAYWRITE therefore is the mark of a writable mapping of the
 * own lane, and stays on it whatever mprotect() does in between.
 *
 * Which mappings keep an endpoint alive: writable ones in the mm it is bound to. Splitting is
 * refused, growing too (VM_DONTEXPAND), and fork leaves mappings out (VM_DONTCOPY), so that ->open
 * is called when a mapping moves, for the new place before ->close for the old one. A process may ask
 * for copies in its children nevertheless (MADV_DOFORK): such a copy has no pages, since ours are
 * ordinary ones that a fault could enter (no VM_MIXEDMAP), and ->fault enters none in a writable one.
 *
 * Locking: all is called with mmap_lock held for writing, but ->fault; channel->lock nests inside.
 * A mapping holds its file, hence the endpoint and the channel, and a reference to its part
 * (vm_private_data).
 */
#include <linux/fs.h>
#include <linux/mm.h>

#include "compat.h"
#include "internal.h"

/* Whether @vma is one of those that keep its endpoint alive. */
static bool counts_locked(const struct shmipc_endpoint *ep, const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_MAYWRITE) && vma->vm_mm == ep->mm;
}

static void open_mapping(struct vm_area_struct *vma)
{
	struct shmipc_endpoint *ep = vma->vm_file->private_data;
	struct shmipc_part *part = vma->vm_private_data;

	mutex_lock(&ep->channel->lock);
	part->refs++;
	if (counts_locked(ep, vma))
		ep->mappings++;
	mutex_unlock(&ep->channel->lock);
}

static void close_mapping(struct vm_area_struct *vma)
{
	struct shmipc_endpoint *ep = vma->vm_file->private_data;
	LIST_HEAD(dying);

	mutex_lock(&ep->channel->lock);
	shmipc_part_put_locked(vma->vm_private_data, &dying);
	if (counts_locked(ep, vma))
		shmipc_endpoint_unmap_locked(ep, &dying);
	mutex_unlock(&ep->channel->lock);

	shmipc_part_destroy_all(&dying);
}

static int refuse_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static vm_fault_t fault_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct shmipc_endpoint *ep = vma->vm_file->private_data;
	struct shmipc_part *part = vma->vm_private_data;
	unsigned long index = vmf->pgoff - vma->vm_pgoff;

	if ((vma->vm_flags & VM_MAYWRITE) && vma->vm_mm != READ_ONCE(ep->mm))
		return VM_FAULT_SIGBUS;
	if (index >= part->count)
		return VM_FAULT_SIGBUS;
	vmf->page = part->pages[index];
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct mapping_ops = {
	.open = open_mapping,
	.close = close_mapping,
	.may_split = refuse_split,
	.fault = fault_page,
};

/* Map @part, whole, into @vma and count the mapping; or fail and count nothing. */
static int map_part_locked(struct shmipc_endpoint *ep, struct shmipc_part *part,
			   struct vm_area_struct *vma)
{
	unsigned long count = part->count;
	int err;

	if (vma_pages(vma) != count)
		return -EINVAL;
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_mod(vma, 0, VM_MAYWRITE);
	err = vm_insert_pages(vma, vma->vm_start, part->pages, &count);
	if (err)
		return err;
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC | VM_MIXEDMAP);

	part->refs++;
	vma->vm_private_data = part;
	vma->vm_ops = &mapping_ops;
	if (vma->vm_flags & VM_WRITE)
		shmipc_endpoint_bind_locked(ep);
	return 0;
}

/**
 * shmipc_file_mmap() - the mmap file operation; linux/shmipc.h has the rules and errors
 * @file: of the device or of an endpoint 1
 * @vma: the mapping to be
 *
 * Return: 0 or -errno.
 */
int shmipc_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct shmipc_endpoint *ep = READ_ONCE(file->private_data);
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 number = offset >> SHMIPC_MMAP_PART_SHIFT;
	bool peer = offset & BIT_ULL(SHMIPC_MMAP_PEER_SHIFT);
	struct shmipc_lane *lane;
	int err = 0;

	if (!ep || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (peer && (vma->vm_flags & VM_WRITE))
		return -EACCES;
	if (offset & (BIT_ULL(SHMIPC_MMAP_PEER_SHIFT) - 1))
		return -EINVAL;
	if (number >= SHMIPC_PARTS)
		return -ENOENT;

	mutex_lock(&ep->channel->lock);
	lane = peer ? &ep->peer->lane : &ep->lane;
	if (vma->vm_flags & VM_WRITE)
		err = shmipc_endpoint_check_bind_locked(ep);
	if (!err)
		err = lane->parts[number] ? map_part_locked(ep, lane->parts[number], vma) : -ENOENT;
	mutex_unlock(&ep->channel->lock);
	return err;
}
