// SPDX-License-Identifier: Apache-2.0
/*
 * module.c - the kernel module on this host
 */
#include "module.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "proc.h"

#define SYS "/sys/module/" MODULE_NAME

static void look_at_parameters(struct module_facts *f)
{
	DIR *dir = opendir(SYS "/parameters");
	struct dirent *entry;
	char path[320];

	while (dir && (entry = readdir(dir)) && f->parameter_count < MODULE_PARAMETERS_MAX) {
		struct module_parameter *p = &f->parameters[f->parameter_count];

		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(p->name))
			continue;
		memset(p, 0, sizeof(*p));
		strcpy(p->name, entry->d_name);
		snprintf(path, sizeof(path), SYS "/parameters/%s", entry->d_name);
		proc_file(path, p->value, sizeof(p->value));
		f->parameter_count++;
	}
	if (dir)
		closedir(dir);
}

static void look_at_device(struct module_facts *f)
{
	char number[32], expected[32];
	struct stat st;

	if (lstat(MODULE_DEVICE, &st))
		return;
	snprintf(number, sizeof(number), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (!S_ISCHR(st.st_mode) || !proc_file("/sys/class/misc/" MODULE_NAME "/dev", expected, sizeof(expected)) ||
	    strcmp(number, expected)) {
		f->device_stale = true;
		return;
	}
	f->device = true;
	f->device_mode = st.st_mode;
	f->device_uid = st.st_uid;
	f->device_gid = st.st_gid;
	f->usable = !access(MODULE_DEVICE, R_OK | W_OK);
}

void module_look(struct module_facts *f)
{
	char text[64];

	memset(f, 0, sizeof(*f));
	f->references = -1;
	look_at_device(f);
	f->loaded = !access(SYS, F_OK);
	if (!f->loaded)
		return;
	proc_file(SYS "/version", f->version, sizeof(f->version));
	if (proc_file(SYS "/refcnt", text, sizeof(text)))
		f->references = atol(text);
	look_at_parameters(f);
}

static void keep_quiet(void *data, int priority, const char *file, int line, const char *fn, const char *format,
		       va_list arguments)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn, (void)format, (void)arguments;
}

struct kmod_ctx *module_kmod(void)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);

	if (kmod)
		kmod_set_log_fn(kmod, keep_quiet, NULL);
	return kmod;
}

bool module_fits(const char *vermagic, const char *release)
{
	size_t length = strlen(release);

	return !strncmp(vermagic, release, length) && (vermagic[length] == ' ' || !vermagic[length]);
}

static struct module_parameter *find_parameter(struct module_parameter *list, int *count, const char *text)
{
	size_t length = strcspn(text, ":");
	int i;

	for (i = 0; i < *count; i++)
		if (strlen(list[i].name) == length && !strncmp(list[i].name, text, length))
			return &list[i];
	if (*count == MODULE_PARAMETERS_MAX || length >= sizeof(list[i].name))
		return NULL;
	memset(&list[i], 0, sizeof(list[i]));
	memcpy(list[i].name, text, length);
	++*count;
	return &list[i];
}

/* One line of modinfo: key and value. */
static void take_info(struct module_file *file, const char *key, const char *value)
{
	bool type = !strcmp(key, "parmtype");
	struct module_parameter *p;

	if (!strcmp(key, "vermagic"))
		snprintf(file->vermagic, sizeof(file->vermagic), "%s", value);
	else if (!strcmp(key, "version"))
		snprintf(file->version, sizeof(file->version), "%s", value);
	else if (!strcmp(key, "signer") || !strcmp(key, "sig_id"))
		file->is_signed = true;
	if (!type && strcmp(key, "parm"))
		return;
	p = find_parameter(file->parameters, &file->parameter_count, value);
	value = strchr(value, ':');
	if (p && value && type)
		snprintf(p->type, sizeof(p->type), "%s", value + 1);
	else if (p && value)
		snprintf(p->help, sizeof(p->help), "%s", value + 1);
}

static int read_info(struct module_file *file)
{
	struct kmod_list *list = NULL, *at;
	int r = kmod_module_get_info(file->mod, &list);

	if (r < 0)
		return r;
	kmod_list_foreach(at, list) take_info(file, kmod_module_info_get_key(at), kmod_module_info_get_value(at));
	kmod_module_info_free_list(list);
	return 0;
}

static bool take_path(struct kmod_ctx *kmod, const char *path, struct module_file *file)
{
	memset(file, 0, sizeof(*file));
	if (kmod_module_new_from_path(kmod, path, &file->mod))
		return false;
	snprintf(file->path, sizeof(file->path), "%s", path);
	if (!read_info(file))
		return true;
	module_put(file);
	return false;
}

#define DEPTH_MAX 5

