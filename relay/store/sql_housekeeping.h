// SPDX-License-Identifier: BSD-2-Clause
/* sql_housekeeping.h - What keeps the store small, said to its database; a part of sql.h. */
#ifndef SQL_HOUSEKEEPING_H
#define SQL_HOUSEKEEPING_H

#define SQL_HOUSEKEEPING_STATEMENTS(X)                                                             \
    X(FORGET_EVENTS,                                                                               \
      "DELETE FROM event WHERE id IN (SELECT id FROM (SELECT id, at FROM event ORDER BY id LIMIT " \
      "1000) WHERE at < ?1 OR at > ?2)")                                                           \
    X(PLACES_FROM, "SELECT id, segment, offset, length FROM message WHERE id > ?1 ORDER BY id "    \
                   "LIMIT ?2")                                                                     \
    X(MOVE, "UPDATE message SET segment = ?2, offset = ?3 WHERE id = ?1")                          \
    X(FORGET_ONCE,                                                                                 \
      "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE at < ? ORDER BY at LIMIT 5000)")

#endif
