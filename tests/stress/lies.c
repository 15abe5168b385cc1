// SPDX-License-Identifier: Apache-2.0
/*
 * lies.c - messages through the ring that no honest peer sends
 */
#include "liar.h"

#include <string.h>

static unsigned char bytes[70000];

static void say_anything(struct liar *liar)
{
	uint32_t size = draw(liar, 4) ? draw(liar, 130) : draw(liar, sizeof(bytes));

	liar_say(liar, liar_id(liar), (uint16_t)rng_next(&liar->rng), bytes, size);
}

/* Kinds that there are, with flags that there are, or are not. */
static void mix_kinds_and_flags(struct liar *liar)
{
	uint16_t kind = (uint16_t)(1 + draw(liar, 12));

	kind |= (uint16_t)(draw(liar, 16) << 8);
	if (draw(liar, 8) == 0)
		kind |= (uint16_t)(1u << (8 + draw(liar, 8)));
	liar_say(liar, draw(liar, 6) ? liar_id(liar) : 0, kind, bytes, draw(liar, 20));
}

static void open_twice(struct liar *liar)
{
	uint32_t id = liar_open(liar);

	if (draw(liar, 4) == 0)
		liar_say(liar, id, MSG_DATA | MSG_OPEN | MSG_LAST, "again", 5);
	if (draw(liar, 8) == 0)
		liar_say(liar, id ^ 1, MSG_DATA | MSG_OPEN, "a number of the other's", 10);
	if (draw(liar, 8) == 0)
		liar_say(liar, 0, MSG_DATA | MSG_OPEN, "nothing", 7);
}

static void go_on_after_the_end(struct liar *liar)
{
	uint32_t id = liar_open(liar);

	liar_say(liar, id, MSG_DATA | MSG_END | MSG_LAST, "end", draw(liar, 4));
	switch (draw(liar, 6)) {
	case 0:
		liar_say(liar, id, MSG_DATA | MSG_LAST, "more", 4);
		break;
	case 1:
		liar_say(liar, id, MSG_DATA | MSG_END, NULL, 0);
		break;
	case 2:
		liar_say(liar, id, MSG_CLOSE, NULL, 0);
		break;
	case 3:
		liar_say(liar, id, MSG_DATA | MSG_OPEN, "anew", 4);
		break;
	default:
		break; /* an honest end */
	}
}

static void lie_about_the_window(struct liar *liar)
{
	uint64_t value = liar_value(liar);
	size_t size = draw(liar, 8) ? sizeof(value) : draw(liar, 8);

	liar_say(liar, draw(liar, 3) ? liar_id(liar) : 0, MSG_WINDOW, &value, size);
}

static void close_and_reset_anything(struct liar *liar)
{
	uint32_t code = draw(liar, 3), id = liar_id(liar);

	switch (draw(liar, 3)) {
	case 0:
		liar_say(liar, id, MSG_CLOSE, bytes, draw(liar, 6) ? 0 : 3);
		break;
	case 1:
		liar_say(liar, id, MSG_RESET, &code, draw(liar, 6) ? sizeof(code) : draw(liar, 4));
		break;
	default:
		liar_say(liar, id, MSG_REFUSE, NULL, 0);
	}
}

static void open_without_end(struct liar *liar)
{
	uint32_t i;

	for (i = 0; i < 300; i++) {
		uint32_t id = liar_open(liar);

		if (draw(liar, 3) == 0)
			liar_say(liar, id, draw(liar, 2) ? MSG_CLOSE : MSG_DATA, NULL, 0);
	}
}

static void flood(struct liar *liar, size_t size, uint16_t kind)
{
	uint32_t i, id = liar_id(liar);

	for (i = 0; i < 400; i++)
		if (!liar_say(liar, draw(liar, 50) ? id : liar_id(liar), kind, bytes, size))
			break;
}

static void flood_with_small_messages(struct liar *liar)
{
	flood(liar, 1 + draw(liar, 110), MSG_DATA | MSG_LAST);
}

static void flood_with_empty_messages(struct liar *liar)
{
	flood(liar, 0, MSG_DATA | MSG_LAST);
}

static void flood_with_messages_of_4096_bytes(struct liar *liar)
{
	flood(liar, SMALL_MAX, MSG_DATA);
}

static void flood_with_large_messages(struct liar *liar)
{
	flood(liar, SMALL_MAX + 1 + draw(liar, 60000), MSG_DATA | MSG_LAST);
}

static void lie_for_the_session(struct liar *liar)
{
	uint64_t value[2] = { liar_value(liar), rng_next(&liar->rng) };

	switch (draw(liar, 12)) {
	case 0:
		liar_say(liar, 0, MSG_GOODBYE, bytes, draw(liar, 3));
		break;
	case 1:
		liar_say(liar, 0, (uint16_t)draw(liar, 300), bytes, draw(liar, 100));
		break;
	case 2:
		liar_say(liar, liar_id(liar), MSG_RESTART, value, 8);
		break;
	case 3:
	case 4:
	case 5:
		liar_say(liar, 0, MSG_RESTART, value, draw(liar, 20) ? 8 : draw(liar, 16));
		break;
	default:
		liar_say(liar, 0, MSG_RESTART_ANSWER, value, draw(liar, 20) ? 12 : draw(liar, 16));
	}
}

/* The victim's memory is never given back: its writers wait, its fallback fills. */
static void stay_silent(struct liar *liar)
{
	shmipc_channel_wait(liar->channel, SHMIPC_READABLE, 1);
	if (draw(liar, 20) == 0)
		liar_open(liar);
}

const struct lie lies_in_messages[] = {
	{ "any kind, any number, any size", say_anything, false },
	{ "kinds and flags that do not go together", mix_kinds_and_flags, false },
	{ "a stream opened twice, or by the wrong side", open_twice, false },
	{ "data after the end", go_on_after_the_end, false },
	{ "window values back and beyond", lie_about_the_window, false },
	{ "close, reset and refusal of anything", close_and_reset_anything, false },
	{ "streams without end", open_without_end, false },
	{ "streams without end, and deaf", open_without_end, true },
	{ "a flood of small messages", flood_with_small_messages, false },
	{ "a flood of small messages, and deaf", flood_with_small_messages, true },
	{ "a flood of empty messages", flood_with_empty_messages, false },
	{ "a flood of messages of 4096 bytes", flood_with_messages_of_4096_bytes, true },
	{ "a flood of large messages", flood_with_large_messages, false },
	{ "messages of the session's own", lie_for_the_session, false },
	{ "nothing is read, nothing is said", stay_silent, true },
	{ NULL, NULL, false },
};
