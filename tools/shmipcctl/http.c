// SPDX-License-Identifier: Apache-2.0
/*
 * http.c - as much of HTTP as a scraper wants
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proc.h"
#include "units.h"

#define REQUEST_MAX 4096
#define DEADLINE_NS 2000000000ll

int http_judge(const char *request, size_t size, bool *head)
{
	static const char *const paths[] = { "/metrics", "/" };
	size_t i, length;

	*head = size > 5 && !memcmp(request, "HEAD ", 5);
	if (!*head && (size < 4 || memcmp(request, "GET ", 4)))
		return 405;
	request += *head ? 5 : 4;
	size -= *head ? 5 : 4;
	for (length = 0; length < size && !strchr(" ?\r\n", request[length]); length++)
		;
	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (length == strlen(paths[i]) && !memcmp(request, paths[i], length))
			return 200;
	return 404;
}

int http_listen_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, probe, r;
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || probe < 0) {
		r = -errno;
		goto out;
	}
	/* Left over by one that was killed. */
	if (connect(probe, (struct sockaddr *)&address, sizeof(address)) && errno == ECONNREFUSED)
		unlink(path);
	mask = umask(0117);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16) ? -errno : 0;
	umask(mask);
out:
	if (probe >= 0)
		close(probe);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

/* "9100", "127.0.0.1:9100", "[::1]:9100". */
static int parse_address(const char *where, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	const char *colon = strrchr(where, ':');
	char host[64] = "127.0.0.1";
	uint64_t port;

	memset(address, 0, sizeof(*address));
	if (!parse_number(colon ? colon + 1 : where, 1, 65535, &port))
		return -EINVAL;
	if (colon && (size_t)(colon - where) < sizeof(host))
		snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	else if (colon)
		return -EINVAL;
	if (!strcmp(host, "localhost"))
		strcpy(host, "127.0.0.1");
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*size = sizeof(*v4);
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127 ? 0 : -EACCES;
	}
	if (!strcmp(host, "[::1]")) {
		v6->sin6_family = AF_INET6;
		v6->sin6_addr = in6addr_loopback;
		v6->sin6_port = htons((uint16_t)port);
		*size = sizeof(*v6);
		return 0;
	}
	return host[0] == '[' ? -EACCES : -EINVAL;
}

int http_listen_loopback(const char *where)
{
	struct sockaddr_storage address;
	socklen_t size;
	int fd, on = 1, r = parse_address(where, &address, &size);

	if (r)
		return r;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)&address, size) && !listen(fd, 16))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* Wait for a peer; false: too late. */
static bool wait_peer(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = (deadline - now_ns()) / 1000000;

	return left > 0 && poll(&p, 1, (int)left) == 1;
}

/* The request's head. Returns its size, or 0. */
static size_t read_request(int fd, char *request, int64_t deadline)
{
	size_t used = 0;
	ssize_t n;

	while (used < REQUEST_MAX && wait_peer(fd, POLLIN, deadline)) {
		n = recv(fd, request + used, REQUEST_MAX - used, MSG_DONTWAIT);
		if (n <= 0)
			return 0;
		used += (size_t)n;
		if (memmem(request, used, "\r\n\r\n", 4) || memmem(request, used, "\n\n", 2))
			return used;
	}
	return 0;
}

static void send_all(int fd, const char *data, size_t size, int64_t deadline)
{
	ssize_t n;

	while (size && wait_peer(fd, POLLOUT, deadline)) {
		n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return;
		data += n;
		size -= (size_t)n;
	}
}

static const char *reason_of(int status)
{
	return status == 200 ? "OK" : status == 404 ? "Not Found" : status == 405 ? "Method Not Allowed" : "Error";
}

static void answer(int fd, long (*write)(void *data, char **body), void *data)
{
	int64_t deadline = now_ns() + DEADLINE_NS;
	char request[REQUEST_MAX], head[256], *body = NULL;
	size_t size = read_request(fd, request, deadline);
	bool only_head = false;
	long length = 0;
	int status, n;

	if (!size)
		return;
	status = http_judge(request, size, &only_head);
	if (status == 200) {
		length = write(data, &body);
		if (length < 0) {
			status = 500;
			length = 0;
		}
	}
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		     "Content-Length: %ld\r\nConnection: close\r\n\r\n",
		     status, reason_of(status), length);
	deadline = now_ns() + DEADLINE_NS;
	send_all(fd, head, (size_t)n, deadline);
	if (body && !only_head)
		send_all(fd, body, (size_t)length, deadline);
	free(body);
}

static volatile sig_atomic_t quit;

static void note_signal(int signal)
{
	(void)signal;
	quit = 1;
}

int http_serve(int listener, long (*write)(void *data, char **body), void *data)
{
	struct sigaction action = { .sa_handler = note_signal };
	struct pollfd p = { .fd = listener, .events = POLLIN };
	sigset_t blocked, outside;
	int fd;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigprocmask(SIG_BLOCK, &blocked, &outside);
	while (!quit) {
		if (ppoll(&p, 1, NULL, &outside) < 1)
			continue;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			usleep(10000);
		if (fd < 0)
			continue;
		answer(fd, write, data);
		close(fd);
	}
	return 0;
}
