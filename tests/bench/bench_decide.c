// How long the core takes to decide, on clusters of a seed and a size. One JSON line a case. Each round is a
// core of its own, loaded through events as in production; only core_step() is measured.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/decide/state.h"
#include "coordinator/schedule/packing.h"
#include "tests/bench/decide_cluster.h"

#define ROUNDS_MAX        1000u
#define EVENTS_OF_A_ROUND 1000u
#define GIVE_UP_MS        (INT64_C(10) * 60 * 1000)

struct bench {
    struct bench_options options;
    struct core *core;
    struct commands *out;
    uint32_t answered;
    int64_t now_ms;
    uint64_t sequence;
    double step_ms, longest_ms, sum_ms; // of the last step, and since bench_measure()
};

// Of this thread's own time: nothing here waits, and machines are shared.
static double clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * 4096 / 1048576.0;
}

// ---- a core and what answers it

static void one_step(struct bench *bench, struct event *event)
{
    event->now_ms = bench->now_ms;
    double start = clock_ms();
    core_step(bench->core, event, bench->out);
    bench->step_ms = clock_ms() - start;
    bench->sum_ms += bench->step_ms;
    if (bench->step_ms > bench->longest_ms)
        bench->longest_ms = bench->step_ms;
    event_destroy(event);
}

static void list_machines(const struct bench *bench, struct event *event)
{
    const struct bench_options *options = &bench->options;
    struct machine_facts *machines = ARENA_ARRAY(event->arena, struct machine_facts, options->nodes + 1);
    for (uint32_t i = 0; i < options->nodes; i++)
        machines[i] = bench_machine(options, event->arena, i);
    event->outcome.machines = machines;
    event->outcome.machine_count = options->nodes;
}

static void list_groups(const struct bench *bench, struct event *event)
{
    const struct bench_options *options = &bench->options;
    struct vpsie_group_facts *groups = ARENA_ARRAY(event->arena, struct vpsie_group_facts, options->groups);
    for (uint32_t i = 0; i < options->groups; i++)
        groups[i] = bench_vpsie_group(options, event->arena, i);
    event->outcome.groups = groups;
    event->outcome.group_count = options->groups;
}

static void list_offers(const struct bench *bench, struct event *event)
{
    const struct bench_options *options = &bench->options;
    struct offer_facts *offers = ARENA_ARRAY(event->arena, struct offer_facts, options->offers);
    for (uint32_t i = 0; i < options->offers; i++)
        offers[i] = bench_offer(options, event->arena, i);
    event->outcome.offers = offers;
    event->outcome.offer_count = options->offers;
}

static struct event *answer(struct bench *bench, const struct command *command)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = OUTCOME_OK;
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    event->outcome.fresh.predecessor_webhook_names = "";
    event->outcome.fresh.saved.paused_reason = "";
    switch (command->kind) {
    case COMMAND_VPSIE_LIST_MACHINES: list_machines(bench, event); return event;
    case COMMAND_VPSIE_LIST_GROUPS: list_groups(bench, event); return event;
    case COMMAND_VPSIE_LIST_OFFERS: list_offers(bench, event); return event;
    case COMMAND_KUBE_LIST_FRESH:
    case COMMAND_KUBE_GROUP_STATUS: return event;
    default: event_destroy(event); return NULL; // under way for as long as this takes
    }
}

static void step(struct bench *bench, struct event *event)
{
    one_step(bench, event);
    while (bench->answered < bench->out->count) {
        struct event *reply = answer(bench, bench->out->items[bench->answered++]);
        if (reply != NULL)
            one_step(bench, reply);
    }
    commands_clear(bench->out); // what is not answered is under way
    bench->answered = 0;
}

static void begin_measure(struct bench *bench)
{
    bench->longest_ms = bench->sum_ms = 0;
}

static struct bench *bench_create(const struct bench_options *options)
{
    struct bench *bench = xcalloc(1, sizeof(*bench));
    struct core_config config = core_config_default();
    config.delay_after_add_ms = config.delay_after_delete_ms = config.delay_after_failure_ms = 0;
    config.max_empty_removals = 1000000;
    bench->options = *options;
    bench->core = core_create(&config);
    bench->out = commands_create();
    bench->now_ms = BENCH_START_MS;
    return bench;
}

