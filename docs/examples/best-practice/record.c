// SPDX-License-Identifier: Apache-2.0
/*
 * record.c - records as MessagePack: [id, name, samples]
 */
#include "record.h"

#include <errno.h>
#include <string.h>

/* The longest heads: of the array, of a number, of a string and of binary data. */
#define HEADS (5 + 9 + 5 + 5)

size_t record_size_max(const struct record *record)
{
	return HEADS + record->name_size + record->samples_size;
}

struct room {
	char *to;
	size_t left;
};

/* What msgpack-c calls with each few bytes. */
static int append(void *arg, const char *data, size_t size)
{
	struct room *room = arg;

	if (size > room->left)
		return -1;
	memcpy(room->to, data, size);
	room->to += size;
	room->left -= size;
	return 0;
}

ssize_t record_pack(const struct record *record, void *memory, size_t size)
{
	struct room room = { .to = memory, .left = size };
	msgpack_packer packer;

	msgpack_packer_init(&packer, &room, append);
	if (msgpack_pack_array(&packer, 3) || msgpack_pack_uint64(&packer, record->id) ||
	    msgpack_pack_str(&packer, record->name_size) ||
	    msgpack_pack_str_body(&packer, record->name, record->name_size) ||
	    msgpack_pack_bin(&packer, record->samples_size) ||
	    msgpack_pack_bin_body(&packer, record->samples, record->samples_size))
		return -EMSGSIZE;
	return (ssize_t)(size - room.left);
}

int record_unpack(struct record *record, msgpack_unpacked *unpacked, const void *data, size_t size)
{
	const msgpack_object *field;
	msgpack_unpack_return r = msgpack_unpack_next(unpacked, data, size, NULL);

	if (r == MSGPACK_UNPACK_NOMEM_ERROR)
		return -ENOMEM;
	if (r != MSGPACK_UNPACK_SUCCESS || unpacked->data.type != MSGPACK_OBJECT_ARRAY ||
	    unpacked->data.via.array.size != 3)
		return -EBADMSG;
	field = unpacked->data.via.array.ptr;
	if (field[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || field[1].type != MSGPACK_OBJECT_STR ||
	    field[2].type != MSGPACK_OBJECT_BIN)
		return -EBADMSG;
	*record = (struct record){
		.id = field[0].via.u64,
		.name = field[1].via.str.ptr,
		.name_size = field[1].via.str.size,
		.samples = field[2].via.bin.ptr,
		.samples_size = field[2].via.bin.size,
	};
	return 0;
}
