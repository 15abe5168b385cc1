/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - what an old and a new server say to each other, on a private socket beside the public one
 *
 *	old, listens on ADDRESS.control          new
 *	                                 <-        connects
 *	  its listening socket, with the
 *	  new one's generation           ->
 *	                                 <-        CONTROL_READY: it serves
 *	  has its clients connect anew
 *	  CONTROL_DONE or _FAILED        ->
 *
 * A server that goes away in the middle is an end of file to the other one.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

enum { CONTROL_READY = 'R', CONTROL_DONE = 'D', CONTROL_FAILED = 'F' };

/* The private socket of a server at this address, listening, for this user alone; or -errno. */
int control_listen(const char *address);
void control_close(const char *address, int listening);

/* A connection to the server that is there, or -errno. */
int control_connect(const char *address);

/* Send, receive a listening socket. 0, or the socket; or -errno. */
int control_send_socket(int connection, int socket, uint64_t generation);
int control_receive_socket(int connection, uint64_t *generation);

/* 0 or -errno; what was said, 0: nothing in that time, or the other one is gone. */
int control_say(int connection, char what);
char control_hear(int connection, int milliseconds);

#endif
