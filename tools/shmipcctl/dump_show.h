/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_show.h - everything about two lanes, decoded, for people and for machines
 */
#ifndef SHMIPCCTL_DUMP_SHOW_H
#define SHMIPCCTL_DUMP_SHOW_H

#include "dump_file.h"
#include "invariants.h"

/* all: every slot and slice, not only those in use. */
void dump_show(const struct dump *dump, const struct findings *findings, bool all);
json_t *dump_json(const struct dump *dump, const struct findings *findings);

/* The invariants alone: those that fail and the strange ones; with @all the others too. */
void findings_show(const struct findings *findings, bool all);

#endif /* SHMIPCCTL_DUMP_SHOW_H */
