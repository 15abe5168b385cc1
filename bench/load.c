// SPDX-License-Identifier: Apache-2.0
/* Other work for the processors, so that a transport can be seen on a host that is busy: processes that spin. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static pid_t load[LOAD_MOST];
static unsigned int running;

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

unsigned int load_all(void)
{
	cpu_set_t allowed;

	return sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 : CPU_COUNT(&allowed);
}

/* The processors in the order in which they are loaded: of the sides first. Returns how many. */
static unsigned int order_cpus(int order[CPU_SETSIZE], const int cpu[2])
{
	unsigned int count = 0;
	cpu_set_t left;
	int i;

	if (sched_getaffinity(0, sizeof(left), &left))
		return 0;
	for (i = 1; i >= 0; i--) {
		if (cpu[i] < 0 || !CPU_ISSET(cpu[i], &left))
			continue;
		order[count++] = cpu[i];
		CPU_CLR(cpu[i], &left);
	}
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &left))
			order[count++] = i;
	return count;
}

int load_set(unsigned int count, const int cpu[2])
{
	int order[CPU_SETSIZE];
	unsigned int cpus;

	for (; running > count; running--) {
		kill(load[running - 1], SIGKILL);
		waitpid(load[running - 1], NULL, 0);
	}
	if (running == count)
		return 0;
	cpus = order_cpus(order, cpu);
	for (; cpus && running < count; running++) {
		load[running] = fork();
		if (!load[running])
			spin_on(order[running % cpus]);
		if (load[running] < 0)
			return -errno;
	}
	return cpus ? 0 : -EINVAL;
}
