// SPDX-License-Identifier: Apache-2.0
/*
 * unmarked.c - negative control: a peer's death wakes its sleeper, which does not find it marked
 *
 * Wake, then mark, is the wrong order: who was woken looks, finds nothing, and sleeps again.
 */
#include "bell/doorbell.h"

#include <time.h>

void __wrap_doorbell_die(struct doorbell *bell);

void __wrap_doorbell_die(struct doorbell *bell)
{
	const struct timespec time = { .tv_nsec = 5000000 };

	doorbell_kick(bell, load_relaxed(&bell->own->seq));
	nanosleep(&time, NULL);
	store_release(&bell->dead, true);
}
