// SPDX-License-Identifier: Apache-2.0
/*
 * unpaid.c - negative control: the waker leaves its barrier out, and the sleeper does not pay for it
 *
 * Step (G) of doorbell.h is left out.
 */
void __wrap_process_membarrier(void);

void __wrap_process_membarrier(void)
{
}
