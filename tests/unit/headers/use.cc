// SPDX-License-Identifier: Apache-2.0
// use.cc - uses the public header as a C++ program does
#include "shmipc/channel.h"
#include "shmipc/vector.h"

extern "C" {
extern const size_t cxx_sizes[9];
int cxx_send_and_receive(struct shmipc_channel *from, struct shmipc_channel *to);
int cxx_check_defaults(void);
}

const size_t cxx_sizes[9] = { sizeof(shmipc_channel_options), sizeof(shmipc_buffer), sizeof(shmipc_message),
			      sizeof(struct shmipc_channel_stats), sizeof(shmipc_vector_options),
			      sizeof(shmipc_vector_message), sizeof(struct shmipc_vector_stats),
			      sizeof(shmipc_producer_options), sizeof(struct shmipc_producer_stats) };

int cxx_check_defaults(void)
{
	shmipc_channel_options options = SHMIPC_CHANNEL_OPTIONS_INIT;

	options.sync = SHMIPC_SYNC_DEMAND;
	return shmipc_channel_options_check(&options, nullptr, 0);
}

int cxx_send_and_receive(struct shmipc_channel *from, struct shmipc_channel *to)
{
	shmipc_message message;
	int r = shmipc_channel_push(from, "hello", 5, 1, 2, SHMIPC_MORE | SHMIPC_LAZY);

	if (r == 0)
		r = shmipc_channel_peek(to, &message);
	if (r == 0)
		r = message.size == 5 && message.tag == 1 && message.kind == 2 ? 0 : -1;
	return r ? r : shmipc_channel_release(to, &message);
}
