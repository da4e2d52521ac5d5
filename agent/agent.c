#include "agent/agent.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/identity.h"
#include "agent/meters.h"
#include "agent/talk.h"
#include "common/arena.h"
#include "common/clock.h"

#define AGENT_MAGIC       0x61676e74u
#define FIRST_WINDOW_MS   1000 // the first report waits for rates
#define SAMPLE_GAP_MS_MIN 200  // whatever the coordinator asks for
#define LATE_INTERVALS    3
#define LATE_MS           60000

struct agent {
    uint32_t magic;
    const struct agent_settings *settings;
    struct meters meters;
    struct host *host;
    struct talk *talk;
    struct verdict node, directive;
    int wake; // eventfd: agent_stop()
    atomic_bool stopping;

    int64_t next_sample_ms;
    bool baseline; // a first sample was taken; rates can be had

    // For the probes.
    _Atomic int64_t sampled_ms, accepted_ms, interval_ms;
};

static void check_magic(const struct agent *agent)
{
    assert(agent && agent->magic == AGENT_MAGIC);
    (void)agent;
}

struct agent *agent_create(const struct agent_settings *settings, struct error *error)
{
    struct report_identity identity;
    if (identity_make(settings, &identity, error) < 0)
        return NULL;
    struct agent *agent = xcalloc(1, sizeof *agent);
    agent->magic = AGENT_MAGIC;
    agent->settings = settings;
    agent->interval_ms = settings->interval_ms;
    agent->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    meters_open(&agent->meters);
    agent->host = host_create(&settings->host);
    agent->talk = agent->wake < 0 ? NULL : talk_create(settings, &identity, &agent->meters, error);
    if (!agent->talk) {
        if (agent->wake < 0)
            error_set(error, errno, "eventfd: %s", strerror(errno));
        agent_destroy(agent);
        return NULL;
    }
    log_event(LOG_INFO, "agent starts", LOG_S("node", identity.node_name),
              LOG_S("start_id", identity.start_id), LOG_S("coordinator", settings->coordinator),
              LOG_I("interval_ms", settings->interval_ms), LOG_END);
    if (settings->insecure_transport)
        log_event(LOG_WARN,
                  "insecure transport: reports and this agent's token can be read and forged on the way",
                  LOG_S("flag", "--insecure-transport"), LOG_END);
    return agent;
}

void agent_destroy(struct agent *agent)
{
    if (!agent)
        return;
    check_magic(agent);
    talk_destroy(agent->talk);
    host_destroy(agent->host);
    if (agent->wake >= 0)
        close(agent->wake);
    agent->magic = 0;
    free(agent);
}

void agent_stop(struct agent *agent)
{
    uint64_t one = 1;
    atomic_store(&agent->stopping, true);
    ssize_t written = write(agent->wake, &one, sizeof one);
    (void)written; // full means that it is awake already
}

static double thread_cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void log_verdict(const char *what, const struct verdict *verdict, enum readiness_state before)
{
    if (verdict->state == before)
        return;
    const struct readiness_reason *first = verdict->reason_count > 0 ? &verdict->reasons[0] : NULL;
    log_event(LOG_INFO, what, LOG_S("readiness", readiness_name(verdict->state)),
              LOG_S("reason", first ? first->code : ""), LOG_S("pod", first ? first->pod_uid : ""),
              LOG_S("subject", first ? first->subject : ""), LOG_S("detail", first ? first->detail : ""),
              LOG_END);
}

static void judge(struct agent *agent, const struct readiness_question *question)
{
    const struct host_view *view = host_view(agent->host);
    enum readiness_state before = agent->node.state;
    readiness_of_node(view, &agent->settings->limits, REPORT_NODE_REASONS_MAX, &agent->node);
    log_verdict("drain readiness of this node", &agent->node, before);
    if (!question)
        return;
    before = agent->directive.state;
    readiness_of_pods(view, &agent->settings->limits, question, &agent->directive);
    log_verdict("drain readiness for the directive", &agent->directive, before);
}

