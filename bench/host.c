// SPDX-License-Identifier: Apache-2.0
/*
 * What a reader has to know about the machine to judge the figures: kernel, processor, clock, and above all whether
 * the processor is a real one.
 */
#include "host.h"

#include <jansson.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "ticks.h"

#if defined(__x86_64__)
#include <cpuid.h>

static void read_hypervisor(struct host *host)
{
	unsigned int a, b, c, d;
	char name[13] = "";

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 31)))
		return;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	host->emulated = !strcmp(name, "TCGTCGTCGTCG");
	snprintf(host->hypervisor, sizeof(host->hypervisor), "%s",
		 host->emulated ? "QEMU TCG" : !strcmp(name, "KVMKVMKVM") ? "KVM" : name);
}
#else
static void read_hypervisor(struct host *host)
{
	(void)host;
}
#endif

/* The first line of @path into @out, without its newline; empty when it cannot be read. */
static void read_line(const char *path, char *out, int size)
{
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (!f)
		return;
	if (!fgets(out, size, f))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

static void read_cpu_model(struct host *host)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512], *value;

	snprintf(host->cpu, sizeof(host->cpu), "unknown");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10) || !(value = strchr(line, ':')))
			continue;
		value += 1 + strspn(value + 1, " ");
		value[strcspn(value, "\n")] = '\0';
		snprintf(host->cpu, sizeof(host->cpu), "%.*s", (int)sizeof(host->cpu) - 1, value);
		break;
	}
	fclose(f);
}

static bool same_core(int a, int b)
{
	char path[96], sibling_a[128], sibling_b[128];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", a);
	read_line(path, sibling_a, sizeof(sibling_a));
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", b);
	read_line(path, sibling_b, sizeof(sibling_b));
	return sibling_a[0] && !strcmp(sibling_a, sibling_b);
}

static void choose_cpus(struct host *host)
{
	cpu_set_t allowed;
	int cpu;

	host->first_cpu = 0;
	host->second_cpu = -1;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &allowed); cpu++)
		;
	host->first_cpu = cpu;
	for (cpu++; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		if (host->second_cpu < 0)
			host->second_cpu = cpu;
		if (!same_core(host->first_cpu, cpu)) {
			host->second_cpu = cpu;
			break;
		}
	}
}

void host_describe(struct host *host)
{
	time_t now = time(NULL);
	struct utsname u;
	struct tm tm;

	memset(host, 0, sizeof(*host));
	if (!uname(&u)) {
		snprintf(host->name, sizeof(host->name), "%.*s", (int)sizeof(host->name) - 1, u.nodename);
		snprintf(host->kernel, sizeof(host->kernel), "%.20s %.*s", u.sysname, 70, u.release);
		snprintf(host->machine, sizeof(host->machine), "%.*s", (int)sizeof(host->machine) - 1, u.machine);
	}
	host->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (getloadavg(&host->load, 1) != 1)
		host->load = 0;
	if (gmtime_r(&now, &tm))
		strftime(host->date, sizeof(host->date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	read_line("/sys/module/shmipc/version", host->module, sizeof(host->module));
	read_cpu_model(host);
	read_hypervisor(host);
	choose_cpus(host);
}

void host_print(const struct host *host, FILE *out)
{
	fprintf(out, "shmipc-bench %s   %s %s   %s\n", BENCH_VERSION, host->kernel, host->machine, host->date);
	fprintf(out, "cpu: %s, %u online%s%s\n", host->cpu, host->cpus, host->hypervisor[0] ? ", hypervisor " : "",
		host->hypervisor);
	fprintf(out, "clock: %s\n", ticks_clock.description);
	if (host->load > 0.5 * host->cpus && !ticks_clock.instructions)
		fprintf(out, "NOTE: this host was busy before the bench began (load %.2f): times will be worse than they need be.\n",
			host->load);
	if (!host->emulated)
		return;
	fprintf(out, "\n"
		"  **********************************************************************************\n"
		"  *  EMULATED PROCESSOR: QEMU executes every instruction in software (TCG).        *\n"
		"  *  Times are 10 to 50 times those of a real machine and do not scale evenly.     *\n"
		"  *  %-76s  *\n"
		"  **********************************************************************************\n",
		ticks_clock.instructions ? "Only instr/msg means something here: it is exact and repeatable."
					 : "Use them to see THAT it works; compare nothing by them.");
}

struct json_t *host_to_json(const struct host *host)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:f, s:b, s:b, s:s?, s:s?, s:s, s:f, s:s}",
			 "name", host->name, "kernel", host->kernel, "machine", host->machine, "cpu", host->cpu,
			 "cpus", (int)host->cpus, "clock", ticks_clock.description,
			 "clock_hz", ticks_clock.per_ns * 1e9, "instruction_clock", ticks_clock.instructions,
			 "emulated", host->emulated, "hypervisor", host->hypervisor[0] ? host->hypervisor : NULL,
			 "module", host->module[0] ? host->module : NULL, "date", host->date, "load", host->load, "version", BENCH_VERSION);
}
