// SPDX-License-Identifier: GPL-2.0
/*
 * shmipc: what can be asked about an endpoint
 *
 * INFO and fdinfo are answered to everybody who holds, or may look at, the file, bound or not. They
 * take channel->lock, so that sizes and states of one answer belong together; counters are read as
 * they are.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>

#include "internal.h"

static u32 own_state_locked(const struct shmipc_endpoint *ep)
{
	return (ep->pid ? SHMIPC_STATE_BOUND : 0) |
	       (shmipc_endpoint_dead(ep) ? SHMIPC_STATE_DEAD : 0);
}

/**
 * shmipc_endpoint_info() - fill in the answer to INFO
 * @ep: the endpoint
 * @info: zeroed by the caller
 *
 * Context: process, may sleep; no lock held. Numbers are as the caller's namespaces see them.
 */
void shmipc_endpoint_info(struct shmipc_endpoint *ep, struct shmipc_ioc_info *info)
{
	struct shmipc_endpoint *side[2] = { ep, ep->peer };
	struct user_namespace *ns = current_user_ns();
	unsigned int i;

	mutex_lock(&ep->channel->lock);
	info->abi = SHMIPC_ABI;
	info->endpoint = shmipc_endpoint_index(ep);
	info->state = own_state_locked(ep);
	if (own_state_locked(ep->peer) & SHMIPC_STATE_BOUND)
		info->state |= SHMIPC_STATE_PEER_BOUND;
	if (own_state_locked(ep->peer) & SHMIPC_STATE_DEAD)
		info->state |= SHMIPC_STATE_PEER_DEAD;
	info->pid = pid_vnr(ep->pid);
	info->peer_pid = pid_vnr(ep->peer->pid);
	if (ep->peer->pid) {
		info->peer_uid = from_kuid_munged(ns, ep->peer->uid);
		info->peer_gid = from_kgid_munged(ns, ep->peer->gid);
	}
	for (i = 0; i < 2; i++) {
		info->head_size[i] = side[i]->lane.head_size;
		info->lane_size[i] = side[i]->lane.size;
		info->lane_max[i] = side[i]->lane.max;
		info->rings[i] = atomic_long_read(&side[i]->rings);
		info->sleeps[i] = READ_ONCE(side[i]->sleeps);
	}
	info->id = ep->channel->id;
	info->segments = SHMIPC_SEGMENTS;
	mutex_unlock(&ep->channel->lock);
}

static const char *name_state(u32 state)
{
	if (state & SHMIPC_STATE_DEAD)
		return "dead";
	return state & SHMIPC_STATE_BOUND ? "bound" : "new";
}

static void show_segments(struct seq_file *m, const char *whose, const struct shmipc_lane *lane)
{
	unsigned int i;

	for (i = 0; i < SHMIPC_SEGMENTS; i++) {
		const struct shmipc_part *part = lane->parts[SHMIPC_SEGMENT(i)];

		if (part)
			seq_printf(m, "shmipc-%s-segment:\t%u %llu\n", whose, i,
				   shmipc_part_size(part));
	}
}

/**
 * shmipc_file_show_fdinfo() - the show_fdinfo file operation: /proc/PID/fdinfo/FD
 * @m: where to
 * @file: of the device or of an endpoint 1; nothing is shown for one that is no endpoint
 *
 * Programs read this: a line is a key, a colon, a tab, and values separated by single blanks. Two
 * values are the own side's and the peer's. Lines and values keep their meaning for ever, none is
 * taken away, new ones are added at the end; readers skip what they do not know.
 */
void shmipc_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct shmipc_endpoint *ep = READ_ONCE(file->private_data);
	struct shmipc_endpoint *peer;

	if (!ep)
		return;
	peer = ep->peer;
	mutex_lock(&ep->channel->lock);
	seq_printf(m, "shmipc-channel:\t%llu\n", ep->channel->id);
	seq_printf(m, "shmipc-endpoint:\t%u\n", shmipc_endpoint_index(ep));
	seq_printf(m, "shmipc-state:\t%s %s\n", name_state(own_state_locked(ep)),
		   name_state(own_state_locked(peer)));
	seq_printf(m, "shmipc-pid:\t%d %d\n", pid_vnr(ep->pid), pid_vnr(peer->pid));
	seq_printf(m, "shmipc-head:\t%llu %llu\n", ep->lane.head_size, peer->lane.head_size);
	seq_printf(m, "shmipc-lane:\t%llu %llu\n", ep->lane.size, peer->lane.size);
	seq_printf(m, "shmipc-lane-max:\t%llu %llu\n", ep->lane.max, peer->lane.max);
	seq_printf(m, "shmipc-seq:\t%u %u\n", READ_ONCE(ep->words->seq),
		   READ_ONCE(peer->words->seq));
	seq_printf(m, "shmipc-rung:\t%u %u\n", READ_ONCE(ep->words->rung),
		   READ_ONCE(peer->words->rung));
	seq_printf(m, "shmipc-waiting:\t%u %u\n", !!rcu_access_pointer(ep->waiter),
		   !!rcu_access_pointer(peer->waiter));
	seq_printf(m, "shmipc-rings:\t%lu %lu\n", atomic_long_read(&ep->rings),
		   atomic_long_read(&peer->rings));
	seq_printf(m, "shmipc-sleeps:\t%lu %lu\n", READ_ONCE(ep->sleeps), READ_ONCE(peer->sleeps));
	show_segments(m, "own", &ep->lane);
	show_segments(m, "peer", &peer->lane);
	mutex_unlock(&ep->channel->lock);
}
