# SPDX-License-Identifier: Apache-2.0
#
# Makes manual pages of a public header, one of each documented function and one of the header itself, so that the two
# cannot differ.
#
#	awk -v out=DIR -v version=0.1.0 -f from-header.awk shmipc/channel.h
#
# A page comes from the comment in front of a declaration: "name - what it does", "@parameter: meaning" lines,
# paragraphs, and a last paragraph that begins with "Returns", whose -ERRNO entries become a list. Prints the pages' names.

function escape(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	sub(/^[.']/, "\\\\\\&&", text)
	return text
}

function flush_paragraph() {
	if (paragraph == "")
		return
	sub(/ ?Since [0-9.]+\.$/, "", paragraph)
	if (paragraph ~ /^Returns/)
		returns = paragraph
	else if (paragraph ~ /^Since [0-9.]+\. Returns/) {
		sub(/^Since [0-9.]+\. /, "", paragraph)
		returns = paragraph
	} else if (paragraph !~ /^Since [0-9.]+\.?$/ && paragraph != "")
		description[++paragraphs] = paragraph
	paragraph = ""
}

function print_returns(text,	part, n, i) {
	n = split(text, part, /(; |\. |, )-E/)
	print escape(part[1]) > page
	for (i = 2; i <= n; i++) {
		print ".TP" > page
		sub(/\.$/, "", part[i])
		if (part[i] ~ /^[A-Z]+: /) {
			printf("\\-E%s\n%s\n", substr(part[i], 1, index(part[i], ":") - 1),
			       escape(substr(part[i], index(part[i], ": ") + 2))) > page
		} else
			printf("\\-E%s\n\n", escape(part[i])) > page
	}
}

function write_page(	name, i) {
	name = title
	sub(/ - .*/, "", name)
	sub(/,.*/, "", name) # of several, the first
	page = out "/" name ".3"
	printf(".TH %s 3 \"\" \"shmipc %s\" \"shmipc\"\n", name, version) > page
	print ".SH NAME" > page
	print escape(title) > page
	print ".SH SYNOPSIS\n.nf" > page
	printf("#include <%s>\n\n%s\n.fi\n", header, escape(declaration)) > page
	print ".SH DESCRIPTION" > page
	for (i = 1; i <= paragraphs; i++)
		printf("%s%s\n", (i > 1 ? ".PP\n" : ""), escape(description[i])) > page
	if (parameters) {
		print ".SS Parameters" > page
		for (i = 1; i <= parameters; i++)
			printf(".TP\n.I %s\n%s\n", parameter[i], escape(meaning[i])) > page
	}
	if (returns != "") {
		print ".SH RETURN VALUE" > page
		print_returns(returns)
	}
	print ".SH SEE ALSO\n.BR shmipc_" noun " (7)" > page
	close(page)
	print page
}

function begin_overview() {
	page = out "/shmipc_" noun ".7"
	printf(".TH shmipc_%s 7 \"\" \"shmipc %s\" \"shmipc\"\n.SH NAME\nshmipc_%s \\- %s\n", noun, version, noun,
	       escape(substr($0, index($0, " - ") + 3))) > page
	printf(".SH SYNOPSIS\n.nf\n#include <%s>\n\nCompile and link with pkg\\-config libshmipc.\n.SH DESCRIPTION\n",
	       header) > page
}

FNR == 1 {
	header = FILENAME
	sub(/^.*include\//, "", header)
	noun = header
	sub(/^.*\//, "", noun)
	sub(/\.h$/, "", noun)
	overview = 0
}

# The file's own comment is the overview page, as it stands.
overview == 0 && index($0, " * " header " - ") == 1 {
	overview = 1
	begin_overview()
	next
}

overview == 1 {
	if (/^ \*\//) {
		overview = 2
		close(page)
		print page
	} else {
		line = $0
		sub(/^ \* ?/, "", line)
		print escape(line) > page
	}
	next
}

/^\/\*\*$/ {
	inside = 1
	title = paragraph = returns = declaration = ""
	paragraphs = parameters = 0
	split("", description)
	next
}

inside && /^ \*\// {
	flush_paragraph()
	inside = 0
	documented = title !~ /^struct /
	next
}

inside {
	line = $0
	sub(/^ \* ?/, "", line)
	if (title == "") {
		title = line
	} else if (line ~ /^@[a-z_0-9]+:/) {
		flush_paragraph()
		parameter[++parameters] = substr(line, 2, index(line, ":") - 2)
		meaning[parameters] = substr(line, index(line, ":") + 2)
		in_parameter = 1
	} else if (line == "") {
		flush_paragraph()
		in_parameter = 0
	} else if (in_parameter) {
		sub(/^\t/, "", line)
		meaning[parameters] = meaning[parameters] " " line
	} else {
		paragraph = paragraph (paragraph == "" ? "" : " ") line
	}
	next
}

documented {
	declaration = declaration (declaration == "" ? "" : "\n") $0
	if (/;$/) {
		documented = 0
		write_page()
	}
}
