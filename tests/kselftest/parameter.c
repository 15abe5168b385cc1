// SPDX-License-Identifier: GPL-2.0
#include "parameter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY "/sys/module/shmipc/parameters/"

long file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t more;

	if (fd < 0)
		return -errno;
	while (length < size - 1 && (more = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)more;
	text[length] = 0;
	close(fd);
	return (long)length;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;
	int error;

	if (fd < 0)
		return -errno;
	written = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	return written == (ssize_t)strlen(text) ? 0 : -error;
}

int parameter_read(const char *name, uint64_t *value)
{
	char path[128];
	char text[32];
	long length;

	snprintf(path, sizeof(path), DIRECTORY "%s", name);
	length = file_read(path, text, sizeof(text));
	if (length < 0)
		return (int)length;
	*value = strtoull(text, NULL, 10);
	return 0;
}

int parameter_write(const char *name, uint64_t value)
{
	char path[128];
	char text[32];

	snprintf(path, sizeof(path), DIRECTORY "%s", name);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return file_write(path, text);
}
