// SPDX-License-Identifier: Apache-2.0
/*
 * unwoken.c - negative control: a peer's death is marked, and its sleeper not woken
 */
#include "bell/doorbell.h"

void __wrap_doorbell_die(struct doorbell *bell);

void __wrap_doorbell_die(struct doorbell *bell)
{
	store_release(&bell->dead, true);
}
