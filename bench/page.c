// SPDX-License-Identifier: Apache-2.0
/* shmipc-bench report: one page from the files that measuring commands left, to be read without them. */
#include "page.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"
#include "options.h"

struct page_options {
	const char *output; /* NULL: standard output */
	char *svg;
	bool markdown;
};

/* What a reader has to know before the first figure. */
static void show_hosts(struct page *page)
{
	char host[PAGE_LINE];
	unsigned int i, k;

	document_text(&page->doc,
		      "Two processes of one host exchange messages: through shmipc, and through what one would use "
		      "without it. Measured on:");
	for (i = 0; i < page->files; i++) {
		const struct record_file *file = &page->file[i];
		const char *item = page_host(host, file);

		for (k = 0; k < i && !record_file_same_host(file, &page->file[k]); k++)
			;
		if (k == i)
			document_list(&page->doc, &item, 1);
	}
}

static bool is_noisy(const struct record *record)
{
	return record->runs > 1 && page_time(record, "high_ns") > 1.25 * page_time(record, "low_ns");
}

static void show_warnings(struct page *page)
{
	bool emulated = false;
	double load = 0;
	unsigned int f, i, noisy = 0, rows = 0, busy = 0;

	for (f = 0; f < page->files; f++) {
		const struct record_file *file = &page->file[f];

		emulated |= file->emulated;
		for (i = 0; i < file->count && !file->emulated; i++, rows++)
			noisy += is_noisy(&file->record[i]);
		if (file->load > 0.5 * file->cpus && !file->instructions) {
			busy++;
			load = file->load > load ? file->load : load;
		}
	}
	if (busy)
		document_warning(
			&page->doc,
			"In the minute before %u of the %u files were measured the host was busy (load up to %.1f, "
			"in which what the bench measured just before counts too): times may be worse than they need be.",
			busy, page->files, load);
	if (emulated)
		document_warning(
			&page->doc,
			"Some of it ran in a guest whose processor is EMULATED. Its times mean nothing and are "
			"left out; what it counts is right: system calls, switches, and, with the clock that "
			"counts them, instructions.");
	if (noisy)
		document_warning(&page->doc,
				 "%u of %u rows are noisy: the middle half of their turns is farther apart than 25 %%. "
				 "They are marked in the table of all rows.",
				 noisy, rows);
}

static void show_guide(struct page *page)
{
	static const char *const items[] = {
		"Each side is a process of its own. Both have one or two processors: a wake-up on another processor costs what it "
		"costs, whatever it is that wakes.",
		"adaptive: a side watches for a moment before it sleeps. That is the default, and it is what makes small messages "
		"fast while both sides are awake. demand: sleeps at once, as a socket does. polling: never sleeps. A rival blocks "
		"unless its name says else.",
		"Every byte is written before it is sent and read and checked after it is received, by the same code for all, unless "
		"a title says: payload untouched.",
		"A time is the median of a turn, and of the turns the median one. What is compared took turns with each other, so that "
		"a slow minute of the host hits all alike.",
		"At a rate, latency runs from the time when a request should have been sent, whether it was or not: what stalls is "
		"charged to all that it holds up.",
		"Instructions are those of both sides and of the kernel. Counted by an emulated processor's clock they are the same "
		"on every run, but they are no time: a miss of the cache is free there.",
	};

	document_section(&page->doc, "guide", "How to read this");
	document_list(&page->doc, items, sizeof(items) / sizeof(items[0]));
	document_text(
		&page->doc,
		"On a host of your own: build shmipc and run make bench, or any of the commands above; then "
		"shmipc-bench report FILE… makes this page of what they leave, and shmipc-bench compare BEFORE AFTER "
		"says what has changed.");
}

static void write_page(struct page *page)
{
	document_section(&page->doc, "hosts", "Measured");
	show_hosts(page);
	show_warnings(page);
	page_verdict(page);
	page_charts(page);
	page_comparison(page);
	page_connections(page);
	show_guide(page);
	page_rows(page);
}

static int save(const char *path, const char *text)
{
	FILE *out = path ? fopen(path, "we") : stdout;
	bool written;

	if (!out)
		return -errno;
	written = fputs(text, out) >= 0;
	if (out == stdout ? fflush(out) : fclose(out))
		written = false;
	return written ? 0 : -EIO;
}

/* The page is written when it is complete, so that a failure leaves none. */
static int make_page(struct page *page, const struct page_options *o)
{
	char *text;
	int r = document_begin(&page->doc);

	if (r)
		return r;
	write_page(page);
	text = document_end(&page->doc, "shmipc-bench: what a message costs");
	if (!text)
		return -EIO;
	r = save(o->output, text);
	if (r)
		fprintf(stderr, "shmipc-bench: %s: %s\n", o->output ? o->output : "standard output", strerror(-r));
	free(text);
	return r;
}

static void parse(struct page_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "svg", required_argument, NULL, 's' },
		{ "markdown", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'o')
			o->output = optarg;
		else if (c == 's')
			o->svg = optarg;
		else if (c == 'm')
			o->markdown = true;
		else
			options_reject("report: that is not an option, or its value is missing");
	}
	if (optind == argc)
		options_reject("report: a file of figures is missing");
	if (!o->svg)
		return;
	while (o->svg[0] && o->svg[1] && o->svg[strlen(o->svg) - 1] == '/')
		o->svg[strlen(o->svg) - 1] = '\0';
	if (mkdir(o->svg, 0777) && errno != EEXIST)
		options_reject("report: --svg: '%s' cannot be made: %s", o->svg, strerror(errno));
}

int page_main(int argc, char **argv)
{
	struct page_options o = { 0 };
	struct page page = { 0 };
	unsigned int f;
	int r = 0;

	parse(&o, argc, argv);
	page.doc.markdown = o.markdown;
	page.doc.svg = o.svg;
	page.file = calloc((size_t)(argc - optind), sizeof(*page.file));
	if (!page.file)
		abort();
	for (; optind < argc && !r; optind++) {
		r = record_file_load(&page.file[page.files], argv[optind]);
		page.files += !r;
	}
	if (r)
		r = 2;
	else
		r = make_page(&page, &o) ? 1 : 0;
	for (f = 0; f < page.files; f++)
		record_file_free(&page.file[f]);
	free(page.file);
	return r;
}
