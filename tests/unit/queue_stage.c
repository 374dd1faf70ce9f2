// SPDX-License-Identifier: BSD-2-Clause
/* queue_stage.c - The shell's part, played. */
#include "queue_stage.h"

enum { NAMES, OPEN, TRY_FAILED, REFUSED, GREETED, SPOKEN, STALLED, SETTLED, CLOSES };
enum { GREET_MS = 20, STORE_MS = 5, TIMEOUT_MS = 30000, RACE_MS = 2000, PROBE_MS = 100, STALL_MS = 300000, MUTE_MS = 600000 };

static void later(struct stage *s, int64_t in_ms, struct stage_event e)
{
    if (s->event_count == s->event_size) {
        s->event_size = s->event_size ? s->event_size * 2 : 256;
        s->events = xgrow(s->events, s->event_size, sizeof(*s->events));
    }
    e.at_ms = s->now_ms + in_ms;
    size_t at = s->event_count++;
    for (; at > 0 && s->events[at - 1].at_ms <= e.at_ms; at--) /* the soonest last; equal ones in order */
        s->events[at] = s->events[at - 1];
    s->events[at] = e;
}

PRINTF_LIKE(2, 3) static void trace(struct stage *s, const char *format, ...)
{
    va_list arguments;
    if (!s->tracing)
        return;
    if (s->trace_size - s->trace_len < 1024) {
        s->trace_size += 1 << 20;
        s->trace = xgrow(s->trace, s->trace_size, 1);
    }
    s->trace_len += (size_t)snprintf(s->trace + s->trace_len, 16, "%.1f  ", (double)s->now_ms / 1000);
    va_start(arguments, format);
    s->trace_len += (size_t)vsnprintf(s->trace + s->trace_len, 900, format, arguments);
    va_end(arguments);
    s->trace[s->trace_len++] = '\n';
    s->trace[s->trace_len] = '\0';
}

static bool is_named(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, name, len - 1) == 0;
    return strcmp(pattern, name) == 0;
}

static const struct stage_domain *domain_of(const struct stage *s, const char *name)
{
    static const struct stage_domain plain = {0};
    for (const struct stage_domain *d = s->domains; d && d->name; d++)
        if (is_named(d->name, name))
            return d;
    return &plain;
}

static int64_t resolve_ms(const struct stage_domain *d)
{
    enum { LOOKUP_MS = 5, MUTE_LOOKUP_MS = 20 * 1000 };
    int64_t mute_ms = d->mute_ms > 0 ? d->mute_ms : MUTE_LOOKUP_MS;
    return d->mute ? mute_ms : LOOKUP_MS;
}

static const struct stage_server *server_of(const struct stage *s, const char *host)
{
    static const struct stage_server good = {.kind = SERVER_GOOD};
    for (const struct stage_server *v = s->servers; v && v->host; v++)
        if (is_named(v->host, host))
            return v;
    return &good;
}

static size_t hosts_of(const struct stage *s, const char *domain, char hosts[3][100])
{
    const struct stage_domain *d = domain_of(s, domain);
    size_t count = 0;
    for (; count < 3 && d->hosts[count]; count++)
        if (d->hosts[count][0] == '.') /* a name of its own, under that suffix */
            snprintf(hosts[count], 100, "%s%s", domain, d->hosts[count]);
        else
            snprintf(hosts[count], 100, "%s", d->hosts[count]);
    if (count == 0)
        snprintf(hosts[count++], 100, "mx.%s", domain);
    return count;
}

static unsigned machine_of(const struct stage *s, const char *host)
{
    unsigned hash = 5381;
    const struct stage_server *v = server_of(s, host);
    if (v->machine > 0)
        return v->machine;
    for (; *host; host++)
        hash = hash * 33 + (unsigned char)*host;
    return 100 + hash % 69000;
}

unsigned machine_number(const struct stage *s, const char *host)
{
    return machine_of(s, host);
}

void stage_refuse_next_route(struct stage *s, const char *route, const char *why)
{
    s->bad_route = route;
    s->bad_why = why;
}

static struct queue_address address_of(unsigned machine)
{
    struct queue_address a = {.port = 25};
    memcpy(a.ip, &machine, sizeof(machine));
    return a;
}

static struct stage_connection *connection_of(struct stage *s, uint64_t id)
{
    struct stage_connection *c = &s->connections[(uint32_t)id % STAGE_CONNECTIONS];
    return c->open && c->id == id ? c : NULL;
}

static void step(struct stage *s, struct stage_connection *c, int64_t in_ms, int kind)
{
    later(s, in_ms, (struct stage_event){.kind = kind, .connection = c->id, .step = ++c->step});
}

