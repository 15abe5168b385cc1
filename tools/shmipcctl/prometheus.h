/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prometheus.h - the channels of a host in Prometheus' text format, version 0.0.4
 */
#ifndef SHMIPCCTL_PROMETHEUS_H
#define SHMIPCCTL_PROMETHEUS_H

#include <stdio.h>

#include "channel_view.h"

/**
 * prometheus_write - write all metrics
 * @each: a series for each endpoint of each channel too, not only sums
 *
 * Pure.
 */
void prometheus_write(FILE *out, const struct channel_list *list, bool module_loaded, bool each);

/* A label's value, escaped. Pure; cut to the buffer's size. */
const char *prometheus_escape(char *out, size_t size, const char *text);

#endif /* SHMIPCCTL_PROMETHEUS_H */
