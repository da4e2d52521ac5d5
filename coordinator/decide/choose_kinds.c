#include "coordinator/decide/choose_draft.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/labels.h"

#define EXTENDED_AXIS  4u
#define KEY_HOSTNAME   "kubernetes.io/hostname"
#define HASH_START     14695981039346656037ull
#define HASH_FACTOR    1099511628211ull
#define ANY_PRICE_UNIT 1000.0 // millis of cpu that cost 1 when no price is known at all

// ---- amounts

// The extended resources that have an axis are the first that pods ask for, by name.
int64_t draft_amount(const struct resources *amount, const struct drafting *drafting, uint32_t axis)
{
    switch (axis) {
    case 0: return amount->cpu_millis;
    case 1: return amount->memory_bytes;
    case 2: return amount->ephemeral_bytes;
    case 3: return amount->pods;
    default: return resources_extended(amount, drafting->extended[axis - EXTENDED_AXIS]);
    }
}

static void take_extended(struct drafting *drafting, const struct resources *asked)
{
    for (uint32_t i = 0; i < asked->extended_count && drafting->axis_count < DRAFT_AXES; i++) {
        const char *name = asked->extended[i].name;
        bool known = false;
        for (uint32_t axis = EXTENDED_AXIS; axis < drafting->axis_count; axis++)
            known = known || strcmp(drafting->extended[axis - EXTENDED_AXIS], name) == 0;
        if (!known)
            drafting->extended[drafting->axis_count++ - EXTENDED_AXIS] = name;
    }
}

// What has no price is taken for a little dearer than the dearest that has one, by its cpu.
static void fill_prices(struct drafting *drafting)
{
    const struct wish *wish = drafting->wish;
    double dearest = 0;
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        int64_t cpu = wish->choices[i].place->allocatable->cpu_millis;
        if (cpu > 0 && wish->choices[i].price_hour / (double)cpu > dearest)
            dearest = wish->choices[i].price_hour / (double)cpu;
    }
    if (dearest <= 0)
        dearest = 1 / ANY_PRICE_UNIT;
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        double cpu = (double)wish->choices[i].place->allocatable->cpu_millis;
        bool known = wish->choices[i].price_hour > 0;
        drafting->price[i] = known ? wish->choices[i].price_hour : dearest * 1.001 * (cpu > 1 ? cpu : 1);
    }
}

static void sort_by_group(struct drafting *drafting)
{
    const struct wish *wish = drafting->wish;
    drafting->by_group = ARENA_ARRAY(wish->arena, uint32_t, wish->choice_count + 1);
    drafting->group_start = ARENA_ARRAY(wish->arena, uint32_t, wish->group_count + 2);
    uint32_t next = 0;
    for (uint32_t group = 0; group < wish->group_count; group++) {
        drafting->group_start[group] = next;
        for (uint32_t i = 0; i < wish->choice_count; i++) {
            if (wish->choices[i].group != group)
                continue;
            uint32_t at = next++;
            for (; at > drafting->group_start[group] &&
                   drafting->brings[drafting->by_group[at - 1]][0] < drafting->brings[i][0];
                 at--)
                drafting->by_group[at] = drafting->by_group[at - 1];
            drafting->by_group[at] = i;
        }
    }
    drafting->group_start[wish->group_count] = next;
}

struct drafting *drafting_create(const struct wish *wish)
{
    struct drafting *drafting = ARENA_NEW(wish->arena, struct drafting);
    drafting->wish = wish;
    drafting->arena = wish->arena;
    drafting->axis_count = EXTENDED_AXIS;
    for (uint32_t i = 0; i < wish->pod_count; i++)
        if (i == 0 || wish->pods[i]->shape != wish->pods[i - 1]->shape)
            take_extended(drafting, &wish->pods[i]->shape->facts.requests);
    drafting->brings = arena_alloc_array(wish->arena, wish->choice_count + 1, sizeof(*drafting->brings));
    drafting->price = ARENA_ARRAY(wish->arena, double, wish->choice_count + 1);
    drafting->closed = ARENA_ARRAY(wish->arena, bool, wish->choice_count + 1);
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        const struct place *place = wish->choices[i].place;
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++) {
            int64_t left =
                draft_amount(place->allocatable, drafting, axis) - draft_amount(&place->used, drafting, axis);
            drafting->brings[i][axis] = left > 0 ? left : 0;
        }
    }
    fill_prices(drafting);
    sort_by_group(drafting);
    return drafting;
}

