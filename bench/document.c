// SPDX-License-Identifier: Apache-2.0
#include "document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Plain text, where nothing of it may be taken for markup. What HTML does not know as a character is left out. */
static void write_text(struct document *doc, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			fputs("&amp;", doc->out);
		else if (*text == '<')
			fputs("&lt;", doc->out);
		else if (*text == '>')
			fputs("&gt;", doc->out);
		else if (*text == '"' && !doc->markdown)
			fputs("&quot;", doc->out);
		else if (*text == '\'' && !doc->markdown)
			fputs("&#39;", doc->out);
		else if (doc->markdown && strchr("|`*[]\\", *text))
			fprintf(doc->out, "\\%c", *text);
		else if (doc->markdown && !strncmp(text, "\xc2\xa0", 2))
			fputc(' ', doc->out), text++;
		else if ((unsigned char)*text >= ' ' && *text != 127)
			fputc(*text, doc->out);
		else
			fputc(' ', doc->out);
	}
}

static const char style[] =
	":root{color-scheme:light dark;--ink:#1c2128;--dim:#59636e;--back:#fff;--soft:#f3f5f7;--line:#cdd4db;"
	"--good:#116329;--bad:#a40e26;--note:#7d4e00;--note-back:#fff4d6;--accent:#0b5cc7}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e2e6ea;--dim:#9aa4af;--back:#0f1317;--soft:#191f26;"
	"--line:#3d4751;--good:#57c97a;--bad:#ff7b72;--note:#e3b341;--note-back:#2b2410;--accent:#6cb0ff}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
	"main{max-width:70rem;margin:0 auto;padding:1rem}\n"
	"h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}\n"
	"h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}\n"
	"h3{font-size:1rem;margin:1.4rem 0 .5rem}\n"
	"p,ul{max-width:48rem;margin:.5rem 0}\nul{padding-left:1.3rem}\n"
	"a{color:var(--accent)}\n"
	"nav{font-size:.9rem;margin:.8rem 0}\nnav a{margin-right:.9rem;white-space:nowrap}\n"
	".warning{background:var(--note-back);border-left:4px solid var(--note);padding:.5rem .8rem}\n"
	".scroll{overflow-x:auto;margin:.6rem 0}\n"
	"table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
	"th,td{padding:.28rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}\n"
	"th{font-weight:600;color:var(--dim);white-space:nowrap;vertical-align:bottom}\n"
	"td.text,th.text{text-align:left}\ntd.figure,td:first-child{white-space:nowrap}\n"
	"th:first-child,td:first-child{padding-left:0}\n"
	"td.text:not(:first-child){min-width:8.5rem}\n"
	"th.group{text-align:left;white-space:normal;color:var(--ink);padding-top:.8rem}\n"
	"tbody tr:hover{background:var(--soft)}\n"
	".good{color:var(--good);font-weight:600}\n.bad{color:var(--bad);font-weight:600}\n"
	".noise{color:var(--dim)}\n"
	"pre{background:var(--soft);padding:.6rem .8rem;overflow-x:auto;font-size:.82rem;line-height:1.45}\n"
	".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(30rem,100%),1fr));gap:1.2rem 2rem}\n"
	"figure{margin:0;min-width:0;max-width:36rem}\nfigure svg{width:100%;height:auto;display:block}\n"
	"figure h3{margin:.6rem 0 .1rem}\nfigcaption{font-size:.82rem;color:var(--dim);margin-top:.2rem}\n"
	"svg [stroke=black]{stroke:var(--ink)}\nsvg [fill=black]{fill:var(--ink)}\n"
	"svg [stroke=gray]{stroke:var(--line)}\n"
	"@media(max-width:36rem){.stacked,.stacked tbody,.stacked tr,.stacked td,.stacked th{display:block}\n"
	".stacked th:not(:first-child),.stacked td:empty{display:none}\n"
	".stacked td.text,.stacked th{border:0;padding:.05rem 0;min-width:0}\n.stacked tr{padding:.25rem 0}\n"
	".stacked td[data-head]::before{content:attr(data-head);color:var(--dim);font-weight:400}}\n"
	"footer{margin:3rem 0 1rem;font-size:.82rem;color:var(--dim)}\n";

int document_begin(struct document *doc)
{
	doc->out = open_memstream(&doc->body_text, &doc->body_size);
	doc->links = open_memstream(&doc->links_text, &doc->links_size);
	if (doc->out && doc->links)
		return 0;
	if (doc->out)
		fclose(doc->out);
	free(doc->body_text);
	return -ENOMEM;
}

/* Charts stand side by side until something else comes. */
static void end_charts(struct document *doc)
{
	if (doc->in_charts && !doc->markdown)
		fprintf(doc->out, "</div>\n");
	doc->in_charts = false;
}

