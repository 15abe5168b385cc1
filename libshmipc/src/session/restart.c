// SPDX-License-Identifier: Apache-2.0
/*
 * restart.c - hot restart, seen from a session that was asked to connect anew: its answer
 *
 * What asks, and counts the answers, is the listener; what connects anew and answers by itself is the pool.
 */
#include "internal.h"
#include "shmipc/listener.h"

int shmipc_session_restart_done(struct shmipc_session *session, uint64_t epoch, int status)
{
	int r = shmipc_session_error(session);

	if (r)
		return r;
	if (status > 0 || status < -4095)
		return -EINVAL;
	outbox_control(session, MSG_RESTART_ANSWER, epoch, status);
	tally(&session->counts.restarts, 1);
	if (status)
		tally(&session->counts.restarts_failed, 1);
	return 0;
}