static void bench_destroy(struct bench *bench)
{
    core_destroy(bench->core);
    commands_destroy(bench->out);
    free(bench);
}

static void hear_agents(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->options.nodes; i++)
        step(bench, bench_report(&bench->options, i, bench->now_ms, ++bench->sequence));
}

static void load(struct bench *bench, bool pending)
{
    struct event *event;
    for (uint32_t i = 0; (event = bench_event(&bench->options, i)) != NULL; i++)
        step(bench, event);
    hear_agents(bench);
    for (uint32_t i = 0; pending && i < bench->options.pending; i++)
        step(bench, bench_pending(&bench->options, i, bench->now_ms));
}

static void lead(struct bench *bench)
{
    step(bench, event_create(EVENT_KUBE_SYNCED));
    struct event *state = event_create(EVENT_VPSIE_STATE);
    state->vpsie_state.usable = true;
    state->vpsie_state.detail = "";
    state->vpsie_state.calls_limit = 1000000;
    step(bench, state);
    struct event *event = event_create(EVENT_LEADER);
    event->leader.leading = true;
    event->leader.term = 1;
    event->leader.identity = event->leader.holder = "us";
    event->leader.saved.paused_reason = "";
    step(bench, event);
}

static bool pass_time(struct bench *bench, int64_t until_ms)
{
    int64_t wake_ms = core_next_wake_ms(bench->core);
    if (wake_ms > until_ms)
        return false;
    bench->now_ms = wake_ms > bench->now_ms ? wake_ms : bench->now_ms + 1;
    step(bench, event_create(EVENT_TIMER));
    return true;
}

static void settle(struct bench *bench, int64_t ms)
{
    int64_t until_ms = bench->now_ms + ms;
    while (pass_time(bench, until_ms))
        continue;
    bench->now_ms = until_ms;
    step(bench, event_create(EVENT_TIMER));
}

// ---- what was decided

struct ordered {
    uint64_t machines, taken;
    double price_hour;
};

static struct ordered sum_decisions(const struct bench *bench)
{
    struct ordered sum = {0};
    struct arena *arena = arena_create(4096);
    for (uint64_t n = 0; n < bench->core->decision_count; n++) {
        const struct decision *decision = core_decision_made(bench->core, n);
        if (decision == NULL)
            continue;
        sum.taken += decision->leaving_count;
        if (decision->machines == 0 || decision->size_id == 0)
            continue;
        struct offer_facts offer = bench_offer(&bench->options, arena, (uint32_t)decision->size_id - 1);
        sum.machines += decision->machines;
        sum.price_hour += offer.price_hour * decision->machines;
    }
    arena_destroy(arena);
    return sum;
}

static int64_t free_of(int64_t has, int64_t used)
{
    return has > used ? has - used : 0;
}

// No order can cost less: all that is asked of one resource and not free on the nodes there are, at the best
// price that any offer has for it.
static double lower_bound(struct bench *bench)
{
    struct cluster *cluster = bench->core->cluster;
    struct resources asked = {0};
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        asked.cpu_millis -= free_of(node->allocatable.cpu_millis, node->requested.cpu_millis);
        asked.memory_bytes -= free_of(node->allocatable.memory_bytes, node->requested.memory_bytes);
        asked.pods -= free_of(node->allocatable.pods, node->requested.pods);
    }
    for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next) {
        asked.cpu_millis += pod->shape->facts.requests.cpu_millis;
        asked.memory_bytes += pod->shape->facts.requests.memory_bytes;
        asked.pods++;
    }
    double cpu = 1e300, memory = 1e300, pods = 1e300;
    struct arena *arena = arena_create(1 << 16);
    for (uint32_t i = 0; i < bench->options.offers; i++) {
        struct template_node made = template_create(arena, cluster, cluster->groups[0], 1 + (int64_t)i);
        const struct resources *has = made.place.allocatable;
        if (made.unknown[0] != '\0' || has->cpu_millis <= 0 || has->memory_bytes <= 0)
            continue;
        double price = made.price_hour;
        cpu = price / (double)has->cpu_millis < cpu ? price / (double)has->cpu_millis : cpu;
        memory = price / (double)has->memory_bytes < memory ? price / (double)has->memory_bytes : memory;
        pods = price / (double)has->pods < pods ? price / (double)has->pods : pods;
    }
    arena_destroy(arena);
    double bound = asked.cpu_millis > 0 ? cpu * (double)asked.cpu_millis : 0;
    if (memory * (double)asked.memory_bytes > bound)
        bound = memory * (double)asked.memory_bytes;
    return pods * (double)asked.pods > bound ? pods * (double)asked.pods : bound;
}

