#include <stdio.h>
#include <string.h>

#include "coordinator/decide/scale_up.h"

// Which sizes a group can get: those of its VPSie groups that take orders, less those that back off, that its
// preferences rule out, or whose data center has nothing to give.

static const char *offer_name(const struct look *look, const struct group *group, int64_t size_id)
{
    const struct cloud_offers *offers = cluster_offers(look->core->cluster, group->facts.datacenter_id);
    for (uint32_t i = 0; offers != NULL && i < offers->offer_count; i++)
        if (offers->offers[i].id == size_id)
            return offers->offers[i].name;
    return "";
}

#define JOIN_LEAST_MS ((int64_t)120000)  // a size whose machine did not join is set aside for so long,
#define JOIN_MOST_MS  ((int64_t)1800000) // twice as long with every further one, and so long at most
#define DOUBT_SIZES   2                  // sizes without capacity make one doubt their data center
#define DOUBT_TIER    1000

static struct size *add_size(struct look *look, uint32_t candidate, int64_t size_id)
{
    struct size *size = &look->sizes[look->size_count++];
    *size = (struct size){.candidate = candidate, .size_id = size_id, .set_aside = "", .doubt = ""};
    look->candidates[candidate].size_count++;
    return size;
}

static void note_back_off(struct look *look, struct size *size, const struct pool *pool)
{
    if (pool->backoff_until_ms <= look->core->now_ms)
        return;
    size->set_aside = arena_printf(look->arena, "backs off: %s", pool->backoff_reason);
    look_due_at(look, pool->backoff_until_ms);
}

// Machines that were paid for and never came into service: the next one may not either.
static void note_failures(struct look *look, struct size *size)
{
    struct core *core = look->core;
    struct group *group = look->candidates[size->candidate].group;
    struct policy_order *known = policy_order_of(group_policy(core, group), size->size_id);
    uint32_t failed = 0;
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct life *life = group->intentions[i]->decide;
        failed += life != NULL && life->removal == REMOVAL_FAILED &&
                  life_size(core, group->intentions[i]) == size->size_id;
    }
    if (failed > known->failed)
        known->failed_ms = core->now_ms;
    known->failed = failed;
    if (failed == 0)
        return;
    int64_t wait_ms = JOIN_LEAST_MS;
    for (uint32_t i = 1; i < failed && wait_ms < JOIN_MOST_MS; i++)
        wait_ms *= 2;
    int64_t until_ms = known->failed_ms + (wait_ms < JOIN_MOST_MS ? wait_ms : JOIN_MOST_MS);
    if (until_ms <= core->now_ms)
        return;
    size->set_aside = arena_printf(look->arena, "backs off: %u machine%s of late did not come into service",
                                   failed, policy_plural(failed));
    look_due_at(look, until_ms);
}

static bool lacks_capacity(const struct core *core, const struct pool *pool)
{
    static const char *const WORDS[] = {"capacity", "out of stock", "sold out", "not available",
                                        "unavailable"};
    if (pool->backoff_until_ms <= core->now_ms)
        return false;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        if (text_contains_fold(pool->backoff_reason, WORDS[i]))
            return true;
    return false;
}

// Several sizes of its data center, or this one in another group, have no capacity there: rather try
// elsewhere.
static void note_doubt(struct look *look, struct size *size)
{
    const char *datacenter = look->candidates[size->candidate].group->facts.datacenter_id;
    uint32_t lacking = 0;
    bool same = false;
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        struct group *group = look->candidates[i].group;
        const struct group_life *life = group_life(look->core, group);
        if (strcmp(group->facts.datacenter_id, datacenter) != 0)
            continue;
        for (uint32_t k = 0; k < life->pool_count; k++) {
            if (!lacks_capacity(look->core, &life->pools[k]))
                continue;
            lacking++;
            same = same || life->pools[k].size_id == size->size_id;
        }
    }
    if (lacking < DOUBT_SIZES && !same)
        return;
    size->doubt = arena_printf(look->arena, "data center %s lacks capacity for %u size%s", datacenter,
                               lacking, policy_plural(lacking));
    size->tier += DOUBT_TIER;
}

// "42", or the offer's name.
static bool is_called(const struct look *look, const struct group *group, int64_t size_id, const char *name)
{
    char number[32];
    snprintf(number, sizeof(number), "%lld", (long long)size_id);
    return strcmp(number, name) == 0 || strcmp(offer_name(look, group, size_id), name) == 0;
}

