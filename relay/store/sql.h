// SPDX-License-Identifier: BSD-2-Clause
/* sql.h - Every statement that the relay can say to its database, by name. */
#ifndef SQL_H
#define SQL_H

#include "sql_housekeeping.h"
#include "sql_rate.h"
#include "sql_report.h"
#include "sql_rest.h"
#include "sql_suppress.h"

#define SQL_QUEUE_FILTER                                                                      \
    " FROM recipient r JOIN message m ON m.id = r.message"                                    \
    " WHERE (?1 IS NULL OR r.message = ?1) AND (?2 IS NULL OR r.address = ?2 COLLATE NOCASE)" \
    " AND (?3 IS NULL OR r.domain = ?3) AND (?4 IS NULL OR m.sender = ?4 COLLATE NOCASE)"     \
    " AND (?5 IS NULL OR r.state = ?5) AND (?6 IS NULL OR m.credential = ?6)"                 \
    " AND (?10 IS NULL OR r.domain IN (SELECT value FROM json_each(?10)))"                    \
    " AND r.state IN (0, 1) AND (r.message, r.number) > (?7, ?8)"

#define SQL_MESSAGE_COLUMNS                                                                  \
    "id, created, expires, tenant, credential, stream, class, sender, envelope_id, report, " \
    "smtputf8, from_domain,"                                                                 \
    " helo, peer, protocol, header_utf8, body_8bit, dialogue, segment, offset, length"

#define SQL_USER_COLUMNS "name, tenant, stream, hash, allowed, disabled, created, scram, streams"

#define SQL_EVENT_COLUMNS                                                                       \
    "id, at, kind, message, recipient, code, enhanced, reply, remote, credential, message_id, " \
    "sender"

/* What became of a message is found by what its event of acceptance says, too. */
#define SQL_SEARCH                                                                 \
    "SELECT " SQL_EVENT_COLUMNS " FROM event AS e WHERE id > ?1 AND id <= ?2 "     \
    "AND at >= ?9 AND at < ?10 AND (?4 IS NULL OR kind = ?4) "                     \
    "AND (?5 IS NULL OR recipient = ?5 COLLATE NOCASE OR (substr(?5, 1, 1) = '@' " \
    "AND substr(recipient, -length(?5)) = ?5 COLLATE NOCASE)) "                    \
    "AND (coalesce(?6, ?7, ?8) IS NULL OR EXISTS (SELECT 1 FROM event AS t "       \
    "WHERE (t.id = e.id OR t.message = nullif(e.message, 0)) "                     \
    "AND (?6 IS NULL OR t.sender = ?6 COLLATE NOCASE) "                            \
    "AND (?7 IS NULL OR t.message_id = ?7) AND (?8 IS NULL OR t.credential = ?8)))"

