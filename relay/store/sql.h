// SPDX-License-Identifier: BSD-2-Clause
/* sql.h - Every statement that the relay can say to its database, by name. */
#ifndef SQL_H
#define SQL_H

#define SQL_SCHEMA_VERSION 3

#define SQL_SCHEMA                                                                                 \
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
    " WITHOUT ROWID, STRICT;" SQL_SCHEMA_2 SQL_SCHEMA_3

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
 * who submitted. */
#define SQL_SCHEMA_3                                                                              \
    "ALTER TABLE recipient ADD COLUMN fingerprint INTEGER;"                                       \
    "CREATE INDEX recipient_fingerprint ON recipient(fingerprint) WHERE fingerprint IS NOT NULL;" \
    "ALTER TABLE event ADD COLUMN credential TEXT NOT NULL DEFAULT '';"                           \
    "CREATE TABLE known(key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID, STRICT;"       \
    "CREATE TABLE newcomers(tenant TEXT NOT NULL, day INTEGER NOT NULL, count INTEGER NOT NULL,"  \
    " PRIMARY KEY(tenant, day)) WITHOUT ROWID, STRICT;"                                           \
    "PRAGMA user_version = 3;"

#define SQL_QUEUE_FILTER                                                                      \
    " FROM recipient r JOIN message m ON m.id = r.message"                                    \
    " WHERE (?1 IS NULL OR r.message = ?1) AND (?2 IS NULL OR r.address = ?2 COLLATE NOCASE)" \
    " AND (?3 IS NULL OR r.domain = ?3) AND (?4 IS NULL OR m.sender = ?4 COLLATE NOCASE)"     \
    " AND (?5 IS NULL OR r.state = ?5) AND (?6 IS NULL OR m.credential = ?6)"                 \
    " AND r.state IN (0, 1) AND (r.message, r.number) > (?7, ?8)"

#define SQL_MESSAGE_COLUMNS                                                                  \
    "id, created, expires, tenant, credential, stream, class, sender, envelope_id, report, " \
    "smtputf8, from_domain,"                                                                 \
    " helo, peer, protocol, header_utf8, body_8bit, dialogue, segment, offset, length"

