// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_status.c - shmipcctl status: the module, its device, who uses it
 */
#include <getopt.h>
#include <grp.h>
#include <string.h>

#include "channel_view.h"
#include "command.h"
#include "module.h"
#include "units.h"

static const struct option_spec options[] = {
	{ 'j', "json", NULL, "print JSON: one document; schema/status.json describes it" },
	{ 0 },
};

struct status {
	struct module_facts module;
	struct module_conditions conditions;
	struct host host;
	size_t channels[2]; /* by backend: memfd, kmod */
};

static void gather(struct status *s)
{
	size_t i;

	memset(s, 0, sizeof(*s));
	module_look(&s->module);
	module_conditions(&s->conditions);
	host_scan(&s->host, 0);
	for (i = 0; i < s->host.count; i++)
		s->channels[s->host.channels[i].backend == SHMIPC_BACKEND_KMOD]++;
}

static json_t *device_json(const struct module_facts *m)
{
	char mode[11];

	if (!m->device)
		return json_null();
	module_mode_text(m->device_mode, mode);
	return json_pack("{s:s,s:s,s:i,s:i,s:b}", "path", MODULE_DEVICE, "mode", mode, "uid", (int)m->device_uid, "gid",
			 (int)m->device_gid, "usable", m->usable);
}

static int show_json(const struct status *s)
{
	json_t *document = document_json("status", &s->host), *parameters = json_object();
	int i;

	for (i = 0; i < s->module.parameter_count; i++)
		json_object_set_new(parameters, s->module.parameters[i].name,
				    json_string(s->module.parameters[i].value));
	json_object_set_new(document, "loaded", json_boolean(s->module.loaded));
	json_object_set_new(document, "module_version",
			    s->module.loaded ? json_string(s->module.version) : json_null());
	json_object_set_new(document, "references", json_integer(s->module.references));
	json_object_set_new(document, "parameters", parameters);
	json_object_set_new(document, "device", device_json(&s->module));
	json_object_set_new(document, "kernel", json_string(s->conditions.release));
	json_object_set_new(document, "kmod_channels", json_integer((json_int_t)s->channels[1]));
	json_object_set_new(document, "memfd_channels", json_integer((json_int_t)s->channels[0]));
	return print_json(document, false);
}

static void show_device(const struct module_facts *m)
{
	struct group *group;
	char mode[11];

	if (!m->device) {
		printf("device       %s\n", m->device_stale ? MODULE_DEVICE " is something else" : "none");
		return;
	}
	group = getgrgid(m->device_gid);
	module_mode_text(m->device_mode, mode);
	printf("device       " MODULE_DEVICE " %s uid %u group %s, %s\n", mode, m->device_uid,
	       group ? group->gr_name : "?", m->usable ? "usable by you" : "not usable by you");
}

static void show_parameter(const struct module_parameter *p)
{
	char text[UNITS_MAX];
	uint64_t bytes;

	if (strstr(p->name, "bytes") && parse_number(p->value, 0, UINT64_MAX - 1, &bytes))
		printf("parameter    %s=%s (%s)\n", p->name, p->value, format_bytes(text, bytes));
	else
		printf("parameter    %s=%s\n", p->name, p->value);
}

static int show(const struct status *s)
{
	int i;

	printf("kernel       %s\n", s->conditions.release);
	if (s->module.loaded)
		printf("module       loaded, version %s, %ld references\n", s->module.version, s->module.references);
	else
		printf("module       not loaded: shmipcctl load\n");
	show_device(&s->module);
	for (i = 0; i < s->module.parameter_count; i++)
		show_parameter(&s->module.parameters[i]);
	printf("channels     %zu of the module, %zu on memfd\n", s->channels[1], s->channels[0]);
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	struct status status;
	bool json = false;
	int r;

	while (command_next(&command_status, argc, argv) != -1)
		json = true;
	if (optind < argc)
		return wrong_usage(&command_status, "unexpected argument '%s'", argv[optind]);
	gather(&status);
	r = json ? show_json(&status) : show(&status);
	fflush(stdout);
	tell_hidden(&status.host);
	host_free(&status.host);
	return r == STATUS_OK && !status.module.loaded ? STATUS_FOUND : r;
}

const struct command command_status = {
	.name = "status",
	.summary = "whether the module is loaded, with what parameters, and who may use it",
	.arguments = "",
	.details =
		"Shows the module's version, references and parameters, the device and its permissions, and how many "
		"channels there are. Channels on memfd want no module.",
	.options = options,
	.found = "the module is not loaded",
	.run = run,
};