static void ends(struct stage *s, struct stage_connection *c)
{
    if (c->counted)
        s->machine_now[c->machine]--;
    c->open = c->counted = false;
    s->open_now--;
}

static void fails(struct stage *s, struct stage_connection *c, enum queue_failure how, const char *why)
{
    const struct queue_attempt *a = c->attempt;
    int64_t message = a->message;
    ends(s, c);
    if (queue_connection_failed(s->queue, c->id, how, why, s->now_ms)) {
        s->given_back++;
        trace(s, "%lld goes back: %s", (long long)message, why);
        return;
    }
    s->deferred++;
    trace(s, "%lld is deferred: %s", (long long)message, why);
    later(s, STORE_MS, (struct stage_event){.kind = SETTLED, .attempt = a, .step = 1});
}

static void tries(struct stage *s, struct stage_connection *c)
{
    char hosts[3][100];
    struct queue_address candidates[3];
    size_t count = hosts_of(s, c->domain, hosts);
    size_t at = 0;
    bool probes = false;
    for (size_t i = c->host; i < count; i++)
        candidates[i - c->host] = address_of(machine_of(s, hosts[i]));
    if (c->host == count && !c->refused) {
        fails(s, c, QUEUE_FAIL_CONNECT, "no answer");
        return;
    }
    if (c->host == count ||
        !queue_address_take(s->queue, c->id, candidates, count - c->host, &at, &probes, s->now_ms)) {
        fails(s, c, c->refused ? QUEUE_FAIL_REFUSED : QUEUE_FAIL_NO_ADDRESS,
              c->refused ? "421 too many connections" : c->host > 0 ? "no answer" : "no address");
        return;
    }
    c->host += at;
    const struct stage_server *v = server_of(s, hosts[c->host]);
    c->machine = machine_of(s, hosts[c->host++]);
    s->machine_tries[c->machine]++;
    if (v->kind == SERVER_HANGS) {
        step(s, c, c->host == count ? TIMEOUT_MS : probes ? PROBE_MS : RACE_MS, TRY_FAILED);
    } else if (v->kind == SERVER_REFUSES || v->kind == SERVER_FULL || (v->accepts > 0 && s->machine_now[c->machine] >= v->accepts)) {
        c->refused = v->kind != SERVER_REFUSES;
        step(s, c, GREET_MS, c->refused ? REFUSED : TRY_FAILED);
    } else {
        unsigned now = ++s->machine_now[c->machine];
        c->counted = true;
        if (now > s->machine_most[c->machine])
            s->machine_most[c->machine] = now;
        step(s, c, v->greet_ms > 0 ? v->greet_ms : GREET_MS, GREETED);
    }
}

/* Where it is; `alone_r`: its domain has no other host. */
static const struct stage_server *server_at(const struct stage *s, const struct stage_connection *c, bool *alone_r)
{
    char hosts[3][100];
    *alone_r = hosts_of(s, c->domain, hosts) == 1;
    return server_of(s, hosts[c->host - 1]);
}

static bool stalls_over(const struct stage_server *v, const struct stage_connection *c)
{
    return v->stalls_over && strncmp(c->attempt->domain, v->stalls_over, strlen(v->stalls_over)) == 0;
}

static void speaks(struct stage *s, struct stage_connection *c)
{
    bool alone = false;
    const struct stage_server *v = server_at(s, c, &alone);
    assert_true(c->attempt->trust == c->trust);
    c->busy = true;
    c->idle = false;
    trace(s, "%lld goes to %s", (long long)c->attempt->message, c->attempt->domain);
    s->begun_ms[c->attempt->message] = s->now_ms;
    s->order_of[c->attempt->message] = ++s->begun;
    if (v->kind == SERVER_STALLS)
        step(s, c, c->attempt->class == STREAM_SECURITY ? TIMEOUT_MS : STALL_MS, STALLED);
    else if (v->kind == SERVER_MUTE && s->now_ms >= v->mute_from_ms)
        step(s, c, MUTE_MS, STALLED);
    else if (stalls_over(v, c))
        step(s, c, STALL_MS, STALLED);
    else if (v->slow_domain && strcmp(c->attempt->domain, v->slow_domain) == 0)
        step(s, c, v->slow_ms, SPOKEN);
    else
        step(s, c, v->message_ms > 0 ? v->message_ms : 50, SPOKEN);
}

