// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_test.c - RFC 9989 from its algorithm: records, the walk with each of its questions, policy, alignment; and the
 * same cases as a receiver running OpenDMARC reads them.
 */
#include "table.h"

#include "dmarc_deployed.h"
#include "zone.h"

#define D(domain) "_dmarc." domain " TXT"
#define NO_POLICY ((enum dmarc_policy)9)

static const struct row {
    const char *label;
    struct zone_line zone[8];
    const char *from;
    const char *dkim[3]; /* domains that passed */
    const char *spf;     /* the domain that passed */
    enum dmarc_result want;
    enum dmarc_policy policy; /* NO_POLICY: none was found */
    const char *organization;
    const char *asked; /* every question, in order; A questions with "/A" */
    enum dmarc_result deployed; /* DMARC_PENDING: not looked at in this row */
    bool other;                 /* the deployed reading finds another policy: */
    enum dmarc_policy other_policy;
} rows[] = {
    /* ---- the walk: which names, how many, in which order ---- */
    {.label = "no record anywhere", .from = "example.com", .want = DMARC_NONE, .policy = NO_POLICY,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_NONE},
    {.label = "its own record", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "a single label", .zone = {{D("test"), "v=DMARC1; p=reject"}}, .from = "test", .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "test", .asked = "_dmarc.test"},
    {.label = "three labels are three questions", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "mail.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.mail.example.com _dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "seven labels are seven questions", .from = "a.b.c.d.e.example.com", .want = DMARC_NONE,
     .policy = NO_POLICY, .organization = "a.b.c.d.e.example.com",
     .asked = "_dmarc.a.b.c.d.e.example.com _dmarc.b.c.d.e.example.com _dmarc.c.d.e.example.com _dmarc.d.e.example.com "
              "_dmarc.e.example.com _dmarc.example.com _dmarc.com"},
    {.label = "eight labels are eight questions", .from = "a.b.c.d.e.f.example.com", .want = DMARC_NONE,
     .policy = NO_POLICY, .organization = "a.b.c.d.e.f.example.com",
     .asked = "_dmarc.a.b.c.d.e.f.example.com _dmarc.b.c.d.e.f.example.com _dmarc.c.d.e.f.example.com "
              "_dmarc.d.e.f.example.com _dmarc.e.f.example.com _dmarc.f.example.com _dmarc.example.com _dmarc.com"},
    {.label = "nine labels: one is skipped", .from = "a.b.c.d.e.f.g.example.com", .want = DMARC_NONE,
     .policy = NO_POLICY, .organization = "a.b.c.d.e.f.g.example.com",
     .asked = "_dmarc.a.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.d.e.f.g.example.com "
              "_dmarc.e.f.g.example.com _dmarc.f.g.example.com _dmarc.g.example.com _dmarc.example.com _dmarc.com"},
    {.label = "twelve labels: still eight questions", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "a.b.c.d.e.f.g.h.i.j.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com",
     .asked = "_dmarc.a.b.c.d.e.f.g.h.i.j.example.com _dmarc.f.g.h.i.j.example.com _dmarc.g.h.i.j.example.com "
              "_dmarc.h.i.j.example.com _dmarc.i.j.example.com _dmarc.j.example.com _dmarc.example.com _dmarc.com"},
    {.label = "a record at a skipped name is not seen", .zone = {{D("b.c.d.e.f.g.example.com"), "v=DMARC1; p=reject"}},
     .from = "a.b.c.d.e.f.g.example.com", .want = DMARC_NONE, .policy = NO_POLICY,
     .organization = "a.b.c.d.e.f.g.example.com",
     .asked = "_dmarc.a.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.d.e.f.g.example.com "
              "_dmarc.e.f.g.example.com _dmarc.f.g.example.com _dmarc.g.example.com _dmarc.example.com _dmarc.com"},

    /* ---- the organizational domain ---- */
    {.label = "fewest labels", .zone = {{D("a.example.com"), "v=DMARC1; p=none"}, {D("example.com"), "v=DMARC1; p=reject"}},
     .from = "a.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com"},
    {.label = "a gap between records does not end the walk", .zone = {{D("example.com"), "v=DMARC1; p=reject; sp=none"}},
     .from = "a.b.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.a.b.example.com _dmarc.b.example.com _dmarc.example.com _dmarc.com"},
    {.label = "psd=n ends the walk there", .zone = {{D("a.example.com"), "v=DMARC1; p=none; psd=n"},
                                                   {D("example.com"), "v=DMARC1; p=reject"}},
     .from = "b.a.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "a.example.com",
     .asked = "_dmarc.b.a.example.com _dmarc.a.example.com"},
    {.label = "psd=n at the start", .zone = {{D("a.example.com"), "v=DMARC1; p=quarantine; psd=n"}},
     .from = "a.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "a.example.com",
     .asked = "_dmarc.a.example.com",
     .deployed = DMARC_FAIL},
    {.label = "psd=y: one label below", .zone = {{D("gov.test"), "v=DMARC1; p=reject; psd=y"}},
     .from = "mail.agency.gov.test", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "agency.gov.test", .asked = "_dmarc.mail.agency.gov.test _dmarc.agency.gov.test _dmarc.gov.test"},
    {.label = "psd=y, and the organization has its own record", .from = "mail.agency.gov.test",
     .zone = {{D("gov.test"), "v=DMARC1; p=reject; psd=y"}, {D("agency.gov.test"), "v=DMARC1; p=none; sp=quarantine"}},
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "agency.gov.test",
     .asked = "_dmarc.mail.agency.gov.test _dmarc.agency.gov.test _dmarc.gov.test"},
    {.label = "psd=y at the start: it is itself", .zone = {{D("gov.test"), "v=DMARC1; p=reject; psd=y"}},
     .from = "gov.test", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "gov.test",
     .asked = "_dmarc.gov.test"},
    {.label = "psd=y directly above", .zone = {{D("gov.test"), "v=DMARC1; p=reject; psd=y"}}, .from = "agency.gov.test",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "agency.gov.test",
     .asked = "_dmarc.agency.gov.test _dmarc.gov.test"},
    {.label = "psd=u says nothing", .zone = {{D("example.com"), "v=DMARC1; p=reject; psd=u"}}, .from = "a.example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com"},
    {.label = "an unknown psd says nothing", .zone = {{D("example.com"), "v=DMARC1; p=reject; psd=maybe"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "psd is read in any case", .zone = {{D("example.com"), "v=DMARC1; p=reject; psd=N"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com"},
    {.label = "a top-level domain without psd=y is an organization", .zone = {{D("test"), "v=DMARC1; p=reject"}},
     .from = "a.b.test", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "test",
     .asked = "_dmarc.a.b.test _dmarc.b.test _dmarc.test"},

    /* ---- which policy ---- */
    {.label = "sp for a subdomain that exists", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject; sp=quarantine"}, {"a.example.com A", "192.0.2.1"}},
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "sp does not touch the domain itself", .zone = {{D("example.com"), "v=DMARC1; p=reject; sp=none"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "np for a name that does not exist", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; sp=none; np=reject"}}, .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com a.example.com/A",
     .deployed = DMARC_FAIL, .other = true, .other_policy = DMARC_POLICY_IS_NONE},
    {.label = "np not for one that exists", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; np=reject"}, {"a.example.com A", "192.0.2.1"}}, .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com a.example.com/A"},
    {.label = "a name without addresses exists too", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; np=reject"}, {"a.example.com TXT", "hello"}}, .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com a.example.com/A"},
    {.label = "an empty non-terminal exists too", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; np=reject"}, {"b.a.example.com A", "192.0.2.1"}},
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com a.example.com/A"},
    {.label = "np falls back to sp", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; sp=reject"}}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "sp falls back to p", .from = "a.example.com", .zone = {{D("example.com"), "v=DMARC1; p=quarantine"}},
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "np does not touch the domain itself", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; np=reject"}}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "np of a public suffix", .from = "agency.gov.test",
     .zone = {{D("gov.test"), "v=DMARC1; p=none; np=reject; psd=y"}}, .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "agency.gov.test",
     .asked = "_dmarc.agency.gov.test _dmarc.gov.test agency.gov.test/A"},
    {.label = "t=y: reject becomes quarantine", .zone = {{D("example.com"), "v=DMARC1; p=reject; t=y"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL, .other = true, .other_policy = DMARC_POLICY_IS_REJECT},
    {.label = "t=y: quarantine becomes none", .zone = {{D("example.com"), "v=DMARC1; p=quarantine; t=y"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "t=y: none stays", .zone = {{D("example.com"), "v=DMARC1; p=none; t=y"}}, .from = "example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "t=y holds for sp too", .zone = {{D("example.com"), "v=DMARC1; p=none; sp=reject; t=y"}},
     .from = "a.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com"},
    {.label = "t=n changes nothing", .zone = {{D("example.com"), "v=DMARC1; p=reject; t=n"}}, .from = "example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "pct is gone", .zone = {{D("example.com"), "v=DMARC1; p=reject; pct=0"}}, .from = "example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL, .other = true, .other_policy = DMARC_POLICY_IS_NONE},

    /* ---- what is a record ---- */
    {.label = "two records are none", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("example.com"), "v=DMARC1; p=none"}}, .want = DMARC_NONE,
     .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "two records at one name, one above", .from = "a.example.com",
     .zone = {{D("a.example.com"), "v=DMARC1; p=reject"}, {D("a.example.com"), "v=DMARC1; p=none"},
              {D("example.com"), "v=DMARC1; p=quarantine"}},
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_QUARANTINE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com"},
    {.label = "other text beside it does not matter", .from = "example.com",
     .zone = {{D("example.com"), "something else"}, {D("example.com"), "v=DMARC1; p=reject"}}, .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "v=dmarc1 is no record", .zone = {{D("example.com"), "v=dmarc1; p=reject"}}, .from = "example.com",
     .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "v must stand first", .zone = {{D("example.com"), "p=reject; v=DMARC1"}}, .from = "example.com",
     .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "no v is no record", .zone = {{D("example.com"), "p=reject"}}, .from = "example.com", .want = DMARC_NONE,
     .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "DMARC10 is no record", .zone = {{D("example.com"), "v=DMARC10; p=reject"}}, .from = "example.com",
     .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "blanks around = and ;", .zone = {{D("example.com"), "v = DMARC1 ; p = reject ; "}}, .from = "example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "values in any case", .zone = {{D("example.com"), "v=DMARC1; P=Reject"}}, .from = "example.com",
     .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "unknown tags are ignored", .zone = {{D("example.com"), "v=DMARC1; colour=red; p=reject; rf=afrf; ri=1"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "no p, but rua: none", .zone = {{D("example.com"), "v=DMARC1; rua=mailto:a@example.com"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "no p and no rua: nothing", .zone = {{D("example.com"), "v=DMARC1"}}, .from = "example.com",
     .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "an invalid p with rua: none", .zone = {{D("example.com"), "v=DMARC1; p=bounce; rua=mailto:a@example.com"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "an invalid p without rua: nothing", .zone = {{D("example.com"), "v=DMARC1; p=bounce"}},
     .from = "example.com", .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "p=q is no abbreviation", .zone = {{D("example.com"), "v=DMARC1; p=q"}}, .from = "example.com",
     .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "rf=iodef leaves aspf=s alone", .zone = {{D("example.com"), "v=DMARC1; p=reject; aspf=s; rf=iodef"}},
     .from = "example.com", .spf = "mail.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "an invalid sp without rua: nothing", .zone = {{D("example.com"), "v=DMARC1; p=reject; sp=bounce"}},
     .from = "example.com", .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com",
     .deployed = DMARC_NONE},
    {.label = "an invalid np with rua: none", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject; np=bounce; rua=mailto:a@example.com"}}, .want = DMARC_FAIL,
     .policy = DMARC_POLICY_IS_NONE, .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "a rua without a URI does not count", .zone = {{D("example.com"), "v=DMARC1; rua=nobody"}},
     .from = "example.com", .want = DMARC_NONE, .policy = NO_POLICY, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com"},
    {.label = "a record that asks for nothing still marks the organization", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("a.example.com"), "v=DMARC1"}}, .dkim = {"a.example.com"},
     .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.a.example.com"},

    /* ---- alignment ---- */
    {.label = "DKIM of the very domain: no further walk", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "example.com", .dkim = {"example.com"}, .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_PASS},
    {.label = "SPF of the very domain", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .spf = "example.com", .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_PASS},
    {.label = "d= is a subdomain, relaxed", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .dkim = {"mail.example.com"}, .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.mail.example.com", .deployed = DMARC_PASS},
    {.label = "From is a subdomain, d= above", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "news.example.com", .dkim = {"example.com"}, .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.news.example.com _dmarc.example.com _dmarc.com",
     .deployed = DMARC_PASS},
    {.label = "siblings, relaxed", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "alpha.example.com",
     .dkim = {"bravo.example.com"}, .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com",
     .asked = "_dmarc.alpha.example.com _dmarc.example.com _dmarc.com _dmarc.bravo.example.com",
     .deployed = DMARC_PASS},
    {.label = "an unrelated d=", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .dkim = {"example.net"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.example.net _dmarc.net", .deployed = DMARC_FAIL},
    {.label = "a name that only ends alike", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .dkim = {"notexample.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.notexample.com", .deployed = DMARC_FAIL},
    {.label = "a name that only begins alike", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .dkim = {"example.com.evil.net"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.example.com.evil.net _dmarc.com.evil.net _dmarc.evil.net _dmarc.net",
     .deployed = DMARC_FAIL},
    {.label = "adkim=s, d= is a subdomain", .zone = {{D("example.com"), "v=DMARC1; p=reject; adkim=s"}},
     .from = "example.com", .dkim = {"mail.example.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "aspf=s, SPF of a subdomain", .zone = {{D("example.com"), "v=DMARC1; p=reject; aspf=s"}},
     .from = "example.com", .spf = "mail.example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "adkim=s, d= above From", .zone = {{D("example.com"), "v=DMARC1; p=reject; adkim=s"}},
     .from = "mail.example.com", .dkim = {"example.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.mail.example.com _dmarc.example.com _dmarc.com",
     .deployed = DMARC_FAIL},
    {.label = "adkim=s leaves SPF relaxed", .zone = {{D("example.com"), "v=DMARC1; p=reject; adkim=s"}},
     .from = "example.com", .spf = "mail.example.com", .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com _dmarc.mail.example.com",
     .deployed = DMARC_PASS},
    {.label = "registrants under co.uk", .zone = {{D("alpha.co.uk"), "v=DMARC1; p=reject"}}, .from = "alpha.co.uk",
     .dkim = {"bravo.co.uk"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "alpha.co.uk",
     .asked = "_dmarc.alpha.co.uk _dmarc.co.uk _dmarc.uk _dmarc.bravo.co.uk", .deployed = DMARC_FAIL},
    {.label = "tenants of github.io", .zone = {{D("alpha.github.io"), "v=DMARC1; p=reject"}}, .from = "alpha.github.io",
     .dkim = {"bravo.github.io"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "alpha.github.io",
     .asked = "_dmarc.alpha.github.io _dmarc.github.io _dmarc.io _dmarc.bravo.github.io", .deployed = DMARC_FAIL},
    {.label = "d=co.uk for example.co.uk", .zone = {{D("example.co.uk"), "v=DMARC1; p=reject"}}, .from = "example.co.uk",
     .dkim = {"co.uk"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.co.uk",
     .asked = "_dmarc.example.co.uk _dmarc.co.uk _dmarc.uk", .deployed = DMARC_FAIL},
    {.label = "d=com for example.com", .zone = {{D("example.com"), "v=DMARC1; p=reject"}}, .from = "example.com",
     .dkim = {"com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "d=github.io for alpha.github.io", .zone = {{D("alpha.github.io"), "v=DMARC1; p=reject"}},
     .from = "alpha.github.io", .dkim = {"github.io"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "alpha.github.io", .asked = "_dmarc.alpha.github.io _dmarc.github.io _dmarc.io",
     .deployed = DMARC_FAIL},
    {.label = "a wildcard rule: *.ck", .zone = {{D("alpha.brav.ck"), "v=DMARC1; p=reject"}}, .from = "alpha.brav.ck",
     .dkim = {"char.brav.ck"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "alpha.brav.ck",
     .asked = "_dmarc.alpha.brav.ck _dmarc.brav.ck _dmarc.ck _dmarc.char.brav.ck", .deployed = DMARC_FAIL},
    {.label = "From x.com, d=evil.com", .zone = {{D("x.com"), "v=DMARC1; p=reject"}}, .from = "x.com",
     .dkim = {"evil.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "x.com",
     .asked = "_dmarc.x.com _dmarc.com _dmarc.evil.com", .deployed = DMARC_FAIL},
    {.label = "From bank.com, d=x.com", .zone = {{D("bank.com"), "v=DMARC1; p=reject"}}, .from = "bank.com",
     .dkim = {"x.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "bank.com",
     .asked = "_dmarc.bank.com _dmarc.com _dmarc.x.com", .deployed = DMARC_FAIL},
    {.label = "a foreign signature and its own", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "example.com", .dkim = {"example.net", "example.com"}, .want = DMARC_PASS,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.example.net _dmarc.net", .deployed = DMARC_PASS},
    {.label = "a foreign one, a subdomain's, its own fails", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "example.com", .dkim = {"example.net", "mail.example.com", "!example.com"}, .want = DMARC_PASS,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.example.net _dmarc.net _dmarc.mail.example.com",
     .deployed = DMARC_PASS},
    {.label = "a failing signature is no identifier", .zone = {{D("example.com"), "v=DMARC1; p=reject"}},
     .from = "example.com", .dkim = {"!example.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT,
     .organization = "example.com", .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "psd=n parts a subdomain from its organization", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("a.example.com"), "v=DMARC1; p=none; psd=n"}},
     .dkim = {"a.example.com"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.a.example.com"},
    {.label = "psd=y parts neighbours", .zone = {{D("gov.test"), "v=DMARC1; p=reject; psd=y"}}, .from = "a.gov.test",
     .dkim = {"b.gov.test"}, .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "a.gov.test",
     .asked = "_dmarc.a.gov.test _dmarc.gov.test _dmarc.b.gov.test"},
    {.label = "A-labels compare as they are", .zone = {{D("xn--bcher-kva.example"), "v=DMARC1; p=reject"}},
     .from = "xn--bcher-kva.example", .dkim = {"xn--bcher-kva.example"}, .want = DMARC_PASS,
     .policy = DMARC_POLICY_IS_REJECT, .organization = "xn--bcher-kva.example",
     .asked = "_dmarc.xn--bcher-kva.example _dmarc.example", .deployed = DMARC_PASS},

    /* ---- DNS that does not answer ---- */
    {.label = "silence at the domain is not absence", .zone = {{D("example.com"), "FAIL"}}, .from = "example.com",
     .dkim = {"example.com"}, .want = DMARC_TEMPERROR, .policy = NO_POLICY, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_TEMPERROR},
    {.label = "silence above, where the policy may be", .zone = {{D("example.com"), "FAIL"}}, .from = "a.example.com",
     .want = DMARC_TEMPERROR, .policy = NO_POLICY, .organization = "a.example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com", .deployed = DMARC_TEMPERROR},
    {.label = "silence above does not matter to the very domain", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("com"), "FAIL"}}, .dkim = {"example.com"},
     .want = DMARC_PASS, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_PASS},
    {.label = "silence above does matter to a neighbour", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("com"), "FAIL"}}, .dkim = {"mail.example.com"},
     .want = DMARC_TEMPERROR, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_PASS},
    {.label = "silence above, nothing passes", .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("com"), "FAIL"}},
     .from = "example.com", .want = DMARC_FAIL, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com", .deployed = DMARC_FAIL},
    {.label = "silence where the existence is asked", .from = "a.example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=none; np=reject"}, {"a.example.com A", "FAIL"}},
     .want = DMARC_TEMPERROR, .policy = DMARC_POLICY_IS_NONE, .organization = "example.com",
     .asked = "_dmarc.a.example.com _dmarc.example.com _dmarc.com a.example.com/A"},
    {.label = "silence in the walk of an identifier", .from = "example.com",
     .zone = {{D("example.com"), "v=DMARC1; p=reject"}, {D("mail.example.net"), "FAIL"}}, .dkim = {"mail.example.net"},
     .want = DMARC_TEMPERROR, .policy = DMARC_POLICY_IS_REJECT, .organization = "example.com",
     .asked = "_dmarc.example.com _dmarc.com _dmarc.mail.example.net _dmarc.example.net _dmarc.net"},
    {.label = "an answer that is still missing", .zone = {{D("example.com"), "PENDING"}}, .from = "example.com",
     .want = DMARC_PENDING, .policy = NO_POLICY, .organization = "example.com", .asked = "_dmarc.example.com"},
};

static void make_query(const struct row *r, struct dmarc_query *q)
{
    *q = (struct dmarc_query){.author = r->from};
    for (size_t i = 0; i < 3 && r->dkim[i]; i++) {
        q->dkim[i].pass = r->dkim[i][0] != '!';
        snprintf(q->dkim[i].domain, sizeof(q->dkim[i].domain), "%s", r->dkim[i] + !q->dkim[i].pass);
        q->dkim_count++;
    }
    q->spf.pass = r->spf != NULL;
    snprintf(q->spf.domain, sizeof(q->spf.domain), "%s", r->spf ? r->spf : "");
}

static void print_questions(const struct dns_log *log, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < log->count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s%s", i ? " " : "", log->questions[i].name,
                                 log->questions[i].type == DNS_A ? "/A" : "");
}

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct zone zone;
        struct dns_log log;
        struct dmarc_query q;
        struct dmarc_answer a;
        char asked[4000];
        zone_init(&zone, r->zone);
        dns_log_init(&log, &zone.dns);
        make_query(r, &q);
        dmarc_check(&q, &log.dns, &a);
        print_questions(&log, asked, sizeof(asked));
        if (a.result != r->want || strcmp(a.organizational_domain, r->organization) != 0 || strcmp(asked, r->asked) != 0)
            fail_msg("%s: %s, organization %s, asked %s", r->label, dmarc_result_name(a.result), a.organizational_domain,
                     asked);
        EXPECT(a.found == (r->policy != NO_POLICY), r->label);
        EXPECT(!a.found || a.policy == r->policy, r->label);
        dns_log_fini(&log);
        zone_fini(&zone);
    }
    assert_true(COUNT_OF(rows) >= 60);
    print_message("%zu vectors of RFC 9989\n", COUNT_OF(rows));
}

static void as_opendmarc_reads_them(void **state)
{
    struct suffixes *suffixes = suffixes_new();
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct zone zone;
        struct dmarc_query q;
        struct dmarc_reading reading;
        zone_init(&zone, r->zone);
        make_query(r, &q);
        dmarc_deployed_check(&q, &zone.dns, suffixes, &reading);
        if (r->deployed != DMARC_PENDING && (reading.result != r->deployed || strstr(reading.why, "contradicts")))
            fail_msg("%s: %s, %s", r->label, dmarc_result_name(reading.result), reading.why);
        if (r->deployed == DMARC_PASS || r->deployed == DMARC_FAIL)
            EXPECT(reading.policy == (r->other ? r->other_policy : r->policy), r->label);
        count += r->deployed != DMARC_PENDING;
        zone_fini(&zone);
    }
    suffixes_free(suffixes);
    print_message("%zu of them also as RFC 7489\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(as_opendmarc_reads_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
