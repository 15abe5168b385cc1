// SPDX-License-Identifier: Apache-2.0
/*
 * strerror.c - what an error means here
 *
 * One table for all errors that the public headers name; tests/unit/observe_strerror.c reads them.
 */
#include <errno.h>
#include <stddef.h>

#include "shmipc/observe.h"

static const struct {
	int error;
	const char *sentence;
} sentences[] = {
	{ E2BIG, "the client asks for more slots or slices than the server takes: its slots_max, slices_max" },
	{ EACCES, "/dev/shmipc is there, but not for this user" },
	{ EADDRINUSE, "somebody listens on this address, or its path is not a socket" },
	{ EAGAIN, "not now: nothing to read, no room, or nobody to accept, and the deadline says not to wait" },
	{ EALREADY, "this is done or under way already" },
	{ EBADMSG, "the peer's shared memory, or what it said, makes no sense: nothing more is taken from it" },
	{ EBUSY, "in use otherwise; or the session is unhealthy: it had to fall back a short time ago" },
	{ ECONNREFUSED, "nobody listens on this address, or the peer has no room for the stream" },
	{ ECONNRESET, "the stream was reset, by the peer or on this side" },
	{ EDQUOT, "the module's limit on this user's memory is reached" },
	{ EEXIST, "something else is there under that name" },
	{ EINTR, "a signal came before anything else did" },
	{ EINVAL, "a bad argument; for options, the function that checks them says which field" },
	{ EMFILE, "this process has as many descriptors or streams as it may" },
	{ EMSGSIZE, "the message is longer than what it has to fit in can ever be" },
	{ ENAMETOOLONG, "the name is longer than a socket's address may be" },
	{ ENFILE, "the system has as many open files as it may" },
	{ ENOENT, "there is nothing of that name" },
	{ ENOMEM, "no memory" },
	{ ENOSPC, "the module's limit on the memory of one lane, or of all of them, is reached" },
	{ ENOTCONN, "the other endpoint was not handed over yet" },
	{ EOPNOTSUPP, "not on this system: the backend that was asked for, or one that both sides have" },
	{ EPERM, "it belongs to another process: this one is a forked child" },
	{ EPIPE, "the peer is gone, or reads no more" },
	{ EPROTO, "what the other side said in the handshake makes no sense" },
	{ EPROTONOSUPPORT, "the other side speaks the older protocol only" },
	{ ESHUTDOWN, "it was ended on this side" },
	{ ETIMEDOUT, "the deadline passed" },
};

const char *shmipc_strerror(int error)
{
	size_t i;

	if (error >= 0)
		return "no error";
	for (i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (-sentences[i].error == error)
			return sentences[i].sentence;
	return "an error of the system that this library only passes on: see errno(3)";
}
