// SPDX-License-Identifier: Apache-2.0
/*
 * words.c - a look inside, with the library's own headers
 */
#include "words.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel/endpoint.h"

#define CHANNELS 4

static struct shmipc_channel *_Atomic channels[CHANNELS];

void words_add(struct shmipc_channel *channel)
{
	struct shmipc_channel *none;
	int i;

	for (i = 0; i < CHANNELS; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&channels[i], &none, channel))
			return;
	}
}

void words_remove(struct shmipc_channel *channel)
{
	struct shmipc_channel *it;
	int i;

	for (i = 0; i < CHANNELS; i++) {
		it = channel;
		if (atomic_compare_exchange_strong(&channels[i], &it, NULL))
			return;
	}
}

/* One write(2) a line: also from a signal handler of a process that is about to be killed. */
static void show(const char *text)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t n = write(2, text, length);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

static void show_words(const char *whose, const struct lane_words *w)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "#   %s lane: seq %#x rung %#x cons %u skip %u cpu %u retired %#x unmapped %#x ret_cons %u\n", whose,
		 load_relaxed(&w->seq), load_relaxed(&w->rung), load_relaxed(&w->cons), load_relaxed(&w->skip),
		 load_relaxed(&w->cpu), load_relaxed(&w->retired), load_relaxed(&w->unmapped),
		 load_relaxed(&w->ret_cons));
	show(line);
}

static void dump(const struct shmipc_channel *ch)
{
	const struct slot *slot;
	char line[512];

	snprintf(line, sizeof(line), "# %d: endpoint %u, room %u, dead %d, unusable %u\n", getpid(), ch->endpoint,
		 load_relaxed(&ch->room.state), load_relaxed(&ch->bell.dead), load_relaxed(&ch->unusable));
	show(line);
	if (!is_attached(ch))
		return;
	show_words("own ", ch->own.words);
	show_words("peer", ch->peer.words);
	snprintf(line, sizeof(line),
		 "#   out: prod %u limit %u cons %u open %u skip %d starved %d lent %u used %u bytes %llu retiring %#x\n",
		 ch->out.prod, ch->out.limit, load_relaxed(&ch->out.cons), ch->out.open, ch->out.skip,
		 load_relaxed(&ch->out.starved), ch->out.arena.lent, ch->out.arena.used,
		 (unsigned long long)ch->out.arena.bytes, ch->out.retiring);
	show(line);
	slot = &ch->peer.ring[ch->in.next & ch->in.mask];
	snprintf(line, sizeof(line), "#   in: next %u (lap there %u) ret_prod %u peeked %d flush_owed %d\n", ch->in.next,
		 load_relaxed(&slot->lap), ch->in.ret_prod, ch->in.peeked, ch->in.flush_owed);
	show(line);
	snprintf(line, sizeof(line), "#   rings %llu sleeps %llu\n",
		 (unsigned long long)load_relaxed(&ch->own.tool->rings),
		 (unsigned long long)load_relaxed(&ch->own.tool->sleeps));
	show(line);
}

void words_dump_all(void)
{
	const struct shmipc_channel *ch;
	int i;

	for (i = 0; i < CHANNELS; i++) {
		ch = atomic_load(&channels[i]);
		if (ch)
			dump(ch);
	}
}

static void on_signal(int number)
{
	(void)number;
	words_dump_all();
}

void words_dump_on_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
}
