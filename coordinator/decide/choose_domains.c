#include "coordinator/decide/choose_draft.h"

#include <assert.h>
#include <string.h>

// Rules about zones: an even spread over them, pods that must be in one with others, or in none with them. On
// paper each pod is told its zone beforehand, so that the rest is arithmetic. It is found with the packing's
// own rules: each group has a trial machine on which everything fits, and each pod goes to the domain that
// has taken fewest of its kind and whose trial machine takes it.

#define DOMAINS_MAX 64u
#define KEYS_MAX    4u

struct dealing {
    struct drafting *drafting;
    const char *keys[KEYS_MAX]; // topology keys that kinds name, host names apart
    uint32_t key_count;
    uint32_t *domain_of;            // by choice
    uint32_t first_of[DOMAINS_MAX]; // choice
    uint32_t domain_count;
    uint32_t *next_of;     // by choice: the next one of its domain, DRAFT_NONE: it is the last
    uint32_t *narrow;      // by rule and domain: the rule for the domain alone and one, 0: not made yet
    uint32_t narrow_count; // rules that were there when the dealing began
    bool *in_domain;       // by choice, while a rule is made
    uint32_t *trial_of;    // by group: the place of its trial machine, UINT32_MAX: none yet
    struct resources unlimited;
    uint32_t taken[DOMAINS_MAX]; // of the present kind
    uint32_t *member_domain;     // by member of the present kind
};

// Has the pod rules about more than one machine, and none about single ones?
bool draft_is_about_domains(const struct pod_shape_facts *facts)
{
    bool wide = false;
    for (uint32_t i = 0; i < facts->pod_affinity_count; i++) {
        if (draft_is_host_key(facts->pod_affinity[i].topology_key))
            return false;
        wide = true;
    }
    for (uint32_t i = 0; i < facts->pod_anti_affinity_count; i++) {
        if (draft_is_host_key(facts->pod_anti_affinity[i].topology_key))
            return false;
        wide = true;
    }
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        if (draft_is_host_key(facts->spread[i].topology_key))
            return false;
        wide = true;
    }
    return wide && facts->host_port_count == 0;
}

static const struct pod_shape *shape_of(const struct drafting *drafting, const struct draft_kind *kind)
{
    return drafting->wish->pods[drafting->members[kind->first]]->shape;
}

static void note_key(struct dealing *dealing, const char *key)
{
    for (uint32_t i = 0; i < dealing->key_count; i++)
        if (strcmp(dealing->keys[i], key) == 0)
            return;
    if (dealing->key_count < KEYS_MAX)
        dealing->keys[dealing->key_count++] = key;
}

static void find_keys(struct dealing *dealing)
{
    const struct drafting *drafting = dealing->drafting;
    for (uint32_t i = 0; i < drafting->kind_count; i++) {
        const struct pod_shape_facts *facts = &shape_of(drafting, &drafting->kinds[i])->facts;
        if (!draft_is_about_domains(facts))
            continue;
        for (uint32_t k = 0; k < facts->pod_affinity_count; k++)
            note_key(dealing, facts->pod_affinity[k].topology_key);
        for (uint32_t k = 0; k < facts->pod_anti_affinity_count; k++)
            note_key(dealing, facts->pod_anti_affinity[k].topology_key);
        for (uint32_t k = 0; k < facts->spread_count; k++)
            note_key(dealing, facts->spread[k].topology_key);
    }
}

static bool same_domain(const struct dealing *dealing, uint32_t a, uint32_t b)
{
    const struct choice *choices = dealing->drafting->wish->choices;
    for (uint32_t i = 0; i < dealing->key_count; i++) {
        const char *one = labels_get(choices[a].place->labels, dealing->keys[i]);
        const char *other = labels_get(choices[b].place->labels, dealing->keys[i]);
        if ((one == NULL) != (other == NULL) || (one != NULL && strcmp(one, other) != 0))
            return false;
    }
    return true;
}