// ---- which choices a pod may run on

static bool speaks_of_size(const char *key)
{
    return strcmp(key, "node.kubernetes.io/instance-type") == 0 ||
           strcmp(key, "beta.kubernetes.io/instance-type") == 0 || strcmp(key, KEY_OFFERING) == 0;
}

// Do the pod's rules tell sizes of one group apart?
static bool tells_sizes_apart(const struct pod_shape_facts *facts)
{
    for (uint32_t i = 0; i < facts->node_selector.count; i++)
        if (speaks_of_size(facts->node_selector.items[i].key))
            return true;
    for (uint32_t i = 0; i < facts->affinity_term_count; i++)
        for (uint32_t k = 0; k < facts->affinity_terms[i].expression_count; k++)
            if (speaks_of_size(facts->affinity_terms[i].expressions[k].key))
                return true;
    return false;
}

static bool has_topology(const struct pod_shape_facts *facts)
{
    return facts->pod_affinity_count + facts->pod_anti_affinity_count + facts->spread_count > 0;
}

static bool same_labels(const struct labels *a, const struct labels *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
            strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    return true;
}

static bool same_tolerations(const struct pod_shape_facts *a, const struct pod_shape_facts *b)
{
    if (a->toleration_count != b->toleration_count)
        return false;
    for (uint32_t i = 0; i < a->toleration_count; i++) {
        const struct toleration *one = &a->tolerations[i], *other = &b->tolerations[i];
        if (one->operator!= other->operator||
            one->any_effect != other->any_effect ||(!one->any_effect && one->effect != other->effect) ||
            strcmp(one->key, other->key) != 0 || strcmp(one->value, other->value) != 0)
            return false;
    }
    return true;
}

// Same nodes, whatever they ask for and whoever is there already.
static bool same_rule(const struct pod_shape_facts *a, const struct pod_shape_facts *b)
{
    return (a->needs != 0) == (b->needs != 0) && a->has_affinity == b->has_affinity &&
           same_labels(&a->node_selector, &b->node_selector) && same_tolerations(a, b) &&
           node_terms_equal(a->affinity_terms, a->affinity_term_count, b->affinity_terms,
                            b->affinity_term_count);
}

static uint64_t mix(uint64_t hash, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        hash = (hash ^ *at) * HASH_FACTOR;
    return (hash ^ 0xff) * HASH_FACTOR;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * HASH_FACTOR;
}

static uint64_t hash_rule(const struct pod_shape_facts *facts)
{
    uint64_t hash = mix_number(HASH_START, facts->needs != 0);
    for (uint32_t i = 0; i < facts->node_selector.count; i++)
        hash = mix(mix(hash, facts->node_selector.items[i].key), facts->node_selector.items[i].value);
    for (uint32_t i = 0; i < facts->toleration_count; i++)
        hash = mix(mix(hash, facts->tolerations[i].key), facts->tolerations[i].value);
    hash = mix_number(hash, facts->affinity_term_count);
    for (uint32_t i = 0; i < facts->affinity_term_count; i++)
        for (uint32_t k = 0; k < facts->affinity_terms[i].expression_count; k++)
            hash = mix(hash, facts->affinity_terms[i].expressions[k].key);
    return hash;
}

bool draft_is_host_key(const char *topology_key)
{
    return strcmp(topology_key, KEY_HOSTNAME) == 0;
}

static uint32_t add_rule(struct drafting *drafting)
{
    if (drafting->rule_count == drafting->rule_capacity) {
        uint32_t capacity = drafting->rule_capacity == 0 ? 32 : drafting->rule_capacity * 2;
        struct draft_rule *rules = ARENA_ARRAY(drafting->arena, struct draft_rule, capacity);
        if (drafting->rule_count > 0)
            memcpy(rules, drafting->rules, drafting->rule_count * sizeof(*rules));
        drafting->rules = rules;
        drafting->rule_capacity = capacity;
    }
    drafting->rules[drafting->rule_count].allowed =
        ARENA_ARRAY(drafting->arena, uint64_t, drafting->wish->choice_count / 64 + 1);
    return drafting->rule_count++;
}

