// SPDX-License-Identifier: BSD-2-Clause
/* providers.h - What large mailbox providers ignore in an address. For counting only: canonical.c
 * maps all addresses that a provider delivers to the same mailbox to one form. */
#ifndef PROVIDERS_H
#define PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>

struct provider {
    const char *name;
    const char *ignores;   /* characters of the local part that are left out */
    char tag;              /* a character that begins a tag, beside '+' */
    char written, read_as; /* the first is as good as the second */
    bool by_subdomain;     /* anything@user.domain is user@domain */
    const char *domain; /* of all its domains, as they share their mailboxes; NULL: they do not */
    const char *source; /* where it says so */
};

/* The rules for a domain in normal form; never NULL. `base_r` is the provider's domain that it is,
 * or below which it lies when by_subdomain is set; otherwise the domain itself. */
const struct provider *providers_find(const char *domain, const char **base_r);

/* All domains, in the order in which they are searched. */
struct provider_domain {
    const char *domain;
    const struct provider *provider;
};
const struct provider_domain *providers_domains(size_t *count_r);

#endif