static void spoken(struct stage *s, struct stage_connection *c)
{
    const struct queue_attempt *next = NULL;
    s->delivered += c->attempt->count;
    s->done_ms[c->attempt->message] = s->now_ms;
    later(s, STORE_MS, (struct stage_event){.kind = SETTLED, .attempt = c->attempt});
    c->attempt = NULL;
    c->busy = false;
    switch (queue_message_done(s->queue, c->id, QUEUE_SPOKEN, true, &next, s->now_ms)) {
    case QUEUE_NEXT_SEND:
        c->attempt = next;
        speaks(s, c);
        break;
    case QUEUE_NEXT_IDLE:
        c->idle = true;
        break;
    case QUEUE_NEXT_CLOSE:
        step(s, c, 1, CLOSES);
        break;
    }
}

static void on_decision(struct stage *s, const struct queue_decision *d)
{
    struct stage_event e = {.kind = NAMES};
    bool alone = false;
    struct stage_connection *c = &s->connections[(uint32_t)d->connection % STAGE_CONNECTIONS];
    switch (d->kind) {
    case QUEUE_RESOLVE:
        s->resolving++;
        trace(s, "RESOLVE %s", d->domain);
        snprintf(e.name, sizeof(e.name), "%s", d->domain);
        later(s, resolve_ms(domain_of(s, d->domain)), e);
        break;
    case QUEUE_OPEN:
        assert_false(c->open);
        *c = (struct stage_connection){.id = d->connection, .open = true, .attempt = d->attempt, .shard = d->shard,
                                       .trust = d->attempt->trust};
        snprintf(c->domain, sizeof(c->domain), "%s", d->attempt->domain);
        if (++s->open_now > s->open_most)
            s->open_most = s->open_now;
        trace(s, "OPEN %s for %lld", d->destination, (long long)d->attempt->message);
        step(s, c, 1, OPEN);
        break;
    case QUEUE_SEND:
        assert_true(c->idle);
        trace(s, "SEND %s", d->destination);
        c->attempt = d->attempt;
        speaks(s, c);
        break;
    case QUEUE_CLOSE:
        trace(s, "CLOSE %s, reason %d", d->destination, (int)d->reason);
        assert_false(c->busy);
        step(s, c, 1, CLOSES);
        break;
    case QUEUE_HURRY:
        trace(s, "HURRY %s", d->destination);
        assert_true(c->busy);
        if (server_at(s, c, &alone)->kind == SERVER_STALLS || stalls_over(server_at(s, c, &alone), c))
            step(s, c, 10000, STALLED);
        break;
    case QUEUE_SETTLE:
        s->settled_untried++;
        trace(s, "SETTLE %lld: %s", (long long)d->attempt->message, d->text);
        later(s, STORE_MS,
              (struct stage_event){.kind = SETTLED, .attempt = d->attempt, .step = d->reason != QUEUE_EXPIRED});
        break;
    case QUEUE_EVENT:
        if (d->reason == QUEUE_SHARE_USED)
            trace(s, "%s is held up by %u, most at %s", d->tenant, d->count, d->destination);
        else if (d->reason == QUEUE_HANGS)
            trace(s, "%s hangs: %s", d->destination, d->text);
        else
            trace(s, "%s %s: %s", d->destination, d->rest_ms > 0 ? "rests" : "is back", d->text);
        break;
    }
}

static void on_names(struct stage *s, const char *name)
{
    char hosts[3][100];
    const char *pointers[3] = {hosts[0], hosts[1], hosts[2]};
    const struct stage_domain *d = domain_of(s, name);
    s->resolving--;
    if (d->mute) {
        const struct queue_no_answer none = {.result = 1, .text = "DNS gave no answer", .retry_ms = 60000};
        queue_unresolvable(s->queue, name, &none, s->now_ms);
        return;
    }
    struct queue_answer answer = {.hosts = pointers,
                                  .host_count = hosts_of(s, name, hosts),
                                  .port = 25,
                                  .route = d->route ? d->route : "",
                                  .trust = s->trust,
                                  .connections = d->limit,
                                  .valid_ms = 600000};
    queue_resolved(s->queue, name, &answer, s->now_ms);
}

