// SPDX-License-Identifier: BSD-2-Clause
/* schema.h - The tables, and how a store of an older version gets them. */
#ifndef SCHEMA_H
#define SCHEMA_H

#define SQL_SCHEMA_VERSION 9

#define SQL_SCHEMA_1                                                                               \
    "CREATE TABLE message(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, expires INTEGER NOT "  \
    "NULL,"                                                                                        \
    " tenant TEXT NOT NULL, credential TEXT NOT NULL, stream TEXT NOT NULL, class INTEGER NOT "    \
    "NULL,"                                                                                        \
    " sender TEXT NOT NULL, envelope_id TEXT NOT NULL, report INTEGER NOT NULL, smtputf8 INTEGER " \
    "NOT NULL,"                                                                                    \
    " from_domain TEXT NOT NULL, helo TEXT NOT NULL, peer TEXT NOT NULL, protocol TEXT NOT NULL,"  \
    " header_utf8 INTEGER NOT NULL, body_8bit INTEGER NOT NULL, dialogue INTEGER NOT NULL,"        \
    " segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL) STRICT;"         \
    "CREATE TABLE recipient(message INTEGER NOT NULL, number INTEGER NOT NULL, address TEXT NOT "  \
    "NULL,"                                                                                        \
    " domain TEXT NOT NULL, original TEXT NOT NULL, notify INTEGER NOT NULL, state INTEGER NOT "   \
    "NULL,"                                                                                        \
    " tries INTEGER NOT NULL, due INTEGER NOT NULL, delay_told INTEGER NOT NULL, code INTEGER "    \
    "NOT NULL,"                                                                                    \
    " enhanced TEXT NOT NULL, reply TEXT NOT NULL, remote TEXT NOT NULL,"                          \
    " PRIMARY KEY(message, number)) WITHOUT ROWID, STRICT;"                                        \
    "CREATE TABLE event(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, message " \
    "INTEGER NOT NULL,"                                                                            \
    " recipient TEXT NOT NULL, code INTEGER NOT NULL, enhanced TEXT NOT NULL, reply TEXT NOT "     \
    "NULL,"                                                                                        \
    " remote TEXT NOT NULL) STRICT;"                                                               \
    "CREATE INDEX event_message ON event(message);"                                                \
    "CREATE TABLE credential(name TEXT PRIMARY KEY, tenant TEXT NOT NULL, stream TEXT NOT NULL, "  \
    "hash TEXT NOT NULL,"                                                                          \
    " allowed TEXT NOT NULL, disabled INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID, " \
    "STRICT;"                                                                                      \
    "CREATE TABLE domain(name TEXT PRIMARY KEY, tenant TEXT NOT NULL, created INTEGER NOT NULL) "  \
    "WITHOUT ROWID, "                                                                              \
    "STRICT;"                                                                                      \
    "CREATE TABLE signing_key(domain TEXT NOT NULL, selector TEXT NOT NULL, algorithm INTEGER "    \
    "NOT NULL,"                                                                                    \
    " state TEXT NOT NULL, public TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY(domain, "   \
    "selector))"                                                                                   \
    " WITHOUT ROWID, STRICT;"

/* From version 1 to 2: counting what each recipient gets. `rate` has a row for each key that has
 * been used lately; the key is a MAC, so that it tells nothing about anybody. */
#define SQL_SCHEMA_2                                                                               \
    "CREATE TABLE rate(key BLOB PRIMARY KEY, tat INTEGER NOT NULL, day INTEGER NOT NULL) WITHOUT " \
    "ROWID, STRICT;"                                                                               \
    "CREATE TABLE once(key BLOB PRIMARY KEY, message INTEGER NOT NULL, at INTEGER NOT NULL) "      \
    "WITHOUT ROWID, STRICT;"                                                                       \
    "CREATE INDEX once_at ON once(at);"                                                            \
    "CREATE TABLE instance(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;"     \
    "INSERT INTO instance(name, value) VALUES('rate_key', randomblob(32));"                        \
    "PRAGMA user_version = 2;"

/* From version 2 to 3: what says the same and still waits; whom a tenant has written to before;
 * who submitted, and how often a limit said no; how far the clock has been set, in ms. */
#define SQL_SCHEMA_3                                                                              \
    "ALTER TABLE recipient ADD COLUMN fingerprint INTEGER;"                                       \
    "CREATE INDEX recipient_fingerprint ON recipient(fingerprint) WHERE fingerprint IS NOT NULL;" \
    "ALTER TABLE event ADD COLUMN credential TEXT NOT NULL DEFAULT '';"                           \
    "CREATE TABLE known(key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID, STRICT;"       \
    "CREATE TABLE newcomers(tenant TEXT NOT NULL, day INTEGER NOT NULL, count INTEGER NOT NULL,"  \
    " PRIMARY KEY(tenant, day)) WITHOUT ROWID, STRICT;"                                           \
    "CREATE TABLE refused(minute INTEGER NOT NULL, credential TEXT NOT NULL, recipient TEXT NOT " \
    "NULL, count INTEGER NOT NULL, PRIMARY KEY(minute, credential, recipient)) WITHOUT ROWID, "   \
    "STRICT;"                                                                                     \
    "CREATE TABLE suppression(address TEXT NOT NULL, tenant TEXT NOT NULL, stream TEXT NOT NULL," \
    " reason INTEGER NOT NULL, source TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER "  \
    "NOT NULL, PRIMARY KEY(address, tenant, stream, reason)) WITHOUT ROWID, STRICT;"              \
    "CREATE INDEX suppression_expires ON suppression(expires) WHERE expires <> 0;"                \
    "CREATE TABLE clock(steps INTEGER NOT NULL) STRICT;"                                          \
    "INSERT INTO clock(steps) VALUES(0);"                                                         \
    "PRAGMA user_version = 3;"

