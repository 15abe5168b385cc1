// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_load.c - shmipcctl load: the module, its parameters, its device
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "module.h"
#include "proc.h"

static const struct option_spec options[] = {
	{ 'w', "wait", "TIME", "wait at most TIME for " MODULE_DEVICE " and its permissions (default 5s)" },
	{ 'n', "dry-run", NULL, "find the module and check the parameters, and load nothing" },
	{ 0 },
};

#define ARGUMENTS_MAX 1024

/* Check all NAME=VALUE arguments and join them. */
static int join_parameters(const struct module_file *file, char **arguments, char *out)
{
	char one[192];
	const char *wrong;
	size_t used = 0;
	int i;

	*out = '\0';
	for (; *arguments; arguments++) {
		wrong = module_check_parameter(file, *arguments, one, sizeof(one));
		if (wrong) {
			trouble("%s: %s", *arguments, wrong);
			for (i = 0; i < file->parameter_count; i++)
				fprintf(stderr, "  %s=%s: %s\n", file->parameters[i].name, file->parameters[i].type,
					file->parameters[i].help);
			return STATUS_TROUBLE;
		}
		if (used + strlen(one) + 2 > ARGUMENTS_MAX)
			return trouble("too many parameters");
		used += (size_t)sprintf(out + used, "%s%s", used ? " " : "", one);
	}
	return STATUS_OK;
}

static bool has_rule(void)
{
	return !access("/lib/udev/rules.d/60-shmipc.rules", F_OK) ||
	       !access("/usr/lib/udev/rules.d/60-shmipc.rules", F_OK) ||
	       !access("/etc/udev/rules.d/60-shmipc.rules", F_OK);
}

/* The device comes with the module; its group with udev, a little later. */
static void wait_for_device(struct module_facts *facts, uint64_t ms)
{
	int64_t deadline = now_ns() + (int64_t)ms * 1000000;
	bool settled;

	do {
		module_look(facts);
		settled = facts->device && (!has_rule() || facts->device_mode & 060 || !getgrnam("shmipc"));
		if (!settled)
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	} while (!settled && now_ns() < deadline);
}

static int report(const struct module_facts *f)
{
	struct group *group;
	char mode[11];

	if (!f->loaded)
		return trouble("the kernel took the module, but it is gone again");
	if (!f->device)
		return trouble("the module is loaded, but there is no " MODULE_DEVICE "%s",
			       f->device_stale ? ": what is there is something else" : " (no devtmpfs?)");
	group = getgrgid(f->device_gid);
	module_mode_text(f->device_mode, mode);
	printf("loaded: " MODULE_NAME " %s, " MODULE_DEVICE " %s uid %u group %s\n", f->version, mode, f->device_uid,
	       group ? group->gr_name : "?");
	if (!(f->device_mode & 066))
		printf("only uid %u may use it: install 60-shmipc.rules for udev, with a group shmipc, to let others in\n",
		       f->device_uid);
	return STATUS_OK;
}

static int insert(const struct module_file *file, const char *parameters)
{
	struct module_conditions conditions;
	char why[256], command[256];
	int r;

	if (file->installed)
		r = kmod_module_probe_insert_module(file->mod, KMOD_PROBE_FAIL_ON_LOADED, parameters, NULL, NULL, NULL);
	else
		r = kmod_module_insert_module(file->mod, 0, parameters);
	if (r > 0)
		r = -EPERM; /* blacklisted */
	if (!r)
		return STATUS_OK;
	module_conditions(&conditions);
	module_explain_load(r, &conditions, file, why, sizeof(why), command, sizeof(command));
	trouble("cannot load %s: %s", file->path, why);
	if (*command)
		fprintf(stderr, "  %s\n", command);
	return STATUS_TROUBLE;
}

static int load(struct kmod_ctx *kmod, const char *what, char **arguments, uint64_t wait_ms, bool dry)
{
	char why[4600], parameters[ARGUMENTS_MAX];
	struct module_facts facts;
	struct module_file file;
	int r;

	module_look(&facts);
	if (facts.loaded && !dry) {
		if (*arguments)
			return trouble("the module is loaded already; its parameters can be changed in "
				       "/sys/module/" MODULE_NAME "/parameters");
		printf("it is loaded already: " MODULE_NAME " %s\n", facts.version);
		wait_for_device(&facts, wait_ms);
		return report(&facts);
	}
	if (!module_find(kmod, what, &file, why, sizeof(why)))
		return trouble("%s", why);
	r = join_parameters(&file, arguments, parameters);
	if (r == STATUS_OK && dry)
		printf("would load %s (version %s, for %s)%s%s\n", file.path, file.version, file.vermagic,
		       *parameters ? " with " : "", parameters);
	else if (r == STATUS_OK)
		r = insert(&file, parameters);
	module_put(&file);
	if (r == STATUS_OK && !dry) {
		wait_for_device(&facts, wait_ms);
		r = report(&facts);
	}
	return r;
}

static int run(int argc, char **argv)
{
	const char *what = MODULE_NAME;
	uint64_t wait_ms = 5000;
	struct kmod_ctx *kmod;
	bool dry = false;
	int key, r;

	while ((key = command_next(&command_load, argc, argv)) != -1) {
		if (key == 'w')
			wait_ms = age_argument(&command_load, "wait");
		else
			dry = true;
	}
	if (optind < argc && (!strchr(argv[optind], '=') || strchr(argv[optind], '/')))
		what = argv[optind++];
	kmod = module_kmod();
	if (!kmod)
		return trouble("libkmod cannot be used: %m");
	r = load(kmod, what, argv + optind, wait_ms, dry);
	kmod_unref(kmod);
	return r;
}

const struct command command_load = {
	.name = "load",
	.summary = "load the kernel module and wait for its device",
	.arguments = "[MODULE] [PARAMETER=VALUE]...",
	.details =
		"MODULE is a module's name (default: " MODULE_NAME
		", as installed for this kernel), the path of its file, or a folder, such as a build tree, in which the "
		"one for this kernel is looked for.\n\n"
		"Parameters are checked against those that the module has; sizes may have a unit: max_bytes=4G. Where "
		"the kernel refuses, the reason is looked for: not root, no capability, modules disabled, signature "
		"or lockdown, another kernel's module.",
	.options = options,
	.examples = "  shmipcctl load\n  shmipcctl load build max_user_bytes=1G\n"
		    "  shmipcctl load ./shmipc.ko --dry-run\n",
	.run = run,
};