/* The module for this kernel below a folder; `other`: the vermagic of one that is for another. */
static bool search_tree(struct kmod_ctx *kmod, const char *folder, const char *release, int depth,
			struct module_file *file, char *other, size_t size)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[PATH_MAX];
	bool found = false;
	struct stat st;

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path) ||
		    lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			found = search_tree(kmod, path, release, depth + 1, file, other, size);
		else if (S_ISREG(st.st_mode) && !fnmatch(MODULE_NAME ".ko*", entry->d_name, 0) &&
			 take_path(kmod, path, file)) {
			found = module_fits(file->vermagic, release);
			if (found)
				break;
			snprintf(other, size, "%.100s", file->vermagic);
			module_put(file);
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool find_by_path(struct kmod_ctx *kmod, const char *what, struct module_file *file, char *why, size_t size)
{
	char other[128] = "";
	struct utsname system;
	struct stat st;

	uname(&system);
	if (stat(what, &st)) {
		snprintf(why, size, "%s: %s", what, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		if (take_path(kmod, what, file))
			return true;
		snprintf(why, size, "%s is no kernel module", what);
		return false;
	}
	if (search_tree(kmod, what, system.release, 0, file, other, sizeof(other)))
		return true;
	if (*other)
		snprintf(why, size, "%s holds a module for kernel %.*s only, and this one is %s: make module builds it",
			 what, (int)strcspn(other, " "), other, system.release);
	else
		snprintf(why, size, "no " MODULE_NAME ".ko below %s: make module builds one", what);
	return false;
}

bool module_find(struct kmod_ctx *kmod, const char *what, struct module_file *file, char *why, size_t size)
{
	struct kmod_list *list = NULL;
	struct utsname system;
	const char *path;

	memset(file, 0, sizeof(*file));
	if (strchr(what, '/') || strstr(what, ".ko"))
		return find_by_path(kmod, what, file, why, size);
	if (!kmod_module_new_from_lookup(kmod, what, &list) && list) {
		file->mod = kmod_module_get_module(list);
		kmod_module_unref_list(list);
		path = kmod_module_get_path(file->mod);
		if (path && !read_info(file)) {
			snprintf(file->path, sizeof(file->path), "%s", path);
			file->installed = true;
			return true;
		}
		module_put(file);
	}
	uname(&system);
	snprintf(why, size, "no module '%s' is installed for kernel %s: make module modules_install, or give its path",
		 what, system.release);
	return false;
}

void module_put(struct module_file *file)
{
	kmod_module_unref(file->mod);
	file->mod = NULL;
}

void module_conditions(struct module_conditions *c)
{
	char text[256], status[4096], *open, *close;
	struct utsname system;

	memset(c, 0, sizeof(*c));
	uname(&system);
	snprintf(c->release, sizeof(c->release), "%s", system.release);
	c->root = geteuid() == 0;
	if (proc_file("/proc/self/status", status, sizeof(status)) && proc_field(status, "CapEff", text, sizeof(text)))
		c->capable = strtoull(text, NULL, 16) >> 16 & 1; /* CAP_SYS_MODULE */
	c->modules_disabled = proc_file("/proc/sys/kernel/modules_disabled", text, sizeof(text)) && text[0] == '1';
	c->signatures = proc_file("/sys/module/module/parameters/sig_enforce", text, sizeof(text)) && text[0] == 'Y';
	/* "none [integrity] confidentiality" */
	if (proc_file("/sys/kernel/security/lockdown", text, sizeof(text)) && (open = strchr(text, '[')) &&
	    (close = strchr(open, ']')))
		snprintf(c->lockdown, sizeof(c->lockdown), "%.*s", (int)(close - open - 1), open + 1);
}

static bool is_locked_down(const struct module_conditions *c)
{
	return *c->lockdown && strcmp(c->lockdown, "none");
}

#define SAY(...) snprintf(why, why_size, __VA_ARGS__)
#define DO(...) snprintf(command, command_size, __VA_ARGS__)

static void explain_permission(const struct module_conditions *c, char *why, size_t why_size, char *command,
			       size_t command_size)
{
	if (c->modules_disabled) {
		SAY("kernel.modules_disabled is 1: no module can be loaded until the next boot");
	} else if (!c->root) {
		SAY("only root may load a module");
		DO("sudo shmipcctl load");
	} else if (!c->capable) {
		SAY("this root has no CAP_SYS_MODULE, as in a container: load the module on the host itself");
	} else if (is_locked_down(c)) {
		SAY("the kernel is locked down (%s) and takes signed modules only", c->lockdown);
		DO("mokutil --sb-state; mokutil --import the key that signs the module");
	} else {
		SAY("a security module of the kernel refuses it");
		DO("dmesg | tail");
	}
}

void module_explain_load(int error, const struct module_conditions *c, const struct module_file *file, char *why,
			 size_t why_size, char *command, size_t command_size)
{
	*command = '\0';
	switch (-error) {
	case EPERM:
	case EACCES:
		explain_permission(c, why, why_size, command, command_size);
		return;
	case EKEYREJECTED:
	case ENOKEY:
	case EBADMSG:
		SAY("the kernel takes signed modules only, and this one is %s%s",
		    file->is_signed ? "signed with a key that it does not know" : "not signed",
		    is_locked_down(c) ? " (the kernel is locked down)" : "");
		DO("mokutil --sb-state; mokutil --import the key that signs the module");
		return;
	case ENOEXEC:
		if (!module_fits(file->vermagic, c->release)) {
			SAY("it was built for kernel %.*s, and this one is %s", (int)strcspn(file->vermagic, " "),
			    file->vermagic, c->release);
			DO("make module KDIR=/lib/modules/%s/build", c->release);
		} else {
			SAY("the kernel does not take its format");
			DO("dmesg | tail");
		}
		return;
	case ENOSYS:
		SAY("this kernel has no loadable modules: only the memfd backend works here");
		return;
	case ENOENT:
		SAY("it wants symbols that this kernel does not have, so was built for another");
		DO("dmesg | tail");
		return;
	case EINVAL:
		SAY("the module does not like a parameter, or its format is not this kernel's");
		DO("dmesg | tail");
		return;
	case EEXIST:
		SAY("it is loaded already");
		return;
	case ENOMEM:
		SAY("there is no memory");
		return;
	default:
		SAY("%s", strerror(-error));
		DO("dmesg | tail");
	}
}

void module_mode_text(mode_t mode, char text[11])
{
	static const char bits[] = "rwxrwxrwx";
	int i;

	text[0] = 'c';
	for (i = 0; i < 9; i++)
		text[1 + i] = mode >> (8 - i) & 1 ? bits[i] : '-';
	text[10] = '\0';
}
