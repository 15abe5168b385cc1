// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_metrics.c - shmipcctl metrics: Prometheus text
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "http.h"
#include "prometheus.h"

static const struct option_spec options[] = {
	{ 's', "socket", "PATH", "answer HTTP on a Unix socket (mode 0660) until interrupted" },
	{ 'l', "listen", "WHERE", "answer HTTP on [ADDRESS:]PORT until interrupted; loopback addresses only" },
	{ 'f', "file", "PATH", "write once to PATH, in one step, for node_exporter's text collector" },
	{ 'a', "aggregate", NULL, "sums only, not a series for each endpoint of each channel" },
	{ 0 },
};

/* data: whether each channel gets its series. */
static long write_metrics(void *data, char **body)
{
	struct channel_list list;
	size_t size = 0;
	FILE *memory;
	int r = channels_open(&list, 0, NULL);

	*body = NULL;
	memory = r ? NULL : open_memstream(body, &size);
	if (memory) {
		prometheus_write(memory, &list, list.host.module, *(const bool *)data);
		r = fclose(memory) ? -ENOMEM : 0;
	}
	channels_free(&list);
	if (!r && *body)
		return (long)size;
	free(*body);
	*body = NULL;
	return r ? r : -ENOMEM;
}

/* A reader sees the old file or the new one. */
static int write_file(const char *path, const char *body, size_t size)
{
	char *temporary;
	FILE *file;
	int fd, r = -ENOMEM;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return r;
	fd = mkostemp(temporary, O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file) {
		r = -errno;
		free(temporary);
		return r;
	}
	errno = 0;
	fwrite(body, 1, size, file);
	fchmod(fd, 0644);
	r = ferror(file) ? -EIO : 0;
	if (fclose(file) && !r)
		r = -errno;
	if (!r && rename(temporary, path))
		r = -errno;
	if (r)
		unlink(temporary);
	free(temporary);
	return r;
}

static int write_once(const char *path, bool each)
{
	char *body;
	long size = write_metrics(&each, &body);
	int r;

	if (size < 0)
		return trouble("cannot look at this host's processes: %s", strerror((int)-size));
	r = path ? write_file(path, body, (size_t)size) : 0;
	if (!path)
		fwrite(body, 1, (size_t)size, stdout);
	free(body);
	return r ? trouble("cannot write %s: %s", path, strerror(-r)) : STATUS_OK;
}

static int serve(int listener, const char *where, const char *path, bool each)
{
	if (listener == -EACCES && !path)
		return trouble("%s: not a loopback address; what a host does is not for the network to see", where);
	if (listener == -EINVAL && !path)
		return trouble("%s: not [ADDRESS:]PORT", where);
	if (listener < 0)
		return trouble("cannot listen on %s: %s", where, strerror(-listener));
	http_serve(listener, write_metrics, &each);
	close(listener);
	if (path)
		unlink(path);
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	const char *path = NULL, *where = NULL, *file = NULL;
	bool each = true;
	int key;

	while ((key = command_next(&command_metrics, argc, argv)) != -1) {
		if (key == 's')
			path = optarg;
		else if (key == 'l')
			where = optarg;
		else if (key == 'f')
			file = optarg;
		else
			each = false;
	}
	if (optind < argc)
		return wrong_usage(&command_metrics, "unexpected argument '%s'", argv[optind]);
	if (!!path + !!where + !!file > 1)
		return wrong_usage(&command_metrics, "one of --socket, --listen and --file");
	if (path)
		return serve(http_listen_unix(path), path, path, each);
	if (where)
		return serve(http_listen_loopback(where), where, NULL, each);
	return write_once(file, each);
}

const struct command command_metrics = {
	.name = "metrics",
	.summary = "Prometheus text: once, to a file, or over HTTP on a local socket",
	.arguments = "",
	.details = "Writes to stdout, or as the options say. Each scrape looks anew; nothing runs in between.\n\n"
		   "Series have the labels channel, backend, endpoint, pid and comm; --aggregate leaves them out, for "
		   "hosts with many short-lived channels.",
	.options = options,
	.examples =
		"  shmipcctl metrics --file /var/lib/node_exporter/shmipc.prom\n"
		"  shmipcctl metrics --listen 9464\n"
		"  shmipcctl metrics --socket /run/shmipc.sock & curl --unix-socket /run/shmipc.sock http://x/metrics\n",
	.run = run,
};
