// SPDX-License-Identifier: BSD-2-Clause
/* tls.h - TLS as a machine without I/O (RFC 8446, 5246, 9325): ciphertext in, plain text out, and
 * the other way round.
 *
 * The owner feeds what comes from the wire to tls_input(), sends `cipher` to the wire and reads
 * `plain`. Once the state is CLOSED or FAILED nothing that follows on the wire is looked at, ever.
 */
#ifndef TLS_H
#define TLS_H

#include "buf.h"
#include "certificate_screen.h"
#include "err.h"
#include "tls_policy.h"

struct dane;
struct tls_context; /* certificates and settings, shared by connections */

struct tls_certificate {
    char name[64];    /* for people */
    char server[256]; /* the name that a client must ask for (SNI); "*.x" for those below; "" any */
    char file[1024], key[1024]; /* PEM; the file may hold a chain */
};

/* What stands in the two files. */
struct tls_pem {
    struct span file, key;
};

/* `pems`: one for each certificate. Those without a server name serve who asks for no other; two of
 * them, or two of one name, are for clients of different abilities: one with an ECDSA key, one with
 * RSA. Fails when a text holds nothing that can be used, or a pair does not belong together; the
 * err names the file. Free with tls_context_free(). */
MUST_CHECK bool tls_server_context(const struct tls_certificate *certificates,
                                   const struct tls_pem *pems, size_t count,
                                   struct tls_context **context_r, struct err *err);
/* New connections get the certificates of `with`, which is taken. From any thread. */
void tls_server_renew(struct tls_context *context, struct tls_context *with);
/* Which of a context's certificates expires first, and when. */
struct tls_expiry {
    int64_t expires_s; /* since 1970 */
    char file[1024];
};
struct tls_expiry tls_expiry(struct tls_context *context);
/* Does the certificate for clients that ask for `host` name it (RFC 6125)? Its subject does not
 * count. */
bool tls_server_is_named(struct tls_context *context, const char *host);
/* New keys for session tickets, of all contexts; those sealed with the keys before last are good no
 * more. From any thread, and once before the first connection. */
void tls_rotate_tickets(void);

/* SHA-256 of the certificate's SubjectPublicKeyInfo, as TLSA 3 1 1 has it (RFC 6698), in
 * hexadecimal; `hex_r` holds 65 bytes. */
MUST_CHECK bool tls_certificate_digest(const char *certificate, char *hex_r, struct err *err);
/* A server's context from PEM text in memory. */
MUST_CHECK bool tls_server_context_from(struct span certificate, struct span key,
                                        struct tls_context **context_r, struct err *err);
/* `ca_file`: the trusted authorities; NULL: the system's. */
MUST_CHECK bool tls_client_context(const char *ca_file, struct tls_context **context_r,
                                   struct err *err);
void tls_context_free(struct tls_context *context);

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_CLOSED, TLS_FAILED };

enum tls_protocol { TLS_SMTP, TLS_HTTP };

/* What a client demands of the other side. */
enum tls_demand {
    TLS_ANY,     /* the best that it has: the choice is between that and clear text */
    TLS_STRONG,  /* forward secrecy and authenticated encryption (RFC 9325 section 4.2) */
    TLS_VERIFIED /* that, and a certificate that is valid for the host */
};

/* By what a client judges the server's certificate. */
enum tls_by {
    TLS_BY_AUTHORITIES,
    TLS_BY_DANE,
    TLS_BY_NOTHING /* there are TLSA records, and none of them can be used */
};

/* In certificates: each name is compared with each constraint (RFC 5280 section 4.2.1.10). */
struct tls_names {
    size_t names, constraints;
};

struct tls {
    enum tls_state state;
    enum tls_protocol speaks;
    struct buf plain;              /* for the owner */
    struct buf cipher;             /* for the wire */
    struct span wire;              /* what tls_input() was given and OpenSSL has not taken */
    struct err err;                /* when FAILED */
    enum certificate_fault unread; /* why the peer's certificates were not parsed */
    unsigned chatter;              /* handshake messages since the handshake */
    uint64_t said;                 /* octets of plain text that came */
    enum tls_demand demand;        /* a client's */
    bool valid;                    /* the same: of sessions */
    enum tls_by by;
    struct tls_names zone_names; /* in certificates of TLSA records */
    struct tls_match match;      /* of the session that is offered */
    char *session_key;           /* a client's: what sessions are kept by; NULL: none are */
    int64_t seen_s;   /* when the peer's certificate was: by this handshake, or the one that it
                          resumes; in seconds since 1970 */
    bool resumes;     /* a session is offered, and the handshake not done */
    bool owes_ticket; /* to a client of TLS 1.3, with the first that is written */
    void *ssl;
};

/* The context is borrowed. A client that says what it speaks (ALPN, RFC 7301), and not this, is
 * refused. `t` stays where it is until tls_fini(). */
void tls_accept(struct tls *t, struct tls_context *context, enum tls_protocol speaks);
/* `host`: a name or an address; for SNI when it is a name, and for the check of the certificate. */
void tls_connect(struct tls *t, struct tls_context *context, const char *host,
                 enum tls_demand demand);

/* What a client asks of a server. */
struct tls_terms {
    const char *host; /* as above */
    enum tls_demand demand;
    const struct dane *dane; /* NULL: none. If one of its records can be used, they and the names
                                beside them decide in place of `host` and `demand` (RFC 7672) */
    bool valid; /* no session is kept or resumed but of a certificate that is valid for the host */
    const char *session_key; /* which server it is. NULL: no session is resumed, nor kept */
};

/* On these terms, which are borrowed for the call. A session is resumed that an earlier connection
 * was given on the same terms, and that met them: no certificate is seen then. By DANE the
 * handshake goes well whatever the certificate: ask tls_judge() before anything is said. When what
 * the records need cannot be made ready the state is FAILED, and nothing is known of the server. */
void tls_connect_on(struct tls *t, struct tls_context *context, const struct tls_terms *terms);
void tls_fini(struct tls *t);

/* Bytes from the wire; what they decrypt to is added to `plain`. */
void tls_input(struct tls *t, struct span cipher);
void tls_write(struct tls *t, struct span plain);
/* Say close_notify. */
void tls_finish(struct tls *t);

/* "TLSv1.3 TLS_AES_128_GCM_SHA256", and by DANE which record the certificate at which depth of its
 * chain fits: " TLSA 3 1 1 depth 0". `text_r` holds at least 80 bytes. */
void tls_describe(const struct tls *t, char *text_r, size_t size);
/* Did the handshake resume a session? */
bool tls_is_resumed(const struct tls *t);
/* For a server's, before anything is written: no ticket follows the handshake. */
void tls_withhold_ticket(struct tls *t);
/* Has it octets that only its two ends have (RFC 9266)? Before TLS 1.3 they would not be unique. */
bool tls_binds(const struct tls *t);
/* These SCRAM_BINDING octets. False: it has none. */
bool tls_binding(const struct tls *t, unsigned char *binding_r);
/* Was the peer's certificate what its name, or DANE, asks for? Known for clients only. */
bool tls_verified(const struct tls *t);

struct tls_judgement {
    enum tls_result result; /* OK only for what tls_verified() says */
    enum tls_by by;
    struct tls_match match; /* of a certificate that is OK by DANE */
    const char *reason;     /* for people; borrowed from `t` */
};

/* How a client's server stood, once its handshake is done or has failed. Where nothing was demanded
 * of its certificate the same is known, and it is for the owner to make nothing of it. */
void tls_judge(const struct tls *t, struct tls_judgement *judgement_r);

#endif
