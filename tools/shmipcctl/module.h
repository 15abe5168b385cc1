/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - the kernel module on this host: where it is, whether it is loaded, why it cannot be
 *
 * The explaining parts are pure, so that every refusal can be tested where none happens.
 */
#ifndef SHMIPCCTL_MODULE_H
#define SHMIPCCTL_MODULE_H

#include <libkmod.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MODULE_NAME "shmipc"
#define MODULE_DEVICE "/dev/shmipc"
#define MODULE_PARAMETERS_MAX 16

struct module_parameter {
	char name[64], type[16], value[64]; /* value: of the loaded module */
	char help[160];
};

/* What is true of the loaded module, and of its device. */
struct module_facts {
	bool loaded;
	char version[32];
	long references; /* -1: not known */
	struct module_parameter parameters[MODULE_PARAMETERS_MAX];
	int parameter_count;
	bool device;	    /* there is a device */
	bool device_stale;  /* there is something of that name, and it is not the module's */
	mode_t device_mode; /* and so on */
	uid_t device_uid;
	gid_t device_gid;
	bool usable; /* this user may open it */
};

void module_look(struct module_facts *facts);

/* libkmod, which says nothing by itself: module_explain_load() does. kmod_unref() ends it; NULL: it cannot be used. */
struct kmod_ctx *module_kmod(void);

/* A module file, or an installed module: what modinfo says of it. */
struct module_file {
	struct kmod_module *mod;
	char path[4096];
	char vermagic[160], version[32];
	struct module_parameter parameters[MODULE_PARAMETERS_MAX];
	int parameter_count;
	bool is_signed;
	bool installed; /* found by name: its dependencies are loaded too */
};

/**
 * module_find - find a module by name, by the path of its file, or below a build tree
 * @what: a name; or a path: of a file, or of a folder, in which the one for this kernel is taken
 * @why: a sentence, where it is not found
 *
 * Returns whether; module_put() in that case.
 */
bool module_find(struct kmod_ctx *kmod, const char *what, struct module_file *file, char *why, size_t size);
void module_put(struct module_file *file);

/* What matters for a refusal. */
struct module_conditions {
	bool root;
	bool capable;	       /* CAP_SYS_MODULE */
	bool modules_disabled; /* kernel.modules_disabled */
	bool signatures;       /* sig_enforce, or the kernel insists by itself */
	char lockdown[32];     /* none, integrity, confidentiality; "" not known */
	char release[128];     /* of the running kernel */
};

void module_conditions(struct module_conditions *conditions);

/* Why loading failed, and what to do. Pure. Two lines at most; the second is a command or "". */
void module_explain_load(int error, const struct module_conditions *conditions, const struct module_file *file,
			 char *why, size_t why_size, char *command, size_t command_size);

/* Whether a module of that vermagic is for that kernel. Pure. */
bool module_fits(const char *vermagic, const char *release);

/**
 * module_check_parameter - check "name=value" against what the module knows, and write it as the module wants it
 *
 * Sizes may have a unit (1G). Pure. Returns NULL, or what is wrong.
 */
const char *module_check_parameter(const struct module_file *file, const char *argument, char *out, size_t size);

/* A file's mode as ls prints it, of a character device. */
void module_mode_text(mode_t mode, char text[11]);

#endif /* SHMIPCCTL_MODULE_H */
