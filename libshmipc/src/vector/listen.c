// SPDX-License-Identifier: Apache-2.0
/*
 * listen.c - the path: one consumer at a time, and none that is dead stands in the way
 *
 * Whether a socket at a path is somebody's cannot be asked of the socket without a race. So the consumer
 * holds a lock on PATH.lock, which the kernel lets go of when it dies. With the lock held nobody else touches
 * the path: the socket is bound beside it, given its permissions, made to listen, and only then renamed over
 * what is there. A producer finds the old socket, which refuses it, or the new one, which serves it. A lock file
 * that was removed between open and lock is somebody's who closed: try again.
 *
 * A process that forks hands lock and listener to its child; an atfork handler closes them there, so that the
 * consumer's death is seen although the child lives.
 *
 * Locking: `lock` protects the list of this process's vectors, and is held across fork.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "consumer.h"

#define BACKLOG 128
#define TRIES 100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct shmipc_vector *vectors;

static void lock_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static void close_in_child(void)
{
	struct shmipc_vector *v;

	for (v = vectors; v; v = v->next) {
		close(v->listener);
		close(v->lock);
		v->listener = v->lock = -1;
	}
	vectors = NULL;
	pthread_mutex_unlock(&lock);
}

static void register_fork_handlers(void)
{
	pthread_atfork(lock_before_fork, unlock_after_fork, close_in_child);
}

static void name_beside(const struct shmipc_vector *v, const char *suffix, char *name)
{
	/* listen_open() has made sure of the length. */
	snprintf(name, sizeof(((struct sockaddr_un *)NULL)->sun_path), "%s%s", v->path, suffix);
}

/* 0: the lock is ours, and the file bears its name still. */
static int take_lock(struct shmipc_vector *v, const char *name)
{
	struct stat held, named;
	int i;

	for (i = 0; i < TRIES; i++) {
		v->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (v->lock < 0)
			return -errno;
		if (flock(v->lock, LOCK_EX | LOCK_NB))
			return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
		if (!fstat(v->lock, &held) && !stat(name, &named) && held.st_dev == named.st_dev &&
		    held.st_ino == named.st_ino)
			return 0;
		close(v->lock);
		v->lock = -1;
	}
	return -EADDRINUSE;
}

/* Whether somebody who knows no lock file listens there; or it is no socket at all. */
static int check_path(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, r;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	close(fd);
	return r == -ECONNREFUSED || r == -ENOENT ? 0 : -EADDRINUSE;
}

/* Give the socket its permissions, and nothing else that somebody may have put in its place. */
static int set_mode(const char *name, mode_t mode)
{
	char path[32];
	struct stat st;
	int fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st))
		r = -errno;
	else if (!S_ISSOCK(st.st_mode))
		r = -EEXIST;
	else if (chmod(path, mode))
		r = -errno;
	close(fd);
	return r;
}

static int bind_beside(struct shmipc_vector *v, struct sockaddr_un *address)
{
	const char *name = address->sun_path;
	int r;

	v->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->listener < 0)
		return -errno;
	unlink(name); /* of one that died here; the lock is ours */
	if (bind(v->listener, (struct sockaddr *)address, sizeof(*address)))
		return -errno;
	/* Nobody can connect before it listens. */
	r = set_mode(name, v->options.mode);
	if (!r && (listen(v->listener, BACKLOG) || rename(name, v->path)))
		r = -errno;
	if (r)
		unlink(name);
	return r;
}

int listen_open(struct shmipc_vector *v, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[sizeof(address.sun_path)];
	int r;

	if (strlen(path) + sizeof(".lock") > sizeof(address.sun_path))
		return -ENAMETOOLONG;
	v->path = strdup(path);
	if (!v->path)
		return -ENOMEM;
	pthread_once(&once, register_fork_handlers);
	name_beside(v, ".lock", name);
	r = take_lock(v, name);
	if (r)
		goto err_close;
	name_beside(v, "", address.sun_path);
	r = check_path(&address);
	if (!r) {
		name_beside(v, ".new", address.sun_path);
		r = bind_beside(v, &address);
	}
	if (r)
		goto err_unlock;
	pthread_mutex_lock(&lock);
	v->next = vectors;
	v->link = &vectors;
	if (vectors)
		vectors->link = &v->next;
	vectors = v;
	pthread_mutex_unlock(&lock);
	return 0;
err_unlock:
	unlink(name);
err_close:
	if (v->lock >= 0)
		close(v->lock);
	if (v->listener >= 0)
		close(v->listener);
	v->lock = v->listener = -1;
	free(v->path);
	v->path = NULL;
	return r;
}

void listen_close(struct shmipc_vector *v)
{
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (!v->path)
		return;
	if (v->lock >= 0) {
		unlink(v->path);
		name_beside(v, ".lock", name);
		unlink(name);
		pthread_mutex_lock(&lock);
		*v->link = v->next;
		if (v->next)
			v->next->link = v->link;
		pthread_mutex_unlock(&lock);
		close(v->listener);
		close(v->lock);
	}
	free(v->path);
}