static void allow(struct drafting *drafting, uint32_t rule, uint32_t choice)
{
    drafting->rules[rule].allowed[choice / 64] |= UINT64_C(1) << (choice % 64);
    drafting->rules[rule].choices++;
}

// The rule that was added last, or the one before that allows the same.
static uint32_t settle_rule(struct drafting *drafting)
{
    uint32_t last = drafting->rule_count - 1, words = drafting->wish->choice_count / 64 + 1;
    struct draft_rule *rule = &drafting->rules[last];
    rule->hash = HASH_START;
    for (uint32_t i = 0; i < words; i++)
        rule->hash = mix_number(rule->hash, rule->allowed[i] ^ rule->allowed[i] >> 29);
    for (uint32_t i = 0; i < last; i++)
        if (drafting->rules[i].hash == rule->hash &&
            memcmp(drafting->rules[i].allowed, rule->allowed, words * sizeof(*rule->allowed)) == 0) {
            drafting->rule_count--;
            return i;
        }
    return last;
}

uint32_t drafting_narrow_rule(struct drafting *drafting, uint32_t rule, const bool *choices)
{
    uint32_t narrow = add_rule(drafting);
    for (uint32_t i = 0; i < drafting->wish->choice_count; i++)
        if (choices[i] && draft_allowed(drafting, rule, i))
            allow(drafting, narrow, i);
    return settle_rule(drafting);
}

// By the node's labels and taints alone.
static void fill_rule(struct drafting *drafting, uint32_t rule, const struct pod_shape *shape)
{
    const struct wish *wish = drafting->wish;
    if (shape->facts.needs != 0)
        return;
    bool each = tells_sizes_apart(&shape->facts);
    bool *asked = ARENA_ARRAY(drafting->arena, bool, wish->group_count + 1);
    bool *takes = ARENA_ARRAY(drafting->arena, bool, wish->group_count + 1);
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        uint32_t group = wish->choices[i].group;
        if (each || !asked[group]) {
            takes[group] = placement_check_static(shape, wish->choices[i].place).verdict == PLACEMENT_FITS;
            asked[group] = true;
        }
        if (takes[group])
            allow(drafting, rule, i);
    }
}

#define RULE_BUCKETS 256u
struct known_rule {
    const struct pod_shape_facts *facts;
    uint32_t rule;
    struct known_rule *next;
};

static uint32_t static_rule(struct drafting *drafting, struct known_rule **known,
                            const struct pod_shape *shape)
{
    struct known_rule **bucket = &known[hash_rule(&shape->facts) % RULE_BUCKETS];
    for (const struct known_rule *at = *bucket; at != NULL; at = at->next)
        if (same_rule(at->facts, &shape->facts))
            return at->rule;
    struct known_rule *made = ARENA_NEW(drafting->arena, struct known_rule);
    *made = (struct known_rule){.facts = &shape->facts, .rule = add_rule(drafting), .next = *bucket};
    *bucket = made;
    fill_rule(drafting, made->rule, shape);
    made->rule = settle_rule(drafting);
    return made->rule;
}

bool draft_holds(const struct drafting *drafting, uint32_t choice, const struct draft_kind *kind)
{
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        if (kind->ask[axis] > drafting->brings[choice][axis])
            return false;
    return true;
}

// The choice of the group that brings most cpu of those that hold the kind: what a new machine of the group
// is tried with.
static uint32_t largest_of(const struct drafting *drafting, uint32_t rule, uint32_t group,
                           const struct draft_kind *kind)
{
    for (uint32_t i = drafting->group_start[group]; i < drafting->group_start[group + 1]; i++) {
        uint32_t choice = drafting->by_group[i];
        if (draft_allowed(drafting, rule, choice) && draft_holds(drafting, choice, kind))
            return choice;
    }
    return DRAFT_NONE;
}

struct known_present { // a rule without some of its groups
    uint32_t base, rule;
    const bool *groups;
    struct known_present *next;
};

static uint32_t rule_of_groups(struct drafting *drafting, struct known_present **known, uint32_t base,
                               const bool *groups)
{
    uint32_t group_count = drafting->wish->group_count;
    for (const struct known_present *at = *known; at != NULL; at = at->next)
        if (at->base == base && memcmp(at->groups, groups, group_count * sizeof(*groups)) == 0)
            return at->rule;
    uint32_t rule = add_rule(drafting);
    for (uint32_t group = 0; group < group_count; group++)
        for (uint32_t i = drafting->group_start[group]; i < drafting->group_start[group + 1]; i++)
            if (groups[group] && draft_allowed(drafting, base, drafting->by_group[i]))
                allow(drafting, rule, drafting->by_group[i]);
    struct known_present *made = ARENA_NEW(drafting->arena, struct known_present);
    *made = (struct known_present){base, settle_rule(drafting), groups, *known};
    *known = made;
    return made->rule;
}

