// SPDX-License-Identifier: Apache-2.0
/* Writes what a measuring command leaves for the commands that show it. record.c reads it back. */
#include "results.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,.:/+@%"

static void write_word(FILE *out, const char *word)
{
	if (*word && !word[strspn(word, PLAIN)]) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

char *results_command(int count, char *const *words)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int i;

	if (!out)
		return NULL;
	fputs("shmipc-bench", out);
	for (i = 0; i < count; i++) {
		fputc(' ', out);
		write_word(out, words[i]);
	}
	return fclose(out) ? NULL : text;
}

int results_write(const char *path, const char *command, const struct host *host, struct json_t *rows)
{
	json_t *all = json_pack("{s:s, s:s?, s:o, s:o}", "version", BENCH_VERSION, "command", command, "host",
				host_to_json(host), "rows", rows);
	FILE *f;
	int r = 0;

	if (!all)
		return -EILSEQ; /* the command line is no UTF-8 */
	f = strcmp(path, "-") ? fopen(path, "we") : stdout;
	if (!f) {
		r = -errno;
		goto err_free;
	}
	if (json_dumpf(all, f, JSON_INDENT(1) | JSON_REAL_PRECISION(7)) || fputc('\n', f) == EOF)
		r = -EIO;
	if (f != stdout ? fclose(f) : fflush(f))
		r = -errno;
err_free:
	json_decref(all);
	return r;
}