static void prefer(struct look *look, struct candidate *candidate)
{
    const char *preferred = candidate->group->facts.preferred_instance_type;
    bool found = false;
    for (uint32_t i = 0; i < candidate->size_count && preferred[0] != '\0'; i++)
        found = found ||
                is_called(look, candidate->group, look->sizes[candidate->first_size + i].size_id, preferred);
    for (uint32_t i = 0; i < candidate->size_count && found; i++) {
        struct size *size = &look->sizes[candidate->first_size + i];
        size->tier = is_called(look, candidate->group, size->size_id, preferred) ? 0 : 1;
    }
}

// The size of most of its machines; 0 when it has none.
static int64_t size_in_use(struct look *look, const struct candidate *candidate)
{
    int64_t most_size = 0;
    uint32_t most = 0;
    for (uint32_t i = 0; i < candidate->size_count; i++) {
        int64_t size_id = look->sizes[candidate->first_size + i].size_id;
        uint32_t count = life_unseen(look->core, candidate->group, size_id);
        for (uint32_t k = 0; k < candidate->group->intention_count; k++) {
            const struct intention *intention = candidate->group->intentions[k];
            count +=
                intention->facts.phase != INTENTION_FAILED && life_size(look->core, intention) == size_id;
        }
        if (count > most) {
            most = count;
            most_size = size_id;
        }
    }
    return most_size;
}

// allowMixedInstances: false. With machines there the size is settled, else the plan settles it.
static void keep_to_one(struct look *look, struct candidate *candidate)
{
    candidate->one_size = !candidate->group->facts.allow_mixed_instances;
    if (!candidate->one_size || candidate->size_count < 2)
        return;
    int64_t in_use = size_in_use(look, candidate);
    for (uint32_t i = 0; i < candidate->size_count && in_use != 0; i++) {
        struct size *size = &look->sizes[candidate->first_size + i];
        if (size->size_id != in_use)
            size->set_aside = "another size is in use, and allowMixedInstances is false";
    }
}

static void list_of(struct look *look, uint32_t index)
{
    struct candidate *candidate = &look->candidates[index];
    const struct group_life *life = group_life(look->core, candidate->group);
    candidate->first_size = look->size_count;
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (life->pools[i].orderable)
            note_back_off(look, add_size(look, index, life->pools[i].size_id), &life->pools[i]);
    if (candidate->size_count == 0)
        add_size(look, index, policy_size_id(look->core, candidate->group)); // until VPSie's lists were read
    prefer(look, candidate);
    keep_to_one(look, candidate);
}

void look_list_sizes(struct look *look)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < look->candidate_count; i++)
        most += group_life(look->core, look->candidates[i].group)->pool_count + 1;
    look->sizes = ARENA_ARRAY(look->arena, struct size, most + 1);
    for (uint32_t i = 0; i < look->candidate_count; i++)
        list_of(look, i);
    for (uint32_t i = 0; i < look->size_count; i++) {
        note_failures(look, &look->sizes[i]);
        note_doubt(look, &look->sizes[i]);
    }
}

void look_make_sizes(struct look *look)
{
    if (look->sizes_made)
        return;
    look->sizes_made = true;
    for (uint32_t i = 0; i < look->size_count; i++) {
        struct size *size = &look->sizes[i];
        size->made = template_create(look->arena, look->core->cluster,
                                     look->candidates[size->candidate].group, size->size_id);
    }
}

const char *look_size_name(struct look *look, const struct size *size)
{
    const char *name = offer_name(look, look->candidates[size->candidate].group, size->size_id);
    return name[0] != '\0' ? name : arena_printf(look->arena, "%lld", (long long)size->size_id);
}

struct size *look_size_in_use(struct look *look, struct candidate *candidate)
{
    int64_t in_use = size_in_use(look, candidate);
    for (uint32_t i = 0; i < candidate->size_count && in_use != 0; i++) {
        struct size *size = &look->sizes[candidate->first_size + i];
        if (size->size_id == in_use && look_room(look, size) > 0)
            return size;
    }
    return look_size_for_minimum(look, candidate);
}

struct size *look_size_for_minimum(struct look *look, struct candidate *candidate)
{
    struct size *best = NULL;
    double best_price = 0;
    for (uint32_t i = 0; i < candidate->size_count; i++) {
        struct size *size = &look->sizes[candidate->first_size + i];
        double price = policy_size_price(look->core, candidate->group, size->size_id);
        bool cheaper = price > 0 && (best_price <= 0 || price < best_price);
        if (look_room(look, size) == 0)
            continue;
        if (best == NULL || size->tier < best->tier || (size->tier == best->tier && cheaper)) {
            best = size;
            best_price = price;
        }
    }
    return best;
}
