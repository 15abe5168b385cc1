#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether an HTML page of the bench is well-formed, needs nothing else, and runs nothing.

usage: page.py PAGE [TEXT…]    every TEXT must be read in it, as text; -TEXT must not
"""
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}
ALLOWED = set("""html head meta title style body main h1 h2 h3 nav a section p ul li div table thead tbody tr th td figure
    figcaption pre code footer svg g rect defs circle path use filter feflood fecomposite desc text tspan polygon ellipse line
    polyline""".split())


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.ids, self.links, self.words = [], [], set(), [], []

    def fault(self, text):
        self.faults.append(f"line {self.getpos()[0]}: {text}")

    def start(self, tag, attributes):
        if tag not in ALLOWED:
            self.fault(f"element {tag}")
        for name, value in attributes:
            value = value or ""
            if name.startswith("on"):
                self.fault(f"attribute {name}")
            if name == "id":
                if value in self.ids:
                    self.fault(f"id {value} twice")
                self.ids.add(value)
            if name in ("src", "href", "xlink:href"):
                self.links.append(value)
            if "url(" in value or "javascript:" in value:
                self.fault(f"{name}={value}")

    def handle_starttag(self, tag, attributes):
        self.start(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.start(tag, attributes)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.fault(f"end of {tag} where none is")

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "style" and re.search(r"url\(|@import", data):
            self.fault("style that loads something")


def main():
    page = Page()
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    page.feed(text)
    page.close()
    if not text.startswith("<!DOCTYPE html>"):
        page.faults.append("no document type")
    if page.open:
        page.faults.append(f"never ended: {page.open}")
    for link in page.links:
        if not link.startswith("#") or link[1:] not in page.ids:
            page.faults.append(f"link to {link}")
    read = re.sub(r"\s+", " ", " ".join(page.words).replace("\u00a0", " "))
    for wanted in sys.argv[2:]:
        unwanted = wanted.startswith("-")
        if (wanted.removeprefix("-") in read) == unwanted:
            page.faults.append(f"text: {wanted}")
    print("\n".join(page.faults))
    return bool(page.faults)


if __name__ == "__main__":
    sys.exit(main())
