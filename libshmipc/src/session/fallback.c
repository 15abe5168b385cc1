// SPDX-License-Identifier: Apache-2.0
/*
 * fallback.c - bytes through the control socket, when the lane has no memory left
 *
 * The ring stays the one order: a frame of bytes is in the socket first, then a slot says that so many of the
 * stream's bytes come from there. Frames and such slots are in the same order, since both happen under
 * out_lock; the reader takes a frame at its slot, into private memory that is bounded by credit.
 *
 * A slot whose frame is not there yet, which an honest peer does not send, is parked: its piece stands in the
 * stream's queue without its bytes, other streams go on, and the session ends if they do not come in time.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../wire/frame.h"
#include "piece.h"

/* Linux takes a frame of this size as a whole or not at all; should it be cut all the same, the rest follows at once. */
static int send_rest(int socket, struct iovec *iov, size_t left)
{
	struct pollfd poll_fd = { .fd = socket, .events = POLLOUT };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	int64_t until = process_now() + PARKED_NS;
	ssize_t n = 0;
	int i;

	while (left) {
		for (i = 0; i < 2; i++) {
			size_t step = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;

			iov[i].iov_base = (char *)iov[i].iov_base + step;
			iov[i].iov_len -= step;
			n -= (ssize_t)step;
		}
		poll(&poll_fd, 1, 10);
		n = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			left -= (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return -EPIPE;
		else
			n = 0;
		if (left && process_now() >= until)
			return -EPIPE; /* nothing may come between the parts of a frame */
	}
	return 0;
}

static int send_frame(int socket, uint32_t id, const void *data, size_t size)
{
	unsigned char header[FRAME_HEADER];
	struct iovec iov[2] = { { header, sizeof(header) }, { (void *)(uintptr_t)data, size } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	frame_encode(header, id, (uint32_t)size);
	n = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? -EAGAIN : -EPIPE;
	if ((size_t)n == sizeof(header) + size)
		return 0;
	iov[0].iov_base = header + ((size_t)n < sizeof(header) ? (size_t)n : sizeof(header));
	iov[0].iov_len = (size_t)n < sizeof(header) ? sizeof(header) - (size_t)n : 0;
	if ((size_t)n > sizeof(header)) {
		iov[1].iov_base = (char *)iov[1].iov_base + ((size_t)n - sizeof(header));
		iov[1].iov_len -= (size_t)n - sizeof(header);
	}
	return send_rest(socket, iov, sizeof(header) + size - (size_t)n);
}

int fallback_send_locked(struct shmipc_stream *stream, const void *data, size_t size, uint16_t kind)
{
	struct shmipc_session *session = stream->session;
	uint32_t n = (uint32_t)size;
	struct shmipc_buffer slot;
	int r;

	r = shmipc_channel_reserve(session->channel, sizeof(n), 0, &slot);
	if (r)
		return r;
	r = send_frame(session->socket, stream->id, data, size);
	if (r) {
		shmipc_channel_cancel(session->channel, &slot);
		if (r == -EAGAIN)
			produce_starve(session->channel); /* room in the socket comes with room in the ring */
		return r;
	}
	memcpy(slot.data, &n, sizeof(n));
	slot.tag = stream->id;
	slot.kind = MSG_FALLBACK | (kind & ~MSG_WHAT) | (load_relaxed(&stream->announced) ? 0 : MSG_OPEN);
	r = shmipc_channel_submit(session->channel, &slot, sizeof(n), 0);
	if (r)
		return r;
	outbox_charge_locked(stream, size, true);
	stream->fallback_sent++;
	tally(&session->record->fallback_sent, 1);
	tally(&session->record->fallback_sent_bytes, size);
	session_fell_back(session);
	return 0;
}

void fallback_nudge(struct shmipc_session *session)
{
	send_frame(session->socket, 0, NULL, 0);
}

/* Take what is there of the first parked piece. 1: it is complete; 0: not yet; -EBADMSG. */
static int read_parked(struct shmipc_session *session)
{
	struct piece *piece = session->parked;
	uint32_t id, size;
	ssize_t n;

	while (session->parked_got < FRAME_HEADER + piece->size) {
		if (session->parked_got < FRAME_HEADER)
			n = recv(session->socket, session->parked_header + session->parked_got,
				 FRAME_HEADER - session->parked_got, MSG_DONTWAIT);
		else
			n = recv(session->socket, piece->bytes + (session->parked_got - FRAME_HEADER),
				 FRAME_HEADER + piece->size - session->parked_got, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -EBADMSG;
		if (!n)
			return -EBADMSG; /* it closed the socket, and will never send them */
		session->parked_got += (uint32_t)n;
		if (session->parked_got != FRAME_HEADER)
			continue;
		if (frame_decode(session->parked_header, &id, &size))
			return -EBADMSG;
		if (!id && !size)
			session->parked_got = 0; /* a nudge, for who watches the socket: fallback_nudge() */
		else if (id != piece->id || size != piece->size)
			return -EBADMSG;
	}
	return 1;
}

/* The first parked piece is complete. */
static void unpark_locked(struct shmipc_session *session)
{
	struct piece *piece = session->parked;

	session->parked = piece->parked_next;
	if (!session->parked)
		session->parked_end = &session->parked;
	session->parked_got = 0;
	session->parked_until = process_now() + PARKED_NS;
	piece->data = piece->bytes;
}

static void free_forgotten(struct shmipc_session *session, struct piece *piece)
{
	tally(&session->private_consumed, piece->charge);
	free(piece);
}

int fallback_expect(struct shmipc_session *session, uint32_t id, uint32_t size, bool last, struct piece **piece)
{
	struct piece *p;
	int r;

	if (!size || size > FALLBACK_BYTES)
		return -EBADMSG;
	p = piece_create(size);
	if (!p)
		return -ENOMEM;
	p->size = size;
	p->charge = p->owed = (uint32_t)charge(size);
	p->last = last;
	p->small = true;
	p->id = id;
	if (!session->parked)
		session->parked_until = process_now() + PARKED_NS;
	*session->parked_end = p;
	session->parked_end = &p->parked_next;
	*piece = p;
	if (session->parked != p)
		return 0;
	r = read_parked(session);
	if (r > 0)
		unpark_locked(session);
	return r < 0 ? r : 0;
}

void fallback_forget(struct shmipc_session *session, struct piece *piece)
{
	if (piece->data)
		free_forgotten(session, piece);
}

int fallback_continue(struct shmipc_session *session)
{
	struct waiter *roused = NULL;
	struct piece *piece;
	int r = 0, n = 0;

	lock_take(&session->lock);
	while (session->parked && (r = read_parked(session)) > 0) {
		piece = session->parked;
		unpark_locked(session);
		if (piece->stream)
			stream_unparked_locked(piece->stream, &roused);
		else
			free_forgotten(session, piece);
		n++;
	}
	if (!r && session->parked && process_now() >= session->parked_until)
		r = -EBADMSG;
	lock_release(&session->lock);
	lead_wake(roused);
	return r < 0 ? r : n;
}

void fallback_end(struct shmipc_session *session)
{
	struct piece *piece;

	while ((piece = session->parked)) {
		session->parked = piece->parked_next;
		free(piece); /* its stream, which left it behind, is gone */
	}
}
