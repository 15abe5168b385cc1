// SPDX-License-Identifier: Apache-2.0
/*
 * screen.c - a terminal taken over for a while
 *
 * Signals are blocked but while it waits, so that what was drawn is whole.
 */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"

static struct termios before;
static sigset_t outside;
static volatile sig_atomic_t quit, resized, stop;

static void note_signal(int signal)
{
	if (signal == SIGWINCH || signal == SIGCONT)
		resized = 1;
	else if (signal == SIGTSTP)
		stop = 1;
	else
		quit = 1;
}

static void take_terminal(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	/* The other screen, no cursor. */
	fputs("\033[?1049h\033[?25l", stdout);
	fflush(stdout);
}

static void give_terminal(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

bool screen_open(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT };
	struct sigaction action = { .sa_handler = note_signal };
	sigset_t blocked;
	size_t i;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before))
		return false;
	sigemptyset(&blocked);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &outside);
	take_terminal();
	return true;
}

void screen_close(void)
{
	give_terminal();
	sigprocmask(SIG_SETMASK, &outside, NULL);
}

/* To the background, as the shell's user asked, and back. */
static void suspend(void)
{
	stop = 0;
	give_terminal();
	raise(SIGSTOP);
	take_terminal();
	resized = 1;
}

static int read_key(void)
{
	unsigned char bytes[8];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n <= 0)
		return SCREEN_QUIT;
	if (n >= 3 && bytes[0] == '\033' && bytes[1] == '[')
		return bytes[2] == 'A' ? SCREEN_UP : bytes[2] == 'B' ? SCREEN_DOWN : 0;
	return bytes[0] == 3 || bytes[0] == 4 ? SCREEN_QUIT : bytes[0];
}

int screen_wait(int64_t deadline_ns)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec left = { 0 };
	int64_t ns = deadline_ns - now_ns();
	int n;

	if (ns > 0)
		left = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	n = ppoll(&input, 1, &left, &outside);
	if (quit || (n > 0 && input.revents & (POLLHUP | POLLERR) && !(input.revents & POLLIN)))
		return SCREEN_QUIT;
	if (stop)
		suspend();
	if (resized) {
		resized = 0;
		return SCREEN_REDRAW;
	}
	if (n > 0)
		return read_key();
	return n < 0 && errno == EINTR ? SCREEN_REDRAW : SCREEN_TIMEOUT;
}
