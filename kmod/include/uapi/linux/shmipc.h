/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmipc: shared pages and a doorbell between two processes
 *
 * SYNOPSIS
 *
 *	int fd = open("/dev/shmipc", O_RDWR | O_CLOEXEC);
 *	ioctl(fd, SHMIPC_IOC_CREATE, &create);          fd is endpoint 0, create.peer_fd endpoint 1
 *	mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, SHMIPC_MMAP(SHMIPC_OWN, SHMIPC_HEAD));
 *	mmap(NULL, size, PROT_READ, MAP_SHARED, fd, SHMIPC_MMAP(SHMIPC_PEER, SHMIPC_HEAD));
 *	ioctl(fd, SHMIPC_IOC_WAIT, seq);
 *	ioctl(fd, SHMIPC_IOC_RING, 0);
 *
 * DESCRIPTION
 *
 * A channel connects two endpoints. Each endpoint owns a lane: memory that it alone may write and
 * that both may read. A lane has a head, fixed at create, and up to SHMIPC_SEGMENTS segments, which
 * its owner adds (GROW) and retires (RETIRE) one by one. The head begins with the words of
 * struct shmipc_words; what stands behind them is the users' affair.
 *
 * An endpoint's file descriptor may be passed on (SCM_RIGHTS, fork). It binds to the process (the
 * mm) of its first writable mapping, once and for good. From any other process a writable mapping
 * is EBUSY and WAIT, RING, KICK, GROW and RETIRE are EPERM; INFO, SEGMENT, poll and read-only
 * mappings work and keep nothing alive.
 *
 * An endpoint dies when its last writable mapping goes (munmap, exec, exit, kill), or, if it never
 * was bound, when its file is closed for the last time. Its peer's waiters are woken and poll says
 * POLLHUP. What the dead side published can still be read. The memory is freed when both are gone.
 * On the dead endpoint itself WAIT, RING, KICK, GROW and RETIRE are EPIPE, for everybody.
 *
 * SLEEPING AND WAKING
 *
 * `seq` is odd while its owner sleeps and takes a new value for every sleep; `rung` is the value of
 * the peer's seq that its owner has taken the duty to wake. A sleeper stores a new odd seq, issues
 * a full barrier, looks once more for what it waits for, and calls WAIT with that value. A waker
 * publishes, issues a full barrier, loads the peer's seq and, if it is odd and not its own rung,
 * stores it there and calls RING. No other order of these steps is free of lost wake-ups.
 *
 * poll() reports POLLIN ("look at the lane") when the endpoint's seq is even, when the peer's rung
 * equals it, and when the peer is dead; the last with POLLHUP. It never reports anything else.
 *
 * ERRORS common to all calls
 *
 *	ENOTTY   unknown command
 *	EINVAL   an unknown flag, a reserved field that is not zero, or a file that is no endpoint yet
 *	EFAULT   the argument cannot be read or written
 */
#ifndef _UAPI_LINUX_SHMIPC_H
#define _UAPI_LINUX_SHMIPC_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of this interface, reported by INFO. It grows only when something is added. */
#define SHMIPC_ABI 1

/* Most segments of one lane; their numbers are 0 to SHMIPC_SEGMENTS - 1. */
#define SHMIPC_SEGMENTS 32

/**
 * struct shmipc_words - the first words of a lane's head, written by the lane's owner only
 * @seq: bit 0: asleep; the other bits take a new value for every sleep
 * @rung: the peer's seq that this endpoint has taken the duty to wake
 */
struct shmipc_words {
	__u32 seq;
	__u32 rung;
};

/*
 * mmap() takes a part of a lane, whole: the offset names it, the length is its size. Own parts may
 * be mapped readable and writable, or readable; the peer's only readable, for good. Every mapping
 * is MAP_SHARED, never executable (EPERM), is not inherited over fork, cannot grow, and is not
 * dumped with a core.
 *
 *	EACCES   a writable mapping of the peer's lane
 *	EBUSY    a writable mapping, and the endpoint is bound to another process
 *	EPERM    PROT_EXEC
 *	EINVAL   MAP_PRIVATE, a length that is not the part's size, an offset inside a part
 *	ENOENT   no such part, or retired
 *	EPIPE    a writable mapping, and this endpoint is dead
 */
