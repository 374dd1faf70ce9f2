// SPDX-License-Identifier: BSD-2-Clause
/* sql_report.h - What the relay says to its database about reports that are owed; a part of sql.h.
 */
#ifndef SQL_REPORT_H
#define SQL_REPORT_H

/* Not before the message has come to its end. */
#define SQL_AT_THE_END "9000000000000000000"

#define SQL_REPORT_STATEMENTS(X)                                                                  \
    X(REPORT_OWE, "INSERT INTO report(message, due) VALUES(?1, coalesce(?2, " SQL_AT_THE_END "))" \
                  " ON CONFLICT DO UPDATE SET due = min(due, excluded.due)")                      \
    X(REPORT_AT_END, "SELECT 1 FROM report WHERE message = ?1 AND due <> 0 AND NOT EXISTS "       \
                     "(SELECT 1 FROM recipient WHERE message = ?1 AND state IN (0, 1))")          \
    X(REPORT_NOW, "UPDATE report SET due = 0 WHERE message = ?1")                                 \
    X(REPORT_NEXT, "SELECT message, due FROM report ORDER BY due, message LIMIT 1")               \
    X(REPORTS_DUE,                                                                                \
      "SELECT message, due FROM report WHERE due <= ?1 ORDER BY due, message LIMIT ?2")           \
    X(REPORTED, "SELECT number, address, original, report, code, enhanced, reply, remote FROM "   \
                "recipient WHERE message = ?1 AND report <> 0 AND report <= ?2 ORDER BY report, " \
                "number LIMIT ?3")                                                                \
    X(REPORT_TOLD, "UPDATE recipient SET report = 0 WHERE message = ?1 AND number = ?2")          \
    X(REPORT_KEEP, "UPDATE report SET due = " SQL_AT_THE_END " WHERE message = ?1 AND due <> 0"   \
                   " AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1 AND report IN "   \
                   "(1, 2))")                                                                     \
    X(REPORT_DONE, "DELETE FROM report WHERE message = ?1 AND NOT EXISTS (SELECT 1 FROM "         \
                   "recipient WHERE message = ?1 AND report <> 0)")                               \
    X(MOVE_REPORTS, "UPDATE report SET due = due + ?1 WHERE due <> 0 AND due < " SQL_AT_THE_END)

#endif