// ---- cases

struct samples {
    double items[ROUNDS_MAX * EVENTS_OF_A_ROUND];
    uint32_t count;
};

static void sample(struct samples *samples, double ms)
{
    if (samples->count < ROUNDS_MAX * EVENTS_OF_A_ROUND)
        samples->items[samples->count++] = ms;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print(const struct bench_options *options, const char *name, struct samples *samples,
                  const struct ordered *ordered, double bound, double resident)
{
    if (samples->count == 0)
        return;
    qsort(samples->items, samples->count, sizeof(samples->items[0]), ascending);
    printf(
        "{\"case\":\"%s\",\"nodes\":%u,\"pods\":%u,\"pending\":%u,\"kinds\":%u,\"groups\":%u,\"offers\":%u,"
        "\"affinity\":%.2f,\"anti_affinity\":%.2f,\"spread\":%.2f,\"volumes\":%.2f,\"samples\":%u,"
        "\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"resident_mib\":%.1f",
        name, options->nodes, options->pods, options->pending, options->kinds, options->groups,
        options->offers, options->affinity, options->anti_affinity, options->spread, options->volumes,
        samples->count, samples->items[samples->count / 2],
        samples->items[(uint64_t)samples->count * 99 / 100], resident);
    if (ordered != NULL)
        printf(",\"machines\":%llu,\"nodes_taken\":%llu,\"price_hour\":%.2f,\"bound_price_hour\":%.2f",
               (unsigned long long)ordered->machines, (unsigned long long)ordered->taken, ordered->price_hour,
               bound);
    printf("}\n");
    fflush(stdout);
    samples->count = 0;
}

// Until nothing more is decided at once; the sum of the steps that took the time.
static void decide(struct bench *bench)
{
    begin_measure(bench);
    uint64_t before = bench->core->decision_count;
    int64_t until_ms = bench->now_ms + GIVE_UP_MS;
    while (bench->core->decision_count == before && pass_time(bench, until_ms))
        continue;
}

static void first_decision(const struct bench_options *options, const char *name, uint32_t rounds,
                           struct samples *samples)
{
    struct ordered ordered = {0};
    double bound = 0, resident = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        struct bench *bench = bench_create(options);
        load(bench, true);
        resident = round == 0 ? resident_mib() : resident;
        begin_measure(bench);
        lead(bench);
        if (bench->core->decision_count == 0)
            decide(bench);
        sample(samples, bench->longest_ms);
        ordered = sum_decisions(bench);
        bound = lower_bound(bench);
        bench_destroy(bench);
    }
    print(options, name, samples, &ordered, bound, resident);
}

// An agent's report, a pod that becomes (not) ready: nothing anybody would decide differently for. Then a pod
// that goes away: one look at a cluster in which nobody waits.
static void nothing_to_do(const struct bench_options *options, uint32_t rounds, struct samples *samples)
{
    struct bench *bench = bench_create(options);
    load(bench, false);
    double resident = resident_mib();
    lead(bench);
    settle(bench, 30000);
    for (uint32_t i = 0; i < rounds * EVENTS_OF_A_ROUND / 10 && i < options->pods; i++) {
        bench->now_ms++;
        step(bench, bench_pod(options, i, i % 2 == 0));
        sample(samples, bench->step_ms);
    }
    print(options, "pod_event_nothing_to_do", samples, NULL, 0, resident);
    for (uint32_t i = 0; i < rounds * 5 && i < options->pods; i++) {
        struct event *event = bench_pod(options, i, false);
        event->object.pod->deletion_ms = bench->now_ms;
        step(bench, event);
        begin_measure(bench);
        settle(bench, 2500); // the look that follows
        sample(samples, bench->longest_ms);
    }
    print(options, "look_nothing_to_do", samples, NULL, 0, resident);
    bench_destroy(bench);
}

