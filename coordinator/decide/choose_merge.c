#include <string.h>

#include "coordinator/decide/choose_draft.h"

#define MERGE_BUCKETS 4096u

struct merged {
    struct draft_kind *kind; // the first of those that are alike
    uint32_t *members;       // of all of them; filled once their number is known
    uint32_t filled;
    struct merged *next;
};

static uint64_t hash_kind(const struct draft_kind *kind)
{
    uint64_t hash = kind->rule;
    for (uint32_t axis = 0; axis < DRAFT_AXES; axis++)
        hash = (hash ^ (uint64_t)kind->ask[axis]) * 0x9e3779b97f4a7c15ull;
    for (uint32_t i = 0; i < kind->cap_total; i++)
        hash = (hash ^ kind->caps[i]) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

static bool alike(const struct draft_kind *a, const struct draft_kind *b)
{
    return a->rule == b->rule && a->cap_count == b->cap_count && a->cap_total == b->cap_total &&
           memcmp(a->ask, b->ask, sizeof(a->ask)) == 0 &&
           memcmp(a->caps, b->caps, a->cap_total * sizeof(a->caps[0])) == 0;
}

static struct merged *find(struct merged **bucket, const struct draft_kind *kind)
{
    struct merged *merged = *bucket;
    while (merged != NULL && !alike(merged->kind, kind))
        merged = merged->next;
    return merged;
}

// Pods of one merged kind lie side by side, in the order of the kinds that they came from.
static void list_members(struct drafting *drafting, struct merged *const *merged_of, uint32_t kind_count)
{
    uint32_t *members = ARENA_ARRAY(drafting->arena, uint32_t, drafting->wish->pod_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < kind_count; i++) {
        struct merged *merged = merged_of[i];
        const struct draft_kind *kind = &drafting->kinds[i];
        if (merged->members == NULL) {
            merged->members = &members[count];
            count += merged->filled;
            merged->filled = 0;
        }
        memcpy(merged->members + merged->filled, &drafting->members[kind->first],
               kind->count * sizeof(*members));
        merged->filled += kind->count;
    }
    for (uint32_t i = 0; i < kind_count; i++) {
        struct draft_kind *kind = &drafting->kinds[i];
        if (merged_of[i]->kind != kind)
            continue;
        kind->first = (uint32_t)(merged_of[i]->members - members);
        kind->count = merged_of[i]->filled;
    }
    drafting->members = members;
}

void drafting_merge_kinds(struct drafting *drafting)
{
    uint32_t kind_count = drafting->kind_count, kept = 0;
    struct merged **buckets = ARENA_ARRAY(drafting->arena, struct merged *, MERGE_BUCKETS);
    struct merged **merged_of = ARENA_ARRAY(drafting->arena, struct merged *, kind_count + 1);
    for (uint32_t i = 0; i < kind_count; i++) {
        struct draft_kind *kind = &drafting->kinds[i];
        struct merged **bucket = &buckets[hash_kind(kind) % MERGE_BUCKETS];
        merged_of[i] = find(bucket, kind);
        if (merged_of[i] == NULL) {
            merged_of[i] = ARENA_NEW(drafting->arena, struct merged);
            *merged_of[i] = (struct merged){.kind = kind, .next = *bucket};
            *bucket = merged_of[i];
        }
        merged_of[i]->filled += kind->count;
    }
    list_members(drafting, merged_of, kind_count);
    for (uint32_t i = 0; i < kind_count; i++)
        if (merged_of[i]->kind == &drafting->kinds[i])
            drafting->kinds[kept++] = drafting->kinds[i];
    drafting->kind_count = kept;
}
