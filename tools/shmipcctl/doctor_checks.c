// SPDX-License-Identifier: Apache-2.0
/*
 * doctor_checks.c - what both backends want of a host
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/membarrier.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor.h"
#include "invariants.h"
#include "module.h"
#include "units.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Slices lent for longer are worth a word. */
#define LENT_MS 60000

__attribute__((format(printf, 3, 4))) static void say(struct doctor_line *line, enum doctor_verdict verdict,
						      const char *format, ...)
{
	va_list arguments;

	line->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(line->text, sizeof(line->text), format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void advise(struct doctor_line *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line->command, sizeof(line->command), format, arguments);
	va_end(arguments);
}

static void check_memfd(const struct channel_list *list, struct doctor_line *line)
{
	int fd = memfd_create("shmipcctl", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)list;
	if (fd < 0) {
		say(line, DOCTOR_FAIL, "memfd_create: %s; the memfd backend does not work", strerror(errno));
		advise(line, "uname -r    # 5.1 or newer is wanted, and a seccomp filter that lets memfd_create pass");
		return;
	}
	if (ftruncate(fd, 4096) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)) {
		say(line, DOCTOR_FAIL, "memfds cannot be sealed: %s; the memfd backend does not work", strerror(errno));
		advise(line, "uname -r    # 5.1 or newer is wanted");
	} else {
		say(line, DOCTOR_OK, "the memfd backend works: memfds can be made and sealed");
	}
	close(fd);
}

static void check_membarrier(const struct channel_list *list, struct doctor_line *line)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	(void)list;
	if (commands > 0 && commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) {
		say(line, DOCTOR_OK, "senders can leave their barrier to sleepers (membarrier)");
		return;
	}
	say(line, DOCTOR_WARN, "no membarrier: every message pays for a full barrier");
	advise(line, "zgrep MEMBARRIER /proc/config.gz /boot/config-$(uname -r)");
}

static void check_processors(const struct channel_list *list, struct doctor_line *line)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	(void)list;
	if (n >= 2)
		say(line, DOCTOR_OK, "%ld processors: waiters may spin", n);
	else
		say(line, DOCTOR_NOTE, "one processor: waiters sleep at once, whatever their sync mode");
}

static void check_module(const struct channel_list *list, struct doctor_line *line)
{
	struct module_facts facts;
	struct module_file file;
	struct kmod_ctx *kmod;
	char why[4600];

	(void)list;
	module_look(&facts);
	if (facts.loaded) {
		say(line, strcmp(facts.version, SHMIPCCTL_VERSION) ? DOCTOR_NOTE : DOCTOR_OK,
		    "the module is loaded, version %s (this tool: %s)", facts.version, SHMIPCCTL_VERSION);
		return;
	}
	if (access("/proc/modules", F_OK)) {
		say(line, DOCTOR_NOTE, "this kernel has no loadable modules: channels are on memfd");
		return;
	}
	kmod = module_kmod();
	if (kmod && module_find(kmod, MODULE_NAME, &file, why, sizeof(why))) {
		say(line, DOCTOR_WARN, "the module is installed and not loaded: channels are on memfd");
		advise(line, "sudo shmipcctl load");
		module_put(&file);
	} else {
		say(line, DOCTOR_WARN, "the module is not installed for this kernel: channels are on memfd");
		advise(line, "make module && sudo make modules_install && sudo depmod && sudo shmipcctl load");
	}
	kmod_unref(kmod);
}

static void check_signatures(const struct channel_list *list, struct doctor_line *line)
{
	struct module_conditions c;

	(void)list;
	module_conditions(&c);
	if (c.modules_disabled)
		say(line, DOCTOR_NOTE, "kernel.modules_disabled is 1: modules stay as they are until the next boot");
	else if (c.signatures || (*c.lockdown && strcmp(c.lockdown, "none")))
		say(line, DOCTOR_NOTE, "the kernel takes signed modules only (lockdown: %s)",
		    *c.lockdown ? c.lockdown : "unknown");
	else
		say(line, DOCTOR_OK, "the kernel takes modules that are not signed");
	if (c.signatures || (*c.lockdown && strcmp(c.lockdown, "none")))
		advise(line, "mokutil --sb-state; modinfo -F signer shmipc");
}

