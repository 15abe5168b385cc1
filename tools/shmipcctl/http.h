/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - as much of HTTP as a scraper wants: one GET, one answer, on a local socket
 */
#ifndef SHMIPCCTL_HTTP_H
#define SHMIPCCTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* What a request asks for: a status, 200 for the metrics. Pure. */
int http_judge(const char *request, size_t size, bool *head);

/* Listen on a Unix socket, which replaces one that nobody listens on. Returns it, or -errno. */
int http_listen_unix(const char *path);

/* Listen on "[ADDRESS:]PORT"; only loopback addresses are taken, else -EACCES. -EINVAL: no such thing. */
int http_listen_loopback(const char *where);

/**
 * http_serve - answer until a signal comes
 * @write: writes the body into a malloc()ed string; its size, or -errno
 *
 * One request at a time, each with a deadline, so that a peer that is slow keeps others for two seconds
 * at most.
 */
int http_serve(int listener, long (*write)(void *data, char **body), void *data);

#endif /* SHMIPCCTL_HTTP_H */
