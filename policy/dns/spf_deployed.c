// SPDX-License-Identifier: BSD-2-Clause
/* spf_deployed.c - Evaluates SPF with libspf2, whose DNS is replaced by ours and never blocks.
 *
 * If an answer is missing the library is told "try again" and its evaluation is discarded; it takes
 * microseconds and is repeated when the answer has arrived.
 */
#include "spf_deployed.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#define HAVE_NS_TYPE
#include <netdb.h>
#include <netinet/in.h>
#include <spf2/spf.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_MAX = 2000 };

struct leash {
    SPF_dns_server_t server;
    const struct dns *dns;
    bool pending, refused;
};

/* A record that the library may see. */
static bool may_see(struct span text)
{
    const char *why = NULL;
    if (text.len > RECORD_MAX || !spf_record_valid(text, &why))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

/* Copy one record into the library's form. */
static void give(struct leash *l, SPF_dns_rr_t *to, enum dns_type type, const struct dns_rr *from)
{
    struct span data = from->data;
    if (type == DNS_TXT && !spf_record_claims(data))
        return;
    if (type == DNS_TXT && !may_see(data)) {
        l->refused = true;
        return;
    }
    if (((type == DNS_A) && data.len != 4) || ((type == DNS_AAAA) && data.len != 16) ||
        SPF_dns_rr_buf_realloc(to, to->num_rr, data.len + 17) != SPF_E_SUCCESS)
        return;
    memset(to->rr[to->num_rr], 0, data.len + 17);
    memcpy(to->rr[to->num_rr]->txt, data.ptr, data.len); /* a union whose members begin alike */
    to->num_rr++;
}

static SPF_dns_rr_t *answer(struct leash *l, const char *name, ns_type type, SPF_dns_stat_t status)
{
    return SPF_dns_rr_new_init(&l->server, name, type, 60, status);
}

static SPF_dns_rr_t *on_lookup(SPF_dns_server_t *server, const char *domain, ns_type type,
                               int should_cache)
{
    struct leash *l = server->hook;
    char name[DNS_NAME_MAX + 1];
    struct span given = span_of(domain);
    (void)should_cache;
    if (given.len > 0 && given.ptr[given.len - 1] == '.')
        given.len--;
    if (!dns_name_valid(given) || !span_copy(given, name, sizeof(name)))
        return answer(l, domain, type, HOST_NOT_FOUND);
    if (type != ns_t_txt && type != ns_t_a && type != ns_t_aaaa && type != ns_t_mx &&
        type != ns_t_ptr) /* it asks for type 99 first, which is no more */
        return answer(l, domain, type, NO_DATA);
    dns_name_lower(name);
    const struct dns_answer *a = l->dns->ask(l->dns->context, name, (enum dns_type)type);
    if (a->status == DNS_PENDING || a->status == DNS_FAILED) {
        l->pending = l->pending || a->status == DNS_PENDING;
        return answer(l, domain, type, TRY_AGAIN);
    }
    SPF_dns_rr_t *rr = answer(l, domain, type,
                              a->status == DNS_FOUND    ? NETDB_SUCCESS
                              : a->status == DNS_NODATA ? NO_DATA
                                                        : HOST_NOT_FOUND);
    for (size_t i = 0; rr && i < a->count; i++)
        give(l, rr, (enum dns_type)type, &a->rrs[i]);
    if (rr && a->status == DNS_FOUND && rr->num_rr == 0)
        rr->herrno = NO_DATA;
    return rr;
}

static SPF_errcode_t on_explanation(SPF_server_t *server, const char *domain, char **text_r,
                                    size_t *size_r)
{
    (void)server;
    (void)domain;
    (void)text_r;
    (void)size_r;
    return SPF_E_NOT_SPF;
}

static enum spf_result translate(SPF_response_t *response, SPF_errcode_t error)
{
    switch (SPF_response_result(response)) {
    case SPF_RESULT_NONE:
        return SPF_NONE;
    case SPF_RESULT_NEUTRAL:
        return SPF_NEUTRAL;
    case SPF_RESULT_PASS:
        return SPF_PASS;
    case SPF_RESULT_FAIL:
        return SPF_FAIL;
    case SPF_RESULT_SOFTFAIL:
        return SPF_SOFTFAIL;
    case SPF_RESULT_TEMPERROR:
        return SPF_TEMPERROR;
    case SPF_RESULT_PERMERROR:
        return SPF_PERMERROR;
    case SPF_RESULT_INVALID: /* the library could not say, but has a reason */
        return error == SPF_E_DNS_ERROR ? SPF_TEMPERROR : SPF_PERMERROR;
    }
    return SPF_PERMERROR;
}

static bool set_up(SPF_request_t *request, const struct spf_query *query)
{
    char helo[256];
    char sender[512];
    char whole[600];
    if (!span_copy(query->helo, helo, sizeof(helo)) ||
        !span_copy(query->sender, sender, sizeof(sender)))
        return false;
    snprintf(whole, sizeof(whole), "%s%s", sender[0] ? "" : "postmaster@",
             sender[0] ? sender : helo);
    if (query->ip.v6) {
        struct in6_addr in6;
        memcpy(&in6, query->ip.bytes, sizeof(in6));
        SPF_request_set_ipv6(request, in6);
    } else {
        struct in_addr in;
        memcpy(&in, query->ip.bytes, sizeof(in));
        SPF_request_set_ipv4(request, in);
    }
    SPF_request_set_helo_dom(request, helo);
    SPF_request_set_env_from(request, whole);
    return true;
}

void spf_deployed_check(const struct spf_query *query, const struct dns *dns,
                        struct spf_reading *reading_r)
{
    struct leash l = {.dns = dns};
    SPF_response_t *response = NULL;
    l.server = (SPF_dns_server_t){
        .lookup = on_lookup, .get_exp = on_explanation, .name = "ours", .hook = &l};
    *reading_r = (struct spf_reading){.read = true, .result = SPF_NONE};
    SPF_server_t *server = SPF_server_new_dns(&l.server, 0);
    SPF_request_t *request = server ? SPF_request_new(server) : NULL;
    CHECK(request != NULL);
    if (set_up(request, query)) {
        SPF_errcode_t error = SPF_request_query_mailfrom(request, &response);
        if (response)
            reading_r->result = translate(response, error);
        if (reading_r->result == SPF_PERMERROR || reading_r->result == SPF_TEMPERROR)
            snprintf(reading_r->why, sizeof(reading_r->why), "libspf2: %s", SPF_strerror(error));
    }
    if (l.pending) {
        reading_r->result = SPF_PENDING;
    } else if (l.refused) {
        reading_r->read = false;
        snprintf(reading_r->why, sizeof(reading_r->why),
                 "not handed to libspf2: a record breaks the grammar or is too long");
    }
    SPF_response_free(response);
    SPF_request_free(request);
    SPF_server_free(server);
}
