/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - the checks of shmipcctl doctor
 */
#ifndef SHMIPCCTL_DOCTOR_H
#define SHMIPCCTL_DOCTOR_H

#include "channel_view.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_NOTE, /* so it is; nothing need be done */
	DOCTOR_WARN, /* works, but not as well as it could */
	DOCTOR_FAIL,
};

struct doctor_line {
	const char *name;
	enum doctor_verdict verdict;
	char text[320];
	char command[320]; /* "": none */
};

/* Make check number n. False: there are no more. */
bool doctor_check(int n, const struct channel_list *list, struct doctor_line *line);

#endif /* SHMIPCCTL_DOCTOR_H */
