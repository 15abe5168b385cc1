/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_DOCUMENT_H
#define BENCH_DOCUMENT_H

#include <stdbool.h>
#include <stdio.h>

#include "chart.h"
#include "grid.h"

/*
 * A report while it is written, as one HTML page that needs nothing else, or as Markdown. Texts are plain; they are
 * escaped here.
 */
struct document {
	bool markdown;
	const char *svg; /* the folder where charts go as files of their own; NULL: none */
	FILE *out;	 /* the body, and links to its sections */
	FILE *links;
	char *body_text, *links_text;
	size_t body_size, links_size;
	const char *id, *title; /* of a section that nothing is in yet */
	bool in_section, in_charts;
	bool failed; /* a chart could not be drawn, or not be written */
};

/* 0 or -errno; then there is nothing to end. */
int document_begin(struct document *doc);

/* The whole document as text, which the caller frees; NULL where it could not be made. */
char *document_end(struct document *doc, const char *title);

/*
 * A section ends where the next one begins. One in which nothing is written is left out. @id: a name for links, and for
 * whoever takes the section out of the Markdown.
 */
void document_section(struct document *doc, const char *id, const char *title);
void document_heading(struct document *doc, const char *text);
void __attribute__((format(printf, 2, 3))) document_text(struct document *doc, const char *format, ...);
/* What must not be missed. */
void __attribute__((format(printf, 2, 3))) document_warning(struct document *doc, const char *format, ...);
void document_list(struct document *doc, const char *const *items, unsigned int count);
void document_code(struct document *doc, const char *text);

/* Columns that say nothing are left out. */
void document_grid(struct document *doc, const struct grid *grid);
/* @caption may be NULL. */
void document_chart(struct document *doc, struct chart *chart, const char *id, const char *caption);

#endif