#define SQL_STATEMENTS(X)                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SAVEPOINT, "SAVEPOINT one_job")                                                              \
    X(RELEASE, "RELEASE one_job")                                                                  \
    X(UNDO, "ROLLBACK TO one_job")                                                                 \
    X(PROBE, "PRAGMA user_version = 3")                                                            \
    X(VERSION, "PRAGMA user_version")                                                              \
    X(LAST_ID, "SELECT max((SELECT coalesce(max(id), 0) FROM message), (SELECT "                   \
               "coalesce(max(message), 0) FROM event))")                                           \
    X(PLACES, "SELECT segment, offset, length FROM message")                                       \
    X(WAITING,                                                                                     \
      "SELECT r.message, r.number, r.due, m.class, r.domain FROM recipient r JOIN message m"       \
      " ON m.id = r.message WHERE r.state = 0")                                                    \
    X(ADD_MESSAGE, "INSERT INTO message(" SQL_MESSAGE_COLUMNS ")"                                  \
                   " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                           \
    X(ADD_RECIPIENT,                                                                               \
      "INSERT INTO recipient(message, number, address, domain, original, notify, state, tries, "   \
      "due,"                                                                                       \
      " delay_told, code, enhanced, reply, remote, fingerprint)"                                   \
      " VALUES(?,?,?,?,?,?,0,0,?,0,?,?,?,'',?)")                                                   \
    X(ADD_EVENT, "INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote, " \
                 "credential) VALUES(?,?,?,?,?,?,?,?,?)")                                          \
    X(MESSAGE, "SELECT " SQL_MESSAGE_COLUMNS " FROM message WHERE id = ?")                         \
    X(RECIPIENTS, "SELECT number, address, domain, original, notify, state, tries, due, "          \
                  "delay_told, code, enhanced FROM recipient"                                      \
                  " WHERE message = ? ORDER BY number")                                            \
    X(SETTLE, "UPDATE recipient SET state = ?3, tries = ?4, due = ?5, delay_told = delay_told OR " \
              "?6, code = ?7,"                                                                     \
              " enhanced = ?8, reply = ?9, remote = ?10 WHERE message = ?1 AND number = ?2 AND "   \
              "state IN (0, 1)"                                                                    \
              " RETURNING address, domain")                                                        \
    X(END_MESSAGE, "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient "    \
                   "WHERE message = ?1"                                                            \
                   " AND state IN (0, 1)) RETURNING segment, offset, length")                      \
    X(END_RECIPIENTS, "DELETE FROM recipient WHERE message = ?")                                   \
    X(QUEUE_LIST, "SELECT r.message, r.number, r.address, r.state, r.tries, r.due, r.code, "       \
                  "r.enhanced, r.reply,"                                                           \
                  " r.remote, m.sender, m.credential, m.class, m.created, m.expires, "             \
                  "m.length" SQL_QUEUE_FILTER " ORDER BY r.message, r.number LIMIT ?9")            \
    X(QUEUE_COUNT, "SELECT count(*)" SQL_QUEUE_FILTER)                                             \
    X(QUEUE_MATCH, "SELECT r.message, r.number, m.class, r.domain, r.address" SQL_QUEUE_FILTER     \
                   " ORDER BY r.message, r.number LIMIT ?9")                                       \
    X(QUEUE_SET, "UPDATE recipient SET state = ?3, due = ?4 WHERE message = ?1 AND number = ?2")   \
    X(PLACE_IN, "SELECT id, segment, offset, length FROM message WHERE segment = ?")               \
    X(MOVE, "UPDATE message SET segment = ?2, offset = ?3 WHERE id = ?1")                          \
    X(EVENTS, "SELECT id, at, kind, message, recipient, code, enhanced, reply, remote FROM event"  \
              " WHERE id > ?1 ORDER BY id LIMIT ?2")                                               \
    X(LAST_AT, "SELECT at FROM event ORDER BY id DESC LIMIT 1")                                    \
    X(MOVE_DUE, "UPDATE recipient SET due = due + ?")                                              \
    X(MOVE_LIFE, "UPDATE message SET created = created + ?1, expires = expires + ?1")              \
    X(EVENT_LAST, "SELECT coalesce(max(id), 0) FROM event")                                        \
    X(TRACE, "SELECT id, at, kind, message, recipient, code, enhanced, reply, remote FROM event "  \
             "WHERE message = ?1"                                                                  \
             " ORDER BY id")                                                                       \
    X(FORGET_EVENTS,                                                                               \
      "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ? ORDER BY id LIMIT 5000)")  \
    X(USER, "SELECT name, tenant, stream, hash, allowed, disabled, created FROM credential WHERE " \
            "name = ?")                                                                            \
    X(USERS, "SELECT name, tenant, stream, hash, allowed, disabled, created FROM credential "      \
             "ORDER BY name")                                                                      \
    X(ADD_USER, "INSERT INTO credential(name, tenant, stream, hash, allowed, disabled, created)"   \
                " VALUES(?,?,?,?,?,0,?) ON CONFLICT DO NOTHING RETURNING name")                    \
    X(SET_USER, "UPDATE credential SET hash = coalesce(?2, hash), disabled = ?3 WHERE name = ?1 "  \
                "RETURNING name")                                                                  \
    X(DELETE_USER, "DELETE FROM credential WHERE name = ? RETURNING name")                         \
    X(DOMAINS, "SELECT name, tenant, created FROM domain ORDER BY name")                           \
    X(ADD_DOMAIN, "INSERT INTO domain(name, tenant, created) VALUES(?,?,?) ON CONFLICT DO "        \
                  "NOTHING RETURNING name")                                                        \
    X(DELETE_DOMAIN, "DELETE FROM domain WHERE name = ? RETURNING name")                           \
    X(KEYS, "SELECT domain, selector, algorithm, state, public, created FROM signing_key"          \
            " WHERE (?1 IS NULL OR domain = ?1) ORDER BY domain, selector")                        \
    X(ADD_KEY, "INSERT INTO signing_key(domain, selector, algorithm, state, public, created) "     \
               "VALUES(?,?,?,?,?,?)")                                                              \
    X(ONCE, "SELECT message FROM once WHERE key = ?1 AND at > ?2 AND NOT EXISTS (SELECT 1 FROM "   \
            "event WHERE event.message = once.message AND kind IN ('bounced', 'expired', "         \
            "'deleted'))")                                                                         \
    X(SET_ONCE, "INSERT INTO once(key, message, at) VALUES(?1, ?2, ?3)"                            \
                " ON CONFLICT(key) DO UPDATE SET message = ?2, at = ?3")                           \
    X(FORGET_ONCE,                                                                                 \
      "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE at < ? ORDER BY at LIMIT 5000)")  \
    X(ALIKE, "SELECT r.message, r.number, r.due FROM recipient r JOIN message m ON m.id = "        \
             "r.message WHERE r.fingerprint = ?1 AND r.state = 0 AND m.created > ?2"               \
             " ORDER BY r.due DESC LIMIT 1")                                                       \
    X(REPLACE, "UPDATE recipient SET state = 2 WHERE message = ?1 AND number = ?2 AND state = 0"   \
               " RETURNING address")                                                               \
    X(KNOWN, "SELECT day FROM known WHERE key = ?")                                                \
    X(SET_KNOWN,                                                                                   \
      "INSERT INTO known(key, day) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET day = "           \
      "?2")                                                                                        \
    X(KNOWN_AFTER, "SELECT max(key) FROM (SELECT key FROM known WHERE key > ?1 ORDER BY key "      \
                   "LIMIT 20000)")                                                                 \
    X(FORGET_KNOWN, "DELETE FROM known WHERE key > ?1 AND key <= ?2 AND day < ?3")                 \
    X(NEWCOMERS,                                                                                   \
      "SELECT min(day), max(CASE WHEN day = ?2 THEN count END), max(CASE WHEN day < ?2 "           \
      "AND day >= ?2 - 7 THEN count END) FROM newcomers WHERE tenant = ?1")                        \
    X(ADD_NEWCOMER, "INSERT INTO newcomers(tenant, day, count) VALUES(?1, ?2, 1)"                  \
                    " ON CONFLICT(tenant, day) DO UPDATE SET count = count + 1")                   \
    X(FORGET_NEWCOMERS, "DELETE FROM newcomers WHERE day < ? AND EXISTS (SELECT 1 FROM newcomers " \
                        "o WHERE o.tenant = newcomers.tenant AND o.day < newcomers.day)")          \
    X(RATE_KEY, "SELECT value FROM instance WHERE name = 'rate_key'")                              \
    X(RATE, "SELECT tat, day FROM rate WHERE key = ?")                                             \
    X(SET_RATE, "INSERT INTO rate(key, tat, day) VALUES(?1, ?2, ?3)"                               \
                " ON CONFLICT(key) DO UPDATE SET tat = ?2, day = ?3")                              \
    X(DROP_RATE, "DELETE FROM rate WHERE key = ?")                                                 \
    X(RATE_AFTER, "SELECT max(key) FROM (SELECT key FROM rate WHERE key > ?1 ORDER BY key "        \
                  "LIMIT 20000)")                                                                  \
    X(FORGET_RATES, "DELETE FROM rate WHERE key > ?1 AND key <= ?2 AND tat < ?3 AND day < ?3")     \
    X(DELETE_KEYS, "DELETE FROM signing_key WHERE domain = ?")

#define SQL_ENUM(name, text) SQL_##name,
enum sql { SQL_STATEMENTS(SQL_ENUM) SQL_COUNT };
#undef SQL_ENUM

#endif