static void check_device(const struct channel_list *list, struct doctor_line *line)
{
	struct module_facts facts;
	struct passwd *user = getpwuid(geteuid());
	char mode[11];

	(void)list;
	module_look(&facts);
	module_mode_text(facts.device_mode, mode);
	if (facts.device && facts.usable) {
		say(line, DOCTOR_OK, MODULE_DEVICE " %s: you may create channels", mode);
	} else if (facts.device) {
		say(line, DOCTOR_WARN, MODULE_DEVICE " %s is not for you: your channels are on memfd", mode);
		advise(line,
		       facts.device_mode & 060 ? "sudo usermod -aG shmipc %s    # and log in again"
					       : "sudo install -m 644 kmod/60-shmipc.rules /etc/udev/rules.d/    # %s",
		       user ? user->pw_name : "USER");
	} else if (facts.device_stale) {
		say(line, DOCTOR_FAIL, MODULE_DEVICE " is there, and is not the module's");
		advise(line, "ls -l " MODULE_DEVICE "; sudo rm " MODULE_DEVICE "; sudo udevadm trigger");
	} else if (facts.loaded) {
		say(line, DOCTOR_FAIL, "the module is loaded, and there is no " MODULE_DEVICE);
		advise(line, "sudo mknod -m 600 " MODULE_DEVICE " c $(tr : ' ' </sys/class/misc/shmipc/dev)");
	} else {
		say(line, DOCTOR_NOTE, "no " MODULE_DEVICE ", as there is no module");
	}
}

static void check_group(const struct channel_list *list, struct doctor_line *line)
{
	bool rule = !access("/etc/udev/rules.d/60-shmipc.rules", F_OK) ||
		    !access("/usr/lib/udev/rules.d/60-shmipc.rules", F_OK) ||
		    !access("/lib/udev/rules.d/60-shmipc.rules", F_OK);

	(void)list;
	if (rule && getgrnam("shmipc")) {
		say(line, DOCTOR_OK, "members of the group shmipc get the device, by udev");
	} else if (rule) {
		say(line, DOCTOR_WARN, "udev has a rule for a group shmipc, which does not exist");
		advise(line, "sudo groupadd --system shmipc && sudo udevadm trigger");
	} else {
		say(line, DOCTOR_NOTE,
		    "no udev rule: the device is root's alone; who is handed an endpoint needs no right "
		    "to it");
	}
}

static void check_limit(const struct channel_list *list, struct doctor_line *line)
{
	struct rlimit limit;
	char text[UNITS_MAX];

	(void)list;
	getrlimit(RLIMIT_NOFILE, &limit);
	/* A channel takes one descriptor for good, and two more for a moment; a session one more. */
	if (limit.rlim_cur >= 4096)
		say(line, DOCTOR_OK, "%s open files a process", format_count(text, (double)limit.rlim_cur));
	else
		say(line, DOCTOR_NOTE, "%s open files a process: about %" PRIu64 " channels",
		    format_count(text, (double)limit.rlim_cur), (uint64_t)limit.rlim_cur / 2);
	if (limit.rlim_cur < 4096)
		advise(line, "ulimit -n 65536    # or LimitNOFILE= in a service");
}

static void check_usage(const struct channel_list *list, struct doctor_line *line)
{
	struct module_facts facts;
	uint64_t used = 0, most = 0;
	char a[UNITS_MAX], b[UNITS_MAX];
	size_t i;
	int p;

	module_look(&facts);
	for (i = 0; i < list->count; i++)
		if (list->channels[i].view.at.backend == SHMIPC_BACKEND_KMOD)
			used += list->channels[i].memory;
	for (p = 0; p < facts.parameter_count; p++)
		if (!strcmp(facts.parameters[p].name, "max_bytes"))
			parse_number(facts.parameters[p].value, 0, UINT64_MAX - 1, &most);
	if (!facts.loaded || !most) {
		say(line, DOCTOR_NOTE,
		    "no limit of the module to compare with: memfd lanes count to their memory cgroup");
		return;
	}
	say(line, used > most / 10 * 9 ? DOCTOR_WARN : DOCTOR_OK, "the module's channels that are seen hold %s of %s",
	    format_bytes(a, used), format_bytes(b, most));
	if (line->verdict == DOCTOR_WARN)
		advise(line, "echo BYTES | sudo tee /sys/module/shmipc/parameters/max_bytes");
}

