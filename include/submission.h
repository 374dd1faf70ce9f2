// SPDX-License-Identifier: BSD-2-Clause
/* submission.h - The server's side of SMTP as a machine without I/O: bytes in, bytes out, and what
 * it wants next.
 *
 * Happy path: greeting - EHLO - STARTTLS - EHLO - AUTH - MAIL, RCPT, DATA - bytes - enqueue - 250 -
 * QUIT.
 *
 * The owner feeds bytes while `want` is SUBMISSION_INPUT, sends what is in `out`, and answers every
 * other want:
 *
 *   SUBMISSION_TLS      the handshake, behind what is in out; submission_tls_started()
 *   SUBMISSION_KEYS     look up the keys of submission_auth()'s name; submission_keys()
 *   SUBMISSION_AUTH     look submission_auth() up; submission_auth_decided()
 *   SUBMISSION_ROOM     is there room for a message of `declared` bytes? submission_room_decided()
 *   SUBMISSION_LIMIT    may the last recipient get mail? submission_rcpt_decided()
 *   SUBMISSION_SPILL    store `body` away, it is large; submission_spilled()
 *   SUBMISSION_ENQUEUE  decide on and store the message; submission_enqueue_decided()
 *   SUBMISSION_CLOSE    out is flushed, then the connection is closed
 *
 * Commands that arrive meanwhile wait in `in` and are taken up, in order, when the owner has
 * answered.
 *
 * Memory: `in` holds one read and one line at most, `body` at most SUBMISSION_MEMORY, `header` its
 * own limit.
 */
#ifndef SUBMISSION_H
#define SUBMISSION_H

#include "buf.h"
#include "envelope.h"
#include "err.h"
#include "identity.h"
#include "message.h"
#include "scram.h"

enum { SUBMISSION_MEMORY = 256 * 1024 };

enum submission_want {
    SUBMISSION_INPUT,
    SUBMISSION_TLS,
    SUBMISSION_KEYS,
    SUBMISSION_AUTH,
    SUBMISSION_ROOM,
    SUBMISSION_LIMIT,
    SUBMISSION_SPILL,
    SUBMISSION_ENQUEUE,
    SUBMISSION_CLOSE
};

struct submission_settings {
    const char *hostname;
    uint64_t size_max;  /* bytes of one message */
    unsigned rcpt_max;  /* recipients of one message */
    unsigned mail_max;  /* messages on one connection */
    bool limited;       /* ask about each recipient */
    uint64_t room_from; /* ask whether there is room for what is declared as larger; 0: never */
    bool open;    /* a receiving server that takes mail from anyone, without AUTH or TLS being asked
                  for */
    bool login;   /* and yet somebody must log in first */
    bool returns; /* open for what comes back: no AUTH, no DSN, and lines may be long */
    bool implicit_tls; /* TLS was there before the first byte */
    bool requiretls;   /* offer REQUIRETLS inside TLS (RFC 8689) */
};

/* A command that was refused, for the owner's records. */
enum { SUBMISSION_REFUSALS = 16 };
struct submission_refusal {
    const char *command;  /* "MAIL", "RCPT", "DATA" or "AUTH" */
    char about[200];      /* what was given with MAIL or RCPT, as it came; never a secret */
    char message_id[256]; /* of a message that was refused at its end; "" not known */
    struct verdict v;
};

struct sasl;
struct dots_in;

/* SCRAM_BINDING bytes that only this connection has. False: it has none. */
typedef bool submission_on_bind(void *bound, unsigned char *binding_r);

struct submission {
    enum submission_want want;
    struct buf out;
    struct buf in;
    const struct submission_settings *settings; /* borrowed */
    /* NULL, or called with each line that was heard, as it may be shown: without what is secret. */
    void (*heard)(void *listener, struct span line);
    void *listener;
    char foreign[200]; /* a sender was refused as somebody else's; the owner empties it */

    enum {
        SUBMISSION_CONNECTED,
        SUBMISSION_GREETED,
        SUBMISSION_MAIL,
        SUBMISSION_RCPT,
        SUBMISSION_DATA
    } phase;
    bool tls, authenticated, esmtp, skipping_line;
    char helo[256];
    submission_on_bind *binding; /* NULL: AUTH cannot be bound to the TLS connection */
    void *bound;
    struct identity identity; /* after AUTH */
    struct sasl *sasl;        /* while AUTH goes on */
    struct envelope envelope;
    bool requiretls; /* said with its MAIL */