// The same with regard to the pods that are there: the groups on whose machines the kind may be beside them.
static uint32_t present_rule(struct drafting *drafting, struct known_present **known, uint32_t base,
                             const struct draft_kind *kind)
{
    const struct wish *wish = drafting->wish;
    bool *groups = ARENA_ARRAY(drafting->arena, bool, wish->group_count + 1);
    for (uint32_t group = 0; group < wish->group_count; group++) {
        uint32_t probe = largest_of(drafting, base, group, kind);
        if (probe == DRAFT_NONE)
            continue;
        const struct pod *pod = wish->pods[drafting->members[kind->first]];
        groups[group] =
            packing_check_new(wish->packing, wish->choices[probe].place, pod).verdict == PLACEMENT_FITS;
    }
    return rule_of_groups(drafting, known, base, groups);
}

// ---- how many of a kind one machine may hold

#define CAP_BUCKETS 1024u
struct known_cap {
    uint64_t hash;
    uint32_t cap;
    struct known_cap *next;
};

static uint64_t hash_selector(uint64_t hash, const struct selector *selector)
{
    hash = mix_number(hash, selector->nothing);
    for (uint32_t i = 0; i < selector->requirement_count; i++) {
        const struct requirement *requirement = &selector->requirements[i];
        hash = mix_number(mix(hash, requirement->key), requirement->operator);
        for (uint32_t k = 0; k < requirement->value_count; k++)
            hash = mix(hash, requirement->values[k]);
    }
    return hash;
}

static void add_cap(struct drafting *drafting, struct known_cap **known, struct draft_kind *kind,
                    uint64_t hash, uint32_t skew)
{
    if (kind->cap_count == DRAFT_CAPS_MAX)
        return;
    struct known_cap **bucket = &known[hash % CAP_BUCKETS];
    struct known_cap *at = *bucket;
    while (at != NULL && at->hash != hash)
        at = at->next;
    if (at == NULL) {
        at = ARENA_NEW(drafting->arena, struct known_cap);
        *at = (struct known_cap){.hash = hash, .cap = drafting->cap_count++, .next = *bucket};
        *bucket = at;
        assert(drafting->cap_count <= drafting->cap_capacity);
        drafting->cap_most[at->cap] = skew > 0 ? UINT32_MAX : 1;
        drafting->cap_owner[at->cap] = drafting->wish->pods[drafting->members[kind->first]];
    }
    drafting->cap_skew[at->cap] = skew;
    drafting->cap_pods[at->cap] += kind->count;
    kind->caps[kind->cap_count++] = at->cap;
    kind->cap_total = kind->cap_count;
}

static bool selects(const struct selector *selector, const char *const *spaces, uint32_t space_count,
                    const struct pod *pod)
{
    bool here = false;
    for (uint32_t i = 0; i < space_count; i++)
        here = here || strcmp(spaces[i], pod->space) == 0;
    return here && selector_matches(selector, &pod->shape->facts.labels);
}

// Does a rule of the owner about single machines speak of this pod?
static bool speaks_of(const struct pod *owner, bool spread, const struct pod *pod)
{
    const struct pod_shape_facts *facts = &owner->shape->facts;
    for (uint32_t i = 0; i < facts->spread_count && spread; i++)
        if (draft_is_host_key(facts->spread[i].topology_key) &&
            selects(&facts->spread[i].selector, &facts->spread[i].space, 1, pod))
            return true;
    for (uint32_t i = 0; i < facts->pod_anti_affinity_count && !spread; i++) {
        const struct pod_term *term = &facts->pod_anti_affinity[i];
        if (draft_is_host_key(term->topology_key) &&
            selects(&term->selector, term->spaces, term->space_count, pod))
            return true;
    }
    return false;
}

#define COMPARED_MAX 2000000u