static void end_section(struct document *doc)
{
	end_charts(doc);
	if (doc->in_section)
		fprintf(doc->out, doc->markdown ? "<!-- end -->\n\n" : "</section>\n");
	doc->in_section = false;
}

/* Something will be written: the section that waits for it begins. */
static void begin_content(struct document *doc)
{
	end_charts(doc);
	if (!doc->id)
		return;
	doc->in_section = true;
	if (doc->markdown) {
		fprintf(doc->out, "<!-- figures: %s -->\n", doc->id);
	} else {
		fprintf(doc->links, "<a href=\"#%s\">%s</a>\n", doc->id, doc->title);
		fprintf(doc->out, "<section id=\"%s\">\n<h2>%s</h2>\n", doc->id, doc->title);
	}
	doc->id = NULL;
}

void document_section(struct document *doc, const char *id, const char *title)
{
	end_section(doc);
	doc->id = id;
	doc->title = title;
}

static void write_whole(struct document *doc, FILE *out, const char *title)
{
	if (doc->markdown) {
		fputs(doc->body_text, out);
		return;
	}
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n"
		"<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n<nav>\n%s</nav>\n%s",
		title, style, title, doc->links_text, doc->body_text);
	fprintf(out, "<footer>shmipc-bench %s</footer>\n</main>\n</body>\n</html>\n", BENCH_VERSION);
}

char *document_end(struct document *doc, const char *title)
{
	bool failed = doc->failed;
	char *text = NULL;
	size_t size;
	FILE *out;

	end_section(doc);
	failed |= fclose(doc->out) || fclose(doc->links);
	out = failed ? NULL : open_memstream(&text, &size);
	if (out) {
		write_whole(doc, out, title);
		failed = fclose(out);
	}
	free(doc->body_text);
	free(doc->links_text);
	if (!out || !failed)
		return text;
	free(text);
	return NULL;
}

void document_heading(struct document *doc, const char *text)
{
	begin_content(doc);
	fprintf(doc->out, doc->markdown ? "**" : "<h3>");
	write_text(doc, text);
	fprintf(doc->out, doc->markdown ? "**\n\n" : "</h3>\n");
}

static void write_paragraph(struct document *doc, const char *open, const char *close, const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		abort();
	begin_content(doc);
	fputs(doc->markdown ? "" : open, doc->out);
	write_text(doc, text);
	fputs(doc->markdown ? "\n\n" : close, doc->out);
	free(text);
}

void document_text(struct document *doc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_paragraph(doc, "<p>", "</p>\n", format, args);
	va_end(args);
}

void document_warning(struct document *doc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_paragraph(doc, "<p class=\"warning\">", "</p>\n", format, args);
	va_end(args);
}

void document_list(struct document *doc, const char *const *items, unsigned int count)
{
	unsigned int i;

	begin_content(doc);
	fprintf(doc->out, doc->markdown ? "" : "<ul>\n");
	for (i = 0; i < count; i++) {
		fprintf(doc->out, doc->markdown ? "- " : "<li>");
		write_text(doc, items[i]);
		fprintf(doc->out, doc->markdown ? "\n" : "</li>\n");
	}
	fprintf(doc->out, doc->markdown ? "\n" : "</ul>\n");
}

/* A file may hold what ends a fenced block. */
static void write_fenced(struct document *doc, const char *text)
{
	fputs("```\n", doc->out);
	for (; *text; text++)
		fputc(*text == '`' || (*text < ' ' && *text > 0 && *text != '\n') ? ' ' : *text, doc->out);
	fputs("\n```\n\n", doc->out);
}

void document_code(struct document *doc, const char *text)
{
	begin_content(doc);
	if (doc->markdown) {
		write_fenced(doc, text);
		return;
	}
	fprintf(doc->out, "<pre><code>");
	write_text(doc, text);
	fprintf(doc->out, "</code></pre>\n");
}

static bool is_wordy(const struct grid *grid, unsigned int column)
{
	return grid->words >> column & 1;
}

/* A table of nothing but words: on a narrow screen its cells stand below each other, each with its column's name. */
static bool is_stacked(const struct grid *grid)
{
	return grid->words == ~0u;
}

static void write_html_cell(struct document *doc, const struct grid *grid, unsigned int row, unsigned int column)
{
	const struct grid_cell *cell = grid_at(grid, row, column);

	fprintf(doc->out, "<td class=\"%s%s%s\"", is_wordy(grid, column) ? "text" : "figure", cell->mark ? " " : "",
		cell->mark ? cell->mark : "");
	if (is_stacked(grid) && column)
		fprintf(doc->out, " data-head=\"%s \"", grid->head[column]);
	fprintf(doc->out, ">");
	write_text(doc, cell->text);
	fprintf(doc->out, "</td>");
}