    struct dots_in *dots; /* while a message arrives */
    struct buf body;      /* its bytes, or the last of them when some were spilled */
    struct buf header;    /* a copy, when some were spilled */
    uint64_t received;    /* bytes of the message so far */
    uint64_t declared;    /* by SIZE (RFC 1870); 0: not */
    bool spilled;
    struct message_facts facts;
    bool doomed;            /* it will be refused: its bytes are read, not kept */
    struct verdict refusal; /* code 0: none; else it could not be stored away */

    const char *ends; /* why the session ends as soon as it can; NULL: it goes on */
    /* What was refused since the owner has emptied it, SUBMISSION_REFUSALS at most, and how many
     * more. */
    struct submission_refusal *refusals;
    unsigned refusal_count, refusals_more;
    const char *command;  /* the one that is being answered, if its refusal is noted */
    struct span about;    /* see refusals; borrowed during the command */
    char message_id[256]; /* of a message that is doomed */

    bool short_of_memory; /* set by the owner: messages are refused for now */
    unsigned lines;       /* that were whole */
    unsigned mails, bad_commands, idle_commands, auth_failures;
};

/* `settings` is borrowed for the life of the session. Says the greeting. */
void submission_init(struct submission *s, const struct submission_settings *settings);
void submission_fini(struct submission *s);

/* Only while want is SUBMISSION_INPUT. */
void submission_input(struct submission *s, struct span bytes);

/* The handshake is over: what was said before it is forgotten (RFC 3207 section 4.2). */
void submission_tls_started(struct submission *s);
/* After TLS has started: AUTH can be bound to the connection (RFC 9266). By what, is asked when a
 * client uses a mechanism that can. */
void submission_bind(struct submission *s, submission_on_bind *binding, void *bound);
/* The stored keys of the name, see scram.h; of a name that is nobody's, scram_keys_nobody(). */
void submission_keys(struct submission *s, const char *keys);
/* `identity`: copied; NULL when name or secret are wrong. `busy`: could not be looked up just now.
 */
void submission_auth_decided(struct submission *s, const struct identity *identity, bool busy);
/* Too much has been guessed: it may be tried again in `wait_s` seconds. */
void submission_auth_locked(struct submission *s, int64_t wait_s);
/* `refused`: the answer to MAIL, of which nothing is left; NULL: there is room. */
void submission_room_decided(struct submission *s, const struct verdict *refused);
/* `refused`: the answer to RCPT, and the recipient is out; NULL: it may get mail. */
void submission_rcpt_decided(struct submission *s, const struct verdict *refused);
/* The address of the next RCPT that the client has sent ahead, from `at` (0 to begin) in what
 * waits; `at` moves behind it. Borrowed. False: there is none, or something else comes first. */
bool submission_next_rcpt(const struct submission *s, size_t *at, struct span *address_r);
/* The first bytes are stored away, or could not be: then `failed` is the answer that the message
 * gets in the end. */
void submission_spilled(struct submission *s, const struct verdict *failed);
void submission_enqueue_decided(struct submission *s, const struct verdict *v);
/* The same for a refusal with more to say: `hint` is printable ASCII, each line ended by LF. */
void submission_enqueue_refused(struct submission *s, const struct verdict *v, struct span hint);

/* The message's header, complete, while want is SUBMISSION_ENQUEUE. */
struct span submission_header(const struct submission *s);

/* Say 421 with this reason and close: shutdown, or a peer that took too long. */
void submission_hang_up(struct submission *s, const char *reason);

/* Say 421 with this reason, borrowed, and close, as soon as what is under way is answered: a
 * message that is arriving is refused at its end, and no further command is run. */
void submission_end(struct submission *s, const char *reason);
/* From here on other settings hold, for this session, too. They are borrowed. */
void submission_change_settings(struct submission *s, const struct submission_settings *settings);
/* What is answered to such a message. */
struct verdict submission_ended(const struct submission *s);

/* Who it says it is, borrowed until it is decided: by a secret, or by a proof that was right or
 * wrong. */
struct submission_claim {
    struct span name, secret;
    bool proves, proven;
};
/* While want is SUBMISSION_AUTH; only the name while it is SUBMISSION_KEYS. */
struct submission_claim submission_auth(const struct submission *s);

/* "ESMTPSA" and the like (RFC 3848, RFC 6531 section 4.3). */
const char *submission_protocol(const struct submission *s);

#endif
