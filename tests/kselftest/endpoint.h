/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One end of a channel as a program holds it: its file, its two heads, and the steps of the
 * doorbell protocol, written down once more and independently of the library.
 *
 * Every function that can fail returns 0, a count or a descriptor, or -errno.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/shmipc.h>

#define DEVICE "/dev/shmipc"

/* What outputs are filled with before a call: no field has this value by chance. */
#define POISON 0xa5
#define POISON_32 0xa5a5a5a5u
#define POISON_64 0xa5a5a5a5a5a5a5a5ull

struct endpoint {
	int fd;
	struct shmipc_words *own; /* NULL: not mapped */
	const struct shmipc_words *peer;
	size_t own_size;
	size_t peer_size;
};

size_t page_size(void);

/* A file that is no endpoint yet. */
int device_open(void);

/* ioctl(2); the argument by value or by address. */
long device_call(int fd, unsigned long command, uintptr_t argument);
#define CALL(fd, command, argument) device_call(fd, command, (uintptr_t)(argument))

/* Heads of one page each, lanes of up to 1 MB, peer_fd poisoned. */
struct shmipc_ioc_create create_request(void);

/* A fresh channel, nothing mapped; @request may be NULL. The file of endpoint 0 is opened here. */
int channel_create(struct endpoint ends[2], const struct shmipc_ioc_create *request);

/* A fresh channel with both ends mapped, and so bound, here. */
int channel_create_bound(struct endpoint ends[2]);

/* Maps a part; @address is set on success only. */
int part_map(int fd, unsigned int lane, unsigned int part, size_t size, int protection,
	     void **address);

/* Maps the own head writable, which binds, and the peer's for reading. */
int endpoint_map(struct endpoint *end);
void endpoint_unmap(struct endpoint *end);
/* Unmaps what is mapped and closes. May be called twice. */
void endpoint_close(struct endpoint *end);

/* Poisons @info, then asks. */
int endpoint_info(int fd, struct shmipc_ioc_info *info);
/* State bits; those of a failed call are all set. */
uint32_t endpoint_state(int fd);

int endpoint_grow(int fd, unsigned int segment, size_t size);

uint32_t word_load(const uint32_t *word);
void word_store(uint32_t *word, uint32_t value);

/* Announces a sleep: a new odd seq, then a full barrier. Returns the seq. */
uint32_t endpoint_arm(struct endpoint *end);
/* Withdraws it: a new even seq. */
void endpoint_disarm(struct endpoint *end);
/* A full barrier, then takes the duty to wake the peer; false if there is none to take. */
bool endpoint_take_duty(struct endpoint *end);
/* Takes the duty and rings. */
long endpoint_ring(struct endpoint *end);

#endif /* ENDPOINT_H */
