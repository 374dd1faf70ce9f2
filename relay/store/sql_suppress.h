// SPDX-License-Identifier: BSD-2-Clause
/* sql_suppress.h - What the relay says to its database about the suppression list; a part of sql.h.
 */
#ifndef SQL_SUPPRESS_H
#define SQL_SUPPRESS_H

#define SQL_SUPPRESS_COLUMNS \
    "address, tenant, stream, reason, source, created, expires, every_spelling, answers"

/* Of an address: its own form, or the form that counts, for rows that hold for every spelling. */
#define SQL_SUPPRESS_HOLDS "(address = ?1 OR (address = ?2 AND every_spelling))"

#define SQL_SUPPRESS_STATEMENTS(X)                                                                 \
    X(SUPPRESSED, "SELECT " SQL_SUPPRESS_COLUMNS " FROM suppression WHERE address = ?1 UNION ALL " \
                  "SELECT " SQL_SUPPRESS_COLUMNS                                                   \
                  " FROM suppression WHERE address = ?2 AND every_spelling AND "                   \
                  "?2 <> ?1")                                                                      \
    X(SUPPRESS_ADD, "INSERT INTO suppression(" SQL_SUPPRESS_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?)"  \
                    " ON CONFLICT DO NOTHING RETURNING address")                                   \
    X(SUPPRESS_EXTEND,                                                                             \
      "UPDATE suppression SET expires = CASE WHEN ?5 = 0 THEN 0 ELSE max(expires, ?5) END"         \
      " WHERE address = ?1 AND tenant = ?2 AND stream = ?3 AND reason = ?4 AND expires <> 0")      \
    X(SUPPRESS_AGAIN, "UPDATE suppression SET source = ?5, created = ?6, expires = ?7 WHERE "      \
                      "address = ?1 AND tenant = ?2 AND stream = ?3 AND reason = ?4")              \
    X(SUPPRESS_END, "DELETE FROM suppression WHERE address = ?1 AND tenant = ?2 AND stream = ?3 "  \
                    "AND reason = ?4")                                                             \
    X(SUPPRESS_REMOVE,                                                                             \
      "DELETE FROM suppression WHERE " SQL_SUPPRESS_HOLDS                                          \
      " AND (?3 IS NULL OR tenant = ?3) AND (?4 IS NULL OR stream = ?4)"                           \
      " AND (?5 IS NULL OR reason = ?5) RETURNING tenant, stream, reason, address")                \
    X(SUPPRESS_LIST,                                                                               \
      "SELECT " SQL_SUPPRESS_COLUMNS " FROM suppression WHERE (?1 IS NULL OR " SQL_SUPPRESS_HOLDS  \
      ") AND (?3 IS NULL OR tenant = ?3) AND (?4 IS NULL OR stream = ?4)"                          \
      " AND (?5 IS NULL OR reason = ?5) AND (address, tenant, stream, reason) > (?6, ?7, ?8, ?9)"  \
      " ORDER BY address, tenant, stream, reason LIMIT ?10")                                       \
    X(SUPPRESS_ANSWERS,                                                                            \
      "SELECT answers, answered FROM suppression WHERE address = ?1 AND tenant = ?2 AND stream = " \
      "'' AND reason = ?3 AND (expires = 0 OR expires > ?4)")                                      \
    X(SUPPRESS_ANSWER,                                                                             \
      "INSERT INTO suppression(" SQL_SUPPRESS_COLUMNS ", answered)"                                \
      " VALUES(?1, ?2, '', ?3, ?4, ?5, ?6, 0, ?7, ?8) ON CONFLICT DO UPDATE SET answers = ?7,"     \
      " answered = ?8, created = CASE WHEN ?9 THEN ?5 ELSE created END,"                           \
      " expires = CASE WHEN expires = 0 OR ?6 = 0 THEN 0 ELSE max(expires, ?6) END")               \
    X(SUPPRESS_FORGET, "DELETE FROM suppression WHERE expires <> 0 AND expires < ?")

#endif
