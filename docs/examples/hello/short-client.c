// SPDX-License-Identifier: Apache-2.0
/* short-client.c - one request, one reply: the least that works */
#include <shmipc/shmipc.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct shmipc_session *session;
	struct shmipc_stream *stream;
	char reply[64];

	if (argc < 2 || shmipc_session_connect(argv[1], NULL, SHMIPC_FOREVER, &session) ||
	    shmipc_stream_open(session, &stream) ||
	    shmipc_stream_call(stream, "hello", 6, reply, sizeof(reply), SHMIPC_FOREVER) != 6)
		return 1;
	puts(reply);
	shmipc_stream_close(stream);
	shmipc_session_close(session);
}
