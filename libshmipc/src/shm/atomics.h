/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomics.h - every access to a shared word goes through here
 *
 * The orders are C11's. full_barrier() orders everything against everything, above all an earlier
 * store against a later load, which no acquire or release does. ThreadSanitizer does not know
 * fences: in its builds a seq_cst read-modify-write stands in for them.
 */
#ifndef SHMIPC_ATOMICS_H
#define SHMIPC_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define SHMIPC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHMIPC_TSAN 1
#endif
#endif
#ifndef SHMIPC_TSAN
#define SHMIPC_TSAN 0
#endif

#define load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)

static inline void full_barrier(void)
{
#if SHMIPC_TSAN
	static _Atomic uint32_t fence;

	atomic_fetch_add_explicit(&fence, 1, memory_order_seq_cst);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/*
 * What is left of full_barrier() where the other side pays for it with membarrier(2): the compiler
 * still may not move a load before an earlier store.
 */
static inline void compiler_barrier(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* Add to a counter that has one writer. */
static inline void count(_Atomic uint64_t *counter, uint64_t n)
{
	store_relaxed(counter, load_relaxed(counter) + n);
}

/* Tell the processor that this is a spin loop. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

/* Ask for a line that is going to be read; any address will do. */
static inline void prefetch_read(const void *p)
{
	__builtin_prefetch(p);
}

/*
 * Likewise, to be written: out of every other processor's cache. Of a prefetch to write compilers make one to read, unless they are
 * told what processor it is for; one that does not know the instruction takes it for a nop.
 */
static inline void prefetch_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define cold __attribute__((cold, noinline))
/* Keeps the registers that a larger case needs out of the common one. */
#define apart __attribute__((noinline))

#endif /* SHMIPC_ATOMICS_H */
