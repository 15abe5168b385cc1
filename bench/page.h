/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PAGE_H
#define BENCH_PAGE_H

#include "document.h"
#include "record.h"

/* The report that `shmipc-bench report` writes: the document, and what it is made of. */
struct page {
	struct document doc;
	struct record_file *file;
	unsigned int files;
};

/* The sections, in the order of the page. Each leaves out what there are no rows for. */
void page_verdict(struct page *page);
void page_charts(struct page *page);
void page_comparison(struct page *page);
void page_connections(struct page *page);
void page_rows(struct page *page);

/* The tables of a workload that has a schedule. */
void page_paced(struct page *page, const char *workload);

/* What is known of a host, in one line. Returns @out, of PAGE_LINE bytes. */
#define PAGE_LINE 512
const char *page_host(char *out, const struct record_file *file);

/* The row after @record, through all files; the first one after NULL, NULL after the last. */
const struct record *page_next(const struct page *page, const struct record *record);

/* The figure @name of a row, unless it is a time of an emulated processor: NAN then. */
double page_time(const struct record *record, const char *name);

#endif