static void pending(const struct bench_options *options, const char *name, uint32_t rounds,
                    struct samples *samples)
{
    struct ordered ordered = {0};
    double bound = 0, resident = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        struct bench *bench = bench_create(options);
        load(bench, false);
        lead(bench);
        settle(bench, 30000);
        for (uint32_t i = 0; i < options->pending; i++)
            step(bench, bench_pending(options, i, bench->now_ms));
        resident = round == 0 ? resident_mib() : resident;
        decide(bench);
        sample(samples, bench->longest_ms);
        ordered = sum_decisions(bench);
        bound = lower_bound(bench);
        bench_destroy(bench);
    }
    print(options, name, samples, &ordered, bound, resident);
}

static void shrink(const struct bench_options *options, const char *name, uint32_t rounds,
                   struct samples *samples)
{
    struct ordered ordered = {0};
    double resident = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        struct bench *bench = bench_create(options);
        load(bench, false);
        lead(bench);
        resident = round == 0 ? resident_mib() : resident;
        begin_measure(bench);
        for (int minute = 0; minute < 10 && bench->core->decision_count == 0; minute++) {
            hear_agents(bench);
            settle(bench, 20000);
        }
        sample(samples, bench->longest_ms);
        ordered = sum_decisions(bench);
        bench_destroy(bench);
    }
    print(options, name, samples, &ordered, 0, resident);
}

// Places for all that waits on the nodes there are, then on new machines of one size: packing alone.
static void packing_alone(const struct bench_options *options, uint32_t rounds, struct samples *samples)
{
    struct bench *bench = bench_create(options);
    load(bench, true);
    lead(bench);
    struct cluster *cluster = bench->core->cluster;
    const struct pod **pods = xcalloc(options->pending + 1, sizeof(*pods));
    uint32_t *landed = xcalloc(options->pending + 1, sizeof(*landed));
    struct ordered ordered = {0};
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t count = 0;
        for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next)
            pods[count++] = pod;
        struct arena *arena = arena_create(1 << 20);
        struct template_node made[BENCH_ZONES];
        for (uint32_t i = 0; i < BENCH_ZONES && i < cluster->group_count; i++)
            made[i] = template_create(arena, cluster, cluster->groups[i],
                                      1 + (int64_t)(options->karpenter ? 15 : bench_offer_of_nodes(options)));
        double start = clock_ms();
        struct packing packing = packing_create(arena, cluster);
        packing_order(pods, count, made[0].place.allocatable);
        ordered.machines = 0;
        for (uint32_t i = 0; i < BENCH_ZONES && i < cluster->group_count && count > 0; i++) {
            ordered.machines += packing_count_on(&packing, &made[i].place, pods, count, 100000, landed);
            uint32_t left = 0;
            for (uint32_t k = 0; k < count; k++) {
                if (landed[k] == UINT32_MAX)
                    pods[left++] = pods[k];
            }
            count = left;
        }
        sample(samples, clock_ms() - start);
        ordered.taken = count; // those without a place
        arena_destroy(arena);
    }
    print(options, "packing_alone", samples, &ordered, 0, resident_mib());
    free(pods);
    free(landed);
    bench_destroy(bench);
}

// ---- what to run

static struct bench_options karpenter_options(const struct bench_options *options, uint32_t pending_pods)
{
    struct bench_options karpenter = *options;
    karpenter.karpenter = true;
    karpenter.nodes = karpenter.pods = 0;
    karpenter.pending = pending_pods;
    karpenter.kinds = pending_pods;
    karpenter.groups = BENCH_ZONES;
    karpenter.offers = 400;
    karpenter.affinity = karpenter.anti_affinity = karpenter.spread = 0.2; // and as much on host names
    karpenter.volumes = 0;
    return karpenter;
}

static bool wanted(const char *only, const char *name)
{
    return only == NULL || strcmp(only, name) == 0;
}

static void run_karpenter(const struct bench_options *options, uint32_t rounds, struct samples *samples,
                          bool alone)
{
    static const uint32_t sizes[] = {1000, 10000, 20000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct bench_options karpenter = karpenter_options(options, sizes[i]);
        if (alone)
            packing_alone(&karpenter, rounds, samples);
        else
            first_decision(&karpenter, "karpenter", rounds, samples);
    }
}

