// SPDX-License-Identifier: Apache-2.0
/*
 * cmd_dump.c - shmipcctl dump: a channel's whole state to a file, and what a file says
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "channel_view.h"
#include "command.h"
#include "dump_show.h"
#include "units.h"

enum { OPTION_CONTENT = 256, OPTION_FORCE };

static const struct option_spec options[] = {
	{ 'r', "read", "FILE", "show a file that was written before, on whatever host, instead of a channel" },
	{ 'o', "output", "FILE", "write the channel to FILE (mode 0600) instead of showing it" },
	{ OPTION_FORCE, "force", NULL, "with --output: replace FILE if it is there" },
	{ OPTION_CONTENT, "content", NULL, "with --output: the messages' bytes too; they may be anybody's secrets" },
	{ 'a', "all", NULL, "show every slot and every slice, not only those in use, and the invariants that hold" },
	{ 'j', "json", NULL, "print JSON: one document; schema/dump.json describes it" },
	{ 0 },
};

struct wish {
	const char *read, *output;
	bool force, content, all, json;
};

static int show(const struct dump *dump, const struct wish *wish)
{
	struct findings findings;
	int r = STATUS_OK;

	invariants_check(&dump->pair, dump->still, &findings);
	if (wish->json)
		r = print_json(dump_json(dump, &findings), false);
	else
		dump_show(dump, &findings, wish->all);
	return r == STATUS_OK && findings_count(&findings, VERDICT_FAILS) ? STATUS_FOUND : r;
}

static int show_file(const struct wish *wish)
{
	const char *why;
	struct dump dump;
	int r;

	if (dump_read(&dump, wish->read, &why))
		r = show(&dump, wish);
	else
		r = trouble("cannot read %s: %s", wish->read, why);
	dump_free(&dump);
	return r;
}

static json_t *describe(const struct channel_view *c, const struct snapshot *s)
{
	char name[CHANNEL_NAME], taken[32];
	time_t now = time(NULL);
	struct utsname system;

	uname(&system);
	strftime(taken, sizeof(taken), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:b,s:[b,b],s:o}", "name", channel_name(c, name), "host",
			 system.nodename, "kernel", system.release, "taken", taken, "clock_ms", (json_int_t)s->now_ms,
			 "still", s->still, "segments_known", s->pair.lane[0].segments_known,
			 s->pair.lane[1].segments_known, "channel", channel_json(c));
}

static int write_file(struct channel_view *c, struct snapshot *s, const json_t *meta, const struct wish *wish)
{
	int fd = open(wish->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (wish->force ? O_TRUNC : O_EXCL),
		      0600);
	struct findings findings;
	char bytes[UNITS_MAX];
	off_t size;
	int r;

	if (fd < 0)
		return trouble("cannot write %s: %s%s", wish->output, strerror(errno),
			       errno == EEXIST ? " (--force replaces it)" : "");
	invariants_check(&s->pair, s->still, &findings);
	r = dump_write(fd, s, meta, wish->content ? &c->view : NULL);
	size = lseek(fd, 0, SEEK_END);
	if (close(fd) && !r)
		r = -errno;
	if (r) {
		unlink(wish->output);
		return trouble("cannot write %s: %s", wish->output, strerror(-r));
	}
	printf("wrote %s, %s, %s the messages' bytes\n", wish->output, format_bytes(bytes, (uint64_t)size),
	       wish->content ? "with" : "without");
	printf("invariants: %d hold, %d fail, %d strange, %d open\n", findings_count(&findings, VERDICT_HOLDS),
	       findings_count(&findings, VERDICT_FAILS), findings_count(&findings, VERDICT_STRANGE),
	       findings_count(&findings, VERDICT_OPEN));
	findings_show(&findings, false);
	return findings_count(&findings, VERDICT_FAILS) ? STATUS_FOUND : STATUS_OK;
}

static int dump_channel(struct channel_view *c, const struct wish *wish)
{
	struct snapshot snapshot;
	struct dump dump;
	json_t *meta;
	int r;

	if (c->view.error)
		return trouble("%s", c->reason);
	if (snapshot_take(&snapshot, &c->view)) {
		snapshot_free(&snapshot);
		return trouble("out of memory");
	}
	meta = describe(c, &snapshot);
	if (!meta) {
		r = trouble("out of memory");
	} else if (wish->output) {
		r = write_file(c, &snapshot, meta, wish);
	} else {
		dump = (struct dump){
			.pair = snapshot.pair, .meta = meta, .now_ms = snapshot.now_ms, .still = snapshot.still
		};
		r = show(&dump, wish);
	}
	json_decref(meta);
	snapshot_free(&snapshot);
	return r;
}

static int run(int argc, char **argv)
{
	struct wish wish = { .read = NULL };
	struct channel_list list;
	struct channel_view *c;
	int key, r;

	while ((key = command_next(&command_dump, argc, argv)) != -1) {
		switch (key) {
		case 'r':
			wish.read = optarg;
			break;
		case 'o':
			wish.output = optarg;
			break;
		case OPTION_FORCE:
			wish.force = true;
			break;
		case OPTION_CONTENT:
			wish.content = true;
			break;
		case 'a':
			wish.all = true;
			break;
		default:
			wish.json = true;
		}
	}
	if (argc - optind != !wish.read || (wish.read && wish.output))
		return wrong_usage(&command_dump, "either one channel, or --read and a file");
	if ((wish.content || wish.force) && !wish.output)
		return wrong_usage(&command_dump, "--content and --force want --output");
	if (wish.read)
		return show_file(&wish);
	c = channel_find(&list, argv[optind]);
	r = c ? dump_channel(c, &wish) : STATUS_TROUBLE;
	channels_free(&list);
	return r;
}

const struct command command_dump = {
	.name = "dump",
	.summary = "a channel's whole state, decoded and checked, or to a file for later",
	.arguments = "CHANNEL | --read=FILE",
	.details =
		"Takes a copy of both lanes and shows the control words, the rings, the slice table and a map of the free "
		"space, and checks every invariant it can: which hold, which fail, which are strange (may be so for a "
		"moment), and which had to be left open. With --output it writes all that to a file, which "
		"--read shows on any host.\n\n"
		"A channel in full use has no moment of rest; the copy is then marked, and the invariants that want "
		"one are left open. A process stopped in the middle of a change may leave one broken.",
	.options = options,
	.found = "an invariant fails",
	.examples = "  shmipcctl dump 3f2a -o incident.dump\n  shmipcctl dump --read incident.dump --all\n",
	.run = run,
};
