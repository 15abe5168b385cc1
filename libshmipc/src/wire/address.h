/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - where a listener is: a path, or "@name" for an abstract socket
 */
#ifndef SHMIPC_ADDRESS_H
#define SHMIPC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Bytes of an address as text, with its NUL. */
#define ADDRESS_TEXT (sizeof(((struct sockaddr_un *)0)->sun_path) + 1)

struct address {
	struct sockaddr_un name;
	socklen_t size;
	bool abstract;
};

/**
 * address_parse - text to address
 *
 * Returns 0, or -EINVAL: NULL, empty, or too long for a socket's name.
 */
int address_parse(const char *text, struct address *address);

/**
 * address_of - the name of a socket, as address_parse() takes it
 * @peer: the name of what it is connected to, rather than its own
 * @text: filled; "" where there is none
 */
void address_of(int socket, bool peer, char text[ADDRESS_TEXT]);

#endif /* SHMIPC_ADDRESS_H */
