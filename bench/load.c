// SPDX-License-Identifier: Apache-2.0
/* Other work for the processors, so that a transport can be seen on a host that is busy: one spinning process each. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static pid_t load[CPU_SETSIZE];

static void __attribute__((noreturn)) spin_on(int cpu)
{
	volatile unsigned long turns = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || sched_setaffinity(0, sizeof(set), &set))
		_exit(1);
	for (;;)
		turns++;
}

int load_start(void)
{
	cpu_set_t allowed;
	int cpu;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || load[cpu])
			continue;
		load[cpu] = fork();
		if (!load[cpu])
			spin_on(cpu);
		if (load[cpu] < 0) {
			load[cpu] = 0;
			return -errno;
		}
	}
	return 0;
}

void load_stop(void)
{
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!load[cpu])
			continue;
		kill(load[cpu], SIGKILL);
		waitpid(load[cpu], NULL, 0);
		load[cpu] = 0;
	}
}
