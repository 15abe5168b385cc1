// SPDX-License-Identifier: Apache-2.0
/*
 * watcher.c - one thread that sleeps until a memfd channel's peer goes away
 *
 * Locking: `lock` protects the list, the thread's start and, while the watcher marks and kicks a
 * doorbell, that doorbell's life. It is held across fork, so that a child, in which the thread does
 * not exist, finds it whole and starts a watcher of its own with its first channel.
 */
#include "watcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct watch *watches;
static uint64_t last_id;
static int epoll_fd = -1;

static void lock_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static void reset_in_child(void)
{
	if (epoll_fd >= 0)
		close(epoll_fd);
	epoll_fd = -1;
	watches = NULL;
	pthread_mutex_unlock(&lock);
}

static void register_fork_handlers(void)
{
	pthread_atfork(lock_before_fork, unlock_after_fork, reset_in_child);
}

static void end_watch_locked(struct watch *w)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->socket, NULL);
	if (w->pidfd >= 0) {
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->pidfd, NULL);
		close(w->pidfd);
		w->pidfd = -1;
	}
}

static void report_death_locked(uint64_t id)
{
	struct watch *w;

	for (w = watches; w; w = w->next) {
		if (w->id != id)
			continue;
		end_watch_locked(w);
		doorbell_die(w->bell);
		/* A forked child may still hold the peer's end; now that it is marked event loops see it too. */
		shutdown(w->socket, SHUT_RDWR);
		return;
	}
}

static void *watch_peers(void *argument)
{
	struct epoll_event events[64];
	int fd = (int)(intptr_t)argument, n, i;

	for (;;) {
		n = epoll_wait(fd, events, 64, -1);
		pthread_mutex_lock(&lock);
		for (i = 0; i < n; i++)
			report_death_locked(events[i].data.u64);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int start_watcher_locked(void)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;
	int r;

	if (epoll_fd >= 0)
		return 0;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&thread, &attributes, watch_peers, (void *)(intptr_t)epoll_fd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (r) {
		close(epoll_fd);
		epoll_fd = -1;
	}
	return r;
}

static int watch_fd(int fd, uint32_t events, uint64_t id)
{
	struct epoll_event event = { .events = events, .data.u64 = id };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int watcher_add(struct watch *w, struct doorbell *bell, pid_t pid)
{
	bool gone = false;
	int r;

	pthread_once(&once, register_fork_handlers);
	pthread_mutex_lock(&lock);
	r = start_watcher_locked();
	if (r)
		goto out;
	*w = (struct watch){ .bell = bell, .socket = bell->fd, .id = ++last_id, .pidfd = -1 };
	/* No EPOLLIN: bytes are for the application's loop. Hang-ups are always reported. */
	r = watch_fd(w->socket, EPOLLRDHUP, w->id);
	if (r)
		goto out;
	if (pid > 0 && pid != getpid()) {
		w->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		gone = w->pidfd < 0 && errno == ESRCH; /* and a forked child of it holds the socket */
	}
	if (w->pidfd >= 0)
		r = watch_fd(w->pidfd, EPOLLIN, w->id);
	if (r) {
		end_watch_locked(w);
		goto out;
	}
	w->next = watches;
	w->link = &watches;
	if (watches)
		watches->link = &w->next;
	watches = w;
	if (gone)
		report_death_locked(w->id);
out:
	if (r)
		w->bell = NULL;
	pthread_mutex_unlock(&lock);
	return r;
}

void watcher_remove(struct watch *w)
{
	if (!w->bell)
		return;
	pthread_mutex_lock(&lock);
	end_watch_locked(w);
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->bell = NULL;
	pthread_mutex_unlock(&lock);
}