static void check_sight(const struct channel_list *list, struct doctor_line *line)
{
	char scope[16];

	if (!list->host.hidden) {
		say(line, DOCTOR_OK, "every process may be looked at");
		return;
	}
	say(line, geteuid() ? DOCTOR_NOTE : DOCTOR_WARN, "%zu processes may not be looked at", list->host.hidden);
	if (geteuid())
		advise(line, "sudo shmipcctl doctor");
	else if (proc_file("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) && scope[0] == '3')
		advise(line, "sysctl kernel.yama.ptrace_scope    # 3 forbids it to everybody until the next boot");
}

static void check_tracing(const struct channel_list *list, struct doctor_line *line)
{
	(void)list;
	if (access("/sys/module/shmipc", F_OK))
		say(line, DOCTOR_NOTE, "no tracepoints without the module");
	else if (!access("/sys/kernel/tracing/events/shmipc", F_OK))
		say(line, DOCTOR_OK, "shmipcctl trace works");
	else if (geteuid())
		say(line, DOCTOR_NOTE, "tracing is root's");
	else {
		say(line, DOCTOR_WARN, "tracefs is not there, or the module was built without tracepoints");
		advise(line, "sudo mount -t tracefs tracefs /sys/kernel/tracing");
	}
}

static size_t count_state(const struct channel_list *list, enum channel_state state)
{
	size_t i, n = 0;

	for (i = 0; i < list->count; i++)
		n += list->channels[i].state == state;
	return n;
}

static void check_corrupt(const struct channel_list *list, struct doctor_line *line)
{
	size_t n = count_state(list, CHANNEL_CORRUPT);

	if (!n) {
		say(line, DOCTOR_OK, "%zu channels, none with a broken record", list->count);
		return;
	}
	say(line, DOCTOR_FAIL, "%zu channels have a lane whose record makes no sense", n);
	advise(line, "shmipcctl list --state corrupt");
}

static void check_hung_up(const struct channel_list *list, struct doctor_line *line)
{
	size_t n = count_state(list, CHANNEL_HUNG_UP);

	say(line, n ? DOCTOR_WARN : DOCTOR_OK,
	    n ? "%zu channels have lost a side and were not closed by the other" : "%zu channels have lost a side", n);
	if (n)
		advise(line, "shmipcctl list --state hung-up");
}

static void check_stopped(const struct channel_list *list, struct doctor_line *line)
{
	size_t n = count_state(list, CHANNEL_STOPPED);

	say(line, n ? DOCTOR_WARN : DOCTOR_OK,
	    n ? "%zu channels wait for a process that is stopped" : "%zu channels wait for a stopped process", n);
	if (n)
		advise(line, "shmipcctl list --state stopped    # kill -CONT PID lets it go on");
}

static void check_lent(const struct channel_list *list, struct doctor_line *line)
{
	uint64_t oldest = 0;
	char age[UNITS_MAX];
	size_t i;
	int e;

	for (i = 0; i < list->count; i++)
		for (e = 0; e < 2; e++)
			if (oldest < list->channels[i].side[e].lane.oldest_ms)
				oldest = list->channels[i].side[e].lane.oldest_ms;
	if (oldest < LENT_MS) {
		say(line, DOCTOR_OK, "nothing is lent for a minute or longer");
		return;
	}
	say(line, DOCTOR_WARN, "memory is lent since %s", format_age(age, oldest));
	advise(line, "shmipcctl leaks --sort age");
}

static const struct {
	const char *name;
	void (*check)(const struct channel_list *list, struct doctor_line *line);
} checks[] = {
	{ "memfd", check_memfd },     { "membarrier", check_membarrier }, { "processors", check_processors },
	{ "module", check_module },   { "signatures", check_signatures }, { "device", check_device },
	{ "group", check_group },     { "files", check_limit },		  { "memory", check_usage },
	{ "sight", check_sight },     { "tracing", check_tracing },	  { "records", check_corrupt },
	{ "hung-up", check_hung_up }, { "stopped", check_stopped },	  { "lent", check_lent },
};

bool doctor_check(int n, const struct channel_list *list, struct doctor_line *line)
{
	if (n < 0 || n >= (int)(sizeof(checks) / sizeof(*checks)))
		return false;
	*line = (struct doctor_line){ .name = checks[n].name };
	checks[n].check(list, line);
	return true;
}
