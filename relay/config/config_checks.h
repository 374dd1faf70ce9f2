// SPDX-License-Identifier: BSD-2-Clause
/* config_checks.h - Checks of text settings: each returns NULL, or a description of what is
 * allowed. */
#ifndef CONFIG_CHECKS_H
#define CONFIG_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

const char *config_host_fault(const char *text);
const char *config_smart_host_fault(const char *text);
const char *config_mx_fault(const char *text); /* or a pattern of hosts */
const char *config_public_ip_fault(const char *text);
const char *config_network_fault(const char *text);
const char *config_mailbox_fault(const char *text);
const char *config_reporter_fault(const char *text); /* or "" */
const char *config_address_fault(const char *text);  /* and a port */
const char *config_forward_fault(const char *text);
const char *config_primary_fault(const char *text);
const char *config_link_base_fault(const char *text);
const char *config_webhook_fault(const char *text);
const char *config_program_fault(const char *text);
const char *config_name_fault(const char *text); /* for people */
const char *config_rsa_fault(const char *text);

/* What is wrong with a web address: NULL, or the rest of a sentence that begins with "it". BASE:
 * what paths are put behind, so without query, fragment and trailing text. */
enum config_url { CONFIG_URL_ANY, CONFIG_URL_BASE };
const char *config_url_fault(const char *text, enum config_url kind);

/* "host:port", "[::1]:port"; "host" or "host@port", which is 53 otherwise. False: neither. */
bool config_address_split(const char *text, char *host_r, size_t size, unsigned *port_r);
bool config_server_split(const char *text, char *host_r, size_t size, unsigned *port_r);

#endif
