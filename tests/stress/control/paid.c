// SPDX-License-Identifier: Apache-2.0
/*
 * paid.c - positive control: stores are late, and the sleeper's membarrier waits for them, as the real one does
 */
void __wrap_process_membarrier(void);
void late_drain_all(void);

void __wrap_process_membarrier(void)
{
	late_drain_all();
}