// Pods that others' rules speak of: those of an anti-affinity wherever they are, those of an even spread when
// they are put before the pods that want it (which those of a domain are).
static void count_for_others(struct drafting *drafting)
{
    if ((uint64_t)drafting->cap_count * drafting->kind_count > COMPARED_MAX)
        return; // left to the packing to find out
    for (uint32_t i = 0; i < drafting->kind_count; i++) {
        struct draft_kind *kind = &drafting->kinds[i];
        const struct pod *pod = drafting->wish->pods[drafting->members[kind->first]];
        bool early = draft_is_about_domains(&pod->shape->facts);
        for (uint32_t cap = 0; cap < drafting->cap_count && kind->cap_total < DRAFT_CAPS_MAX; cap++) {
            bool spread = drafting->cap_skew[cap] > 0, own = false;
            for (uint32_t k = 0; k < kind->cap_count; k++)
                own = own || kind->caps[k] == cap;
            if (!own && (early || !spread) && speaks_of(drafting->cap_owner[cap], spread, pod))
                kind->caps[kind->cap_total++] = cap;
        }
    }
}

void drafting_even_out(struct drafting *drafting, uint32_t machines)
{
    for (uint32_t cap = 0; cap < drafting->cap_count; cap++)
        if (drafting->cap_skew[cap] > 0)
            drafting->cap_most[cap] =
                drafting->cap_skew[cap] + (machines > 0 ? drafting->cap_pods[cap] / machines : 0);
}

static void take_caps(struct drafting *drafting, struct known_cap **known, struct draft_kind *kind,
                      const struct pod_shape *shape)
{
    const struct pod_shape_facts *facts = &shape->facts;
    for (uint32_t i = 0; i < facts->pod_anti_affinity_count; i++) {
        const struct pod_term *term = &facts->pod_anti_affinity[i];
        if (draft_is_host_key(term->topology_key) && selector_matches(&term->selector, &facts->labels))
            add_cap(drafting, known, kind, hash_selector(mix(HASH_START, "anti"), &term->selector), 0);
    }
    for (uint32_t i = 0; i < facts->spread_count; i++)
        if (draft_is_host_key(facts->spread[i].topology_key) &&
            selector_matches(&facts->spread[i].selector, &facts->labels))
            add_cap(drafting, known, kind,
                    hash_selector(mix(HASH_START, facts->spread[i].space), &facts->spread[i].selector),
                    facts->spread[i].max_skew > 0 ? (uint32_t)facts->spread[i].max_skew : 1);
    for (uint32_t i = 0; i < facts->host_port_count; i++) {
        const struct host_port *port = &facts->host_ports[i];
        uint64_t hash = mix_number(mix(HASH_START, "port"), (uint64_t)port->port << 2 | port->protocol);
        add_cap(drafting, known, kind, mix(hash, port->ip), 0);
    }
}

// ---- kinds

static void list_members(struct drafting *drafting, const uint32_t *machine_of)
{
    const struct wish *wish = drafting->wish;
    drafting->members = ARENA_ARRAY(drafting->arena, uint32_t, wish->pod_count + 1);
    drafting->kinds = ARENA_ARRAY(drafting->arena, struct draft_kind, wish->pod_count + 1);
    drafting->kind_count = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < wish->pod_count; i++) {
        if (machine_of[i] != CHOSEN_NONE)
            continue;
        struct draft_kind *kind = &drafting->kinds[drafting->kind_count];
        if (count == 0 || wish->pods[i]->shape != wish->pods[drafting->members[count - 1]]->shape) {
            kind->first = count;
            drafting->kind_count++;
        } else {
            kind--;
        }
        kind->count++;
        drafting->members[count++] = i;
    }
}

// By what they ask for and then by name: the same whatever the order was in which they came.
struct named_kind {
    struct draft_kind kind;
    const struct pod *pod;
};

static int by_ask_and_name(const void *left, const void *right)
{
    const struct named_kind *a = left, *b = right;
    for (uint32_t axis = 0; axis < DRAFT_AXES; axis++)
        if (a->kind.ask[axis] != b->kind.ask[axis])
            return a->kind.ask[axis] > b->kind.ask[axis] ? -1 : 1;
    int order = strcmp(a->pod->space, b->pod->space);
    return order != 0 ? order : strcmp(a->pod->name, b->pod->name);
}

