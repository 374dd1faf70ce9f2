// SPDX-License-Identifier: BSD-2-Clause
/* session.h - One client: the submission machine on a connection. All that it waits for comes back
 * by its id. */
#ifndef SESSION_H
#define SESSION_H

#include "alignment.h"
#include "content.h"
#include "shard.h"

/* Accept a client; `implicit_tls`: the handshake comes first. */
void session_accept(struct shard *s, int fd, bool implicit_tls);

/* NULL when it has ended meanwhile. */
struct session *session_find(struct shard *s, uint64_t id);

/* Send away who keeps a connection and sends nothing whole, or a message slower than limits.rate.
 */
void session_end_slow(struct shard *s);

/* Send a stranger away, the first that came, from that place; false: none is here. */
bool session_make_room(struct shard *s, const struct connection_place *place);
/* Send those away who have had their time to log in. */
void session_end_strangers(struct shard *s);

/* Credentials or domains have changed: end the sessions that do not hold any more. */
void session_check_all(struct shard *s);

/* The shard has other settings: who has logged in is judged by them from now on. */
void session_change_settings(struct shard *s);

/* The shard drains: idle clients are sent away now, the others when their message is done. */
void session_drain_all(struct shard *s);
/* The shard has waited long enough. */
void session_close_all(struct shard *s);

/* ---- auth.c: who is this? ---- */

struct auth_answer {
    const struct identity *identity; /* NULL: not this time */
    bool busy;                       /* it could not be looked up */
    int64_t locked_ms;               /* too much was guessed; 0: it was looked up */
    uint64_t accounts;               /* store_accounts() before it was looked up */
    unsigned char mark[DATABASE_MARK];
};

/* Judge a claim from an address; session_auth_decided() is called later. A refusal takes half a
 * second or longer, whatever was wrong. */
void auth_ask(struct shard *s, uint64_t session, const char *peer,
              const struct submission_claim *claim);
void session_auth_decided(struct shard *shard, uint64_t id, const struct auth_answer *answer);
/* The keys for SCRAM of a name; `keys_r` holds SCRAM_KEYS_TEXT bytes. False: not just now. */
bool auth_keys(struct shard *s, struct span name, char *keys_r);

/* ---- alignment_client.c: will receivers believe it? ---- */

/* Ask the alignment service about a pair of domains for this shard's memory; session_aligned() is
 * called when `session` is not 0. */
void alignment_client_ask(struct shard *s, uint64_t session, const char *author,
                          const char *return_domain);
void session_aligned(struct shard *shard, uint64_t id, const struct alignment *alignment);

/* ---- rcpt_check.c: may it get mail at all? ---- */

/* Answer SUBMISSION_LIMIT. */
void rcpt_check_judge(struct shard *s, struct settings *settings, struct submission *sub);
/* Somebody was refused mail of that user: from now on, for a while, recipients are looked at. It is
 * written into the audit trail. */
void rcpt_check_flooded(struct shard *s, const char *recipient, const char *user);

/* ---- body_writer.c: a message too large for memory goes to a segment of its own while it arrives
 * ----
 */

struct intake;

struct intake *body_writer_new(struct shard *s, uint64_t session);
/* Takes the bytes out of `bytes`; session_body_written() is called when they are written. */
void body_writer_write(struct intake *i, struct buf *bytes);
/* Write the record's frame and make all of it durable; session_body_written() is called. */
void body_writer_finish(struct intake *i, struct buf *bytes);
void session_body_written(struct shard *shard, uint64_t id, const struct err *failed);
/* The id and the place of the record. */
void body_writer_place(const struct intake *i, int64_t *id_r, struct mail_place *place_r);
void body_writer_digest(const struct intake *i,
                        unsigned char digest_r[CONTENT_BYTES]); /* when finished */
/* Free it. The file goes, too, unless `keep`. When a write is under way it is freed after that. */
void body_writer_free(struct intake *i, bool keep);

#endif