// False when there is nothing to deal out: no such rule, one domain only, or more than are worth it.
static bool find_domains(struct dealing *dealing)
{
    const struct wish *wish = dealing->drafting->wish;
    find_keys(dealing);
    if (dealing->key_count == 0)
        return false;
    dealing->domain_of = ARENA_ARRAY(wish->arena, uint32_t, wish->choice_count + 1);
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        if (i > 0 && wish->choices[i].group == wish->choices[i - 1].group && same_domain(dealing, i, i - 1)) {
            dealing->domain_of[i] = dealing->domain_of[i - 1];
            continue;
        }
        uint32_t domain = 0;
        while (domain < dealing->domain_count && !same_domain(dealing, dealing->first_of[domain], i))
            domain++;
        if (domain == DOMAINS_MAX)
            return false;
        if (domain == dealing->domain_count)
            dealing->first_of[dealing->domain_count++] = i;
        dealing->domain_of[i] = domain;
    }
    return dealing->domain_count > 1;
}

// Each domain's choices hang together, in their order; nothing is known yet of what rules leave of them.
static void begin_dealing(struct dealing *dealing)
{
    const struct drafting *drafting = dealing->drafting;
    const struct wish *wish = drafting->wish;
    uint32_t last[DOMAINS_MAX];
    for (uint32_t domain = 0; domain < dealing->domain_count; domain++)
        last[domain] = dealing->first_of[domain];
    dealing->next_of = ARENA_ARRAY(wish->arena, uint32_t, wish->choice_count + 1);
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        dealing->next_of[i] = DRAFT_NONE;
        uint32_t *before = &last[dealing->domain_of[i]];
        if (i != *before)
            dealing->next_of[*before] = i;
        *before = i;
    }
    dealing->narrow_count = drafting->rule_count;
    dealing->narrow =
        ARENA_ARRAY(wish->arena, uint32_t, (size_t)drafting->rule_count * dealing->domain_count + 1);
    dealing->in_domain = ARENA_ARRAY(wish->arena, bool, wish->choice_count + 1);
    dealing->member_domain = ARENA_ARRAY(wish->arena, uint32_t, wish->pod_count + 1);
    dealing->trial_of = ARENA_ARRAY(wish->arena, uint32_t, wish->group_count + 1);
    for (uint32_t i = 0; i < wish->group_count; i++)
        dealing->trial_of[i] = UINT32_MAX;
}

static uint32_t trial_machine(struct dealing *dealing, uint32_t choice)
{
    const struct wish *wish = dealing->drafting->wish;
    uint32_t *trial = &dealing->trial_of[wish->choices[choice].group];
    if (*trial == UINT32_MAX) {
        struct place place = *wish->choices[choice].place;
        place.allocatable = &dealing->unlimited;
        *trial = packing_add(wish->packing, &place);
    }
    return *trial;
}

// A choice of the domain that the kind may run on.
static uint32_t choice_in(const struct dealing *dealing, const struct draft_kind *kind, uint32_t domain)
{
    const struct drafting *drafting = dealing->drafting;
    for (uint32_t i = dealing->first_of[domain]; i != DRAFT_NONE; i = dealing->next_of[i])
        if (!drafting->closed[i] && draft_allowed(drafting, kind->rule, i) && draft_holds(drafting, i, kind))
            return i;
    return DRAFT_NONE;
}

static uint32_t put_in_domain(struct dealing *dealing, const uint32_t *choice_of, const struct pod *pod)
{
    bool tried[DOMAINS_MAX] = {false};
    for (uint32_t n = 0; n < dealing->domain_count; n++) {
        uint32_t next = DRAFT_NONE;
        for (uint32_t i = 0; i < dealing->domain_count; i++)
            if (!tried[i] && choice_of[i] != DRAFT_NONE &&
                (next == DRAFT_NONE || dealing->taken[i] < dealing->taken[next]))
                next = i;
        if (next == DRAFT_NONE)
            return DRAFT_NONE;
        tried[next] = true;
        if (packing_put_at(dealing->drafting->wish->packing, trial_machine(dealing, choice_of[next]), pod,
                           NULL))
            return next;
    }
    return DRAFT_NONE;
}

// What the extended amounts of a trial machine are is not asked: pods that want such are left as they are.
static bool is_dealt(const struct drafting *drafting, const struct draft_kind *kind)
{
    const struct pod_shape_facts *facts = &shape_of(drafting, kind)->facts;
    return draft_is_about_domains(facts) && facts->requests.extended_count == 0 && kind->rule != DRAFT_NONE;
}

