// SPDX-License-Identifier: BSD-2-Clause
/* sql_rate.h - What the relay says to its database about what is counted and refused; a part of
 * sql.h. */
#ifndef SQL_RATE_H
#define SQL_RATE_H

#define SQL_RATE_STATEMENTS(X)                                                                     \
    X(REFUSED, "INSERT INTO refused(minute, credential, recipient, count) VALUES(?1, ?2, ?3, 1)"   \
               " ON CONFLICT DO UPDATE SET count = count + 1")                                     \
    X(FORGET_REFUSED, "DELETE FROM refused WHERE (minute, credential, recipient) IN (SELECT "      \
                      "minute, credential, recipient FROM refused WHERE minute < ? LIMIT 5000)")   \
    X(TOP,                                                                                         \
      "SELECT who, sum(a), sum(p), sum(c), sum(n) FROM ("                                          \
      "SELECT CASE ?1 WHEN 0 THEN counted_as(recipient, 0) WHEN 1 THEN credential ELSE "           \
      "counted_as(recipient, 1) END AS who, kind = 'accepted' AS a, kind = 'paced' AS p,"          \
      " kind = 'collapsed' AS c, 0 AS n FROM event WHERE id > coalesce((SELECT id FROM event "     \
      "WHERE at < ?2 ORDER BY id DESC LIMIT 1), 0) AND credential <> '' AND kind IN ('accepted',"  \
      " 'paced', 'collapsed') UNION ALL "                                                          \
      "SELECT CASE ?1 WHEN 0 THEN recipient WHEN 1 THEN credential ELSE counted_as(recipient, 1) " \
      "END, 0, 0, 0, count FROM refused WHERE minute >= ?2 / 60000)"                               \
      " GROUP BY who ORDER BY sum(a) + sum(c) + sum(n) DESC, who LIMIT ?3")                        \
    X(RATE_KEY, "SELECT value FROM instance WHERE name = 'rate_key'")                              \
    X(RATE, "SELECT tat, day FROM rate WHERE key = ?")                                             \
    X(SET_RATE, "INSERT INTO rate(key, tat, day) VALUES(?1, ?2, ?3)"                               \
                " ON CONFLICT(key) DO UPDATE SET tat = ?2, day = ?3")                              \
    X(DROP_NEWCOMERS, "UPDATE newcomers SET count = 0 WHERE tenant = ?1 AND day = ?2")             \
    X(DROP_RATE, "DELETE FROM rate WHERE key = ?")                                                 \
    X(RATE_AFTER, "SELECT max(key) FROM (SELECT key FROM rate WHERE key > ?1 ORDER BY key "        \
                  "LIMIT 20000)")                                                                  \
    X(FORGET_RATES, "DELETE FROM rate WHERE key > ?1 AND key <= ?2 AND tat < ?3 AND day < ?3")

#endif