#define SHMIPC_OWN 0u
#define SHMIPC_PEER 1u
#define SHMIPC_HEAD 0u
#define SHMIPC_SEGMENT(number) ((number) + 1u)
#define SHMIPC_MMAP_PEER_SHIFT 40
#define SHMIPC_MMAP_PART_SHIFT 41
#define SHMIPC_MMAP(lane, part) \
	(((__u64)(part) << SHMIPC_MMAP_PART_SHIFT) | ((__u64)(lane) << SHMIPC_MMAP_PEER_SHIFT))

/**
 * struct shmipc_ioc_create - SHMIPC_IOC_CREATE: make a channel; this file becomes endpoint 0
 * @head_size: in: bytes of the head of endpoint 0's and endpoint 1's lane; whole pages, at least one
 * @lane_max: in: limit in bytes for each lane, its head included; at least the head's size
 * @flags: in: none are known; 0
 * @peer_fd: out: endpoint 1, opened close-on-exec
 * @reserved: in: 0
 *
 * The pages of both heads are there, zeroed and charged to the caller (its memory cgroup and its
 * user) when the call returns.
 *
 * EBUSY: this file is an endpoint already. EINVAL: sizes. ENOMEM: no memory. EDQUOT: the user's
 * limit (module parameter max_user_bytes). ENOSPC: the module's limits (max_bytes, max_channels).
 * EMFILE, ENFILE: no descriptor for the peer; nothing was made.
 */
struct shmipc_ioc_create {
	__u64 head_size[2];
	__u64 lane_max[2];
	__u32 flags;
	__s32 peer_fd;
	__u64 reserved[4];
};

/**
 * struct shmipc_ioc_wait - SHMIPC_IOC_WAIT_UNTIL: WAIT or RING_WAIT with a deadline
 * @deadline_ns: in: absolute CLOCK_MONOTONIC time in nanoseconds, as the kernel's own (initial) time
 *	namespace counts it
 * @seq: in: as the argument of WAIT
 * @flags: in: SHMIPC_WAIT_RING: ring the peer first, as RING_WAIT does
 * @reserved: in: 0
 *
 * ETIMEDOUT: the deadline passed. Else as WAIT.
 */
struct shmipc_ioc_wait {
	__u64 deadline_ns;
	__u32 seq;
	__u32 flags;
	__u64 reserved[2];
};
#define SHMIPC_WAIT_RING (1u << 0)

/**
 * struct shmipc_ioc_grow - SHMIPC_IOC_GROW: add a segment to the own lane
 * @size: in: bytes; whole pages, at least one
 * @segment: in: its number, below SHMIPC_SEGMENTS and not in use
 * @flags: in: none are known; 0
 *
 * The pages are there, zeroed and charged to the caller when the call returns. A segment's charge
 * is released when it was retired (or its channel is gone) and its last mapping is gone.
 *
 * EEXIST: the number is in use, or was retired and is still mapped somewhere. EPERM: not the bound
 * process. EPIPE: this endpoint is dead. EFBIG: beyond lane_max. ENOMEM, EDQUOT, ENOSPC: as CREATE.
 */
struct shmipc_ioc_grow {
	__u64 size;
	__u32 segment;
	__u32 flags;
};

/**
 * struct shmipc_ioc_segment - SHMIPC_IOC_SEGMENT: the size of a segment
 * @lane: in: SHMIPC_OWN or SHMIPC_PEER
 * @segment: in: its number
 * @size: out: bytes
 *
 * ENOENT: no such segment, or it was retired.
 */
struct shmipc_ioc_segment {
	__u32 lane;
	__u32 segment;
	__u64 size;
};

/**
 * struct shmipc_ioc_info - SHMIPC_IOC_INFO: who and what an endpoint is
 * @abi: out: SHMIPC_ABI of the module
 * @features: out: none are defined yet; 0
 * @endpoint: out: 0 or 1
 * @state: out: SHMIPC_STATE_* bits
 * @pid: out: the own bound process as the caller's pid namespace sees it; 0: none, or not visible
 * @peer_pid: out: the peer's, likewise
 * @peer_uid: out: effective user of the peer when it bound, in the caller's user namespace
 * @peer_gid: out: effective group, likewise
 * @head_size: out: bytes of the own [0] and the peer's [1] head
 * @lane_size: out: bytes of the own and the peer's lane now, retired segments still mapped included
 * @lane_max: out: their limits
 * @rings: out: rings that reached the peer, by the own [0] and the peer's [1] side
 * @sleeps: out: waits that went to sleep, of the own and the peer's side
 * @id: out: number of the channel, unique until the module is unloaded
 * @segments: out: SHMIPC_SEGMENTS of the module
 * @reserved: out: 0
 */
