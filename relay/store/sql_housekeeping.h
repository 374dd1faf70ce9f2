// SPDX-License-Identifier: BSD-2-Clause
/* sql_housekeeping.h - What keeps the store small, said to its database; a part of sql.h. */
#ifndef SQL_HOUSEKEEPING_H
#define SQL_HOUSEKEEPING_H

#define SQL_HOUSEKEEPING_STATEMENTS(X)                                                          \
    X(OLDEST_EVENTS, "SELECT id, at FROM event WHERE id > ? ORDER BY id LIMIT 1000")            \
    X(FORGET_EVENTS, "DELETE FROM event WHERE id > ?1 AND id <= ?2 AND at < ?3")                \
    X(PLACES_FROM, "SELECT id, segment, offset, length FROM message WHERE id > ?1 ORDER BY id " \
                   "LIMIT ?2")                                                                  \
    X(MOVE, "UPDATE message SET segment = ?2, offset = ?3 WHERE id = ?1")                       \
    X(FORGET_ONCE,                                                                              \
      "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE at < ? ORDER BY at LIMIT 5000)")

#endif
