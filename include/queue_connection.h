// SPDX-License-Identifier: BSD-2-Clause
/* queue_connection.h - What becomes of the connections that the queue has decided to open.
 *
 * OPEN ─▶ queue_address_take() … queue_address_failed() ─▶ queue_opened() ─▶ the message
 *      ─▶ queue_message_done() ─▶ the next one, or idle ─▶ SEND … ─▶ queue_connection_closed()
 *
 * A connection is a number that is never used again; its lower 32 bits are a slot, small and used
 * again. A number that is no longer known is answered with false and changes nothing. A decision
 * travels to the shard, which looks the number up first: when it has ended the connection
 * meanwhile, its attempt is gone too.
 */
#ifndef QUEUE_CONNECTION_H
#define QUEUE_CONNECTION_H

#include "queue.h"

/* So long a connection is used for further messages at most. */
enum { QUEUE_REUSE_MS = 300 * 1000 };

struct queue_address {
    uint8_t ip[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    uint32_t from; /* which of our own it is called from; 0: any. What is learned of it, and how
                      many connections it bears, is apart for each */
    uint32_t host; /* what stands for the name that DNS gave it for, in any case; it makes no other
                      address */
};

/* Which of `count` candidates, best first, to try next; it counts until it has failed or the
 * connection ends. The first that does not rest and has room; when all rest, the one that rests the
 * shortest, unless somebody else probes it. False: none just now, then queue_connection_failed()
 * with QUEUE_FAIL_NO_ADDRESS unless another one is still being tried: nobody waits for an address
 * with a connection's place in his hand. Three may be tried at once (RFC 8305), while a fourth
 * takes over. An open connection may take another one too, to go on with its message at another
 * host. `*probes_r`: it has failed before, and is not worth waiting for. */
MUST_CHECK bool queue_address_take(struct queue *q, uint64_t connection,
                                   const struct queue_address *candidates, size_t count,
                                   size_t *index_r, bool *probes_r, int64_t now_ms);
/* It did not answer, or refused: it rests. */
void queue_address_failed(struct queue *q, uint64_t connection, const struct queue_address *a,
                          int64_t now_ms);
/* The server there has taken the connection and refuses it, by what it says or without a word: it
 * may have enough of us. */
void queue_address_refused(struct queue *q, uint64_t connection, const struct queue_address *a,
                           int64_t now_ms);
/* It spoke, and then did not answer in time, while other hosts might: it rests, and speaking alone
 * does not end that. */
void queue_address_stalled(struct queue *q, uint64_t connection, const struct queue_address *a,
                           int64_t now_ms);
/* No longer tried, without a fault of its own (another one was faster). */
void queue_address_left(struct queue *q, uint64_t connection, const struct queue_address *a,
                        int64_t now_ms);

/* The server there speaks, whatever it says: the address does not rest. */
void queue_address_spoke(struct queue *q, uint64_t connection, const struct queue_address *a);

/* Another one was faster, and this one probes: it goes on by itself, for what it finds out. False:
 * it is still the connection's, to be left. */
MUST_CHECK bool queue_address_probes_on(struct queue *q, uint64_t connection,
                                        const struct queue_address *a);
enum queue_probe { QUEUE_PROBE_WORKS, QUEUE_PROBE_FAILED, QUEUE_PROBE_LEFT };
void queue_probe_ended(struct queue *q, const struct queue_address *a, enum queue_probe what,
                       int64_t now_ms);

/* The server has greeted at this address and will take the message; other addresses that the
 * connection holds are left. False: it has been told to close; it sends nothing, and
 * queue_connection_closed() gives the attempt back. */
MUST_CHECK bool queue_opened(struct queue *q, uint64_t connection, const struct queue_address *a,
                             int64_t now_ms);

enum queue_next { QUEUE_NEXT_SEND, QUEUE_NEXT_IDLE, QUEUE_NEXT_CLOSE };

/* What has the server answered of the message? What is too old, too large or damaged has its
 * result from us, and shows nothing of the server. */
enum queue_spoken {
    QUEUE_NOT_SPOKEN,
    QUEUE_SPOKEN,  /* something that tells nothing of how fast it takes mail */
    QUEUE_TAKEN,   /* it has taken the message for somebody */
    QUEUE_TOO_FAST /* it takes less mail from us than it was sent, and says so at RCPT or later */
};

/* The connection is done with the message (whatever the answers): its attempt is the shell's until
 * queue_settled(). What the connection does next: SEND `*next_r`, wait, or close. `reusable` false:
 * the server takes no more on it. */
MUST_CHECK enum queue_next queue_message_done(struct queue *q, uint64_t connection,
                                              enum queue_spoken spoken, bool reusable,
                                              const struct queue_attempt **next_r, int64_t now_ms);

/* With which reply it takes less: told before a QUEUE_TOO_FAST; copied. */
void queue_names_reply(struct queue *q, uint64_t connection, const char *reply);

/* The same was said of a message that it carries, and the connection has ended over it (421 at RCPT
 * or later): told before queue_connection_failed(). */
void queue_sent_too_fast(struct queue *q, uint64_t connection, int64_t now_ms);

/* Whose message it carries (MAIL FROM; the text is not kept): told before what the server has said
 * to its MAIL, as that may be about the sender. */
void queue_names_sender(struct queue *q, uint64_t connection, const char *sender);

/* The server has taken the message's MAIL: told as soon as it is known, so that it stands in order
 * with what is refused to others meanwhile. Where that is not told, queue_message_done() is. */
void queue_mail_taken(struct queue *q, uint64_t connection, int64_t now_ms);

enum queue_refusal {
    QUEUE_REFUSES_MESSAGE, /* for good, or for its addresses or content: it is neither taken nor
                              does that show a limit */
    QUEUE_REFUSES_FIRST,   /* by another 4xx, the first that was said on this connection */
    QUEUE_REFUSES_LATER    /* the same, but others were said before: it may be one too many for the
                              connection only. False: it is said again on a new one. */
};

/* The server has refused the message at MAIL, before queue_message_done(). True: the server takes
 * no more for now, which is known; the attempt is back in the queue, untried, and must not be
 * settled. */
MUST_CHECK bool queue_turned_away(struct queue *q, uint64_t connection, enum queue_refusal what,
                                  const char *why, int64_t now_ms);

/* Between two transactions of its attempt: does mail of class security wait for this connection, or
 * for its place, or has the next transaction, which is a message to the server, to wait as that
 * takes so many a minute? Then the recipients that are left wait no longer here:
 * queue_message_done(), and queue_settled() with their `due_ms` now. */
MUST_CHECK bool queue_rest_waits(struct queue *q, uint64_t connection, int64_t now_ms);

enum queue_failure {
    QUEUE_FAIL_CONNECT,    /* no host could be reached, or greeted, or secured, or let us log in */
    QUEUE_FAIL_REFUSED,    /* too many connections, or try later: 421 or 4xx at the greeting, closed
                              before it, or 421 at MAIL. When some recipients have answers
                              already: after queue_message_done(reusable false) */
    QUEUE_FAIL_LOST,       /* it broke while a message was spoken of */
    QUEUE_FAIL_BROKE,      /* the same after the server had taken its MAIL, so that this message may
                              be the reason. Only when it happens to several messages in a row, none
                              of which it has happened to before, and of more than one tenant, is
                              it the destination's; as with 421 at MAIL */
    QUEUE_FAIL_STALE,      /* an idle one turned out to be dead before anything was said on it */
    QUEUE_FAIL_LOCAL,      /* our own network or descriptors */
    QUEUE_FAIL_NO_ADDRESS, /* queue_address_take() had none. Nobody's failure while one is full;
                              when those that were tried have failed, and others only test the
                              rest, it is CONNECT */
    QUEUE_FAILURES
};

/* The connection has ended so. True: its attempt is back in the queue, untried, and no longer the
 * shell's; it must not be settled. False: the attempt, when it had one, is the shell's to settle.
 */
MUST_CHECK bool queue_connection_failed(struct queue *q, uint64_t connection,
                                        enum queue_failure how, const char *why, int64_t now_ms);
/* The connection has ended in order; an attempt that it still had is back in the queue, untried. */
void queue_connection_closed(struct queue *q, uint64_t connection, int64_t now_ms);

/* What was found of an attempt's domain at `known_ms`, by the clock of `now_ms`, is doubted: it is
 * forgotten, and the domain's mail waits, without a connection, until it has been asked for past
 * all caches. What that finds counts for QUEUE_DOUBT_MS at least, and for so long nobody doubts it;
 * nor has a tenant more than QUEUE_DOUBTS domains in that time doubted, twice that for class
 * security. True: the attempt is to be given back (QUEUE_FAIL_STALE), and goes by what is found, or
 * has been since. False: what is known counts. */
enum { QUEUE_DOUBT_MS = 5000, QUEUE_DOUBTS = 100 };
MUST_CHECK bool queue_ask_anew(struct queue *q, const struct queue_attempt *attempt,
                               int64_t known_ms, int64_t now_ms);

#endif
