// SPDX-License-Identifier: GPL-2.0
/*
 * The module does not go while anything of it is in use, whatever that is, and is in use no longer
 * when all is gone. That it then does go is for whoever loaded it to try.
 */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "actor.h"
#include "endpoint.h"
#include "parameter.h"
#include "sleeper.h"

#define COUNT "/sys/module/shmipc/refcnt"

static long references(void)
{
	char text[32];

	return file_read(COUNT, text, sizeof(text)) < 0 ? -1 : atol(text);
}

/* What held the module may still be on its way out. */
static bool falls_to_zero(void)
{
	for (int i = 0; i < 500; i++) {
		if (!references())
			return true;
		sleep_ms(10);
	}
	return false;
}

/* Called only where it must be refused: or it would do it. */
static int try_unload(void)
{
	return syscall(SYS_delete_module, "shmipc", O_NONBLOCK) ? -errno : 0;
}

FIXTURE(unload)
{
	struct endpoint ends[2];
};

FIXTURE_SETUP(unload)
{
	self->ends[0].fd = -1;
	self->ends[1].fd = -1;
	ASSERT_TRUE(falls_to_zero());
	ASSERT_EQ(0, channel_create(self->ends, NULL));
}

FIXTURE_TEARDOWN(unload)
{
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
}

TEST_F(unload, is_refused_while_a_file_is_open)
{
	int fd;

	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	ASSERT_TRUE(falls_to_zero());
	fd = device_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, try_unload());
	close(fd);
	EXPECT_TRUE(falls_to_zero());
}

TEST_F(unload, is_refused_while_either_endpoint_is_open)
{
	for (int i = 0; i < 2; i++) {
		struct endpoint ends[2];

		endpoint_close(&self->ends[0]);
		endpoint_close(&self->ends[1]);
		ASSERT_EQ(0, channel_create(ends, NULL));
		close(ends[i].fd);
		EXPECT_EQ(-EWOULDBLOCK, try_unload());
		close(ends[!i].fd);
		ASSERT_TRUE(falls_to_zero());
	}
}

TEST_F(unload, is_refused_while_something_is_mapped)
{
	void *at;

	ASSERT_EQ(0, part_map(self->ends[1].fd, SHMIPC_PEER, SHMIPC_HEAD, page_size(), PROT_READ,
			      &at));
	close(self->ends[0].fd);
	close(self->ends[1].fd);
	self->ends[0].fd = -1;
	self->ends[1].fd = -1;
	EXPECT_EQ(-EWOULDBLOCK, try_unload());
	EXPECT_EQ(0u, word_load(at));
	munmap(at, page_size());
	EXPECT_TRUE(falls_to_zero());
}

TEST_F(unload, is_refused_while_an_endpoint_is_in_flight)
{
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, descriptor_send(sockets[0], self->ends[1].fd));
	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	EXPECT_EQ(-EWOULDBLOCK, try_unload());
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_TRUE(falls_to_zero());
}

TEST_F(unload, is_refused_while_somebody_sleeps)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		if (endpoint_map(&self->ends[0]))
			_exit(1);
		CALL(self->ends[0].fd, SHMIPC_IOC_WAIT, endpoint_arm(&self->ends[0]));
		_exit(0);
	}
	ASSERT_TRUE(task_falls_asleep(child, 10000));
	endpoint_close(&self->ends[0]);
	EXPECT_EQ(-EWOULDBLOCK, try_unload());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	endpoint_close(&self->ends[1]);
	EXPECT_TRUE(falls_to_zero());
}

TEST_F(unload, nothing_is_held_after_a_crowd_was_killed)
{
	struct actor actors[8];

	endpoint_close(&self->ends[0]);
	endpoint_close(&self->ends[1]);
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, actor_start(&actors[i]));
	}
	for (int i = 0; i < 8; i++) {
		struct endpoint ends[2];

		ASSERT_EQ(0, channel_create(ends, NULL));
		for (int other = 0; other < 8; other++) {
			ASSERT_LE(0, actor_give(&actors[other], ends[0].fd));
			ASSERT_LE(0, actor_give(&actors[other], ends[1].fd));
		}
		endpoint_close(&ends[0]);
		endpoint_close(&ends[1]);
	}
	EXPECT_LT(0, references());
	for (int i = 0; i < 8; i++) {
		actor_kill(&actors[i]);
	}
	EXPECT_TRUE(falls_to_zero());
}

TEST_HARNESS_MAIN
