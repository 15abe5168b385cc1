/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdpass.h - messages with descriptors and credentials over a Unix socket
 */
#ifndef SHMIPC_FDPASS_H
#define SHMIPC_FDPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Most descriptors that one call sends or hands to its caller. */
#define FDPASS_MAX 2

/**
 * fdpass_send - one sendmsg(2), never blocking, never raising SIGPIPE
 * @credentials: attach this process's, which the kernel checks
 *
 * Returns the bytes sent, or -errno.
 */
ssize_t fdpass_send(int socket, const void *data, size_t size, const int *fds, int count, bool credentials);

/**
 * fdpass_receive - one recvmsg(2), never blocking
 * @fds: where descriptors go, close-on-exec and the caller's
 * @count: in: how many there is room for; out: how many came
 * @credentials: or NULL; the sender's, pid 0 if it attached none
 *
 * Whatever else came along is closed. Returns the bytes received, 0 at the end, -EPROTO: more
 * bytes or descriptors came than there was room for (the message is gone); or -errno.
 */
ssize_t fdpass_receive(int socket, void *data, size_t size, int *fds, int *count, struct ucred *credentials);

/**
 * fdpass_close - close those that are not negative
 */
void fdpass_close(int *fds, int count);

/**
 * fdpass_wait - wait until a socket can be read or written
 * @events: POLLIN, POLLOUT
 * @deadline: absolute CLOCK_MONOTONIC nanoseconds, or SHMIPC_FOREVER
 *
 * Signals do not end it. Returns 0, -ETIMEDOUT, or -errno.
 */
int fdpass_wait(int socket, short events, int64_t deadline);

/**
 * fdpass_ask_credentials - have the kernel say who sends what arrives on a socket
 * @old: the setting before, for fdpass_restore_credentials()
 *
 * Returns 0. -EINVAL: not a Unix socket.
 */
int fdpass_ask_credentials(int socket, int *old);
void fdpass_restore_credentials(int socket, int old);

#endif /* SHMIPC_FDPASS_H */