static void write_html_row(struct document *doc, const struct grid *grid, unsigned int row)
{
	unsigned int column;

	if (grid_is_group(grid, row)) {
		fprintf(doc->out, "<tr><th class=\"group\" colspan=\"%u\">", grid->columns);
		write_text(doc, grid_at(grid, row, 0)->text);
		fprintf(doc->out, "</th></tr>\n");
		return;
	}
	fprintf(doc->out, "<tr>");
	for (column = 0; column < grid->columns; column++)
		if (!grid_column_is_empty(grid, column))
			write_html_cell(doc, grid, row, column);
	fprintf(doc->out, "</tr>\n");
}

static void write_html_grid(struct document *doc, const struct grid *grid)
{
	unsigned int i;

	fprintf(doc->out, "<div class=\"scroll\" tabindex=\"0\"><table%s>\n<thead><tr>",
		is_stacked(grid) ? " class=\"stacked\"" : "");
	for (i = 0; i < grid->columns; i++) {
		if (grid_column_is_empty(grid, i))
			continue;
		fprintf(doc->out, "<th scope=\"col\"%s>", is_wordy(grid, i) ? " class=\"text\"" : "");
		write_text(doc, grid->head[i]);
		fprintf(doc->out, "</th>");
	}
	fprintf(doc->out, "</tr></thead>\n<tbody>\n");
	for (i = 0; i < grid_rows(grid); i++)
		write_html_row(doc, grid, i);
	fprintf(doc->out, "</tbody></table></div>\n");
}

static void write_markdown_grid(struct document *doc, const struct grid *grid)
{
	unsigned int row, column;
	const char *bold;

	for (column = 0; column < grid->columns; column++)
		if (!grid_column_is_empty(grid, column))
			fprintf(doc->out, "| %s ", grid->head[column]);
	fprintf(doc->out, "|\n");
	for (column = 0; column < grid->columns; column++)
		if (!grid_column_is_empty(grid, column))
			fprintf(doc->out, "| %s ", !is_wordy(grid, column) ? "---:" : "---");
	fprintf(doc->out, "|\n");
	for (row = 0; row < grid_rows(grid); row++) {
		for (column = 0; column < grid->columns; column++) {
			if (grid_column_is_empty(grid, column))
				continue;
			bold = grid_is_group(grid, row) && !column ? "**" : "";
			fprintf(doc->out, "| %s", bold);
			write_text(doc, grid_at(grid, row, column)->text);
			fprintf(doc->out, "%s ", bold);
		}
		fprintf(doc->out, "|\n");
	}
	fprintf(doc->out, "\n");
}

void document_grid(struct document *doc, const struct grid *grid)
{
	if (!grid_rows(grid))
		return;
	begin_content(doc);
	if (doc->markdown)
		write_markdown_grid(doc, grid);
	else
		write_html_grid(doc, grid);
}

/* The chart as a file of its own. */
static void save_chart(struct document *doc, struct chart *chart, const char *name)
{
	char *svg = chart_draw(chart, name, false), *path = NULL;
	FILE *out;
	bool written = false;

	if (asprintf(&path, "%s/%s.svg", doc->svg, name) < 0)
		abort();
	out = svg ? fopen(path, "we") : NULL;
	if (out) {
		written = fputs(svg, out) >= 0;
		written = !fclose(out) && written;
	}
	if (svg && !written)
		fprintf(stderr, "shmipc-bench: %s: %s\n", path, strerror(errno));
	doc->failed |= !written;
	free(path);
	free(svg);
}

static void inline_chart(struct document *doc, struct chart *chart, const char *name, const char *caption)
{
	char *svg = chart_draw(chart, name, true);

	if (!svg) {
		doc->failed = true;
		return;
	}
	fprintf(doc->out, "<figure id=\"%s\">\n<h3>", name);
	write_text(doc, chart->title);
	fprintf(doc->out, "</h3>\n%s\n", svg);
	if (caption) {
		fprintf(doc->out, "<figcaption>");
		write_text(doc, caption);
		fprintf(doc->out, "</figcaption>\n");
	}
	fprintf(doc->out, "</figure>\n");
	free(svg);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void document_chart(struct document *doc, struct chart *chart, const char *id, const char *caption)
{
	if (doc->failed || (doc->markdown && !doc->svg))
		return;
	if (doc->svg)
		save_chart(doc, chart, id);
	if (doc->id || !doc->in_charts)
		begin_content(doc);
	if (!doc->in_charts && !doc->markdown)
		fprintf(doc->out, "<div class=\"charts\">\n");
	doc->in_charts = true;
	if (!doc->markdown) {
		inline_chart(doc, chart, id, caption);
	} else if (doc->svg) {
		fprintf(doc->out, "![");
		write_text(doc, chart->title);
		fprintf(doc->out, "](%s/%s.svg)\n\n", last_part(doc->svg), id);
	}
}
