// SPDX-License-Identifier: Apache-2.0
/*
 * image.c - a lane's bytes, wherever they are
 */
#include "image.h"

#include <string.h>

static const char *check_geometry(const struct image *image, uint64_t bytes)
{
	struct geometry computed = image->record.geometry;
	const struct geometry *said = &image->record.geometry;

	if (geometry_init(&computed))
		return "its geometry is out of bounds";
	if (computed.ring_at != said->ring_at || computed.returns_at != said->returns_at ||
	    computed.table_at != said->table_at)
		return "its geometry does not add up";
	/* Not compared with the computed one, which depends on this host's page size. */
	if (said->head_bytes != bytes || said->table_at + said->slices * sizeof(struct slice_entry) > bytes)
		return "its head has another size than it says";
	return NULL;
}

static const char *find_fault(struct image *image, const void *head, uint64_t bytes)
{
	if (!head)
		return "its memory cannot be read";
	if (bytes < 2 * LAYOUT_PAGE)
		return "it is too small for a head";
	memcpy(&image->record, (const unsigned char *)head + LAYOUT_RECORD, sizeof(image->record));
	if (image->record.magic != LAYOUT_MAGIC)
		return "it does not say that it is a lane";
	if (image->record.version != LAYOUT_VERSION)
		return "it has a layout that this tool does not know";
	if (image->record.endpoint > 1)
		return "it says that it is of neither endpoint";
	return check_geometry(image, bytes);
}

bool image_open(struct image *image, const void *head, uint64_t bytes)
{
	image->head = (struct image_part){ .base = head, .bytes = bytes };
	image->record = (struct lane_record){ 0 };
	image->fault = find_fault(image, head, bytes);
	image->geometry = image->fault ? (struct geometry){ 0 } : image->record.geometry;
	return !image->fault;
}

struct control image_control(const struct image *image)
{
	const struct lane_words *w = (const void *)image->head.base;

	return (struct control){
		.seq = load_acquire(&w->seq),
		.rung = load_relaxed(&w->rung),
		.cons = load_acquire(&w->cons),
		.skip = load_relaxed(&w->skip),
		.cpu = load_relaxed(&w->cpu),
		.pays = load_relaxed(&w->pays),
		.retired = load_relaxed(&w->retired),
		.unmapped = load_relaxed(&w->unmapped),
		.ret_cons = load_acquire(&w->ret_cons),
	};
}

struct counters image_counters(const struct image *image)
{
	const struct lane_tool *t = (const void *)(image->head.base + LAYOUT_PAGE);

	return (struct counters){
		.messages_sent = load_relaxed(&t->messages_sent),
		.bytes_sent = load_relaxed(&t->bytes_sent),
		.messages_received = load_relaxed(&t->messages_received),
		.bytes_received = load_relaxed(&t->bytes_received),
		.rings = load_relaxed(&t->rings),
		.sleeps = load_relaxed(&t->sleeps),
		.growths = load_relaxed(&t->growths),
		.retires = load_relaxed(&t->retires),
		.slices_lent = load_relaxed(&t->slices_lent),
		.bytes_lent = load_relaxed(&t->bytes_lent),
		.memory_bytes = load_relaxed(&t->memory_bytes),
	};
}

static const struct slot *slot_at(const struct image *image, uint32_t index)
{
	const struct slot *ring = (const void *)(image->head.base + image->geometry.ring_at);

	return &ring[index & (image->geometry.slots - 1)];
}

uint32_t image_lap(const struct image *image, uint32_t index)
{
	return load_acquire(&slot_at(image, index)->lap);
}

struct slot_view image_slot(const struct image *image, uint32_t index)
{
	const struct slot *slot = slot_at(image, index);
	struct slot_view view = { .lap = load_acquire(&slot->lap) };
	uint32_t what = load_relaxed(&slot->what);

	view.size = load_relaxed(&slot->size);
	view.tag = load_relaxed(&slot->tag);
	view.kind = (uint16_t)what;
	view.carry = (uint16_t)(what >> 16);
	view.slice = load_relaxed(&slot->ref.slice);
	view.segment = load_relaxed(&slot->ref.segment);
	view.offset = load_relaxed(&slot->ref.offset);
	return view;
}

const unsigned char *image_slot_bytes(const struct image *image, uint32_t index)
{
	return slot_at(image, index)->bytes;
}

uint64_t image_return(const struct image *image, uint32_t index)
{
	const _Atomic uint64_t *returns = (const void *)(image->head.base + image->geometry.returns_at);

	return load_acquire(&returns[index & (image->geometry.slices - 1)]);
}

struct slice_view image_slice(const struct image *image, uint32_t number)
{
	const struct slice_entry *table = (const void *)(image->head.base + image->geometry.table_at);
	const struct slice_entry *entry = &table[number & (image->geometry.slices - 1)];

	return (struct slice_view){
		.state = load_acquire(&entry->state),
		.segment = load_relaxed(&entry->segment),
		.size = load_relaxed(&entry->size),
		.tag = load_relaxed(&entry->tag),
		.lent_ms = load_relaxed(&entry->lent_ms),
		.offset = load_relaxed(&entry->offset),
		.bytes = (uint64_t)load_relaxed(&entry->granules) * 64,
	};
}

const void *image_tool_page(const struct image *image, uint32_t offset)
{
	return image->head.base + LAYOUT_PAGE + offset;
}

bool image_has(const struct image *image, uint32_t segment, uint64_t offset, uint64_t bytes)
{
	uint64_t size = segment < SHMIPC_SEGMENTS ? image->segment[segment].bytes : 0;

	return size && offset <= size && bytes <= size - offset;
}
