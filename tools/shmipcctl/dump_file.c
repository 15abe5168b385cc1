// SPDX-License-Identifier: Apache-2.0
/*
 * dump_file.c - a channel's state in a file
 */
#include "dump_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1u << 20)

static int write_all(int fd, const void *data, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(fd, (const char *)data + done, size - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* What applications wrote into slots. Where a slice is stands in the same bytes, and stays. */
static void blank_slots(struct snapshot *s, int e)
{
	const struct image *lane = &s->pair.lane[e];
	struct slot *ring;
	uint32_t i;

	if (lane->fault)
		return;
	ring = (struct slot *)((char *)s->bytes[e] + lane->geometry.ring_at);
	for (i = 0; i < lane->geometry.slots; i++) {
		bool slice = image_slot(lane, i).carry == SLOT_SLICE;

		memset(ring[i].bytes + (slice ? sizeof(ring[i].ref) : 0), 0,
		       sizeof(ring[i].bytes) - (slice ? sizeof(ring[i].ref) : 0));
	}
}

static uint32_t plan(const struct snapshot *s, size_t meta, bool content, struct dump_section *sections)
{
	uint32_t n = 0, e, i;
	uint64_t at;

	sections[n++] = (struct dump_section){ .kind = DUMP_META, .bytes = meta };
	for (e = 0; e < 2; e++) {
		const struct image *lane = &s->pair.lane[e];

		if (!lane->head.base)
			continue;
		sections[n++] = (struct dump_section){ .kind = DUMP_HEAD, .endpoint = e, .bytes = lane->head.bytes };
		for (i = 0; i < SHMIPC_SEGMENTS; i++)
			if (lane->segment[i].bytes)
				sections[n++] = (struct dump_section){ .kind = content ? DUMP_SEGMENT : DUMP_SIZE,
								       .endpoint = e,
								       .segment = i,
								       .bytes = lane->segment[i].bytes };
	}
	at = sizeof(struct dump_header) + n * sizeof(*sections);
	for (i = 0; i < n; i++) {
		if (sections[i].kind == DUMP_SIZE)
			continue;
		/* Heads hold words that are loaded whole. */
		at = (at + 63) & ~63ull;
		sections[i].at = at;
		at += sections[i].bytes;
	}
	return n;
}

static int write_segment(int fd, const struct view *view, const struct dump_section *section)
{
	unsigned char *piece = malloc(PIECE);
	uint64_t done = 0;
	ssize_t n;
	int r = piece ? 0 : -ENOMEM;

	while (!r && done < section->bytes) {
		size_t want = section->bytes - done < PIECE ? section->bytes - done : PIECE;

		n = view_read(view, (int)section->endpoint, section->segment, done, piece, want);
		/* It went away meanwhile: zeros take its place, so that the rest stands where it should. */
		if (n != (ssize_t)want)
			memset(piece, 0, want);
		r = write_all(fd, piece, want);
		done += want;
	}
	free(piece);
	return r;
}

static int write_section(int fd, const struct dump_section *section, const struct snapshot *s, const char *meta,
			 const struct view *view)
{
	if (section->kind == DUMP_SIZE)
		return 0;
	if (lseek(fd, (off_t)section->at, SEEK_SET) < 0)
		return -errno;
	if (section->kind == DUMP_META)
		return write_all(fd, meta, section->bytes);
	if (section->kind == DUMP_HEAD)
		return write_all(fd, s->bytes[section->endpoint], section->bytes);
	return write_segment(fd, view, section);
}

int dump_write(int fd, struct snapshot *s, const json_t *meta, const struct view *view)
{
	struct dump_section sections[DUMP_SECTIONS_MAX] = { { 0 } };
	struct dump_header header = { .order = DUMP_ORDER, .version = DUMP_VERSION };
	char *text = json_dumps(meta, JSON_COMPACT);
	uint32_t i;
	int r;

	if (!text)
		return -ENOMEM;
	memcpy(header.magic, DUMP_MAGIC, sizeof(header.magic));
	header.sections = plan(s, strlen(text), view != NULL, sections);
	if (!view) {
		blank_slots(s, 0);
		blank_slots(s, 1);
	}
	r = write_all(fd, &header, sizeof(header));
	if (!r)
		r = write_all(fd, sections, header.sections * sizeof(*sections));
	for (i = 0; i < header.sections && !r; i++)
		r = write_section(fd, &sections[i], s, text, view);
	free(text);
	return r;
}

static bool check_section(const struct dump *d, const struct dump_section *s)
{
	if (s->kind < DUMP_META || s->kind > DUMP_SIZE || s->endpoint > 1 || s->segment >= SHMIPC_SEGMENTS)
		return false;
	if (s->kind == DUMP_SIZE)
		return s->bytes <= LAYOUT_MEMORY_MAX;
	return s->at % 64 == 0 && s->at <= d->size && s->bytes <= d->size - s->at;
}

static bool take_meta(struct dump *d, const struct dump_section *s, const char **why)
{
	if (!d->meta)
		d->meta = json_loadb((const char *)d->bytes + s->at, s->bytes, JSON_REJECT_DUPLICATES, NULL);
	*why = "its description is no JSON";
	return json_is_object(d->meta);
}

static bool take_section(struct dump *d, const struct dump_section *s, const char **why)
{
	struct image *lane = &d->pair.lane[s->endpoint];

	*why = "it is cut off, or damaged";
	if (!check_section(d, s))
		return false;
	if (s->kind == DUMP_META)
		return take_meta(d, s, why);
	if (s->kind == DUMP_HEAD)
		image_open(lane, d->bytes + s->at, s->bytes);
	else
		lane->segment[s->segment] =
			(struct image_part){ .base = s->kind == DUMP_SEGMENT ? d->bytes + s->at : NULL,
					     .bytes = s->bytes };
	return true;
}

static void take_facts(struct dump *d)
{
	const json_t *lanes = json_object_get(d->meta, "segments_known");
	int e;

	d->now_ms = (uint32_t)json_integer_value(json_object_get(d->meta, "clock_ms"));
	d->still = json_is_true(json_object_get(d->meta, "still"));
	for (e = 0; e < 2; e++)
		d->pair.lane[e].segments_known = json_is_true(json_array_get(lanes, (size_t)e));
}

bool dump_parse(struct dump *d, unsigned char *bytes, uint64_t size, const char **why)
{
	struct dump_header header;
	struct dump_section section;
	uint32_t i;

	*d = (struct dump){ .bytes = bytes, .size = size };
	image_open(&d->pair.lane[0], NULL, 0);
	image_open(&d->pair.lane[1], NULL, 0);
	*why = "it is no dump of a channel";
	if (size < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, DUMP_MAGIC, sizeof(header.magic)))
		return false;
	*why = "it is of a host with another byte order, or of another version of this tool";
	if (header.order != DUMP_ORDER || header.version != DUMP_VERSION)
		return false;
	*why = "it is cut off, or damaged";
	if (header.sections > DUMP_SECTIONS_MAX || header.sections * sizeof(section) > size - sizeof(header))
		return false;
	for (i = 0; i < header.sections; i++) {
		memcpy(&section, bytes + sizeof(header) + i * sizeof(section), sizeof(section));
		if (!take_section(d, &section, why))
			return false;
	}
	*why = "it does not say what it is of";
	if (!d->meta)
		return false;
	take_facts(d);
	return true;
}

bool dump_read(struct dump *d, const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *bytes = NULL;
	struct stat st;
	size_t used = 0;
	ssize_t n = 1;

	*d = (struct dump){ .bytes = NULL };
	*why = strerror(errno);
	if (fd < 0)
		return false;
	*why = "it is no file";
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		*why = "there is no memory for it";
		bytes = aligned_alloc(64, ((size_t)st.st_size + 64) & ~63ull);
	}
	while (bytes && n > 0 && used < (size_t)st.st_size) {
		n = read(fd, bytes + used, (size_t)st.st_size - used);
		used += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return bytes && dump_parse(d, bytes, used, why);
}

void dump_free(struct dump *d)
{
	json_decref(d->meta);
	free(d->bytes);
	d->meta = NULL;
	d->bytes = NULL;
}