#define SQL_STATEMENTS(X)                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(BEGIN_READING, "BEGIN")                                                                      \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SAVEPOINT, "SAVEPOINT one_job")                                                              \
    X(RELEASE, "RELEASE one_job")                                                                  \
    X(UNDO, "ROLLBACK TO one_job")                                                                 \
    X(PROBE, "UPDATE clock SET steps = steps")                                                     \
    X(VERSION, "PRAGMA user_version")                                                              \
    X(HAS_CAPTURED, "SELECT 1 FROM pragma_table_info('domain') WHERE name = 'captured'")           \
    X(LAST_ID, "SELECT max((SELECT coalesce(max(id), 0) FROM message), (SELECT "                   \
               "coalesce(max(message), 0) FROM event))")                                           \
    X(PLACES, "SELECT segment, offset, length, tenant FROM message")                               \
    X(WAITING,                                                                                     \
      "SELECT r.message, r.number, r.due, m.class, iif(r.tries = 0 AND r.code >= 500, '', "        \
      "r.domain), m.tenant, m.expires FROM recipient r JOIN message m ON m.id = r.message"         \
      " WHERE r.state = 0")                                                                        \
    X(ADD_MESSAGE, "INSERT INTO message(" SQL_MESSAGE_COLUMNS ")"                                  \
                   " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                           \
    X(ADD_RECIPIENT,                                                                               \
      "INSERT INTO recipient(message, number, address, domain, original, notify, state, tries, "   \
      "due,"                                                                                       \
      " delay_told, code, enhanced, reply, remote, fingerprint)"                                   \
      " VALUES(?1,?2,?3,?4,?5,?6,?12,0,?7,0,?8,?9,?10,'',?11)")                                    \
    X(ADD_EVENT, "INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote, " \
                 "credential, message_id, sender) VALUES(?,?,?,?,?,?,?,?,?,?,?)")                  \
    X(MESSAGE, "SELECT " SQL_MESSAGE_COLUMNS " FROM message WHERE id = ?")                         \
    X(RECIPIENTS, "SELECT number, address, domain, original, notify, state, tries, due, "          \
                  "delay_told, code, enhanced, reply FROM recipient"                               \
                  " WHERE message = ? ORDER BY number")                                            \
    X(SETTLED, "SELECT r.address, r.domain, r.state, m.tenant, m.expires, "                        \
               "r.tries = 0 AND r.code >= 500 FROM recipient r JOIN "                              \
               "message m ON "                                                                     \
               "m.id = r.message WHERE r.message = ?1 AND r.number = ?2 AND r.state IN (0, 1)")    \
    X(SETTLE,                                                                                      \
      "UPDATE recipient SET state = ?3, tries = ?4, due = ?5,"                                     \
      " delay_told = delay_told OR ?6 = 2,"                                                        \
      " report = CASE WHEN ?6 = 0 AND ?3 <> 2 THEN report ELSE ?6 END, code = ?7, enhanced = ?8,"  \
      " reply = ?9, remote = ?10 WHERE message = ?1 AND number = ?2")                              \
    X(ENDED, "SELECT segment, offset, length, tenant FROM message WHERE id = ?1 AND NOT EXISTS "   \
             "(SELECT 1 "                                                                          \
             "FROM recipient WHERE message = ?1 AND state IN (0, 1)) AND NOT EXISTS (SELECT 1 "    \
             "FROM report "                                                                        \
             "WHERE message = ?1)")                                                                \
    X(END_MESSAGE, "DELETE FROM message WHERE id = ?")                                             \
    X(STORED, "SELECT tenant, sum(length) FROM message GROUP BY tenant")                           \
    X(TENANTS, "SELECT DISTINCT tenant FROM credential WHERE NOT disabled")                        \
    X(END_RECIPIENTS, "DELETE FROM recipient WHERE message = ?")                                   \
    X(QUEUE_LIST, "SELECT r.message, r.number, r.address, r.state, r.tries, r.due, r.code, "       \
                  "r.enhanced, r.reply,"                                                           \
                  " r.remote, m.sender, m.credential, m.class, m.created, m.expires, "             \
                  "m.length" SQL_QUEUE_FILTER " ORDER BY r.message, r.number LIMIT ?9")            \
    X(QUEUE_DOMAINS, "SELECT r.domain, max(r.remote), sum(r.state = 0 AND r.due <= ?1), "          \
                     "sum(r.state = 0 AND r.due > ?1), sum(r.state = 1), min(m.created), "         \
                     "min(iif(r.state = 0, r.due, NULL)) FROM recipient r JOIN message m "         \
                     "ON m.id = r.message WHERE r.state IN (0, 1) GROUP BY r.domain")              \
    X(QUEUE_EXPIRING, "SELECT count(*) FROM recipient r JOIN message m ON m.id = r.message "       \
                      "WHERE r.state = 0 AND m.expires <= ?2 "                                     \
                      "AND r.domain IN (SELECT value FROM json_each(?1))")                         \
    X(QUEUE_COUNT, "SELECT count(*)" SQL_QUEUE_FILTER)                                             \
    X(QUEUE_MATCH, "SELECT r.message, r.number, m.class, r.domain, r.address, m.tenant, "          \
                   "m.expires" SQL_QUEUE_FILTER " ORDER BY r.message, r.number LIMIT ?9")          \
    X(QUEUE_RETURN, "UPDATE recipient SET state = 0, due = ?3, tries = 0, code = ?4, "             \
                    "enhanced = ?5, reply = ?6, remote = '' WHERE message = ?1 AND number = ?2")   \
    X(QUEUE_SET, "UPDATE recipient SET state = ?3, due = ?4 WHERE message = ?1 AND number = ?2")   \
    X(EVENTS, "SELECT " SQL_EVENT_COLUMNS " FROM event WHERE id > ?1 ORDER BY id LIMIT ?2")        \
    X(EVENT_AT, "SELECT id, at FROM event WHERE id >= ? ORDER BY id LIMIT 1")                      \
    X(SEARCH_BACK, SQL_SEARCH " ORDER BY id DESC LIMIT ?3")                                        \
    X(SEARCH_ON, SQL_SEARCH " ORDER BY id LIMIT ?3")                                               \
    X(LAST_AT, "SELECT at FROM event ORDER BY id DESC LIMIT 1")                                    \
    X(MOVE_DUE, "UPDATE recipient SET due = due + ?")                                              \
    X(MOVE_LIFE, "UPDATE message SET created = created + ?1, expires = expires + ?1")              \
    X(MOVE_COUNTS, "UPDATE clock SET steps = steps + ?")                                           \
    X(STEPS, "SELECT steps FROM clock")                                                            \
    X(EVENT_LAST, "SELECT coalesce(max(id), 0) FROM event")                                        \
    X(TRACE, "SELECT " SQL_EVENT_COLUMNS " FROM event WHERE message = ?1 ORDER BY id")             \
    X(USER, "SELECT " SQL_USER_COLUMNS " FROM credential WHERE name = ?")                          \
    X(USERS, "SELECT " SQL_USER_COLUMNS " FROM credential ORDER BY name")                          \
    X(ADD_USER, "INSERT INTO credential(name, tenant, stream, hash, allowed, disabled, created, "  \
                "scram, streams) VALUES(?,?,?,?,?,0,?,?,?) ON CONFLICT DO NOTHING RETURNING "      \
                "name")                                                                            \
    X(SET_USER, "UPDATE credential SET hash = coalesce(?2, hash), disabled = coalesce(?3, "        \
                "disabled), scram = coalesce(?4, scram) WHERE name = ?1 RETURNING name")           \
    X(CHANGE_USER, "UPDATE credential SET stream = ?2, streams = ?3, allowed = ?4 WHERE name = "   \
                   "?1 RETURNING name")                                                            \
    X(ADD_LOGIN, "INSERT INTO login(credential, network, at) VALUES(?,?,?) ON CONFLICT DO UPDATE " \
                 "SET at = excluded.at")                                                           \
    X(LOGINS, "SELECT credential, network, at FROM login WHERE at > ? ORDER BY at")                \
    X(TRIM_LOGINS, "DELETE FROM login WHERE credential = ?1 AND at <= (SELECT at FROM login "      \
                   "WHERE credential = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)")                    \
    X(FORGET_LOGINS, "DELETE FROM login WHERE credential = ?")                                     \
    X(LAST_LOGIN, "SELECT network, at FROM login WHERE credential = ? ORDER BY at DESC LIMIT 1")   \
    X(AUDIT_LAST, "SELECT seq, at, who, what, about, hash FROM audit ORDER BY seq DESC LIMIT 1")   \
    X(ALERTED, "SELECT max(CAST(CAST(value AS TEXT) AS INTEGER)) FROM instance WHERE name IN "     \
               "('alerted', 'alerted:' || ?1) HAVING count(*) > 0")                                \
    X(ALERTED_SET,                                                                                 \
      "INSERT INTO instance(name, value) VALUES('alerted:' || ?2, CAST(CAST(?1 AS TEXT) AS BLOB))" \
      " ON CONFLICT(name) DO UPDATE SET value = excluded.value")                                   \
    X(AUDIT_ADD, "INSERT INTO audit(seq, at, who, what, about, hash) VALUES(?,?,?,?,?,?)")         \
    X(AUDIT_ROWS, "SELECT seq, at, who, what, about, hash FROM audit WHERE seq > ?1 ORDER BY seq " \
                  "LIMIT ?2")                                                                      \
    X(DELETE_USER, "DELETE FROM credential WHERE name = ? RETURNING name")                         \
    X(DOMAINS, "SELECT name, tenant, created, captured FROM domain ORDER BY name")                 \
    X(ADD_DOMAIN,                                                                                  \
      "INSERT INTO domain(name, tenant, created, captured) VALUES(?,?,?,?) ON CONFLICT DO "        \
      "NOTHING RETURNING name")                                                                    \
    X(SET_CAPTURED, "UPDATE domain SET captured = ?2 WHERE name = ?1 RETURNING name")              \
    X(CAPTURED, "SELECT captured FROM domain WHERE name = ?")                                      \
    X(DELETE_DOMAIN, "DELETE FROM domain WHERE name = ? RETURNING name")                           \
    X(KEYS,                                                                                        \
      "SELECT domain, selector, algorithm, state, public, created, delegated, since, seen, wait "  \
      "FROM signing_key WHERE (?1 IS NULL OR domain = ?1) ORDER BY domain, created, selector")     \
    X(ADD_KEY,                                                                                     \
      "INSERT INTO signing_key(domain, selector, algorithm, state, public, created, delegated, "   \
      "since) VALUES(?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING RETURNING selector")                  \
    X(SET_KEY,                                                                                     \
      "UPDATE signing_key SET state = ?3, since = ?4, seen = ?5, wait = ?6 WHERE domain = ?1 AND " \
      "selector = ?2 RETURNING selector")                                                          \
    X(DELETE_KEY,                                                                                  \
      "DELETE FROM signing_key WHERE domain = ?1 AND selector = ?2 RETURNING selector")            \
    X(ONCE, "SELECT message, content FROM once WHERE key = ?1 AND at > ?2 AND NOT EXISTS (SELECT " \
            "1 FROM "                                                                              \
            "event WHERE event.message = once.message AND CASE kind WHEN 'bounced' THEN 1 WHEN "   \
            "'expired' "                                                                           \
            "THEN 1 WHEN 'deleted' THEN 1 END)")                                                   \
    X(SET_ONCE, "INSERT INTO once(key, message, at, content) VALUES(?1, ?2, ?3, ?4)"               \
                " ON CONFLICT(key) DO UPDATE SET message = ?2, at = ?3, content = ?4")             \
    X(ALIKE, "SELECT r.message, r.number, max(r.due) FROM recipient r JOIN message m ON m.id = "   \
             "r.message WHERE r.fingerprint = ?1 AND r.state = 0 AND m.created > ?2")              \
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
    SQL_HOUSEKEEPING_STATEMENTS(X)                                                                 \
    SQL_REPORT_STATEMENTS(X)                                                                       \
    SQL_SUPPRESS_STATEMENTS(X)                                                                     \
    SQL_REST_STATEMENTS(X)                                                                         \
    SQL_RATE_STATEMENTS(X)                                                                         \
    X(DELETE_KEYS, "DELETE FROM signing_key WHERE domain = ?")

#define SQL_ENUM(name, text) SQL_##name,
enum sql { SQL_STATEMENTS(SQL_ENUM) SQL_COUNT };
#undef SQL_ENUM

#endif