static void deal_kind(struct dealing *dealing, const struct draft_kind *kind)
{
    struct drafting *drafting = dealing->drafting;
    uint32_t choice_of[DOMAINS_MAX];
    memset(dealing->taken, 0, sizeof(dealing->taken));
    for (uint32_t i = 0; i < dealing->domain_count; i++)
        choice_of[i] = choice_in(dealing, kind, i);
    for (uint32_t i = 0; i < kind->count; i++) {
        uint32_t pod = drafting->members[kind->first + i];
        uint32_t domain = put_in_domain(dealing, choice_of, drafting->wish->pods[pod]);
        dealing->member_domain[i] = domain;
        if (domain == DRAFT_NONE)
            continue;
        dealing->taken[domain]++;
        drafting->turn[pod] = ++drafting->turns;
    }
}

static uint32_t rule_in(struct dealing *dealing, uint32_t rule, uint32_t domain)
{
    uint32_t *known = &dealing->narrow[(size_t)rule * dealing->domain_count + domain];
    assert(rule < dealing->narrow_count);
    if (*known == 0) {
        for (uint32_t i = dealing->first_of[domain]; i != DRAFT_NONE; i = dealing->next_of[i])
            dealing->in_domain[i] = true;
        *known = drafting_narrow_rule(dealing->drafting, rule, dealing->in_domain) + 1;
        for (uint32_t i = dealing->first_of[domain]; i != DRAFT_NONE; i = dealing->next_of[i])
            dealing->in_domain[i] = false;
    }
    return *known - 1;
}

// Members by domain, those without one last; a kind for each domain. The first stands in the old one's place.
static void split(struct dealing *dealing, struct draft_kind *kinds, uint32_t *count, struct draft_kind kind)
{
    struct drafting *drafting = dealing->drafting;
    struct arena *arena = drafting->arena;
    uint32_t *members = ARENA_ARRAY(arena, uint32_t, kind.count + 1);
    uint32_t next = 0;
    for (uint32_t domain = 0; domain < dealing->domain_count; domain++) {
        struct draft_kind part = kind;
        part.first = kind.first + next;
        for (uint32_t i = 0; i < kind.count; i++)
            if (dealing->member_domain[i] == domain)
                members[next++] = drafting->members[kind.first + i];
        part.count = kind.first + next - part.first;
        if (part.count == 0)
            continue;
        part.rule = rule_in(dealing, kind.rule, domain);
        kinds[(*count)++] = part;
    }
    for (uint32_t i = 0, placed = next; i < kind.count && next < kind.count; i++)
        if (dealing->member_domain[i] == DRAFT_NONE)
            members[placed++] = drafting->members[kind.first + i];
    memcpy(&drafting->members[kind.first], members, kind.count * sizeof(*members));
}

void drafting_split_domains(struct drafting *drafting)
{
    struct dealing dealing = {.drafting = drafting,
                              .unlimited = {.cpu_millis = INT64_MAX / 4,
                                            .memory_bytes = INT64_MAX / 4,
                                            .ephemeral_bytes = INT64_MAX / 4,
                                            .pods = INT64_MAX / 4}};
    const struct wish *wish = drafting->wish;
    drafting->turn = ARENA_ARRAY(drafting->arena, uint32_t, wish->pod_count + 1);
    drafting->turns = 0;
    if (!find_domains(&dealing))
        return;
    begin_dealing(&dealing);
    struct draft_kind *kinds = ARENA_ARRAY(drafting->arena, struct draft_kind, wish->pod_count + 1);
    uint32_t count = 0;
    struct packing_mark mark = packing_mark(wish->packing);
    for (uint32_t i = 0; i < drafting->kind_count; i++) {
        if (!is_dealt(drafting, &drafting->kinds[i])) {
            kinds[count++] = drafting->kinds[i];
            continue;
        }
        deal_kind(&dealing, &drafting->kinds[i]);
        split(&dealing, kinds, &count, drafting->kinds[i]);
    }
    packing_rollback(wish->packing, mark);
    drafting->kinds = kinds;
    drafting->kind_count = count;
}
