// SPDX-License-Identifier: Apache-2.0
/*
 * late_store.c - the store buffers, one a thread, of late_store.h
 */
#include <sched.h>
#include <stddef.h>

#include "pause.h"
#include "shm/atomics.h"

void late_store(_Atomic uint32_t *word, uint32_t value);
void late_drain(void);
void late_pause(void);
void late_drain_all(void);

static _Thread_local struct {
	_Atomic uint32_t *word;
	uint32_t value;
} pending;

/* Stores that are pending, in all threads. */
static _Atomic int held;

void late_drain(void)
{
	if (!pending.word)
		return;
	store_release(pending.word, pending.value);
	pending.word = NULL;
	atomic_fetch_sub(&held, 1);
}

void late_store(_Atomic uint32_t *word, uint32_t value)
{
	late_drain();
	pending.word = word;
	pending.value = value;
	atomic_fetch_add(&held, 1);
}

void late_pause(void)
{
	pause_once_in(64, 150000);
}

void late_drain_all(void)
{
	late_drain();
	while (atomic_load(&held))
		sched_yield();
	full_barrier();
}
