// SPDX-License-Identifier: BSD-2-Clause
/* config_names.c - Notes about host names in the config file that other programs would resolve from
 * /etc/hosts, or by the name server in /etc/resolv.conf, which in a container knows the others. The
 * relay asks DNS itself and does not find them. If those files cannot be read there is no note. */
#include "config_rules.h"
#include "ip.h"

#include <stdio.h>
#include <string.h>

enum { LINE = 1024 };

/* The next word of a line, in `rest`. */
static struct span word(struct span *rest)
{
    size_t from = 0;
    while (from < rest->len && strchr(" \t\r\n", rest->ptr[from]))
        from++;
    *rest = span_from(*rest, from);
    size_t len = 0;
    while (len < rest->len && !strchr(" \t\r\n#", rest->ptr[len]))
        len++;
    struct span w = span_first(*rest, len);
    *rest = span_from(*rest, len);
    return w;
}

/* The first address of a name (RFC 952's file, as hosts(5) has it). */
static bool find_in_hosts(const char *name, char *address_r, size_t size)
{
    char line[LINE];
    bool found = false;
    FILE *f = fopen("/etc/hosts", "re");
    while (f && !found && fgets(line, sizeof(line), f)) {
        struct span rest = span_of(line);
        struct span address = word(&rest);
        struct span alias = word(&rest);
        for (; address.len > 0 && alias.len > 0 && !found; alias = word(&rest))
            found = span_equal_nocase(alias, span_of(name)) && span_copy(address, address_r, size);
    }
    if (f)
        fclose(f);
    return found;
}

/* The server that the system asks (resolv.conf(5)). */
static bool find_nameserver(char *address_r, size_t size)
{
    char line[LINE];
    bool found = false;
    FILE *f = fopen("/etc/resolv.conf", "re");
    while (f && !found && fgets(line, sizeof(line), f)) {
        struct span rest = span_of(line);
        found = span_equal(word(&rest), SPAN("nameserver")) &&
                span_copy(word(&rest), address_r, size) && address_r[0];
    }
    if (f)
        fclose(f);
    return found;
}

void config_names_check(struct config_reading *r, cfg_t *section, const char *host)
{
    char address[64];
    struct ip ip;
    if (!host[0] || ip_parse(host, &ip))
        return;
    bool forwards = r->config->dns_forward_count > 0;
    if (find_in_hosts(host, address, sizeof(address)))
        config_note(r, section, "host",
                    "host \"%s\" is in /etc/hosts, which is not read: %s is asked for it. If DNS "
                    "does not know the name, set host = \"%s\"",
                    host, forwards ? "the resolver of dns { forward }" : "DNS", address);
    else if (!forwards && !strchr(host, '.'))
        config_note(r, section, "host",
                    "host \"%s\" has no dot, and DNS is asked from the root, which knows no such "
                    "name: set dns { forward = {\"%s\"} }, or the host's address",
                    host, find_nameserver(address, sizeof(address)) ? address : "127.0.0.11");
}
