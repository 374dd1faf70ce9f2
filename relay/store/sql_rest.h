// SPDX-License-Identifier: BSD-2-Clause
/* sql_rest.h - What the relay says to its database about destinations that an operator has put to
 * rest; a part of sql.h. */
#ifndef SQL_REST_H
#define SQL_REST_H

#define SQL_REST_STATEMENTS(X)                                                             \
    X(REST_SET, "INSERT OR REPLACE INTO rest(destination, until, why) VALUES(?1, ?2, ?3)") \
    X(REST_END, "DELETE FROM rest WHERE destination = ?1")                                 \
    X(REST_SWEEP, "DELETE FROM rest WHERE until <= ?1")                                    \
    X(RESTS, "SELECT destination, until, why FROM rest WHERE until > ?1")                  \
    X(MOVE_RESTS, "UPDATE rest SET until = until + ?1")

#endif
