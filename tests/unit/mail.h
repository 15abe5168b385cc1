/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail.h - bytes with descriptors over a Unix socket, past every check of the library's own
 */
#ifndef TESTS_UNIT_MAIL_H
#define TESTS_UNIT_MAIL_H

#include <sys/types.h>

#define MAIL_FDS 64

/* sendmsg(2), with so many descriptors, which stay the caller's. Returns what it says. */
ssize_t mail_send(int socket, const void *data, size_t size, const int *fds, int count, int flags);

/* recvmsg(2): descriptors that came go to @fds, which has room for MAIL_FDS, their number to @count. */
ssize_t mail_receive(int socket, void *data, size_t size, int *fds, int *count, int flags);

#endif /* TESTS_UNIT_MAIL_H */