static void on_event(struct stage *s, const struct stage_event *e)
{
    struct stage_connection *c = connection_of(s, e->connection);
    int64_t due_ms[QUEUE_RECIPIENTS_MAX];
    struct queue_address a = address_of(c ? c->machine : 0);
    if (e->kind == NAMES) {
        on_names(s, e->name);
    } else if (e->kind == SETTLED) {
        for (size_t i = 0; i < e->attempt->count; i++) /* step: it is tried again */
            due_ms[i] = e->step ? s->now_ms + 60000 : 0;
        queue_settled(s->queue, e->attempt, due_ms, s->now_ms);
    } else if (!c || c->step != e->step) {
        return;
    } else if (e->kind == OPEN) {
        tries(s, c);
    } else if (e->kind == TRY_FAILED) {
        queue_address_failed(s->queue, c->id, &a, s->now_ms);
        tries(s, c);
    } else if (e->kind == REFUSED) { /* 421 is said, or it closes without a word */
        if (c->machine % 2)
            queue_address_spoke(s->queue, c->id, &a);
        queue_address_refused(s->queue, c->id, &a, s->now_ms);
        tries(s, c);
    } else if (e->kind == GREETED && s->bad_route && domain_of(s, c->domain)->route == s->bad_route) {
        fails(s, c, QUEUE_FAIL_CONNECT, s->bad_why);
    } else if (e->kind == GREETED) {
        assert_true(queue_opened(s->queue, c->id, &a, s->now_ms));
        speaks(s, c);
    } else if (e->kind == STALLED) {
        bool alone = false;
        bool stalls = server_at(s, c, &alone)->kind == SERVER_STALLS || stalls_over(server_at(s, c, &alone), c);
        if (stalls && !alone)
            queue_address_stalled(s->queue, c->id, &a, s->now_ms);
        fails(s, c, QUEUE_FAIL_LOST, "timed out");
    } else if (e->kind == SPOKEN) {
        spoken(s, c);
    } else if (e->kind == CLOSES) {
        ends(s, c);
        queue_connection_closed(s->queue, c->id, s->now_ms);
    }
}

static bool go_on(struct stage *s, int64_t until_ms)
{
    struct queue_decision d;
    while (queue_decide(s->queue, &d, s->now_ms))
        on_decision(s, &d);
    int64_t wake_ms = queue_wake_ms(s->queue);
    int64_t event_ms = s->event_count > 0 ? s->events[s->event_count - 1].at_ms : INT64_MAX;
    int64_t next_ms = wake_ms < event_ms ? wake_ms : event_ms;
    if (next_ms > until_ms) {
        s->now_ms = until_ms;
        return false;
    }
    s->now_ms = next_ms > s->now_ms ? next_ms : s->now_ms;
    if (event_ms <= wake_ms) {
        struct stage_event e = s->events[--s->event_count];
        on_event(s, &e);
    }
    return true;
}

void stage_run(struct stage *s, int64_t for_ms)
{
    int64_t until_ms = s->now_ms + for_ms;
    while (go_on(s, until_ms))
        ;
}

int64_t stage_run_until(struct stage *s, int64_t first, int64_t last, int64_t for_ms)
{
    int64_t began_ms = s->now_ms;
    while (first <= last && go_on(s, began_ms + for_ms))
        while (first <= last && s->done_ms[first] >= 0)
            first++;
    return s->now_ms - began_ms;
}

void stage_add_entry(struct stage *s, struct queue_entry e)
{
    queue_add(s->queue, &e, 1, s->now_ms);
}

void stage_add(struct stage *s, int64_t message, const char *tenant, const char *domain, enum stream_class class)
{
    stage_add_entry(s, (struct queue_entry){.message = message,
                                            .class = class,
                                            .tenant = tenant,
                                            .domain = domain,
                                            .due_ms = s->now_ms,
                                            .expires_ms = s->now_ms + 3600000});
}

void stage_expect(const struct stage *s, const char *const *lines, size_t count)
{
    const char *at = s->trace ? s->trace : "";
    for (size_t i = 0; i < count; i++) {
        char line[400];
        snprintf(line, sizeof(line), "%s\n", lines[i]);
        const char *found = strstr(at, line);
        while (found && found != s->trace && found[-1] != '\n')
            found = strstr(found + 1, line);
        if (!found)
            fail_msg("not in the trace, after what came before it: %s\n%s", lines[i], s->trace ? s->trace : "");
        at = found + strlen(line);
    }
}

struct stage *stage_new(const struct queue_settings *settings, const struct stage_domain *domains,
                        const struct stage_server *servers)
{
    struct stage *s = xcalloc(1, sizeof(*s));
    s->queue = queue_new(settings, 0);
    s->domains = domains;
    s->servers = servers;
    s->trust = 1;
    s->tracing = true;
    for (size_t i = 0; i < STAGE_MESSAGES; i++)
        s->begun_ms[i] = s->done_ms[i] = -1;
    return s;
}

void stage_free(struct stage *s)
{
    queue_free(s->queue);
    free(s->events);
    free(s->trace);
    free(s);
}