static void sample(struct agent *agent, int64_t now_ms)
{
    struct orders *orders = talk_orders(agent->talk);
    struct readiness_question question = {0};
    if (orders_expire(orders, clock_wall_ms()))
        log_event(LOG_INFO, "the drain passed its deadline", LOG_END);
    bool asked = orders_question(orders, &question);
    metric_set(agent->meters.drain_open, asked);

    struct host_request request = {.wall_ms = clock_wall_ms(),
                                   .monotonic_ms = now_ms,
                                   .inspect_all = !agent->baseline,
                                   .uids = question.uids,
                                   .uid_count = question.uid_count};
    double cpu_before = thread_cpu_seconds();
    host_sample(agent->host, &request);
    judge(agent, asked ? &question : NULL);
    double cpu_seconds = thread_cpu_seconds() - cpu_before;
    double seconds = (double)(clock_monotonic_ms() - now_ms) / 1000.0;
    meters_of_sample(&agent->meters, host_view(agent->host), &agent->node, seconds, cpu_seconds);
    metric_set(agent->meters.inspections, (double)host_inspections(agent->host));
    atomic_store(&agent->sampled_ms, now_ms);
    log_event(LOG_DEBUG, "sample", LOG_I("pods", host_view(agent->host)->pod_count),
              LOG_F("cpu_milliseconds", cpu_seconds * 1000),
              LOG_S("readiness", readiness_name(agent->node.state)), LOG_END);
    if (!agent->baseline) {
        agent->baseline = true;
        return;
    }
    struct report_content content = {.view = host_view(agent->host),
                                     .node = &agent->node,
                                     .directive_id = asked ? orders_drain_id(orders) : NULL,
                                     .directive = asked ? &agent->directive : NULL};
    talk_offer(agent->talk, &content);
}

static void sample_if_due(struct agent *agent, int64_t now_ms)
{
    if (now_ms < agent->next_sample_ms)
        return;
    bool first = !agent->baseline;
    sample(agent, now_ms);
    int64_t interval_ms = orders_interval_ms(talk_orders(agent->talk));
    atomic_store(&agent->interval_ms, interval_ms);
    // From the plan, not from now, so that the pace holds; a sample that was missed is not made up for.
    int64_t next_ms = agent->next_sample_ms + interval_ms;
    if (first)
        next_ms = now_ms + (interval_ms < FIRST_WINDOW_MS ? interval_ms : FIRST_WINDOW_MS);
    agent->next_sample_ms = next_ms > now_ms ? next_ms : now_ms + interval_ms;
}

static void wait_for(struct agent *agent, int64_t due_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = due_ms <= now_ms ? 0 : due_ms - now_ms;
    int timeout_ms = wait_ms > 60000 ? 60000 : (int)wait_ms;
    struct pollfd descriptors[] = {{.fd = talk_descriptor(agent->talk), .events = POLLIN},
                                   {.fd = agent->wake, .events = POLLIN}};
    poll(descriptors, 2, timeout_ms); // interrupted or not: the loop looks at everything
}

void agent_run(struct agent *agent)
{
    check_magic(agent);
    agent->next_sample_ms = clock_monotonic_ms();
    while (!atomic_load(&agent->stopping)) {
        int64_t now_ms = clock_monotonic_ms();
        sample_if_due(agent, now_ms);
        now_ms = clock_monotonic_ms();
        if (talk_turn(agent->talk, now_ms)) {
            int64_t soonest_ms = atomic_load(&agent->sampled_ms) + SAMPLE_GAP_MS_MIN;
            agent->next_sample_ms = soonest_ms > now_ms ? soonest_ms : now_ms;
        }
        atomic_store(&agent->accepted_ms, talk_accepted_ms(agent->talk));
        int64_t talk_ms = talk_due_ms(agent->talk);
        wait_for(agent, talk_ms < agent->next_sample_ms ? talk_ms : agent->next_sample_ms);
    }
    log_event(LOG_INFO, "agent stops", LOG_END);
}

static bool in_time(const struct agent *agent, int64_t since_ms)
{
    return since_ms != 0 &&
           clock_monotonic_ms() - since_ms <= LATE_INTERVALS * atomic_load(&agent->interval_ms) + LATE_MS;
}

bool agent_healthy(void *context, struct text *why)
{
    struct agent *agent = context;
    int64_t sampled_ms = atomic_load(&agent->sampled_ms);
    bool healthy = sampled_ms == 0 || in_time(agent, sampled_ms);
    text_append(why, healthy ? "samples are taken in time" : "no sample was taken for a while");
    return healthy;
}

bool agent_ready(void *context, struct text *why)
{
    struct agent *agent = context;
    int64_t accepted_ms = atomic_load(&agent->accepted_ms);
    bool ready = in_time(agent, atomic_load(&agent->sampled_ms)) && in_time(agent, accepted_ms);
    text_append(why, ready              ? "the coordinator accepts the reports"
                     : accepted_ms == 0 ? "the coordinator has accepted no report yet"
                                        : "the coordinator has accepted no report for a while");
    return ready;
}
