// SPDX-License-Identifier: BSD-2-Clause
/* wal_vfs.h - A VFS for SQLite that writes the frames of one commit with one call. */
#ifndef WAL_VFS_H
#define WAL_VFS_H

/* The name of the VFS, for sqlite3_open_v2(); registered at the first call, from any thread. NULL:
 * SQLite's own is to be used, as this one could not be registered. */
const char *wal_vfs(void);

#endif