struct shmipc_ioc_info {
	__u32 abi;
	__u32 features;
	__u32 endpoint;
	__u32 state;
	__s32 pid;
	__s32 peer_pid;
	__u32 peer_uid;
	__u32 peer_gid;
	__u64 head_size[2];
	__u64 lane_size[2];
	__u64 lane_max[2];
	__u64 rings[2];
	__u64 sleeps[2];
	__u64 id;
	__u32 segments;
	__u32 reserved;
};
#define SHMIPC_STATE_BOUND (1u << 0)
#define SHMIPC_STATE_DEAD (1u << 1)
#define SHMIPC_STATE_PEER_BOUND (1u << 2)
#define SHMIPC_STATE_PEER_DEAD (1u << 3)

#define SHMIPC_IOC_MAGIC 0xE7

#define SHMIPC_IOC_CREATE _IOWR(SHMIPC_IOC_MAGIC, 0x00, struct shmipc_ioc_create)
#define SHMIPC_IOC_INFO _IOR(SHMIPC_IOC_MAGIC, 0x01, struct shmipc_ioc_info)
#define SHMIPC_IOC_GROW _IOW(SHMIPC_IOC_MAGIC, 0x02, struct shmipc_ioc_grow)
#define SHMIPC_IOC_SEGMENT _IOWR(SHMIPC_IOC_MAGIC, 0x03, struct shmipc_ioc_segment)

/*
 * SHMIPC_IOC_RETIRE: take a segment out of the own lane. The argument is its number, by value.
 * It cannot be mapped any more; what is mapped stays, and stays charged, until it is unmapped.
 *
 * ENOENT: no such segment. EPERM: not the bound process.
 */
#define SHMIPC_IOC_RETIRE _IO(SHMIPC_IOC_MAGIC, 0x04)

/*
 * SHMIPC_IOC_WAIT: sleep until the peer has rung for the own seq. The argument is that seq, by
 * value. Returns 0 when the peer's rung equals it, and also when the own seq is no longer that
 * value (another thread withdrew it, and may have said so with KICK). One thread of an endpoint may
 * wait at a time. A full barrier.
 *
 * What is true at the same time is reported in this order: rung or withdrawn, dead, signal, deadline.
 *
 * EPIPE: the peer is dead. EINTR: a signal whose handler was installed without SA_RESTART; else the
 * call restarts by itself. EINVAL: an even value, or more than 32 bits. EBUSY: another thread waits.
 * EPERM: not the bound process.
 */
#define SHMIPC_IOC_WAIT _IO(SHMIPC_IOC_MAGIC, 0x10)

/*
 * SHMIPC_IOC_RING: wake the peer, which the own rung says is to be woken. The argument is 0. A full
 * barrier. A value of rung that was rung for before is ignored, so that a restart rings once.
 *
 * EPIPE: the peer is dead. EPERM: not the bound process.
 */
#define SHMIPC_IOC_RING _IO(SHMIPC_IOC_MAGIC, 0x11)

/*
 * SHMIPC_IOC_RING_WAIT: RING, then WAIT, in one call: the scheduler is told that the caller is
 * about to sleep, and may hand its processor over. The argument is as of WAIT. A dead peer is
 * EPIPE unless the wait is satisfied already.
 */
#define SHMIPC_IOC_RING_WAIT _IO(SHMIPC_IOC_MAGIC, 0x12)

#define SHMIPC_IOC_WAIT_UNTIL _IOW(SHMIPC_IOC_MAGIC, 0x13, struct shmipc_ioc_wait)

/*
 * SHMIPC_IOC_KICK: wake the own endpoint's waiter, so that it sees that its seq was withdrawn. The
 * argument is 0. A full barrier. EPERM: not the bound process.
 */
#define SHMIPC_IOC_KICK _IO(SHMIPC_IOC_MAGIC, 0x14)

#endif /* _UAPI_LINUX_SHMIPC_H */
