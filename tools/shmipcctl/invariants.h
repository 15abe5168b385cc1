/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invariants.h - what must hold in a channel's two lanes
 *
 * Pure. What wants both lanes, or all segments' sizes, or a moment at which nobody changed anything,
 * is left open where that is not to be had.
 */
#ifndef SHMIPCCTL_INVARIANTS_H
#define SHMIPCCTL_INVARIANTS_H

#include "image.h"

enum verdict {
	VERDICT_HOLDS,
	VERDICT_FAILS,
	VERDICT_STRANGE, /* may be right for a moment, and is wrong if it stays so */
	VERDICT_OPEN,	 /* could not be checked */
};

#define INVARIANT_TEXT 160

struct finding {
	const char *name;
	int endpoint; /* whose lane; -1: the channel */
	enum verdict verdict;
	char text[INVARIANT_TEXT]; /* "" where it holds */
};

#define FINDINGS_MAX 32

struct findings {
	struct finding list[FINDINGS_MAX];
	int count;
};

/**
 * invariants_check - check all that can be checked
 * @still: nothing changed while the images were taken, which is a copy
 */
void invariants_check(const struct image_pair *pair, bool still, struct findings *findings);

int findings_count(const struct findings *findings, enum verdict verdict);
const char *verdict_name(enum verdict verdict);

/* What an invariant says, in a sentence. */
const char *invariant_meaning(const char *name);

#endif /* SHMIPCCTL_INVARIANTS_H */
