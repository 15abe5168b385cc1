// SPDX-License-Identifier: Apache-2.0
/*
 * binding.c - takes an address: permissions, sockets that a dead process left behind, races of two starters
 *
 * A path is stale when it is a socket that refuses connections. What refuses them may also be a socket that
 * another starter has bound and does not listen on yet, and what was stale may have been replaced in between, so that
 * probe, unlink, bind and listen are one critical section: under flock(2) of the directory, which leaves nothing
 * behind and ends with the process. Unlinking one's own path at the end is under it too. Starters of other
 * programs do not take that lock; against them there is no more than the probe. Where the directory may not be read,
 * there is no lock.
 *
 * The socket is bound under its own name, not renamed to it: getsockname(2) and tools are to see the address
 * that clients use. Nobody can connect between bind and listen, which is where the permissions are set.
 */
#include "binding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds to wait for the directory's lock; each holder has it for less than one. */
#define LOCK_PATIENCE 1000

static int lock_directory(int directory)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < LOCK_PATIENCE; i++) {
		if (!flock(directory, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			return 0; /* a file system that has no locks */
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

/* Open the directory that a path is in, and lock it if that can be done. */
static int open_directory(const char *path, struct binding *b)
{
	const char *slash = strrchr(path, '/');
	char directory[ADDRESS_TEXT] = ".";
	int r;

	if (slash)
		snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	snprintf(b->name, sizeof(b->name), "%s", slash ? slash + 1 : path);
	b->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->directory < 0 && errno == EACCES) {
		b->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return b->directory < 0 ? -errno : 0;
	}
	if (b->directory < 0)
		return -errno;
	r = lock_directory(b->directory);
	if (r) {
		close(b->directory);
		b->directory = -1;
	}
	return r;
}

/* With the directory locked: make way, if what is at the path is of no use to anybody. */
static int remove_stale(const struct address *address, const struct binding *b)
{
	struct stat st;
	int probe, r;

	if (fstatat(b->directory, b->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return -errno;
	/* Anything but a refusal is a listener: of another type, too busy, or not for us. */
	r = connect(probe, (const struct sockaddr *)&address->name, address->size) ? errno : 0;
	close(probe);
	if (r == ENOENT)
		return 0;
	if (r != ECONNREFUSED)
		return -EADDRINUSE;
	return unlinkat(b->directory, b->name, 0) && errno != ENOENT ? -errno : 0;
}

static int bind_path(int fd, const struct address *address, uint32_t mode, struct binding *b)
{
	struct stat st;
	int i, r;

	/* The path is born with these, less the umask. */
	if (fchmod(fd, mode))
		return -errno;
	for (i = 0; bind(fd, (const struct sockaddr *)&address->name, address->size); i++) {
		if (errno != EADDRINUSE || i == 3)
			return -errno;
		r = remove_stale(address, b);
		if (r)
			return r;
	}
	if (fstatat(b->directory, b->name, &st, AT_SYMLINK_NOFOLLOW) ||
	    ((st.st_mode & 07777) != mode && fchmodat(b->directory, b->name, mode, 0))) {
		r = -errno;
		unlinkat(b->directory, b->name, 0);
		return r;
	}
	b->dev = st.st_dev;
	b->ino = st.st_ino;
	return 0;
}

int binding_listen(const struct address *address, uint32_t mode, int backlog, struct binding *b)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	*b = (struct binding){ .directory = -1 };
	if (fd < 0)
		return -errno;
	if (address->abstract) {
		if (bind(fd, (const struct sockaddr *)&address->name, address->size))
			r = -errno;
	} else {
		r = open_directory(address->name.sun_path, b);
		if (!r)
			r = bind_path(fd, address, mode, b);
	}
	if (!r && listen(fd, backlog))
		r = -errno;
	if (b->directory >= 0)
		flock(b->directory, LOCK_UN);
	if (!r)
		return fd;
	binding_fini(b, b->ino != 0);
	close(fd);
	return r;
}

void binding_fini(struct binding *b, bool remove)
{
	struct stat st;

	if (b->directory < 0)
		return;
	/* Without the lock the path stays: the next starter finds it stale. */
	if (remove && lock_directory(b->directory) != -EBUSY &&
	    !fstatat(b->directory, b->name, &st, AT_SYMLINK_NOFOLLOW) && st.st_dev == b->dev && st.st_ino == b->ino)
		unlinkat(b->directory, b->name, 0);
	close(b->directory);
	b->directory = -1;
}
