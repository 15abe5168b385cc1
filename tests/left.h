/* SPDX-License-Identifier: Apache-2.0 */
/*
 * left.h - what is open in this process, to be compared before and after a test
 *
 * Both end the process where the system does not say: a test that cannot look has no verdict.
 */
#ifndef TESTS_LEFT_H
#define TESTS_LEFT_H

/* Descriptors. */
int count_fds(void);

/* Mappings of lanes, of either backend. */
int count_lane_mappings(void);

#endif /* TESTS_LEFT_H */