static void run_curve(const struct bench_options *options, uint32_t rounds, struct samples *samples)
{
    static const uint32_t sizes[] = {100, 500, 1000, 2500, 5000, 10000, 15000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct bench_options at = *options;
        at.nodes = sizes[i];
        at.pods = sizes[i] * 18;
        at.pending = sizes[i] * 2;
        first_decision(&at, "curve", rounds, samples);
    }
}

static void run(const struct bench_options *options, const char *only, uint32_t rounds,
                struct samples *samples)
{
    if (wanted(only, "first"))
        first_decision(options, "first_decision", rounds, samples);
    if (wanted(only, "nothing"))
        nothing_to_do(options, rounds, samples);
    if (wanted(only, "pending"))
        pending(options, "pending", rounds, samples);
    if (wanted(only, "kinds")) {
        struct bench_options many = *options;
        many.kinds = many.pending > 0 ? many.pending : 1;
        pending(&many, "pending_all_kinds", rounds, samples);
    }
    struct bench_options sparse = *options;
    sparse.filled = 0.25;
    sparse.config = true;
    if (wanted(only, "scale-down"))
        shrink(&sparse, "scale_down", rounds, samples);
    sparse.filled = 0.6;
    sparse.consolidation = true;
    if (wanted(only, "consolidation"))
        shrink(&sparse, "consolidation", rounds, samples);
    if (wanted(only, "packing"))
        packing_alone(options, rounds, samples);
    if (wanted(only, "karpenter"))
        run_karpenter(options, rounds, samples, false);
    if (wanted(only, "packing-karpenter"))
        run_karpenter(options, rounds, samples, true);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: bench-decide [--seed N] [--nodes N] [--pods N] [--pending N] [--kinds N] [--groups N]\n"
            "  [--offers N] [--affinity SHARE] [--anti-affinity SHARE] [--spread SHARE] [--volumes SHARE]\n"
            "  [--filled SHARE] [--rounds N] [--curve yes] [--case first|nothing|pending|kinds|scale-down|\n"
            "  consolidation|packing|karpenter|packing-karpenter]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_options_default();
    const char *only = NULL;
    uint32_t rounds = 5;
    bool curve = false;
    const struct {
        const char *name;
        uint32_t *number;
        double *share;
    } flags[] = {
        {"--nodes", &options.nodes, NULL},     {"--pods", &options.pods, NULL},
        {"--pending", &options.pending, NULL}, {"--kinds", &options.kinds, NULL},
        {"--groups", &options.groups, NULL},   {"--offers", &options.offers, NULL},
        {"--rounds", &rounds, NULL},           {"--affinity", NULL, &options.affinity},
        {"--spread", NULL, &options.spread},   {"--anti-affinity", NULL, &options.anti_affinity},
        {"--volumes", NULL, &options.volumes}, {"--filled", NULL, &options.filled},
    };
    for (int i = 1; i + 1 < argc; i += 2) {
        bool known = strcmp(argv[i], "--case") == 0 || strcmp(argv[i], "--seed") == 0 ||
                     strcmp(argv[i], "--curve") == 0;
        for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
            if (strcmp(argv[i], flags[k].name) != 0)
                continue;
            known = true;
            if (flags[k].number != NULL)
                *flags[k].number = (uint32_t)strtoul(argv[i + 1], NULL, 10);
            else
                *flags[k].share = strtod(argv[i + 1], NULL);
        }
        if (strcmp(argv[i], "--case") == 0)
            only = argv[i + 1];
        if (strcmp(argv[i], "--seed") == 0)
            options.seed = strtoull(argv[i + 1], NULL, 10);
        curve = curve || strcmp(argv[i], "--curve") == 0;
        if (!known)
            return usage();
    }
    if (argc % 2 == 0 || options.nodes == 0 || options.pods < options.nodes || options.kinds == 0 ||
        options.groups == 0 || options.offers == 0 || rounds == 0 || rounds > ROUNDS_MAX)
        return usage();
    struct samples *samples = xcalloc(1, sizeof(*samples));
    if (curve)
        run_curve(&options, rounds, samples);
    else
        run(&options, only, rounds, samples);
    free(samples);
    return 0;
}
