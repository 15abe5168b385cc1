// SPDX-License-Identifier: Apache-2.0
/*
 * module_parameter.c - checks a parameter before the kernel would refuse it without a word
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "module.h"
#include "units.h"

static const char *check_value(const struct module_parameter *p, const char *value, char *out, size_t size)
{
	static const char *const booleans[] = { "0", "1", "y", "n", "Y", "N", "on", "off" };
	bool is_bytes = strstr(p->name, "bytes") != NULL;
	uint64_t number, most = UINT64_MAX;
	size_t i;

	if (!strcmp(p->type, "bool")) {
		for (i = 0; i < sizeof(booleans) / sizeof(*booleans); i++)
			if (!strcmp(value, booleans[i])) {
				snprintf(out, size, "%s=%s", p->name, value);
				return NULL;
			}
		return "its value is y or n";
	}
	if (!strcmp(p->type, "uint"))
		most = UINT32_MAX;
	else if (!strcmp(p->type, "int"))
		most = INT32_MAX;
	else if (strcmp(p->type, "ulong") && strcmp(p->type, "ullong") && strcmp(p->type, "long")) {
		snprintf(out, size, "%s=%s", p->name, value);
		return NULL;
	}
	if (is_bytes ? !parse_bytes(value, &number) : !parse_number(value, 0, most, &number))
		return is_bytes ? "its value is a size, such as 67108864 or 64M" : "its value is a number";
	if (number > most)
		return "its value is too large";
	snprintf(out, size, "%s=%" PRIu64, p->name, number);
	return NULL;
}

const char *module_check_parameter(const struct module_file *file, const char *argument, char *out, size_t size)
{
	size_t length = strcspn(argument, "=");
	int i;

	if (!argument[length] || !length)
		return "a parameter is NAME=VALUE";
	if (strpbrk(argument, " \t\n\"'"))
		return "a parameter has no blanks or quotes";
	for (i = 0; i < file->parameter_count; i++)
		if (strlen(file->parameters[i].name) == length && !strncmp(file->parameters[i].name, argument, length))
			return check_value(&file->parameters[i], argument + length + 1, out, size);
	return "the module has no such parameter";
}