/* From version 3 to 4: the life of a key; which domains are held back until their records are
 * right. */
#define SQL_SCHEMA_4                                                         \
    "ALTER TABLE signing_key ADD COLUMN delegated TEXT NOT NULL DEFAULT '';" \
    "ALTER TABLE signing_key ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"   \
    "ALTER TABLE signing_key ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;"    \
    "ALTER TABLE signing_key ADD COLUMN wait INTEGER NOT NULL DEFAULT 0;"    \
    "UPDATE signing_key SET since = created;"                                \
    "ALTER TABLE domain ADD COLUMN captured INTEGER NOT NULL DEFAULT 0;"     \
    "PRAGMA user_version = 4;"

/* From version 4 to 5: keys for SCRAM; from where a credential has logged in; the audit trail,
 * which only grows. */
#define SQL_SCHEMA_5                                                                            \
    "ALTER TABLE credential ADD COLUMN scram TEXT NOT NULL DEFAULT '';"                         \
    "CREATE TABLE login(credential TEXT NOT NULL, network TEXT NOT NULL, at INTEGER NOT NULL,"  \
    " PRIMARY KEY(credential, network)) WITHOUT ROWID, STRICT;"                                 \
    "CREATE TABLE audit(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what " \
    "TEXT NOT NULL, about TEXT NOT NULL, hash TEXT NOT NULL) STRICT;"                           \
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit "   \
    "trail only grows'); END;"                                                                  \
    "CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit " \
    "trail only grows'); END;"                                                                  \
    "PRAGMA user_version = 5;"

/* From version 5 to 6: which streams a credential may name (empty: all); the Message-ID of what was
 * accepted or refused, and whose mail was refused. */
#define SQL_SCHEMA_6                                                      \
    "ALTER TABLE credential ADD COLUMN streams TEXT NOT NULL DEFAULT '';" \
    "ALTER TABLE event ADD COLUMN message_id TEXT NOT NULL DEFAULT '';"   \
    "ALTER TABLE event ADD COLUMN sender TEXT NOT NULL DEFAULT '';"       \
    "PRAGMA user_version = 6;"

/* From version 6 to 7: suppressions hold for exactly one mailbox, where they were made for all that
 * counts as it. What people have asked for goes on to hold for every spelling. Of what servers have
 * said, the mailbox is found again by its event of the same moment, and the rest stands for the
 * form that was written down; all of it expires. A repetition is one of the content, too. Reports
 * are owed by the recipient's row until one message tells all of them, at `due` or at the end. */
#define SQL_SCHEMA_7                                                                             \
    "ALTER TABLE suppression ADD COLUMN every_spelling INTEGER NOT NULL DEFAULT 0;"              \
    "ALTER TABLE suppression ADD COLUMN answers INTEGER NOT NULL DEFAULT 1;"                     \
    "ALTER TABLE suppression ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;"                    \
    "UPDATE suppression SET answered = created;"                                                 \
    "UPDATE OR IGNORE suppression SET every_spelling = 1, address = counted_as(address, 0)"      \
    " WHERE reason <> 1;"                                                                        \
    "UPDATE suppression SET expires = created + 90 * 86400000 WHERE reason = 1 AND expires = 0;" \
    "UPDATE OR IGNORE suppression SET address = counted_as(e.recipient, 2) FROM event e"         \
    " WHERE e.kind = 'bounced' AND e.at = suppression.created AND suppression.reason = 1"        \
    " AND suppression.address = counted_as(e.recipient, 0);"                                     \
    "ALTER TABLE recipient ADD COLUMN report INTEGER NOT NULL DEFAULT 0;"                        \
    "CREATE TABLE report(message INTEGER PRIMARY KEY, due INTEGER NOT NULL) STRICT;"             \
    "CREATE INDEX report_due ON report(due);"                                                    \
    "ALTER TABLE once ADD COLUMN content BLOB;"                                                  \
    "PRAGMA user_version = 7;"

/* From version 7 to 8: contents are digested with a key of the instance; what was digested without
 * one cannot be compared. */
#define SQL_SCHEMA_8                  \
    "UPDATE once SET content = NULL;" \
    "PRAGMA user_version = 8;"

/* From version 8 to 9: which destinations an operator has put to rest. */
#define SQL_SCHEMA_9                                                                              \
    "CREATE TABLE rest(destination TEXT PRIMARY KEY, until INTEGER NOT NULL, why TEXT NOT NULL) " \
    "WITHOUT ROWID, STRICT;"                                                                      \
    "PRAGMA user_version = 9;"

#endif
