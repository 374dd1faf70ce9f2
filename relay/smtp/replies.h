// SPDX-License-Identifier: BSD-2-Clause
/* replies.h - All replies of the server in one table: name, code, enhanced code (RFC 3463), text.
 */
#ifndef REPLIES_H
#define REPLIES_H

#include "submission.h"

#define REPLIES(X)                                                                             \
    X(SILENT, 0, "", "")                                                                       \
    X(OK, 250, "2.0.0", "OK")                                                                  \
    X(SENDER_OK, 250, "2.1.0", "Sender OK")                                                    \
    X(RCPT_OK, 250, "2.1.5", "Recipient OK")                                                   \
    X(NO_VERIFY, 252, "2.5.0", "Cannot verify, but will accept mail and try to deliver it")    \
    X(HELP, 214, "2.0.0", "EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY QUIT")             \
    X(GO_AHEAD, 354, "", "End data with <CR><LF>.<CR><LF>")                                    \
    X(BYE, 221, "2.0.0", "Bye")                                                                \
    X(TLS_READY, 220, "2.0.0", "Ready to start TLS")                                           \
    X(AUTH_OK, 235, "2.7.0", "Authentication successful")                                      \
    X(AUTH_BUSY, 454, "4.7.0", "Temporary authentication failure: try again")                  \
    X(AUTH_WRONG, 535, "5.7.8", "Name or password is wrong, or the credential is disabled")    \
    X(AUTH_CANCELLED, 501, "5.7.0", "Authentication cancelled")                                \
    X(AUTH_MALFORMED, 501, "5.5.2", "Not valid base64, or not what the mechanism expects")     \
    X(AUTH_IDENTITY, 535, "5.7.8", "Authorization identity must be empty or the name itself")  \
    X(AUTH_UNKNOWN, 504, "5.5.4",                                                              \
      "Unrecognized authentication mechanism: use SCRAM-SHA-256 or PLAIN")                     \
    X(AUTH_LONG, 500, "5.5.6", "Authentication line is too long")                              \
    X(AUTH_FLOOD, 421, "4.7.0", "Too many failed logins: closing")                             \
    X(LONG_LINE, 500, "5.5.2", "Command line is too long")                                     \
    X(BARE_LINE, 500, "5.5.2",                                                                 \
      "Command holds a bare CR, bare LF or NUL: lines end with CRLF only")                     \
    X(UNKNOWN, 500, "5.5.1", "Command unrecognized")                                           \
    X(NOT_OFFERED, 502, "5.5.1", "Command not offered here")                                   \
    X(ORDER, 503, "5.5.1", "Bad sequence of commands")                                         \
    X(NEED_TLS, 530, "5.7.0", "Must issue a STARTTLS command first")                           \
    X(NEED_AUTH, 530, "5.7.0", "Authentication required")                                      \
    X(NO_ARGUMENT, 501, "5.5.4", "Command takes no argument")                                  \
    X(BAD_HELO, 501, "5.5.4", "Argument must be a name of 1 to 255 octets, without controls")  \
    X(SYNTAX, 501, "5.5.4", "Syntax: MAIL FROM:<address> or RCPT TO:<address>")                \
    X(BAD_SENDER, 501, "5.1.7", "Sender address is not valid")                                 \
    X(BAD_RCPT, 501, "5.1.3", "Recipient address is not valid")                                \
    X(ROUTED_RCPT, 553, "5.1.3",                                                               \
      "Recipient address holds %, ! or @ before its last @, by which servers pass mail on to " \
      "others: name that address itself")                                                      \
    X(SENDER_UTF8, 550, "5.6.7", "Non-ASCII sender address needs SMTPUTF8")                    \
    X(RCPT_UTF8, 553, "5.6.7", "Non-ASCII recipient address needs SMTPUTF8")                   \
    X(PARAMETER_UNKNOWN, 555, "5.5.4", "Parameter not recognized or not implemented")          \
    X(PARAMETER_BAD, 501, "5.5.4", "Parameter is malformed or given twice")                    \
    X(TOO_BIG, 552, "5.3.4", "Message size exceeds the limit of this server, in bytes")        \
    X(MEMORY_SHORT, 452, "4.3.1", "Insufficient system memory: try again in a minute")         \
    X(MEMORY_GONE, 421, "4.3.1", "Not enough memory just now: closing")                        \
    X(RCPT_MANY, 452, "4.5.3", "Too many recipients in one message: send the rest in another") \
    X(NO_RCPT, 503, "5.5.1", "No valid recipients")                                            \
    X(MAIL_MANY, 421, "4.5.3", "Too many messages on this connection: open another one")       \
    X(BAD_MANY, 421, "4.7.0", "Too many bad commands: closing")                                \
    X(IDLE_MANY, 421, "4.7.0", "Too many commands without mail: closing")                      \
    X(LOGIN_MANY, 421, "4.7.0", "Too many commands without a login: closing")                  \
    X(NOT_SMTP, 421, "4.7.0", "This is a mail server: closing")                                \
    X(DATA_BARE, 554, "5.6.0",                                                                 \
      "Message refused: it holds a bare CR or bare LF; lines end with CRLF only")              \
    X(DATA_NUL, 554, "5.6.0", "Message refused: it holds a NUL byte; encode binary content")   \
    X(DATA_HEADER, 552, "5.3.4", "Message refused: its header is over 256 KB")

#define REPLY_ENUM(name, code, enhanced, text) name,
enum reply { REPLIES(REPLY_ENUM) REPLY_COUNT };
#undef REPLY_ENUM

/* Put a reply into `out`; 221 and 421 also end the session. SILENT says nothing: the owner will
 * answer, or a handler has. */
void reply_say(struct submission *s, enum reply reply);
/* `hint`: more lines of the same reply, each ended by LF (RFC 5321 section 4.2.1). */
void reply_verdict(struct submission *s, const struct verdict *v, struct span hint);
/* Say it with what it is about, or with the limit, behind its text; returns SILENT. */
enum reply reply_about(struct submission *s, enum reply reply, struct span about);
enum reply reply_limit(struct submission *s, enum reply reply, uint64_t limit);
struct verdict reply_with_limit(enum reply reply, uint64_t limit);
/* The reply as a verdict, to be said later. */
struct verdict reply_as_verdict(enum reply reply);

#endif
