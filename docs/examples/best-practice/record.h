/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what client and server send each other, and how it becomes bytes: MessagePack, by msgpack-c
 *
 * Both directions are free of copies: record_pack() writes into whatever memory it is given, and what
 * record_unpack() finds points into the bytes it was given.
 */
#ifndef RECORD_H
#define RECORD_H

#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

struct record {
	uint64_t id;
	const char *name; /* not terminated */
	size_t name_size;
	const void *samples;
	size_t samples_size;
};

/* The most bytes that it takes. */
size_t record_size_max(const struct record *record);

/* Returns the bytes it took; -EMSGSIZE: there is no room. */
ssize_t record_pack(const struct record *record, void *memory, size_t size);

/*
 * @unpacked: initialised; the record is valid as long as it and @data are
 * Returns 0; -EBADMSG: that is no record; -ENOMEM.
 */
int record_unpack(struct record *record, msgpack_unpacked *unpacked, const void *data, size_t size);

#endif /* RECORD_H */
