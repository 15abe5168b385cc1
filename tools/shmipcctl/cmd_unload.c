// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_unload.c - shmipcctl unload: the module, or who holds it
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "host.h"
#include "module.h"

static const struct option_spec options[] = {
	{ 'w', "wait", "TIME", "wait at most TIME for those who use it to finish (default: not at all)" },
	{ 0 },
};

static void tell_user(const struct host *host, const struct channel_at *c, pid_t pid, int endpoint)
{
	const struct process *p = host_process(host, pid);

	if (p)
		fprintf(stderr, "  pid %d (%s, uid %u) has endpoint %d of channel kmod:%llu\n", (int)pid, p->comm,
			(unsigned int)p->uid, endpoint, (unsigned long long)c->number);
}

static int tell_users(const struct module_facts *facts)
{
	struct host host;
	size_t i;
	int e;

	trouble("the module is in use: %ld files, mappings or sleepers hold it", facts->references);
	if (!host_scan(&host, 0)) {
		for (i = 0; i < host.count; i++)
			for (e = 0; e < 2; e++) {
				const struct side *side = &host.channels[i].side[e];

				if (host.channels[i].backend != SHMIPC_BACKEND_KMOD)
					continue;
				tell_user(&host, &host.channels[i], side->holder, e);
				tell_user(&host, &host.channels[i], side->other, e);
			}
		if (host.hidden)
			fprintf(stderr, "  and perhaps some of %zu processes that only root may look at\n",
				host.hidden);
	}
	fprintf(stderr, "A process that is not listed may hold a plain " MODULE_DEVICE
			" open, or a descriptor in a message that nobody has received: fuser -v " MODULE_DEVICE "\n");
	host_free(&host);
	return STATUS_TROUBLE;
}

static int explain(int error, const struct module_facts *facts)
{
	struct module_conditions conditions;

	module_conditions(&conditions);
	switch (error) {
	case EWOULDBLOCK:
	case EBUSY:
		return tell_users(facts);
	case EPERM:
		if (conditions.modules_disabled)
			return trouble("kernel.modules_disabled is 1: no module can be unloaded until the next boot");
		return conditions.root ? trouble("this root has no CAP_SYS_MODULE, as in a container")
				       : trouble("only root may unload a module: sudo shmipcctl unload");
	default:
		return trouble("cannot unload the module: %s", strerror(error));
	}
}

/* 0, or an errno. */
static int remove_module(void)
{
	struct kmod_ctx *kmod = module_kmod();
	struct kmod_module *module;
	int r = -ENOMEM;

	if (!kmod)
		return ENOMEM;
	if (!kmod_module_new_from_name(kmod, MODULE_NAME, &module)) {
		r = kmod_module_remove_module(module, 0);
		kmod_module_unref(module);
	}
	kmod_unref(kmod);
	return -r;
}

static int run(int argc, char **argv)
{
	struct module_facts facts;
	uint64_t wait_ms = 0;
	int64_t deadline;
	int error;

	while (command_next(&command_unload, argc, argv) != -1)
		wait_ms = age_argument(&command_unload, "wait");
	if (optind < argc)
		return wrong_usage(&command_unload, "unexpected argument '%s'", argv[optind]);
	module_look(&facts);
	if (!facts.loaded) {
		puts("it is not loaded");
		return STATUS_OK;
	}
	deadline = now_ns() + (int64_t)wait_ms * 1000000;
	for (;;) {
		error = remove_module();
		if ((error != EWOULDBLOCK && error != EBUSY) || now_ns() >= deadline)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	module_look(&facts);
	if (error)
		return explain(error, &facts);
	puts("unloaded");
	return STATUS_OK;
}

const struct command command_unload = {
	.name = "unload",
	.summary = "unload the kernel module, or say who uses it",
	.arguments = "",
	.details = "The module goes when nobody uses it; nobody is disturbed. Else says which processes have which "
		   "endpoints.",
	.options = options,
	.examples = "  shmipcctl unload --wait 10s\n",
	.run = run,
};
