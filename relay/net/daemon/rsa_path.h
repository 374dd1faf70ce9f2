// SPDX-License-Identifier: BSD-2-Clause
/* rsa_path.h - Which of OpenSSL's ways of computing RSA is the faster one on this processor? */
#ifndef RSA_PATH_H
#define RSA_PATH_H

/* Before anything is begun, as the program may be started anew, by the same process: what is open
 * and not closed by exec stays so. Returns in the one that goes on. Does nothing when the config
 * file says "off" or cannot be read, or where an OPENSSL_ia32cap is given. */
void rsa_path_choose(const char *config_path);
/* Log what was measured, if anything: when the relay has started. One that cannot start has one
 * line to say. */
void rsa_path_tell(void);

#endif