static void sort_kinds(struct drafting *drafting)
{
    uint32_t count = drafting->kind_count;
    struct named_kind *named = ARENA_ARRAY(drafting->arena, struct named_kind, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct draft_kind *kind = &drafting->kinds[i];
        const struct pod *pod = drafting->wish->pods[drafting->members[kind->first]];
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            kind->ask[axis] = draft_amount(&pod->shape->facts.requests, drafting, axis);
        named[i] = (struct named_kind){*kind, pod};
    }
    if (count > 1)
        qsort(named, count, sizeof(*named), by_ask_and_name);
    for (uint32_t i = 0; i < count; i++)
        drafting->kinds[i] = named[i].kind;
}

void drafting_take_kinds(struct drafting *drafting, const uint32_t *machine_of)
{
    list_members(drafting, machine_of);
    sort_kinds(drafting);
    drafting->rule_count = drafting->rule_capacity = 0;
    drafting->cap_count = 0;
    drafting->cap_capacity = drafting->kind_count * DRAFT_CAPS_MAX;
    drafting->cap_most = ARENA_ARRAY(drafting->arena, uint32_t, drafting->cap_capacity + 1);
    drafting->cap_owner = ARENA_ARRAY(drafting->arena, const struct pod *, drafting->cap_capacity + 1);
    drafting->cap_skew = ARENA_ARRAY(drafting->arena, uint32_t, drafting->cap_capacity + 1);
    drafting->cap_pods = ARENA_ARRAY(drafting->arena, uint32_t, drafting->cap_capacity + 1);
    struct known_rule **rules = ARENA_ARRAY(drafting->arena, struct known_rule *, RULE_BUCKETS);
    struct known_cap **caps = ARENA_ARRAY(drafting->arena, struct known_cap *, CAP_BUCKETS);
    struct known_present *present = NULL;
    for (uint32_t i = 0; i < drafting->kind_count; i++) {
        struct draft_kind *kind = &drafting->kinds[i];
        const struct pod_shape *shape = drafting->wish->pods[drafting->members[kind->first]]->shape;
        kind->rule = static_rule(drafting, rules, shape);
        if (drafting->rules[kind->rule].choices == 0)
            continue;
        if (has_topology(&shape->facts) || drafting->round > 0)
            kind->rule = present_rule(drafting, &present, kind->rule, kind);
        take_caps(drafting, caps, kind, shape);
    }
    count_for_others(drafting);
    drafting_split_domains(drafting);
    drafting_merge_kinds(drafting);
}

// ---- parts

static uint32_t root(uint32_t *parent, uint32_t of)
{
    while (parent[of] != of) {
        parent[of] = parent[parent[of]];
        of = parent[of];
    }
    return of;
}

static bool some_choice(const struct drafting *drafting, const struct draft_kind *kind)
{
    for (uint32_t i = 0; i < drafting->wish->choice_count; i++)
        if (!drafting->closed[i] && draft_allowed(drafting, kind->rule, i) && draft_holds(drafting, i, kind))
            return true;
    return false;
}

// Rules are joined to the choices that they allow; what hangs together is a part.
static uint32_t *join(const struct drafting *drafting)
{
    uint32_t choices = drafting->wish->choice_count;
    uint32_t *parent = ARENA_ARRAY(drafting->arena, uint32_t, choices + drafting->rule_count + 1);
    for (uint32_t i = 0; i < choices + drafting->rule_count; i++)
        parent[i] = i;
    for (uint32_t rule = 0; rule < drafting->rule_count; rule++)
        for (uint32_t i = 0; i < choices; i++)
            if (!drafting->closed[i] && draft_allowed(drafting, rule, i))
                parent[root(parent, i)] = root(parent, choices + rule);
    return parent;
}

uint32_t drafting_parts(struct drafting *drafting)
{
    uint32_t choices = drafting->wish->choice_count, parts = 0;
    uint32_t *parent = join(drafting);
    uint32_t *part_of = ARENA_ARRAY(drafting->arena, uint32_t, choices + drafting->rule_count + 1);
    for (uint32_t i = 0; i < drafting->kind_count; i++) {
        struct draft_kind *kind = &drafting->kinds[i];
        kind->part = DRAFT_NONE;
        if (!some_choice(drafting, kind))
            continue;
        uint32_t at = root(parent, choices + kind->rule);
        if (part_of[at] == 0)
            part_of[at] = ++parts;
        kind->part = part_of[at] - 1;
    }
    return parts;
}
