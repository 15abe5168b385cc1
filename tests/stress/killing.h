/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killing.h - runs in which one side dies at some point
 */
#ifndef STRESS_KILLING_H
#define STRESS_KILLING_H

#include "board.h"
#include "plan.h"

/**
 * killing_run - plan->kills times, or until plan->seconds are over if these are fewer
 */
int killing_run(const struct plan *plan, struct board *board);

#endif /* STRESS_KILLING_H */
